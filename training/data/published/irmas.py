"""IRMAS as published (Bosch et al., ISMIR 2012; CC BY-NC-SA 3.0): clips, labels, embeddings.

Its eleven codes are ten of the 20 labels: both guitars are one. The other ten are never annotated.
Names and numbers of the files are those of mirdata's index of IRMAS 1.0.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
import soxr
import torch
from torch import Tensor, nn
from tqdm import tqdm

from mmgat.model.embedders.log_mel import EXAMPLE_FRAMES, SAMPLE_RATE_HZ, log_mel
from mmgat.model.labels import INDEX, LABELS, N_LABELS
from mmgat.training.data.bags import Bags, weakly_labelled
from mmgat.training.data.download import Archive
from mmgat.training.errors import TrainingDataError

CODES: Final = {
    "cel": "cello", "cla": "clarinet", "flu": "flute", "gac": "guitar", "gel": "guitar",
    "org": "organ", "pia": "piano", "sax": "saxophone", "tru": "trumpet", "vio": "violin",
    "voi": "voice",
}  # fmt: skip
COVERED: Final = tuple(label for label in LABELS if label in CODES.values())

IRMAS_ARCHIVES: Final = tuple(
    Archive("irmas", "irmas", gigabytes, f"https://zenodo.org/record/1290750/files/{name}", md5)
    for name, gigabytes, md5 in (
        ("IRMAS-TrainingData.zip", 3.2, "4fd9f5ed5a18d8e2687e6360b5f60afe"),
        ("IRMAS-TestingData-Part1.zip", 2.3, "5a2e65520dcedada565dff2050bb2a56"),
        ("IRMAS-TestingData-Part2.zip", 2.3, "afb0c8ea92f34ee653693106be95c895"),
        ("IRMAS-TestingData-Part3.zip", 2.3, "9b3fb2d0c89cdc98037121c25bd5b556"),
    )
)

N_TEST_CLIPS: Final = 2874
"""Clips of the three test parts: 807, 1301 and 766."""

SHORTEST_SAMPLES: Final = 15_600
_TRAINING_NAME = re.compile(r"(?:\d+__)?\[(\w+)\].*?(\d+)__\d+$")


@dataclass(frozen=True)
class IrmasClip:
    """A clip of 3 s (training, one predominant label) or 5 to 20 s (test, one or more).

    Attributes:
        path: WAV file.
        labels: of the 20.
        recording: excerpts of one recording share it.
        complete: whether the absent ones of the ten covered labels are negatives: so the test set
            is scored by convention, while a training clip has only its predominant label.
    """

    path: Path
    labels: tuple[str, ...]
    recording: str
    complete: bool


def training_clips(folder: Path) -> list[IrmasClip]:
    """Finds the clips of ``IRMAS-TrainingData/CODE/[CODE]...NNNN__K.wav``.

    Names with a remark on drums begin with a number more, ``031__[cel][nod][cla]0020__1.wav``.
    The label is that of the folder: ``cla`` in a name is the clarinet or the classical genre.

    Raises:
        TrainingDataError: missing, or a name that is not as published.
    """
    root = folder / "IRMAS-TrainingData"
    clips = []
    for path in sorted(root.glob("*/*.wav")):
        code = path.parent.name
        match = _TRAINING_NAME.match(path.stem)
        if code not in CODES or match is None or match[1] != code:
            raise TrainingDataError(
                f"expected {root}/CODE/[CODE]...NNNN__K.wav with a code of {', '.join(CODES)}, "
                f"found {path}"
            )
        clips.append(IrmasClip(path, (CODES[code],), match[2], False))
    if not clips:
        raise TrainingDataError(
            f"expected IRMAS's training clips in {root}, found none: unpack IRMAS-TrainingData.zip"
        )
    return clips


def evaluation_clips(folder: Path, incomplete: bool = False) -> list[IrmasClip]:
    """Finds the clips of ``IRMAS-TestingData-PartN``, with their labels, one a line.

    The folders inside are ``Part1``, ``IRTestingData-Part2`` and ``Part3``.

    Args:
        folder: that of the three parts.
        incomplete: take what is there, although the set has more.

    Raises:
        TrainingDataError: missing, without labels, with an unknown code, or not all of them.
    """
    clips = []
    for path in sorted(folder.glob("IRMAS-TestingData-Part*/*/*.wav")):
        table = path.with_suffix(".txt")
        try:
            codes = table.read_text("utf-8-sig").split()  # published lines end in a tab
        except (OSError, UnicodeDecodeError) as error:
            raise TrainingDataError(f"expected labels in {table}, found {error}") from None
        if not codes or not set(codes) <= set(CODES):
            raise TrainingDataError(
                f"expected codes of {', '.join(CODES)} in {table}, found {codes or 'none'}"
            )
        labels = tuple(sorted({CODES[code] for code in codes}))
        clips.append(IrmasClip(path, labels, path.stem, True))
    if not clips:
        raise TrainingDataError(
            f"expected IRMAS's test clips in {folder}/IRMAS-TestingData-PartN, found none: "
            "unpack the three IRMAS-TestingData archives"
        )
    if len(clips) != N_TEST_CLIPS and not incomplete:
        parts = Counter(path.parts[0] for path in (c.path.relative_to(folder) for c in clips))
        raise TrainingDataError(
            f"expected the {N_TEST_CLIPS} test clips of IRMAS in {folder}, found {len(clips)} ("
            + ", ".join(f"{part}: {n}" for part, n in sorted(parts.items()))
            + "): unpack all three archives, or give --incomplete"
        )
    return clips


def hold_out(
    clips: Sequence[IrmasClip], share: float, seed: int
) -> tuple[list[IrmasClip], list[IrmasClip]]:
    """Splits clips into some to train on and some held out, with no recording in both."""
    recordings = sorted({clip.recording for clip in clips})
    order = np.random.default_rng(seed).permutation(len(recordings))
    held_out = {recordings[i] for i in order[: round(share * len(recordings))]}
    return (
        [clip for clip in clips if clip.recording not in held_out],
        [clip for clip in clips if clip.recording in held_out],
    )


def embed_clips(clips: Sequence[IrmasClip], embedder: nn.Module, cache: Path | None = None) -> Bags:
    """Embeds every clip and returns the bags with their targets.

    As in OpenMIC's own pipeline a clip is peak-normalised and cut into examples of 0.96 s.

    Args:
        embedder: of the embedding space of OpenMIC, VGGish ``relu+pca+8bit``.
        cache: npz of the embeddings, written once and read after that.

    Raises:
        TrainingDataError: an unreadable file, or a cache of other clips.
    """
    names = np.array([f"{clip.path.parent.name}/{clip.path.name}" for clip in clips])
    if cache is not None and cache.is_file():
        with np.load(cache) as file:
            if file["names"].tolist() != names.tolist() or str(file["space"]) != str(
                embedder.variant
            ):
                raise TrainingDataError(
                    f"expected embeddings of these {len(clips)} clips in {cache}, found others: "
                    "delete the file to make them again"
                )
            lengths = file["lengths"].tolist()
            embeddings = list(torch.split(torch.from_numpy(file["embeddings"]), lengths))
    else:
        embeddings = [_embed(clip.path, embedder) for clip in tqdm(clips, "embed", leave=False)]
        if cache is not None:
            np.savez(
                cache,
                names=names,
                space=str(embedder.variant),
                embeddings=torch.cat(embeddings).numpy(),
                lengths=np.array([len(bag) for bag in embeddings]),
            )
    bag, weight = torch.zeros(len(clips), N_LABELS), torch.zeros(len(clips), N_LABELS)
    for index, clip in enumerate(clips):
        present = [INDEX[label] for label in clip.labels]
        bag[index, present] = 1
        weight[index, [INDEX[label] for label in COVERED] if clip.complete else present] = 1
    return weakly_labelled(embeddings, bag, weight)


@torch.inference_mode()
def _embed(path: Path, embedder: nn.Module) -> Tensor:
    try:
        sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        raise TrainingDataError(f"expected a WAV file at {path}, found {error}") from None
    mono = sound.mean(axis=1)
    mono = mono / max(float(np.abs(mono).max(initial=0.0)), 1e-9)
    samples = soxr.resample(mono, rate, SAMPLE_RATE_HZ, quality="HQ").astype(np.float32)
    if len(samples) < SHORTEST_SAMPLES:
        raise TrainingDataError(
            f"expected at least 0.975 s of sound in {path}, found {len(mono) / rate:.3f} s"
        )
    frames = log_mel(samples)
    n_examples = len(frames) // EXAMPLE_FRAMES
    examples = frames[: EXAMPLE_FRAMES * n_examples].reshape(n_examples, EXAMPLE_FRAMES, -1)
    embeddings: Tensor = embedder(torch.from_numpy(examples))
    return embeddings.cpu()
