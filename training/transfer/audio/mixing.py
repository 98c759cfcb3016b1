"""Clips are mixed from packed parts, many at once on any device; labels follow from levels (ours)."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mmgat.model.embedders.kaldi_mel import SAMPLE_RATE_HZ
from mmgat.model.labels import N_LABELS
from mmgat.training.synthesis.labelling import ABSENT_DB, COVERED_DB, FLOOR, PRESENT_DB
from mmgat.training.transfer.audio.noise import steady_noise
from mmgat.training.transfer.audio.packed import LONGEST_PIECE, PackedSet
from mmgat.training.transfer.audio.parts import CLIP_SAMPLES, LEAD, N_NODES, PACKED_KINDS

KINDS: Final = ("music", "pieces", "notes", "sounds", "noise")
DISTURBED_SHARE: Final = {"music": 0.12, "pieces": 0.12, "notes": 0.15, "sounds": 0.3}
SOFTER_SOUND_DB: Final = (3.0, 25.0)
PLAYERS: Final = (0.55, 0.25, 0.13, 0.07)
"""How often one to four players of notes are heard together."""

SOME_STEMS_SHARE: Final = 0.35
LEVEL_DB: Final = -20.0
AUDIBLE_DB: Final = -90.0
SILENT_DB: Final = -100.0
UNHEARD_DB: Final = -50.0
LOUD_NOISE_SHARE: Final = 0.25
NO_NOISE_SHARE: Final = 0.12


class Clips(NamedTuple):
    """Clips of ten nodes.

    Attributes:
        audio: float32 [n, CLIP_SAMPLES].
        labels, known: bool [n, 10, 20].
    """

    audio: Tensor
    labels: Tensor
    known: Tensor


class _Slots(NamedTuple):
    """What is heard in each clip's places, [n, P]; unused places have no part.

    Attributes:
        parts: int64, place among the kind's parts, or -1.
        levels_db: of the loudest second; not a number where a part stays as it is but for a gain.
        gains_db: of those.
    """

    parts: np.ndarray[tuple[int, int], np.dtype[np.int64]]
    levels_db: np.ndarray[tuple[int, int], np.dtype[np.float64]]
    gains_db: np.ndarray[tuple[int, int], np.dtype[np.float64]]


def node_levels(audio: Tensor) -> Tensor:
    """Mean power of every node's second in dB: [..., CLIP_SAMPLES] -> [..., 10]."""
    seconds = audio[..., LEAD:].reshape(*audio.shape[:-1], N_NODES, SAMPLE_RATE_HZ)
    power: Tensor = seconds.square().mean(-1)
    return 10 * power.clamp(min=FLOOR).log10()


def labels_by_level(
    total: Tensor, levels: Tensor, labels: Tensor, ambiguous: Tensor
) -> tuple[Tensor, Tensor]:
    """``synthesis.labelling.labels_by_level`` of many clips at once.

    Args:
        total: levels of the mixtures in dB, [n, 10].
        levels: of their parts, [n, P, 10].
        labels: int64 [n, P], index of the label, or -1.
        ambiguous: bool [n, P, 20].

    Returns:
        Labels, and whether they are known, bool [n, 10, 20]; what is present is known.
    """
    loudest = total.amax(-1)[:, None, None]
    heard = levels > loudest + PRESENT_DB
    heard &= levels > total[:, None] + COVERED_DB
    heard &= levels > AUDIBLE_DB
    absent = levels < (loudest + ABSENT_DB).clamp(max=UNHEARD_DB)
    own = torch.arange(N_LABELS, device=labels.device) == labels[..., None]
    found = (heard[..., None] & own[:, :, None]).any(1)
    unknown = (~heard & ~absent)[..., None] & own[:, :, None]
    unknown |= ~absent[..., None] & ambiguous[:, :, None]
    return found, ~unknown.any(1) | found


class Mixer:
    """Mixes clips of any kind from a split of a packed set.

    Args:
        packed: the set.
        split: "train" or "validation".
        device: where clips are mixed.

    Raises:
        TrainingDataError: the set is not whole.
    """

    def __init__(self, packed: PackedSet, split: str, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self._parts = {kind: packed.parts(split, kind) for kind in PACKED_KINDS}

    def clips(self, kind: str, n: int, rng: np.random.Generator) -> Clips:
        """Mixes clips of a kind of ``KINDS``; the same generator gives the same clips on a device."""
        if kind == "noise":
            return self._noise(n, rng)
        if kind in ("music", "sounds"):
            slots = self._alone(kind, n, rng)
        else:
            slots = self._pieces(n, rng) if kind == "pieces" else self._players(n, rng)
        audio, labels, ambiguous = self._heard("players" if kind == "notes" else kind, slots)
        disturbed = rng.random(n) < DISTURBED_SHARE[kind]
        sound = self._sounds(audio, disturbed, rng)
        audio = torch.cat([audio, sound[:, None]], 1)
        labels = torch.nn.functional.pad(labels, (0, 1), value=-1)
        ambiguous = torch.nn.functional.pad(ambiguous, (0, 0, 0, 1))
        total = audio.sum(1)
        found, known = labels_by_level(node_levels(total), node_levels(audio), labels, ambiguous)
        return Clips(total, found, found if kind == "music" else known)

    def _alone(self, kind: str, n: int, rng: np.random.Generator) -> _Slots:
        which = rng.integers(len(self._parts[kind].labels), size=(n, 1))
        levels = np.full((n, 1), LEVEL_DB if kind == "sounds" else np.nan)
        return _Slots(which, levels, np.zeros((n, 1)))

    def _pieces(self, n: int, rng: np.random.Generator) -> _Slots:
        """All stems of a piece, or some; each up to 6 dB louder or softer than in the score."""
        which = np.full((n, LONGEST_PIECE), -1)
        groups = self._parts["pieces"].groups
        for row in which:
            stems = groups[rng.integers(len(groups))]
            if len(stems) > 1 and rng.random() < SOME_STEMS_SHARE:
                stems = rng.choice(stems, rng.integers(1, len(stems) + 1), replace=False)
            row[: len(stems)] = stems
        return _Slots(which, np.full(which.shape, np.nan), rng.uniform(-6, 6, which.shape))

    def _players(self, n: int, rng: np.random.Generator) -> _Slots:
        """One to four players; the first is the loudest."""
        most = len(PLAYERS)
        n_players = rng.choice(np.arange(1, most + 1), n, p=PLAYERS)
        which = rng.integers(len(self._parts["players"].labels), size=(n, most))
        which[np.arange(most) >= n_players[:, None]] = -1
        softer = np.where(np.arange(most) == 0, 0.0, rng.uniform(0, 14, (n, most)))
        return _Slots(which, LEVEL_DB - softer, np.zeros((n, most)))

    def _heard(self, kind: str, slots: _Slots) -> tuple[Tensor, Tensor, Tensor]:
        """Audio float32 [n, P, CLIP_SAMPLES], labels [n, P], ambiguous [n, P, 20] of parts."""
        parts, there = self._parts[kind], slots.parts >= 0
        audio = torch.from_numpy(parts.audio[slots.parts.clip(0)]).to(self.device).float() / 32_767
        audio *= torch.from_numpy(there).to(self.device)[..., None]
        labels = torch.from_numpy(np.where(there, parts.labels[slots.parts], -1))
        ambiguous = torch.from_numpy(parts.ambiguous[slots.parts] & there[..., None])
        levels, gains = (
            torch.from_numpy(values.astype(np.float32)).to(self.device) for values in slots[1:]
        )
        loudest = node_levels(audio).amax(-1)
        gains = torch.where(levels.isnan(), gains, levels - loudest)
        gains = torch.where(loudest < SILENT_DB, 0.0, gains)
        audio *= (10 ** (gains / 20))[..., None]
        return audio, labels.to(self.device), ambiguous.to(self.device)

    def _sounds(
        self, audio: Tensor, disturbed: np.ndarray[tuple[int], np.dtype[np.bool_]],
        rng: np.random.Generator,
    ) -> Tensor:  # fmt: skip
        """A sound behind each disturbed clip, 3 to 25 dB softer than the loudest of it: [n, T]."""
        parts, n = self._parts["sounds"], len(disturbed)
        which, softer = rng.integers(len(parts.labels), size=n), rng.uniform(*SOFTER_SOUND_DB, n)
        sound = audio.new_zeros(n, CLIP_SAMPLES)
        if not disturbed.any():
            return sound
        places = torch.from_numpy(np.flatnonzero(disturbed)).to(self.device)
        chosen = torch.from_numpy(parts.audio[which[disturbed]]).to(self.device).float() / 32_767
        loudest = node_levels(chosen).amax(-1)
        wanted = node_levels(audio[places].sum(1)).amax(-1)
        wanted -= torch.from_numpy(softer[disturbed].astype(np.float32)).to(self.device)
        gains = torch.where(loudest < SILENT_DB, 0.0, wanted - loudest)
        sound[places] = chosen * (10 ** (gains / 20))[:, None]
        return sound

    def _noise(self, n: int, rng: np.random.Generator) -> Clips:
        """Steady noise of any level, now and then none at all."""
        loud = rng.random(n) < LOUD_NOISE_SHARE
        levels_db = np.where(loud, rng.uniform(-6, 12, n), rng.uniform(-60, -6, n))
        gains = np.where(rng.random(n) < NO_NOISE_SHARE, 0.0, 10 ** (levels_db / 20))
        noise = steady_noise(n, CLIP_SAMPLES, rng, self.device)
        audio = noise * torch.from_numpy(gains.astype(np.float32)).to(self.device)[:, None]
        nothing = torch.zeros(n, N_NODES, N_LABELS, dtype=torch.bool, device=self.device)
        return Clips(audio.clamp(-1, 1), nothing, ~nothing)
