"""The packed set: all that training hears, in a folder small enough to travel to a GPU (ours).

PACK/<split>-<kind>.opus    the parts one after another, each in ``SLOT_S`` seconds
PACK/<split>-<kind>.json    a row a part; written when its sound is whole
PACK/about.json             AudioSet's class names, and the card's rows of sources
PACK/labels.safetensors     text embeddings of the labels

With the published mn04 beside it, nothing else is needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import soundfile
import soxr
from tqdm import tqdm

from mmgat.model.embedders.kaldi_mel import SAMPLE_RATE_HZ
from mmgat.model.labels import LABELS, N_LABELS
from mmgat.training.data.label_text import LabelText
from mmgat.training.errors import TrainingDataError
from mmgat.training.transfer.audio.parts import CLIP_SAMPLES, PACKED_KINDS, Part, PartMaker

SPACE: Final = {"music": 0.42, "pieces": 0.22, "players": 0.2, "sounds": 0.16}
"""Shares of a split's bytes."""

SPLITS: Final = {"train": 0.85, "validation": 0.15}
OPUS_RATE_HZ: Final = 48_000
COMPRESSION: Final = 0.9
"""Of libsndfile, 0 to 1: some 31 kbit/s, at which Opus keeps all that mn04 hears, up to 15 kHz."""

SLOT_S: Final = 11.25
SLOT_SAMPLES: Final = int(SLOT_S * SAMPLE_RATE_HZ)

LONGEST_PIECE: Final = 8
"""Stems of a piece; what is more is left out, and its piece with it."""


class PackedPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row: which parts belong together, what plays, and what it leaves unknown."""

    group: int
    label: str | None
    ambiguous: list[str]


class About(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of a whole set."""

    class_names: list[str]
    training_data: list[dict[str, Any]]


class Parts(NamedTuple):
    """The parts of a split and kind.

    Attributes:
        audio: int16 [P, CLIP_SAMPLES], mapped from the disk.
        labels: int64 [P], index of the label, or -1.
        ambiguous: bool [P, 20].
        groups: places of the parts that belong together.
    """

    audio: npt.NDArray[np.int16]
    labels: npt.NDArray[np.int64]
    ambiguous: npt.NDArray[np.bool_]
    groups: list[npt.NDArray[np.int64]]


def pack(
    makers: dict[str, PartMaker], about: About, text: LabelText, out: Path, mib: float
) -> dict[str, int]:
    """Writes a packed set of at most so many MiB; finished kinds are kept.

    Args:
        makers: of every split of ``SPLITS``.
        about: is written beside the sound.
        text: likewise.
        out: folder.
        mib: of all the sound together.

    Returns:
        "split-kind" -> parts.

    Raises:
        TrainingDataError: a kind has no part that fits.
    """
    out.mkdir(parents=True, exist_ok=True)
    (out / "about.json").write_bytes(msgspec.json.encode(about))
    text.save(out / "labels.safetensors")
    found = {}
    for split, of_split in SPLITS.items():
        for kind, of_kind in SPACE.items():
            name = f"{split}-{kind}"
            if not (out / f"{name}.json").exists():
                _write(out, name, makers[split], kind, int(mib * 2**20 * of_split * of_kind))
            found[name] = len(_rows(out, name))
    return found


def _write(out: Path, name: str, maker: PartMaker, kind: str, most_bytes: int) -> None:
    """Appends groups until the file is as large as it may be; the last may exceed that a little."""
    rows: list[PackedPart] = []
    path, partial = out / f"{name}.opus", out / f"{name}.partial"
    group, room = 0, 0
    with (
        partial.open("wb") as raw,
        soundfile.SoundFile(
            raw, "w", OPUS_RATE_HZ, 1, "OPUS", format="OGG", compression_level=COMPRESSION
        ) as file,
        tqdm(total=most_bytes, desc=name, unit="B", unit_scale=True) as progress,
    ):
        while not rows or raw.tell() + room < most_bytes:
            parts = maker.group(kind, group)
            before = raw.tell()
            if len(parts) <= LONGEST_PIECE:
                _append(file, parts)
                rows += [PackedPart(group, p.label or None, sorted(p.ambiguous)) for p in parts]
            room = max(room, raw.tell() - before)  # as much as any group took
            progress.update(raw.tell() - before)
            group += 1
    partial.rename(path)
    (out / f"{name}.json").write_bytes(msgspec.json.encode(rows))


def _append(file: soundfile.SoundFile, parts: list[Part]) -> None:
    for part in parts:
        audio = np.pad(np.clip(part.audio, -1, 1), (0, SLOT_SAMPLES - CLIP_SAMPLES))
        audio = soxr.resample(audio, SAMPLE_RATE_HZ, OPUS_RATE_HZ, "HQ")
        for first in range(0, len(audio), OPUS_RATE_HZ):  # libsndfile fails on longer blocks
            file.write(audio[first : first + OPUS_RATE_HZ])


def _rows(folder: Path, name: str) -> list[PackedPart]:
    try:
        return msgspec.json.decode((folder / f"{name}.json").read_bytes(), type=list[PackedPart])
    except (OSError, msgspec.DecodeError) as error:
        raise _not_packed(folder, f"{name}.json", error) from None


class PackedSet:
    """A folder that ``pack`` wrote.

    Args:
        folder: of the set.
        cache: takes the decoded sound, a file a kind.

    Attributes:
        class_names: of AudioSet.
        training_data: the card's rows of sources.

    Raises:
        TrainingDataError: it is no packed set.
    """

    def __init__(self, folder: Path, cache: Path) -> None:
        self._folder, self._cache = folder, cache
        try:
            about = msgspec.json.decode((folder / "about.json").read_bytes(), type=About)
        except (OSError, msgspec.DecodeError) as error:
            raise _not_packed(folder, "about.json", error) from None
        self.class_names, self.training_data = about.class_names, tuple(about.training_data)

    def text(self) -> LabelText:
        """Text embeddings of the labels."""
        return LabelText.load(self._folder / "labels.safetensors")

    def parts(self, split: str, kind: str) -> Parts:
        """The parts of a kind of ``PACKED_KINDS``; decoded once.

        Raises:
            TrainingDataError: a file is missing, damaged or cut.
        """
        if kind not in PACKED_KINDS:
            raise ValueError(f"expected one of {', '.join(PACKED_KINDS)}, found {kind}")
        name = f"{split}-{kind}"
        rows = _rows(self._folder, name)
        labels = np.array([-1 if r.label is None else LABELS.index(r.label) for r in rows])
        ambiguous = np.zeros((len(rows), N_LABELS), bool)
        for row, unsure in zip(rows, ambiguous, strict=True):
            unsure[[LABELS.index(label) for label in row.ambiguous]] = True
        groups: dict[int, list[int]] = {}
        for place, row in enumerate(rows):
            groups.setdefault(row.group, []).append(place)
        return Parts(
            self._audio(name, len(rows)), labels, ambiguous, [np.array(g) for g in groups.values()]
        )

    def _audio(self, name: str, n_parts: int) -> npt.NDArray[np.int16]:
        source = self._folder / f"{name}.opus"
        try:
            decoded = self._cache / "unpacked" / f"{name}-{source.stat().st_size}.npy"
            if not decoded.exists():
                decoded.parent.mkdir(parents=True, exist_ok=True)
                partial = decoded.with_suffix(".partial.npy")
                np.save(partial, _decoded(source, n_parts))
                partial.rename(decoded)
        except (OSError, soundfile.LibsndfileError) as error:
            raise _not_packed(self._folder, f"{name}.opus", error) from None
        mapped: npt.NDArray[np.int16] = np.load(decoded, mmap_mode="r")
        return mapped


def _decoded(path: Path, n_parts: int) -> npt.NDArray[np.int16]:
    """The parts of a file, int16 [n_parts, CLIP_SAMPLES]."""
    found = np.zeros((n_parts, CLIP_SAMPLES), np.int16)
    n_read = 0
    with soundfile.SoundFile(path) as file:
        for block in file.blocks(int(SLOT_S * OPUS_RATE_HZ), dtype="int16"):
            if len(block) == SLOT_S * OPUS_RATE_HZ and n_read < n_parts:
                audio = soxr.resample(block, OPUS_RATE_HZ, SAMPLE_RATE_HZ, "HQ")
                found[n_read] = audio[:CLIP_SAMPLES]
                n_read += 1
    if n_read != n_parts:
        raise OSError(f"{n_read} parts in place of {n_parts}")
    return found


def _not_packed(folder: Path, name: str, error: Exception) -> TrainingDataError:
    return TrainingDataError(
        f"expected {name} of a packed set in {folder}, found {error}: run mmgat-train transfer pack"
    )
