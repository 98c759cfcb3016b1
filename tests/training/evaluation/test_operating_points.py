from pathlib import Path

import numpy as np
import pytest

from mmgat.model.card import read_card
from mmgat.model.checkpoint import save_checkpoint
from mmgat.model.labels import INDEX, LABELS
from mmgat.training.evaluation.operating_points import figures, moved, write_operating_points
from tests.conftest import untrained_card, untrained_mmgat


def test_a_threshold_moves_by_its_odds_and_back() -> None:
    normal = dict.fromkeys(LABELS, 0.2)
    low = moved(normal, np.log(2))
    assert low["piano"] == pytest.approx(1 / 3, abs=1e-4)  # odds of 1 to 4 become 1 to 2
    assert moved(low, -np.log(2))["piano"] == pytest.approx(0.2, abs=2e-4)


def test_figures_are_of_known_entries_only() -> None:
    truth, known = np.zeros((2, 20), bool), np.ones((2, 20), bool)
    scores = np.zeros((2, 20))
    piano, voice = INDEX["piano"], INDEX["voice"]
    truth[:, piano] = truth[0, voice] = True
    scores[0, piano] = scores[1, voice] = 0.9
    known[1, piano] = False
    assert figures(truth, scores, known, dict.fromkeys(LABELS, 0.5)) == {
        "precision": 0.5, "recall": 0.5, "F1": 0.5
    }  # fmt: skip


def test_a_card_gets_three_points_in_order_and_keeps_its_own_thresholds(
    audioset: Path, tmp_path: Path
) -> None:
    path = tmp_path / "lab.safetensors"
    save_checkpoint(path, untrained_card(embedder="vggish"), untrained_mmgat())
    write_operating_points(str(path), audioset / "audioset-vggish" / "validation.npz")
    card = read_card(path)
    points = [card.operating_points[name] for name in ("low", "normal", "high")]
    assert points[1].thresholds == card.thresholds
    thresholds = [point.thresholds["piano"] for point in points]
    assert thresholds == sorted(thresholds, reverse=True)
    recalls = [point.figures["recall"] for point in points]
    assert recalls == sorted(recalls)
