"""OpenMIC-2018 as published (Humphrey et al., ISMIR 2018; CC BY 4.0): embeddings, labels, split."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import torch

from mmgat.model.embedders.vggish.network import VARIANTS, dequantize
from mmgat.model.labels import N_LABELS
from mmgat.training.data.bags import Bags
from mmgat.training.data.dataset import Dataset, Source
from mmgat.training.data.download import Archive
from mmgat.training.errors import TrainingDataError

FILE_NAME: Final = "openmic-2018.npz"
N_TEST_CLIPS: Final = 5085
"""Of 20000; 14915 are for training, as ``examples/modeling-baseline.ipynb`` of the data set prints."""
Split = Literal["train", "test"]

OPENMIC_ARCHIVE: Final = Archive(
    name="openmic",
    folder="openmic-2018",
    gigabytes=2.6,
    url="https://zenodo.org/record/1432913/files/openmic-2018-v1.0.0.tgz",
    md5="e4ccf187e2bb5ab2e115416e8aafe7f4",
)


def read_openmic(folder: Path, split: Split) -> Bags:
    """Reads the clips of one split: ten embeddings (relu, PCA, 8 bit) and about two known labels.

    A relevance of at least 0.5 is a positive; a label without any answer is unknown.

    Args:
        folder: the unpacked archive, with ``openmic-2018.npz`` and ``partitions``.

    Raises:
        TrainingDataError: the files are missing, damaged or not as published.
    """
    if (folder / "openmic-2018").is_dir():
        folder = folder / "openmic-2018"  # where the archive, unpacked in place, has it
    path = folder / FILE_NAME
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = {name: _member(archive, name) for name in ("X", "Y_true", "Y_mask")}
            keys = _sample_keys(archive)
    except (
        OSError,
        KeyError,
        ValueError,
        EOFError,
        zipfile.BadZipFile,
        pickle.PickleError,
    ) as error:
        raise TrainingDataError(
            f"expected OpenMIC-2018's X, Y_true, Y_mask and sample_key in {path}, found {error}: "
            "unpack openmic-2018-v1.0.0.tgz again"
        ) from None
    x, truth, known = arrays["X"], arrays["Y_true"], arrays["Y_mask"].astype(bool)
    n_clips = len(keys)
    if x.shape != (n_clips, 10, 128) or not truth.shape == known.shape == (n_clips, N_LABELS):
        raise TrainingDataError(
            f"expected in {path} X [{n_clips}, 10, 128] and Y_true, Y_mask [{n_clips}, 20], "
            f"found {x.shape}, {truth.shape} and {known.shape}"
        )
    if n_clips and not (x.min() >= 0 and x.max() <= 255 and truth.min() >= 0 and truth.max() <= 1):
        raise TrainingDataError(
            f"expected in {path} X from 0 to 255 and Y_true from 0 to 1, found X from {x.min()} "
            f"to {x.max()} and Y_true from {truth.min()} to {truth.max()}"
        )
    chosen = _positions(keys, folder, split)
    weight = torch.from_numpy(known[chosen]).float()
    unknown = torch.zeros(len(chosen), 10, N_LABELS)
    return Bags(
        embeddings=dequantize(torch.from_numpy(x[chosen].astype(np.float32))),
        lengths=torch.full((len(chosen),), 10),
        bag=torch.from_numpy(truth[chosen] >= 0.5).float() * weight,
        bag_weight=weight,
        instance=unknown,
        instance_weight=unknown,
        tags=torch.zeros(len(chosen), 0),
    )


def openmic_labels(
    folder: Path, split: Split
) -> tuple[list[str], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Reads the sample keys of a split, and targets and weights float32 [n, 20] of its clips.

    Raises:
        TrainingDataError: the files are missing, damaged or not as published.
    """
    bags = read_openmic(folder, split)
    if (folder / "openmic-2018").is_dir():
        folder = folder / "openmic-2018"
    return _read_split(folder, split), bags.bag.numpy(), bags.bag_weight.numpy()


class OpenMIC(Dataset):
    """``DATA/openmic-2018``, with ``openmic-2018.npz`` and ``partitions``."""

    name = "openmic"
    sources = (Source("OpenMIC-2018, shipped VGGish embeddings", "CC BY 4.0"),)
    archives = (OPENMIC_ARCHIVE,)
    variant = VARIANTS[1]
    file_pattern = FILE_NAME
    evaluated_on = "clips of OpenMIC-2018's test split"
    n_in_file = N_TEST_CLIPS
    notes = ("Trained on about two known labels a clip, of 10 s.",)

    def training(self, data: Path, embeddings: str) -> Bags:
        """Reads the training split."""
        return read_openmic(data / "openmic-2018", "train")

    def evaluation(self, data: Path, embeddings: str) -> Bags:
        """Reads the test split."""
        return read_openmic(data / "openmic-2018", "test")

    def read_file(self, path: Path, every_clip: bool) -> tuple[Bags, str]:
        """Reads the test split, from the folder of the file."""
        return read_openmic(path.parent, "test"), "clips of the test split"


def _positions(keys: list[str], folder: Path, split: Split) -> npt.NDArray[np.int64]:
    """Positions of the clips of a split among the keys, int64 [n]."""
    parts = {name: _read_split(folder, name) for name in ("train", "test")}
    if both := set(parts["train"]) & set(parts["test"]):
        raise TrainingDataError(
            f"expected no clip in both splits of {folder}, found {len(both)}: {min(both)}"
        )
    position = {key: index for index, key in enumerate(keys)}
    if missing := [key for key in parts[split] if key not in position]:
        raise TrainingDataError(
            f"expected all clips of the {split} split in openmic-2018.npz of {folder}, "
            f"{len(missing)} are not there: {missing[0]}"
        )
    return np.array([position[key] for key in parts[split]], np.int64)


def _read_split(folder: Path, split: str) -> list[str]:
    path = folder / "partitions" / f"split01_{split}.csv"
    try:
        return path.read_text("utf-8-sig").split()
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingDataError(
            f"expected sample keys, one a line, in {path}, found {error}"
        ) from None


def _member(archive: zipfile.ZipFile, name: str) -> npt.NDArray[Any]:
    with archive.open(f"{name}.npy") as file:
        array: npt.NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
        return array


def _sample_keys(archive: zipfile.ZipFile) -> list[str]:
    """The keys, published as an array of Python objects, which numpy stores as a pickle.

    A pickle may run anything, so this one is read by an unpickler that knows arrays of strings.
    """
    data = archive.read("sample_key.npy")
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    read_header = getattr(np.lib.format, f"read_array_header_{version[0]}_0")
    _, _, dtype = read_header(stream)
    if not dtype.hasobject:
        return [str(key) for key in np.lib.format.read_array(io.BytesIO(data))]
    return [str(key) for key in _StringsOnly(stream, encoding="latin1").load()]


class _StringsOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("numpy") and name in ("ndarray", "dtype", "_reconstruct"):
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        raise pickle.UnpicklingError(f"{module}.{name} among the sample keys, not a string")
