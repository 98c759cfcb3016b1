from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from mmgat.model.embedders.compact import CompactEmbedder
from mmgat.training.data.mixtures import make_mixtures, read_mixtures
from mmgat.training.errors import TrainingDataError
from tests.training.distillation.conftest import cache, data, teachers  # noqa: F401


def test_both_kinds_of_rows_are_of_the_same_clips(data: Path, cache: Path, tmp_path: Path) -> None:  # noqa: F811
    (cache / "distil").mkdir()
    state = {key: value.contiguous() for key, value in CompactEmbedder().state_dict().items()}
    save_file(state, cache / "distil" / "embedder.safetensors")
    make_mixtures(data, cache, tmp_path / "out", 6, 3)
    for split, n_clips in (("train", 6), ("validation", 3)):
        compact = read_mixtures(tmp_path / "out", "compact", split)
        spectral = read_mixtures(tmp_path / "out", "time-frequency", split)
        assert compact.rows.shape == (n_clips, 10, 128)
        assert spectral.rows.shape == (n_clips, 10, 158)
        assert torch.equal(compact.instance, spectral.instance)
        assert torch.equal(compact.bag, compact.instance.amax(1))
    train = read_mixtures(tmp_path / "out", "time-frequency", "train").rows
    assert float(train.mean()) == pytest.approx(0, abs=0.2)


def test_without_mixtures_it_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="expected rows in"):
        read_mixtures(tmp_path, "compact", "train")
