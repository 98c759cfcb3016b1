"""Windows of sound that begins after silence, as the live path hears them (ours).

One part is ``onsets/<split>-<kind>-<number>.npz`` of ``ONSETS_A_PART`` onsets:

    middle         float16 [n, 7, 32, 8, 13]  the first half, of every window
    labels, known  bool    [n, 20]
    teacher_10s    float16 [n, 527]           of music: mn04's logits of the whole clip
    teacher_4s     float16 [n, 1, 527]        and of the four seconds around the onset
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from scipy.special import expit
from torch import Tensor

from mmgat.model.embedders.kaldi_mel import FRAME_SAMPLES, N_FRAMES, SAMPLE_RATE_HZ
from mmgat.training.errors import TrainingDataError
from mmgat.training.transfer.audio.augmented_views import as_recorded, augment, front_end
from mmgat.training.transfer.audio.mixing import Clips, Mixer, node_levels
from mmgat.training.transfer.audio.packed import PackedSet
from mmgat.training.transfer.audio.parts import LEAD, N_NODES
from mmgat.training.transfer.backbone import Stem
from mmgat.training.transfer.features import (
    Arrays,
    Counts,
    Teacher,
    make_missing,
    middles,
    part_paths,
)
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
CLIPS_AT_ONCE: Final = 10
MOST_CLIPS: Final = 1_000
"""So many are tried for a part."""

SEED: Final = 7
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

    audio: Tensor
    labels: Tensor
    known: Tensor
    node: int


def begin(clip: Clips, kind: str, rng: np.random.Generator) -> Onset | None:
    """Lets a clip, alone in its batch, begin at a random heard second, or where it begins by itself.

    Labels of pieces and notes are known where two seconds agree; None if no label is known to
    sound, or nothing is heard.
    """
    audio, labels_of, known_of = (values[0] for values in clip)
    levels = node_levels(audio).cpu().numpy()
    least = max(levels.max() - MOST_SOFTER_DB, QUIETEST_DB)
    heard = np.flatnonzero(levels[: LATEST_NODE + 1] > least)
    if not len(heard):
        return None
    node = int(rng.choice(heard))
    first = LEAD + node * SAMPLE_RATE_HZ
    if kind != "music" and rng.random() < OWN_ONSET_SHARE:
        own = int((audio.abs() > HEARD_AT).int().argmax())
        if LEAD < own < LEAD + LATEST_NODE * SAMPLE_RATE_HZ:
            first, node = own, (own - LEAD) // SAMPLE_RATE_HZ + 1
    labels, known = labels_of[node], known_of[node]
    if kind in ("pieces", "notes"):
        after = min(node + 1, N_NODES - 1)
        known = known & known_of[after] & (labels == labels_of[after])
        if not (labels & known).any():
            return None
    excerpt = audio[first : first + EXCERPT_SAMPLES]
    excerpt = torch.nn.functional.pad(excerpt, (0, EXCERPT_SAMPLES - len(excerpt)))
    return Onset(excerpt, labels, known, node)


def view(audio: Tensor, rng: np.random.Generator) -> Tensor:
    """Excerpts [n, T] as they may reach a microphone; three in ten as recorded, but for their level."""
    augmented = torch.from_numpy(rng.random(len(audio)) < AUGMENTED_SHARE).to(audio.device)
    heard = torch.where(augmented[:, None], augment(audio, rng), as_recorded(audio, rng))
    heard[:, :FADE_SAMPLES] *= torch.linspace(0, 1, FADE_SAMPLES, device=audio.device)
    return heard


def onset_windows(audio: Tensor) -> Tensor:
    """What the embedder reads after the onset, float32 [n, 7, 200, 128]; before it lies silence.

    Args:
        audio: float32 [n, T] of at least two seconds; begins with the sound.
    """
    log_mel = front_end(audio.device)
    heard = log_mel(torch.nn.functional.pad(audio, (1, 0)))
    silence = log_mel(audio.new_zeros(1, FRAME_SAMPLES))
    before = silence.expand(len(audio), N_FRAMES, -1)
    return torch.stack(
        [torch.cat([before[:, n_heard:], heard[:, :n_heard]], 1) for n_heard in HEARD_FRAMES], 1
    )


def make_part(mixer: Mixer, kind: str, number: int, stem: Stem, teacher: Teacher) -> Arrays:
    """The arrays of one part.

    Raises:
        TrainingDataError: too few clips of this kind have an onset.
    """
    rng = np.random.default_rng((SEED, KINDS.index(kind), number))
    found: defaultdict[str, list[Any]] = defaultdict(list)
    n_found = 0
    for _ in range(MOST_CLIPS // CLIPS_AT_ONCE):
        clips = mixer.clips(kind, CLIPS_AT_ONCE, rng)
        alone = (Clips(*(v[place : place + 1] for v in clips)) for place in range(CLIPS_AT_ONCE))
        begun = [(place, begin(clip, kind, rng)) for place, clip in enumerate(alone)]
        onsets = {place: onset for place, onset in begun if onset is not None}
        if not onsets:
            continue
        excerpts = torch.stack([onset.audio for onset in onsets.values()])
        found["middle"].append(middles(stem, onset_windows(view(excerpts, rng))))
        for name in ("labels", "known"):
            of_onsets = torch.stack([getattr(onset, name) for onset in onsets.values()])
            found[name].append(of_onsets.cpu().numpy())
        if kind == "music":
            places = list(onsets)
            whole, around = teacher.of_clips(clips.audio[places])
            nodes = [onset.node for onset in onsets.values()]
            of_nodes = around[torch.arange(len(nodes)), nodes][:, None]
            found["teacher_10s"].append(whole.half().cpu().numpy())
            found["teacher_4s"].append(of_nodes.half().cpu().numpy())
        n_found += len(onsets)
        if n_found >= ONSETS_A_PART:
            return {name: np.concatenate(v)[:ONSETS_A_PART] for name, v in found.items()}
    raise TrainingDataError(
        f"expected {ONSETS_A_PART} onsets in {MOST_CLIPS} clips of {kind}, found {n_found}: pack more"
    )


def counts_for(n_parts: int) -> dict[str, int]:
    """Parts of every kind beside ``n_parts`` of music."""
    return {kind: max(1, round(n_parts * share)) for kind, share in PROPORTIONS.items()}


def run(
    packed: PackedSet, mn04: Path, cache: Path, counts: Counts, device: torch.device | str = "cpu"
) -> Counts:
    """Makes the parts that are missing in ``onsets`` of the cache; as ``features.run``.

    Raises:
        TrainingDataError: the packed set or mn04 is missing or damaged.
    """
    return make_missing(packed, mn04, cache / "onsets", counts, make_part, device)


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
