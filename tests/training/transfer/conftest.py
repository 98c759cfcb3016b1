from pathlib import Path

import pytest
import torch

from mmgat.model.labels import LABELS
from mmgat.training.data.label_text import LabelText
from mmgat.training.transfer.audio.packed import About, pack
from tests.training.transfer.stand_ins import Notes, class_names


@pytest.fixture(scope="package")
def pack_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A packed set of tones."""
    folder: Path = tmp_path_factory.mktemp("packed") / "pack"
    about = About(class_names(), [{"source": "tones", "licence": "none"}])
    text = LabelText(torch.rand(len(LABELS), 384), "none", "none")
    makers = dict.fromkeys(("train", "validation"), Notes())
    pack(makers, about, text, folder, 0.9)  # type: ignore[arg-type]
    return folder
