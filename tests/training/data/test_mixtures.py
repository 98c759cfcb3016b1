from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from mmgat.model.embedders.convnet import ConvNetEmbedder
from mmgat.training.data.registry import dataset_named
from mmgat.training.distillation.mixtures import make_mixtures
from mmgat.training.errors import TrainingDataError


def test_both_kinds_of_embeddings_are_of_the_same_clips(
    data: Path, cache: Path, tmp_path: Path
) -> None:
    (cache / "distil").mkdir()
    state = {key: value.contiguous() for key, value in ConvNetEmbedder().state_dict().items()}
    save_file(state, cache / "distil" / "embedder.safetensors")
    make_mixtures(data, cache, tmp_path / "out", 6, 3)
    mixtures = dataset_named("mixtures")
    for read, n_clips in ((mixtures.training, 6), (mixtures.evaluation, 3)):
        compact = read(tmp_path / "out", "compact")
        spectral = read(tmp_path / "out", "time-frequency")
        assert compact.embeddings.shape == (n_clips, 10, 128)
        assert spectral.embeddings.shape == (n_clips, 10, 158)
        assert torch.equal(compact.instance, spectral.instance)
        assert torch.equal(compact.bag, compact.instance.amax(1))
    train = mixtures.training(tmp_path / "out", "time-frequency").embeddings
    assert float(train.mean()) == pytest.approx(0, abs=0.2)


def test_without_mixtures_it_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="expected embeddings in"):
        dataset_named("mixtures").training(tmp_path, "compact")
