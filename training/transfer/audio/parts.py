"""Parts of clips: excerpts of music, stems of pieces, players of notes, and sounds (ours).

A part is what one source plays in a clip: eleven seconds, of which a clip's ten nodes hear all.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from mmgat.model.embedders.kaldi_mel import KALDI_LOG_MEL, SAMPLE_RATE_HZ
from mmgat.training.errors import TrainingDataError
from mmgat.training.synthesis.arrangement import arrange
from mmgat.training.synthesis.render import HELD_OUT
from mmgat.training.synthesis.sample_bank import SampleBank, Source

N_NODES: Final = 10
LEAD: Final = KALDI_LOG_MEL.lead_samples
CLIP_SAMPLES: Final = LEAD + N_NODES * SAMPLE_RATE_HZ
PACKED_KINDS: Final = ("music", "pieces", "players", "sounds")
VALIDATION_EACH: Final = {"music": 10, "sounds": 5, "players": 5}
"""One in so many is held out: of music, files; of sounds, packages; of players, players."""

MOST_MINUTES: Final = {"music": 25.0, "sounds": 5.0}
"""A package with more is heard no more often."""

OTHERS_SHARE: Final = 0.1
"""Share of players that have none of the labels."""

GUITAR_STEM_SHARE: Final = 0.4
EVERYDAY_SHARE: Final = 0.25

Samples = npt.NDArray[np.float32]


class Part(NamedTuple):
    """One source's sound, float32 [CLIP_SAMPLES], its label, and labels that it leaves unknown."""

    audio: Samples
    label: str | None = None
    ambiguous: frozenset[str] = frozenset()


def fitted(audio: Samples, first: int = 0) -> Samples:
    """Puts audio at sample ``first`` of a clip; what is too long is cut."""
    audio = audio[: CLIP_SAMPLES - first]
    return np.pad(audio, (first, CLIP_SAMPLES - first - len(audio)))


class PartMaker:
    """Makes the parts of any kind and index: the same caches and index give the same parts.

    Args:
        audio_folder: recordings (the data folder's ``audio``).
        cache: holds music/, sources.json and pieces/.
        validation: makes parts of what is held out; training hears none of it.

    Raises:
        TrainingDataError: a cache is missing or holds nothing.
    """

    def __init__(self, audio_folder: Path, cache: Path, validation: bool = False) -> None:
        self._cache, self._validation = cache, validation
        self._bank = SampleBank(audio_folder, "train", cache / "samples")
        self._players = {
            label: [s for s in sources if len(sources) < 3 or self._mine("players", _name(s))]
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

    def group(self, kind: str, index: int) -> list[Part]:
        """Parts that belong together, of a kind of ``PACKED_KINDS``: a piece has several."""
        rng = np.random.default_rng((PACKED_KINDS.index(kind), index, self._validation))
        if kind == "music":
            return [Part(self._crop(kind, rng))]
        if kind == "pieces":
            return self._piece(rng)
        if kind == "players":
            return [self._player(rng)]
        return [Part(self._sound(rng))]

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
        if recorded and rng.random() < EVERYDAY_SHARE:
            return fitted(arrange(self._bank, recorded[rng.integers(len(recorded))], rng))
        return self._crop("sounds", rng)

    def _piece(self, rng: np.random.Generator) -> list[Part]:
        path = self._pieces[rng.integers(len(self._pieces))]
        audio, rows = np.load(path, mmap_mode="r"), _about(path)["stems"]
        first = int(rng.random() * (audio.shape[1] - CLIP_SAMPLES))
        return [
            Part(
                stem[first : first + CLIP_SAMPLES].astype(np.float32) / np.float32(32_767),
                row["label"],
                frozenset(row["ambiguous"]),
            )
            for stem, row in zip(audio, rows, strict=True)
        ]

    def _player(self, rng: np.random.Generator) -> Part:
        labels = sorted(label for label, players in self._players.items() if label and players)
        label = "" if rng.random() < OTHERS_SHARE else labels[rng.integers(len(labels))]
        if label == "guitar" and self._guitars and rng.random() < GUITAR_STEM_SHARE:
            row = self._guitars[rng.integers(len(self._guitars))]
            return Part(self._excerpt(row, rng), "guitar", frozenset({"ukulele", "mandolin"}))
        players = [player for player in self._players[label] if not player.everyday]
        player = players[rng.integers(len(players))]
        audio = arrange(self._bank, player, rng)
        first = int(rng.integers(0, CLIP_SAMPLES - len(audio) + 1))
        return Part(fitted(audio, first), player.label, player.ambiguous)


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
