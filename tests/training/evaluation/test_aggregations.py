import json
from pathlib import Path

import msgspec
import numpy as np
import torch
from safetensors.torch import save_file

from mmgat.model.labels import INDEX, LABELS
from mmgat.training.data.yard_store import LabelledClip, Yard, weakly_labelled
from mmgat.training.evaluation.aggregations import (
    AGGREGATIONS,
    aggregations,
    mean_scores,
    relative_scores,
)
from mmgat.training.evaluation.comparison_page import tables
from mmgat.training.fitting.fit import NETWORK
from mmgat.training.fitting.recipe import Recipe
from mmgat.training.fitting.run_folder import RESULT
from tests.training.evaluation.rows import row


def test_padding_is_heard_by_neither_rule() -> None:
    rng = np.random.default_rng(0)
    windows, mask = rng.random((3, 4, 20)).astype(np.float32), np.ones((3, 4), bool)
    mask[1, 2:] = False
    short = windows[1:2, :2]
    np.testing.assert_allclose(mean_scores(windows, mask)[1], short.mean(axis=1)[0], rtol=1e-6)
    relative = relative_scores(windows, mask)
    np.testing.assert_allclose(relative.max(axis=1), 1.0)
    summed = short.sum(axis=1)[0]
    np.testing.assert_allclose(relative[1], summed / summed.max(), rtol=1e-6)


def quiet_or_loud(index: int) -> LabelledClip:
    """A cello, or a flute of 3 s; the flute is the louder one."""
    label, level = (("cello", 0.05), ("flute", 0.5))[index % 2]
    rng, bag = np.random.default_rng(index), np.zeros(20, np.float32)
    bag[INDEX[label]] = 1
    audio = level * rng.standard_normal((2, 160_000 if label == "cello" else 48_000))
    return weakly_labelled(audio.astype(np.float32), bag, np.ones(20, np.float32), "solo", "made")


def test_both_rules_are_measured_once(tmp_path: Path) -> None:
    for part in ("held-out", "evaluation", "phrases"):
        Yard(tmp_path / "yard").write(part, 4, quiet_or_loud)
    recipe = Recipe(
        network="han-convnet", data="yard", tags=False, embeddings="log-mel",
        system={"width": 0.0625},
    )  # fmt: skip
    run = tmp_path / "run"
    run.mkdir()
    torch.manual_seed(0)
    save_file(recipe.build(0).state_dict(), run / NETWORK)
    description = {"recipe": "han", **json.loads(msgspec.json.encode(recipe))}
    result = {"of": description, "tags": 0, "thresholds": dict.fromkeys(LABELS, 0.5)}
    (run / RESULT).write_text(json.dumps(result))
    found = aggregations(run, tmp_path / "yard")
    assert list(found) == ["S1, mean", "S2, sum over the largest"]
    assert 0 < found["S2, sum over the largest"]["threshold"] < 1
    assert found["S1, mean"]["phrases"] == found["S1, mean"]["evaluation"]  # the same clips
    (run / NETWORK).unlink()
    assert aggregations(run, tmp_path / "yard") == json.loads((run / AGGREGATIONS).read_text())
    micro = found["S1, mean"]["evaluation"]["micro"]
    assert f"| S1, mean | {found['S1, mean']['threshold']:.2f} | {micro:.3f} |" in tables(
        [row("han-convnet", "log-mel")], by_rule=found
    )
    assert "two aggregations" not in tables([row("han-convnet", "log-mel")])
