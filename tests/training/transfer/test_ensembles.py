import numpy as np
import pytest

from mmgat.model.labels import LABELS
from mmgat.training.transfer.ensembles import PIECE_S, Ensemble
from mmgat.training.transfer.pieces import GAP_S, one_after_another
from mmgat.training.transfer.scores import Score, ScoreNote

CHORALE = Score(
    "chorale",
    [[ScoreNote(beat, 1.0, pitch + beat % 3) for beat in range(120)] for pitch in (72, 67, 60, 48)],
)


@pytest.mark.parametrize("seed", range(20))
def test_players_have_labels_and_notes_within_the_piece(seed: int) -> None:
    ensemble = Ensemble(CHORALE, np.random.default_rng(seed))
    assert ensemble.players
    for player in ensemble.players:
        assert player.label is None or player.label in LABELS
        assert player.notes
        assert all(0 <= note.start < PIECE_S for note in player.notes)
        assert player.label not in player.ambiguous


def test_the_same_seed_gives_the_same_piece() -> None:
    first, again = (Ensemble(CHORALE, np.random.default_rng(7)).players for _ in range(2))
    assert first == again


def test_players_play_in_turn() -> None:
    ensemble = Ensemble(CHORALE, np.random.default_rng(3))
    file = one_after_another(ensemble.players)
    turns = len(ensemble.players)
    assert file.length <= turns * (PIECE_S + GAP_S)
    used = {m.channel for m in file.tracks[0] if m.type == "program_change"}
    assert len(used) >= len({p.program for p in ensemble.players if not p.drums})
