"""Windows of sound that begins after silence, as the live path hears them (ours).

One part is ``onsets/<split>-<kind>-<number>.npz`` of ``ONSETS_A_PART`` onsets:

    middle         float16 [n, 7, 32, 8, 13]  the first half, of every window
    labels, known  bool    [n, 20]
    teacher_10s    float16 [n, 527]           of music: mn04's logits of the whole clip
    teacher_4s     float16 [n, 1, 527]        and of the four seconds around the onset
"""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import expit

from mmgat.model.embedders.kaldi_mel import (
    FRAME_SAMPLES,
    N_FRAMES,
    SAMPLE_RATE_HZ,
    kaldi_log_mel,
)
from mmgat.training.errors import TrainingDataError
from mmgat.training.transfer.augmented_views import augment
from mmgat.training.transfer.backbone import Stem, Tail, load_mn04
from mmgat.training.transfer.clips import LEAD, N_NODES, Clip, ClipMaker, Samples, node_levels
from mmgat.training.transfer.features import Arrays, Teacher, make_missing, part_paths
from mmgat.training.transfer.tail import TargetedViews
from mmgat.training.transfer.targets import Calibration, music_log_odds, teacher_logits

PROPORTIONS: Final = {"music": 1.0, "pieces": 1 / 3, "notes": 13 / 30, "sounds": 1 / 6}
KINDS: Final = tuple(PROPORTIONS)
HEARD_FRAMES: Final = (50, 75, 100, 125, 150, 175, 200)
"""Frames of 10 ms that a window has heard since the onset; the first ends half a second after it."""

LATER: Final = 4
"""Places from a window to that of a second later."""

ONSETS_A_PART: Final = 50
EXCERPT_SAMPLES: Final = int(2.3 * SAMPLE_RATE_HZ)
FADE_SAMPLES: Final = 32
FIRST_CLIP: Final = 1_000_000
CLIPS_A_PART: Final = 1_000
"""Clips of the parts do not overlap, nor those of ``features``."""

LATEST_NODE: Final = 7
QUIETEST_DB: Final = -70.0
MOST_SOFTER_DB: Final = 25.0
OWN_ONSET_SHARE: Final = 0.5
HEARD_AT: Final = 0.002
AUGMENTED_SHARE: Final = 0.7


class Onset(NamedTuple):
    """A sound that begins after silence.

    Attributes:
        audio: float32 [EXCERPT_SAMPLES]; begins with the sound.
        labels, known: bool [20], of its first two seconds.
        node: the clip's node nearest to the onset.
    """

    audio: Samples
    labels: npt.NDArray[np.bool_]
    known: npt.NDArray[np.bool_]
    node: int


def begin(clip: Clip, kind: str, rng: np.random.Generator) -> Onset | None:
    """Lets a clip begin at a random second that is heard, or where its sound begins by itself.

    Labels of pieces and notes are known where two seconds agree; None if no label is known to
    sound, or nothing is heard.
    """
    levels = node_levels(clip.audio)
    least = max(levels.max() - MOST_SOFTER_DB, QUIETEST_DB)
    heard = np.flatnonzero(levels[: LATEST_NODE + 1] > least)
    if not len(heard):
        return None
    node = int(rng.choice(heard))
    first = LEAD + node * SAMPLE_RATE_HZ
    if kind != "music" and rng.random() < OWN_ONSET_SHARE:
        own = int(np.argmax(np.abs(clip.audio) > HEARD_AT))
        if LEAD < own < LEAD + LATEST_NODE * SAMPLE_RATE_HZ:
            first, node = own, (own - LEAD) // SAMPLE_RATE_HZ + 1
    labels, known = clip.labels[node], clip.known[node]
    if kind in ("pieces", "notes"):
        after = min(node + 1, N_NODES - 1)
        known = known & clip.known[after] & (labels == clip.labels[after])
        if not (labels & known).any():
            return None
    audio = clip.audio[first : first + EXCERPT_SAMPLES]
    return Onset(np.pad(audio, (0, EXCERPT_SAMPLES - len(audio))), labels, known, node)


def view(audio: Samples, rng: np.random.Generator) -> Samples:
    """An excerpt as it may reach a microphone; three in ten as recorded, but for their level."""
    if rng.random() < AUGMENTED_SHARE:
        heard = augment(audio, rng)
    else:
        heard = np.clip(audio * np.float32(10 ** (rng.uniform(-12, 6) / 20)), -1, 1)
    heard[:FADE_SAMPLES] *= np.linspace(0, 1, FADE_SAMPLES, dtype=np.float32)
    return heard


def onset_windows(audio: Samples) -> Samples:
    """What the embedder reads after the onset, float32 [7, 200, 128]; before it lies silence.

    Args:
        audio: float32 [T] of at least two seconds; begins with the sound.
    """
    heard = kaldi_log_mel(np.concatenate([np.zeros(1, np.float32), audio]))
    silence = kaldi_log_mel(np.zeros(FRAME_SAMPLES, np.float32))
    return np.stack(
        [
            np.concatenate([np.repeat(silence, N_FRAMES - n_heard, axis=0), heard[:n_heard]])
            for n_heard in HEARD_FRAMES
        ]
    )


def make_part(maker: ClipMaker, kind: str, number: int, stem: Stem, teacher: Teacher) -> Arrays:
    """The arrays of one part.

    Raises:
        TrainingDataError: too few clips of this kind have an onset.
    """
    found: defaultdict[str, list[Any]] = defaultdict(list)
    first = FIRST_CLIP + number * CLIPS_A_PART
    for index in range(first, first + CLIPS_A_PART):
        rng = np.random.default_rng((len(kind), index))
        clip = maker.clip(kind, index)
        onset = begin(clip, kind, rng)
        if onset is None:
            continue
        with torch.inference_mode():
            middle = stem(torch.from_numpy(onset_windows(view(onset.audio, rng))))
        found["middle"].append(middle.numpy().astype(np.float16))
        found["labels"].append(onset.labels)
        found["known"].append(onset.known)
        if kind == "music":
            whole, around = teacher.of_clip(clip.audio)
            found["teacher_10s"].append(whole.astype(np.float16))
            found["teacher_4s"].append(around[[onset.node]].astype(np.float16))
        if len(found["middle"]) == ONSETS_A_PART:
            return {name: np.stack(values) for name, values in found.items()}
    raise TrainingDataError(
        f"expected {ONSETS_A_PART} onsets in {CLIPS_A_PART} clips of {kind}, "
        f"found {len(found['middle'])}: collect more"
    )


def counts_for(n_parts: int) -> dict[str, int]:
    """Parts of every kind beside ``n_parts`` of music."""
    return {kind: max(1, round(n_parts * share)) for kind, share in PROPORTIONS.items()}


def run(data: Path, mn04: Path, cache: Path, split: str, counts: dict[str, int]) -> None:
    """Makes the parts that are missing, ``counts`` of each kind.

    Raises:
        TrainingDataError: recordings, music, pieces or mn04 are missing.
    """
    network, classes = load_mn04(mn04)
    stem = Stem(network).eval()
    teacher = Teacher(stem, Tail(network, classes).eval())
    maker = ClipMaker(data / "audio", cache, split == "validation")
    for kind, n_parts in counts.items():
        make_missing(
            cache / "onsets",
            f"{split}-{kind}",
            n_parts,
            partial(make_part, maker, kind, stem=stem, teacher=teacher),
        )


def read(cache: Path, split: str, kind: str, n_parts: int) -> Arrays:
    """The first ``n_parts`` parts of a kind, joined.

    Raises:
        TrainingDataError: there are fewer.
    """
    paths = part_paths(cache / "onsets", f"{split}-{kind}")[:n_parts]
    if len(paths) < n_parts or not n_parts:
        raise TrainingDataError(
            f"expected {max(1, n_parts)} parts of {split} {kind} in {cache / 'onsets'}, "
            f"found {len(paths)}: make more of them"
        )
    parts = []
    for path in paths:
        with np.load(path) as file:
            parts.append({name: file[name] for name in file.files})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def targeted(
    part: Arrays, kind: str, calibration: Calibration, music: Arrays, class_names: list[str]
) -> TargetedViews:
    """Onsets of a kind with their targets; places are windows, not nodes.

    Args:
        part: as ``read`` gives it.
        kind: of ``KINDS``.
        calibration: of the teacher.
        music: other music, as ``read_parts`` gives it: onsets are calibrated with it.
        class_names: of the teacher.
    """
    targets, weights = part["labels"].astype(np.float32), part["known"].astype(np.float32)
    if kind == "music":
        own = np.repeat(teacher_logits(part, class_names), N_NODES, axis=1)
        logits = np.concatenate([teacher_logits(music, class_names), own])
        odds = music_log_odds(logits, calibration)[-len(own) :, 0]
        targets, weights = expit(odds).astype(np.float32), np.ones_like(targets)
    n_windows = len(HEARD_FRAMES)
    repeated = (np.repeat(values[:, None], n_windows, axis=1) for values in (targets, weights))
    return TargetedViews({"middle": part["middle"]}, *repeated)
