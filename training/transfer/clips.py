"""Clips of ten nodes: music without labels, pieces and notes with exact ones, sounds and noise (ours).

A clip is what the embedder hears of ten seconds: these, and what comes before the first of them.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from mmgat.model.embedders.kaldi_mel import KALDI_LOG_MEL, SAMPLE_RATE_HZ
from mmgat.training.errors import TrainingDataError
from mmgat.training.synthesis.arrangement import arrange
from mmgat.training.synthesis.augment import noise
from mmgat.training.synthesis.mixtures import FLOOR, labels_by_level
from mmgat.training.synthesis.render import HELD_OUT
from mmgat.training.synthesis.sample_bank import SampleBank, Source

N_NODES: Final = 10
LEAD: Final = KALDI_LOG_MEL.lead_samples
CLIP_SAMPLES: Final = LEAD + N_NODES * SAMPLE_RATE_HZ
KINDS: Final = ("music", "pieces", "notes", "sounds", "noise")
VALIDATION_EACH: Final = {"music": 10, "sounds": 5, "notes": 5}
"""One in so many is held out: of music, files; of sounds, packages; of notes, players."""

MOST_MINUTES: Final = {"music": 25.0, "sounds": 5.0}
"""A package with more is heard no more often."""

Samples = npt.NDArray[np.float32]
Labels = npt.NDArray[np.bool_]


class Part(NamedTuple):
    """One player's sound, float32 [CLIP_SAMPLES], its label, and labels that it leaves unknown."""

    audio: Samples
    label: str | None = None
    ambiguous: frozenset[str] = frozenset()


class Clip(NamedTuple):
    """A clip: audio float32 [CLIP_SAMPLES]; labels and whether they are known, bool [10, 20]."""

    audio: Samples
    labels: Labels
    known: Labels


def node_levels(audio: Samples) -> npt.NDArray[np.float64]:
    """Computes the mean power of every node's second in dB, float64 [10]."""
    seconds = audio[LEAD:].reshape(N_NODES, SAMPLE_RATE_HZ).astype(np.float64)
    return np.asarray(10 * np.log10(np.maximum((seconds**2).mean(axis=1), FLOOR)))


def at_level(audio: Samples, level_dbfs: float) -> Samples:
    """Scales audio so that its loudest second has this RMS level; silence stays silence."""
    loudest = node_levels(audio).max()
    return audio if loudest < -100 else audio * np.float32(10 ** ((level_dbfs - loudest) / 20))


def together(parts: Sequence[Part]) -> Samples:
    """Adds up what the parts play."""
    total = np.zeros(CLIP_SAMPLES, np.float32)
    for part in parts:
        total += part.audio
    return total


def mix(parts: Sequence[Part], known: bool = True) -> Clip:
    """Adds up parts; the labels of every second follow from how loud each part is in it.

    Args:
        parts: at least one.
        known: whether what plays is known at all.
    """
    audio = together(parts)
    labels, is_known = labels_by_level(
        node_levels(audio), [(node_levels(p.audio), p.label, p.ambiguous) for p in parts]
    )
    return Clip(audio, labels, is_known if known else labels)


def fitted(audio: Samples, first: int = 0) -> Samples:
    """Puts audio at sample ``first`` of a clip; what is too long is cut."""
    audio = audio[: CLIP_SAMPLES - first]
    return np.pad(audio, (first, CLIP_SAMPLES - first - len(audio)))


class ClipMaker:
    """Makes the clip of any kind and index: the same caches and index give the same clip.

    Args:
        audio_folder: recordings (the data folder's ``audio``).
        cache: holds music/, sources.json and pieces/.
        validation: makes clips of what is held out; training hears none of it.

    Raises:
        TrainingDataError: a cache is missing or holds nothing.
    """

    def __init__(self, audio_folder: Path, cache: Path, validation: bool = False) -> None:
        self._cache, self._validation = cache, validation
        self._bank = SampleBank(audio_folder, "train", cache / "samples")
        self._players = {
            label: [s for s in sources if len(sources) < 3 or self._mine("notes", _name(s))]
            for label, sources in self._bank.sources.items()
        }
        sources = self._read("sources.json")
        stems: dict[str, list[dict[str, Any]]] = {"guitar": [], "music": []}
        for row in sources:
            if row["kind"] == "music" and self._mine("music", row["cache"]):
                stems["guitar" if Path(row["file"]).stem == "guitar" else "music"].append(row)
        self._guitars = stems["guitar"]
        self._sources = {
            "music": stems["music"],
            "sounds": [
                r for r in sources if r["kind"] == "sounds" and self._mine("sounds", r["package"])
            ],
        }
        self._shares = {kind: _shares(rows, kind) for kind, rows in self._sources.items()}
        self._pieces = [
            path
            for path in sorted((cache / "pieces").glob("?????.npy"))
            if (_about(path)["soundfont"] == HELD_OUT) == validation
        ]
        if not self._pieces or not self._sources["music"] or not self._sources["sounds"]:
            raise TrainingDataError(f"expected music, sounds and pieces in {cache}, found too few")

    def _mine(self, kind: str, name: str) -> bool:
        return (zlib.crc32(name.encode()) % VALIDATION_EACH[kind] == 0) == self._validation

    def _read(self, name: str) -> list[dict[str, Any]]:
        try:
            rows: list[dict[str, Any]] = json.loads((self._cache / name).read_text())
        except OSError as error:
            raise TrainingDataError(f"expected {name}, found {error}: run collect") from None
        return rows

    def clip(self, kind: str, index: int) -> Clip:
        """Makes a clip of a kind of ``KINDS``."""
        rng = np.random.default_rng((KINDS.index(kind), index, self._validation))
        if kind == "music":
            return mix(self._disturbed([Part(self._crop(kind, rng))], 0.12, rng), known=False)
        if kind == "pieces":
            return mix(self._disturbed(self._piece(rng), 0.12, rng))
        if kind == "notes":
            return mix(self._disturbed(self._duet(rng), 0.15, rng))
        if kind == "noise":
            return mix([self._steady(rng)])
        first = Part(at_level(self._sound(rng), -20.0))
        return mix(self._disturbed([first], 0.3, rng))

    def _disturbed(self, parts: list[Part], share: float, rng: np.random.Generator) -> list[Part]:
        """Now and then with a sound behind them, 3 to 25 dB softer."""
        if rng.random() >= share:
            return parts
        loudest = node_levels(together(parts)).max()
        return [*parts, Part(at_level(self._sound(rng), loudest - rng.uniform(3, 25)))]

    def _crop(self, kind: str, rng: np.random.Generator) -> Samples:
        rows = self._sources[kind]
        return self._excerpt(rows[rng.choice(len(rows), p=self._shares[kind])], rng)

    def _excerpt(self, row: dict[str, Any], rng: np.random.Generator) -> Samples:
        track = np.load(self._cache / "music" / row["cache"], mmap_mode="r")
        first = int(rng.random() * max(0, len(track) - CLIP_SAMPLES))
        audio = track[first : first + CLIP_SAMPLES].astype(np.float32) / np.float32(32_767)
        return fitted(audio)

    def _sound(self, rng: np.random.Generator) -> Samples:
        recorded = [source for source in self._players[""] if source.everyday]
        if recorded and rng.random() < 0.25:
            return fitted(arrange(self._bank, recorded[rng.integers(len(recorded))], rng))
        return self._crop("sounds", rng)

    def _piece(self, rng: np.random.Generator) -> list[Part]:
        path = self._pieces[rng.integers(len(self._pieces))]
        audio, rows = np.load(path, mmap_mode="r"), _about(path)["stems"]
        chosen = np.arange(len(rows))
        if len(rows) > 1 and rng.random() < 0.35:
            chosen = rng.choice(chosen, rng.integers(1, len(rows) + 1), replace=False)
        first = int(rng.random() * (audio.shape[1] - CLIP_SAMPLES))
        return [
            Part(
                audio[stem, first : first + CLIP_SAMPLES].astype(np.float32)
                * np.float32(10 ** (rng.uniform(-6, 6) / 20) / 32_767),
                rows[stem]["label"],
                frozenset(rows[stem]["ambiguous"]),
            )
            for stem in chosen
        ]

    def _duet(self, rng: np.random.Generator) -> list[Part]:
        """One to four players of recorded notes; a player in ten has none of the labels."""
        labels = sorted(label for label, players in self._players.items() if label and players)
        parts = []
        for index in range(rng.choice([1, 2, 3, 4], p=[0.55, 0.25, 0.13, 0.07])):
            label = "" if rng.random() < 0.1 else labels[rng.integers(len(labels))]
            if label == "guitar" and self._guitars and rng.random() < 0.4:
                row = self._guitars[rng.integers(len(self._guitars))]
                part = Part(self._excerpt(row, rng), "guitar", frozenset({"ukulele", "mandolin"}))
            else:
                players = [player for player in self._players[label] if not player.everyday]
                player = players[rng.integers(len(players))]
                audio = arrange(self._bank, player, rng)
                first = int(rng.integers(0, CLIP_SAMPLES - len(audio) + 1))
                part = Part(fitted(audio, first), player.label, player.ambiguous)
            softer = rng.uniform(0, 14) if index else 0.0
            parts.append(part._replace(audio=at_level(part.audio, -20 - softer)))
        return parts

    def _steady(self, rng: np.random.Generator) -> Part:
        level = float(rng.choice([rng.uniform(-60, -6), rng.uniform(-6, 12)], p=[0.75, 0.25]))
        loudness = 0.0 if rng.random() < 0.12 else 10 ** (level / 20)
        steady = noise(rng, 1 << CLIP_SAMPLES.bit_length(), SAMPLE_RATE_HZ)[:CLIP_SAMPLES]
        return Part(np.clip(steady * loudness, -1, 1).astype(np.float32))


def _name(source: Source) -> str:
    return f"{source.name}{source.label}{source.notes[:1] + source.phrases[:1]}"


def _about(piece: Path) -> dict[str, Any]:
    about: dict[str, Any] = json.loads(piece.with_suffix(".json").read_text())
    return about


def _shares(rows: list[dict[str, Any]], kind: str) -> npt.NDArray[np.float64]:
    """How often each row is heard: as long as it lasts, within what its package may."""
    minutes: Counter[str] = Counter()
    for row in rows:
        minutes[row["package"]] += row["minutes"]
    most = MOST_MINUTES[kind]
    shares = [row["minutes"] * min(1.0, most / minutes[row["package"]]) for row in rows]
    return np.array(shares) / (sum(shares) or 1.0)
