import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from mmgat.model.labels import LABELS
from tools.score_clips import main, read_manifest, read_results, score


def result(name: str, **scores: float) -> str:
    """A line of results; labels that are not named have a score of 0."""
    return json.dumps({"file": f"clips/{name}", "scores": dict.fromkeys(LABELS, 0.0) | scores})


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "manifest.csv"
    path.write_text("path,labels,licence\na.ogg,piano,CC0\nsub/b.ogg,piano+flute,CC0\n")
    return path


def test_scores_that_rank_all_true_labels_first_are_perfect(manifest: Path) -> None:
    lines = [result("a.ogg", piano=0.9), result("b.ogg", piano=0.8, flute=0.7)]
    found = score(read_manifest(manifest), read_results(lines))
    assert (found["clips"], found["missing"]) == (2, [])
    assert [found[name] for name in ("lrap", "micro_ap", "macro_ap", "top1")] == [1.0] * 4


def test_metrics_of_a_small_example(manifest: Path) -> None:
    # In a the true label is second, in b the true labels are first and second.
    lines = [result("a.ogg", cello=0.9, piano=0.6), result("b.ogg", piano=0.8, flute=0.7)]
    found = score(read_manifest(manifest), read_results(lines))
    assert found["lrap"] == pytest.approx((1 / 2 + 1) / 2)
    assert found["micro_ap"] == pytest.approx((1 / 2 + 2 / 3 + 3 / 4) / 3, abs=1e-4)
    assert found["macro_ap"] == pytest.approx(1.0)  # within each label the order is right
    assert found["top1"] == 0.5


def test_clips_without_a_result_are_named_and_not_counted(manifest: Path) -> None:
    found = score(read_manifest(manifest), read_results([result("b.ogg", flute=0.5), ""]))
    assert (found["clips"], found["missing"]) == (1, ["a.ogg"])


def test_the_command_reads_standard_input_and_prints_json(manifest: Path) -> None:
    done = CliRunner().invoke(main, [str(manifest)], input=result("a.ogg", piano=0.9))
    assert json.loads(done.output)["top1"] == 1.0


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("no json", "line 1: expected file and scores of 20 labels"),
        ('{"file": "a.ogg", "scores": {"piano": 1}}', "line 1: .*accordion"),
        (result("other.ogg"), "found none: are the names alike"),
    ],
)
def test_unusable_results_are_an_error_in_one_line(
    manifest: Path, lines: str, message: str
) -> None:
    done = CliRunner().invoke(main, [str(manifest)], input=lines)
    assert done.exit_code == 1
    with pytest.raises(ValueError, match=message):
        score(read_manifest(manifest), read_results(lines.splitlines()))


@pytest.mark.parametrize(
    ("text", "message"),
    [("file,labels\na.ogg,piano\n", "path and labels"), ("path,labels\na.ogg,kazoo\n", "kazoo")],
)
def test_an_unusable_manifest_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "manifest.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_manifest(path)
