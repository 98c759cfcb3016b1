from pathlib import Path

import numpy as np
import pytest
import torch

from mmgat.training.distillation.teachers import TeacherFiles
from mmgat.training.embedders.kaldi import centred_log_mel
from mmgat.training.embedders.mn04 import Mn04, mn04_network, renamed
from mmgat.training.embedders.yamnet import Yamnet
from mmgat.training.errors import TrainingDataError
from tests.training.stand_ins import published


def test_published_tensors_get_torchvisions_names_and_shapes(tmp_path: Path) -> None:
    expected = published(tmp_path / "mn04.pt")
    state = torch.load(tmp_path / "mn04.pt", weights_only=True)
    found = renamed(state, mn04_network())
    assert state.keys() != expected.keys()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


def test_mn04_gives_probabilities_and_features_of_clips(tmp_path: Path) -> None:
    published(tmp_path / "mn04.pt")
    clips = np.random.default_rng(0).normal(0, 0.1, (2, 32_000)).astype(np.float32)
    scores, features = Mn04(tmp_path / "mn04.pt")(clips)
    assert (scores.shape, features.shape) == ((2, 527), (2, 384))
    assert ((scores > 0) & (scores < 1)).all()


def test_a_high_tone_is_in_higher_bands_than_a_low_one() -> None:
    time = torch.arange(32_000) / 32_000
    tones = torch.stack([torch.sin(2 * torch.pi * hz * time) for hz in (200.0, 2000.0)])
    low, high = centred_log_mel(tones).mean(dim=(1, 3)).argmax(1)
    assert low < high


@pytest.mark.parametrize("content", [None, b"no weights"])
def test_a_teacher_without_its_file_is_refused(tmp_path: Path, content: bytes | None) -> None:
    mn04, yamnet = tmp_path / "mn04.pt", tmp_path / "yamnet.tflite"
    if content is not None:
        mn04.write_bytes(content)
        yamnet.write_bytes(content)
    with pytest.raises(TrainingDataError, match=r"expected the state dict of mn04 at .*mn04\.pt"):
        TeacherFiles(mn04, yamnet).load()
    with pytest.raises(TrainingDataError, match=r"expected YAMNet's .* at .*yamnet\.tflite"):
        Yamnet(yamnet)
