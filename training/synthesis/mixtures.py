"""Ten-second training clips of recordings, rendered stems, music and everyday sounds (ours).

The labels of music are unknown; the teachers give its targets. Speech, everyday sounds and noise have
no labels.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mmgat.model.labels import LABELS
from mmgat.training.errors import TrainingDataError
from mmgat.training.synthesis.arrangement import CLIP_S, CLIP_SAMPLES, arrange, fade, shift_pitch
from mmgat.training.synthesis.augment import noise
from mmgat.training.synthesis.clip_kinds import KINDS
from mmgat.training.synthesis.general_midi import CONFUSABLE
from mmgat.training.synthesis.labelling import Clip, Part, at_level, mix
from mmgat.training.synthesis.packages import RATE_HZ
from mmgat.training.synthesis.render import HELD_OUT as HELD_OUT_SOUNDFONT
from mmgat.training.synthesis.sample_bank import SampleBank

SHARES: Final = (0.32, 0.25, 0.16, 0.21, 0.06)
HELD_OUT: Final = {"music": 15, "sounds": 5}
"""One in so many is for validation: files of music, whole packages of sounds, which are alike."""

FEW_MINUTES: Final = 5.0
"""A package of sounds with more minutes is used no more often."""

RECORDED_SHARE: Final = 0.25
"""Share of everyday sounds that comes from recordings; the rest comes from packages."""


def is_held_out(row: dict[str, Any]) -> bool:
    """Tells whether a row of sources.json is for validation."""
    name = row["package"] if row["kind"] == "sounds" else row["cache"]
    return zlib.crc32(name.encode()) % HELD_OUT[row["kind"]] == 0


class ClipMaker:
    """Makes the clip of any index: the same index, seed and caches give the same clip.

    Args:
        audio_folder: recordings (the data folder's ``audio``).
        cache: holds music/, sources.json, stems/ and stems.json.
        split: "train", or "validation" with its own recordings, soundfont and music files.
        seed: of all random numbers.
        only: make clips of this kind only.
    """

    def __init__(
        self,
        audio_folder: Path,
        cache: Path,
        split: str,
        seed: int = 0,
        only: str | None = None,
    ) -> None:
        self.cache, self.split, self.seed, self.only = cache, split, seed, only
        self.bank = SampleBank(audio_folder, split, cache / "samples")
        validation = split == "validation"
        stems = [
            stem for stem in self._read("stems.json")
            if (stem["soundfont"] == HELD_OUT_SOUNDFONT) == validation
        ]  # fmt: skip
        collected = [
            row for row in self._read("sources.json")
            if is_held_out(row) == validation
        ]  # fmt: skip
        music = [row for row in collected if row["kind"] == "music"]
        self.sounds = [row for row in collected if row["kind"] == "sounds"]
        minutes_of: Counter[str] = Counter()
        for row in self.sounds:
            minutes_of[row["package"]] += row["minutes"]
        shares = [
            row["minutes"] * min(1.0, FEW_MINUTES / minutes_of[row["package"]])
            for row in self.sounds
        ]
        self.sound_shares = np.array(shares) / (sum(shares) or 1.0)
        self.stems: dict[str, list[dict[str, Any]]] = {}
        self.songs: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for stem in stems:
            if stem["song"]:
                self.songs.setdefault((stem["soundfont"], stem["song"]), []).append(stem)
            else:
                self.stems.setdefault(stem["label"] or "", []).append(stem)
        for row in music:
            if Path(row["file"]).stem == "guitar":
                self.stems.setdefault("guitar", []).append(
                    {"label": "guitar", "ambiguous": sorted(CONFUSABLE["guitar"]), "weight": 1.0,
                     "cache": f"../music/{row['cache']}"}
                )  # fmt: skip
        self.tracks = [row["cache"] for row in music if Path(row["file"]).stem != "guitar"]
        minutes = [row["minutes"] for row in music if Path(row["file"]).stem != "guitar"]
        if not self.tracks or not self.stems:
            raise TrainingDataError(f"expected music and stems for {split} in {cache}, found none")
        # Each track as often as it has tens of seconds, in a fixed random order.
        turns = np.repeat(
            np.arange(len(self.tracks)), np.maximum(1, np.int64(np.array(minutes) * 6))
        )
        self.turns = np.random.default_rng((seed, validation)).permutation(turns)

    def _read(self, name: str) -> list[dict[str, Any]]:
        path = self.cache / name
        if not path.is_file():
            raise TrainingDataError(
                f"expected {name} in {self.cache}: run collect and render first"
            )
        rows: list[dict[str, Any]] = json.loads(path.read_text())
        return rows

    def clip(self, index: int) -> Clip:
        """Makes the clip of this index."""
        rng = np.random.default_rng((self.seed, self.split == "validation", index))
        kind = self.only or str(rng.choice(KINDS, p=SHARES))
        if kind == "music":
            track = self.tracks[self.turns[index % len(self.turns)]]
            music = Part(self._crop(f"music/{track}", rng), None, frozenset(LABELS))
            return mix([music], kind)
        if kind == "silence":
            return mix([Part(self._steady(rng), None)], kind)
        if kind == "sounds":
            parts = [self._sounds(rng, -20.0)]
            if rng.random() < 0.3:
                parts.append(self._sounds(rng, -20 - rng.uniform(0, 20)))
            return mix(parts, kind)
        if kind == "rendered" and self.songs and rng.random() < 0.35:
            parts = self._song(rng)
        else:
            n_parts = int(rng.choice([1, 2, 3, 4, 5], p=[0.35, 0.26, 0.2, 0.12, 0.07]))
            from_stem = 0.85 if kind == "rendered" else 0.12
            parts = [self._part(rng, rng.random() < from_stem) for _ in range(n_parts)]
            levels = -20 - np.append(0.0, rng.uniform(0, 15, n_parts))
            parts = [
                part._replace(audio=at_level(part.audio, level))
                for part, level in zip(parts, levels, strict=False)
            ]
        if rng.random() < 0.08:
            track = self.tracks[rng.integers(len(self.tracks))]
            music_level = -20 - rng.uniform(5, 25)
            behind = at_level(self._crop(f"music/{track}", rng), music_level)
            parts.append(Part(behind, None, frozenset(LABELS)))
        elif rng.random() < 0.15:
            parts.append(self._sounds(rng, -20 - rng.uniform(5, 25)))
        return mix(parts, kind)

    def _steady(self, rng: np.random.Generator) -> npt.NDArray[np.float32]:
        """Makes ten seconds of digital silence or of steady noise, which may be clipped."""
        level_dbfs = float(rng.choice([rng.uniform(-60, -6), rng.uniform(-6, 12)], p=[0.7, 0.3]))
        loudness = 0.0 if rng.random() < 0.2 else 10 ** (level_dbfs / 20)
        return np.clip(noise(rng, CLIP_SAMPLES, RATE_HZ) * loudness, -1, 1).astype(np.float32)

    def _sounds(self, rng: np.random.Generator, level_dbfs: float) -> Part:
        """Makes ten seconds of speech or everyday sounds, from a track or from recordings."""
        recorded = [source for source in self.bank.sources.get("", []) if source.everyday]
        if recorded and (not self.sounds or rng.random() < RECORDED_SHARE):
            source = recorded[rng.integers(len(recorded))]
            audio, name = arrange(self.bank, source, rng), source.name
        elif self.sounds:
            row = self.sounds[rng.choice(len(self.sounds), p=self.sound_shares)]
            shift = float(rng.uniform(-2, 2))
            audio, name = self._crop(f"music/{row['cache']}", rng, shift=shift), ""
        else:
            audio, name = np.zeros(CLIP_SAMPLES, np.float32), ""
        return Part(at_level(audio, level_dbfs), None, source=name)

    def _part(self, rng: np.random.Generator, from_stem: bool) -> Part:
        choices = sorted(
            label for label in (self.stems if from_stem else self.bank.sources) if label
        )
        label = "" if rng.random() < 0.13 else str(rng.choice(choices))
        if from_stem and label in self.stems:
            rows = self.stems[label]
            weights = np.array([row["weight"] for row in rows])
            row = rows[rng.choice(len(rows), p=weights / weights.sum())]
            audio = self._crop(f"stems/{row['cache']}", rng, shift=float(rng.uniform(-3, 3)))
            if rng.random() < 0.45:
                cut = int(rng.uniform(1.5, CLIP_S) * RATE_HZ)
                entry = int(rng.uniform(0, CLIP_SAMPLES - cut))
                placed = np.zeros_like(audio)
                placed[entry : entry + cut] = fade(audio[entry : entry + cut], RATE_HZ // 10)
                audio = placed
            return Part(audio, row["label"], frozenset(row["ambiguous"]))
        sources = self.bank.sources.get(label) or self.bank.sources[self.bank.labels[0]]
        source = sources[rng.integers(len(sources))]
        return Part(arrange(self.bank, source, rng), source.label, source.ambiguous, source.name)

    def _song(self, rng: np.random.Generator) -> list[Part]:
        names = sorted(self.songs)
        stems = self.songs[names[rng.integers(len(names))]]
        n_kept = int(rng.integers(1, len(stems) + 1))
        kept = [stems[i] for i in rng.choice(len(stems), n_kept, replace=False)]
        longest = max(np.load(self.cache / f"stems/{s['cache']}", mmap_mode="r").size for s in kept)
        offset = int(rng.random() * max(0, longest - CLIP_SAMPLES))
        shift = float(rng.uniform(-3, 3))
        return [
            Part(
                self._crop(f"stems/{row['cache']}", rng, shift=shift, at=offset)
                * np.float32(10 ** (rng.uniform(-5, 5) / 20)),
                row["label"],
                frozenset(row["ambiguous"]),
            )
            for row in kept
        ]

    def _crop(
        self, name: str, rng: np.random.Generator, *, shift: float = 0.0, at: int | None = None
    ) -> npt.NDArray[np.float32]:
        """Cuts ten seconds from a cached file, from a random sample or from sample ``at``."""
        track = np.load(self.cache / name, mmap_mode="r")
        wanted = int(CLIP_SAMPLES * 2 ** (shift / 12)) + RATE_HZ // 10
        start = int(rng.random() * max(0, len(track) - wanted)) if at is None else at
        audio = shift_pitch(track[start : start + wanted].astype(np.float32) / 32_767.0, shift)
        return np.pad(audio[:CLIP_SAMPLES], (0, max(0, CLIP_SAMPLES - len(audio))))
