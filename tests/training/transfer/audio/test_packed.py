from pathlib import Path

import numpy as np
import pytest
import torch

from mmgat.model.labels import LABELS
from mmgat.training.data.label_text import LabelText
from mmgat.training.errors import TrainingDataError
from mmgat.training.transfer.audio.packed import About, PackedSet, pack
from tests.training.transfer.stand_ins import Notes, class_names


def folder_of(packed: PackedSet) -> Path:
    return packed._folder


def test_a_packed_set_is_no_larger_than_asked_for(packed: PackedSet) -> None:
    sizes = [path.stat().st_size for path in folder_of(packed).glob("*.opus")]
    assert len(sizes) == 8
    assert 0.5 * 2**20 < sum(sizes) <= 0.9 * 2**20


def test_parts_come_back_as_they_sounded_in_their_groups(packed: PackedSet) -> None:
    parts, maker = packed.parts("train", "pieces"), Notes()
    assert [len(group) for group in parts.groups] == [2] * len(parts.groups)
    flute, violin = (LABELS.index(label) for label in ("flute", "violin"))
    assert parts.labels[parts.groups[0]].tolist() == [flute, violin]
    assert parts.ambiguous[parts.groups[0][1]].nonzero()[0].tolist() == [LABELS.index("cello")]
    for place, index in ((0, 0), (1, 2)):  # the second piece has too many stems
        expected = maker.group("pieces", index)[0].audio
        found = parts.audio[parts.groups[place][0]] / 32_767
        assert np.corrcoef(found, expected)[0, 1] > 0.9
        assert np.abs(found[2_000:64_000]).max() < 0.01  # after the part before
    assert (packed.parts("train", "music").labels == -1).all()


def test_finished_kinds_are_not_made_again(packed: PackedSet, tmp_path: Path) -> None:
    class Nobody:
        def group(self, kind: str, index: int) -> list[object]:
            raise AssertionError(kind)

    makers = dict.fromkeys(("train", "validation"), Nobody())
    text = LabelText(torch.zeros(len(LABELS), 384), "none", "none")
    about = About(class_names(), [{"source": "tones", "licence": "none"}])
    counts = pack(makers, about, text, folder_of(packed), 0.9)  # type: ignore[arg-type]
    assert counts["train-music"] == len(packed.parts("train", "music").labels)


@pytest.mark.parametrize("name", ["about.json", "train-sounds.json", "train-sounds.opus"])
def test_a_set_that_is_not_whole_is_told(packed: PackedSet, tmp_path: Path, name: str) -> None:
    for path in folder_of(packed).iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:20])
    with pytest.raises(TrainingDataError, match=f"expected {name} of a packed set in"):
        PackedSet(tmp_path, tmp_path / "cache").parts("train", "sounds")
