"""The score of a whole file, and files side by side in one batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from mmgat.model.labels import LABELS
from mmgat.stream.archive import annotator as annotator_module
from mmgat.stream.archive.annotator import Annotator, annotate_file
from mmgat.stream.archive.file_lane import FileScores
from mmgat.stream.archive.result import FileResult
from mmgat.stream.audio.file import FileSource
from mmgat.stream.bus.protocol import Estimate, Event
from mmgat.stream.errors import SourceError
from mmgat.stream.recognition.pipeline import Pipeline
from mmgat.stream.recognition.recognizer import Recognizer
from mmgat.stream.settings import StreamSettings
from tests.stream.archive.conftest import DEMO

Rows = list[list[float]]
Segments = list[tuple[float, str, float]]


def file_scores(piano: list[float], settings: StreamSettings) -> dict[str, float]:
    """The scores of a file whose windows' graphs have that much piano in them."""
    scores = FileScores(settings)
    for score in piano:
        bag = np.zeros(len(LABELS), np.float32)
        bag[LABELS.index("piano")] = score
        scores.add(bag)
    return scores.mean()


def test_a_short_file_is_one_bag_of_all_its_phases() -> None:
    scores = file_scores([0, 0, 0.2, 0.4], StreamSettings(hop_s=0.5, nodes=10))
    assert scores["piano"] == pytest.approx(0.3)
    assert scores["flute"] == 0


def test_a_long_file_is_the_mean_of_its_stretches_by_their_length() -> None:
    scores = file_scores([0, 0, 0, 0.9, 0, 0.3], StreamSettings(hop_s=1.0, nodes=4))
    assert scores["piano"] == pytest.approx((4 * 0.9 + 2 * 0.3) / 6)


def test_no_windows_give_zeros() -> None:
    assert set(file_scores([], StreamSettings()).values()) == {0.0}


def live(path: Path, recognizer: Recognizer, settings: StreamSettings) -> tuple[Rows, Segments]:
    """What the live path says of a file, block by block: scores of windows, and segments."""
    messages: list[Estimate | Event] = []
    with FileSource(path) as source:
        pipeline = Pipeline(recognizer, "lab", source.sample_rate_hz, settings)
        while (block := source.read()) is not None:
            messages += pipeline.process(block)
        messages += pipeline.finish()
    rows = [[m.t0, m.t1, *m.scores.values()] for m in messages if isinstance(m, Estimate)]
    ends = [m for m in messages if isinstance(m, Event) and m.event == "off"]
    return rows, sorted((m.onset_s, m.label, m.time_s) for m in ends)


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo, longer than a graph, with two seconds of silence in it."""
    sound, rate_hz = soundfile.read(DEMO, dtype="float32")
    sound = sound[: 17 * rate_hz].copy()
    sound[6 * rate_hz : 8 * rate_hz] = 0
    path = tmp_path_factory.mktemp("song") / "song.wav"
    soundfile.write(path, sound, rate_hz, "FLOAT")
    return path


@pytest.mark.parametrize("hop_s", [0.5, 1.0])
def test_files_read_ahead_have_the_scores_of_the_live_path(
    hop_s: float, clips: list[Path], song: Path, recognizer: Recognizer
) -> None:
    paths = [clips[0], song, clips[1]]
    settings = StreamSettings(hop_s=hop_s)
    found = dict(
        Annotator(Recognizer(recognizer.model, settings), settings, keep_windows=True)(paths)
    )
    assert set(found) == set(paths)
    for path, result in found.items():
        assert isinstance(result, FileResult)
        assert result.windows is not None
        rows, segments = live(path, Recognizer(recognizer.model, settings), settings)
        np.testing.assert_allclose(result.windows, rows, atol=1e-5)
        assert [(s.t0, s.label, s.t1) for s in result.segments] == [
            (pytest.approx(t0, abs=1e-3), label, pytest.approx(t1, abs=1e-3))
            for t0, label, t1 in segments
        ]
        assert next(iter(result.window_rows()))[:2] == (rows[0][0], rows[0][1])
    assert (found[song].windows[:, 2:].max(axis=1) == 0).any()  # type: ignore[union-attr, index]
    assert any(result.segments for result in found.values() if isinstance(result, FileResult))


def test_a_bad_file_among_others_is_a_fault_in_words(
    clips: list[Path], recognizer: Recognizer, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.wav"
    empty.touch()
    found = dict(Annotator(recognizer, StreamSettings())([empty, clips[0]]))
    assert found[empty] == f"expected audio in {str(empty)!r}, found an empty file"
    assert isinstance(found[clips[0]], FileResult)
    with pytest.raises(SourceError, match="found an empty file"):
        annotate_file(empty, recognizer, StreamSettings())


def test_rows_that_are_taken_ahead_are_no_longer_in_the_result(
    clips: list[Path], recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(annotator_module, "ROWS_AT_ONCE", 3)
    settings, path = StreamSettings(), clips[3]
    ((_, whole),) = Annotator(recognizer, settings, keep_windows=True)([path])
    annotator = Annotator(recognizer, settings, keep_windows=True, n_windows=4)
    assert annotator.begin(path) == ""
    parts, done = [], []
    while not done:
        done = annotator.step()
        parts += annotator.take_windows().values()
    ((_, last),) = done
    assert isinstance(whole, FileResult)
    assert isinstance(last, FileResult)
    assert [len(rows) for rows in parts[:2]] == [4, 4]
    assert whole.windows is not None
    assert last.windows is not None
    found = np.concatenate([*parts, last.windows])
    np.testing.assert_allclose(found, whole.windows, atol=1e-5)
