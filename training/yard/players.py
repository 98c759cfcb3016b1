"""Who plays in which part of the yard: no player, take or soundfont is heard in two parts (ours).

Recordings: evaluation has the manifest's validation split. Labels without any there give their
smallest player to evaluation if they have three or more, and one to the held-out part if two are
then left besides it. Renderings: one soundfont a part.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from mmgat.training.errors import TrainingDataError
from mmgat.training.synthesis.arrangement import CLIP_SAMPLES, arrange, shift_pitch
from mmgat.training.synthesis.labelling import Part
from mmgat.training.synthesis.sample_bank import SampleBank, Source

YardPart = Literal["train", "held-out", "evaluation"]
PARTS: Final[tuple[YardPart, ...]] = ("train", "held-out", "evaluation")
SOUNDFONTS: Final = {
    "train": ("FluidR3_GM",),
    "held-out": ("MuseScore_General_Full", "MuseScore_General"),
    "evaluation": ("TimGM6mb",),
}
"""Part -> names of its soundfont. MuseScore's shares accordion, banjo and guitars with FluidR3."""

LEAST_S: Final = 15.0
"""A player with less is never alone in a part."""

SIXTHS: Final = {"held-out": (0,), "evaluation": (1,), "train": (2, 3, 4, 5)}
"""Everyday sounds of the manifest are shared out by sixths."""

SHIFT_SEMITONES: Final = 3.0


def seconds_of(source: Source) -> float:
    """Returns how long all recordings of a player are."""
    return sum(end - start for start, end in (*source.notes, *source.phrases)) / 32_000


def divide(players: Sequence[Source], evaluated: bool) -> dict[YardPart, list[Source]]:
    """Divides the players of a label's training recordings among the parts.

    Args:
        players: of one label.
        evaluated: whether other recordings of the label are for evaluation already.
    """
    ordered = sorted(players, key=seconds_of)
    parts: dict[YardPart, list[Source]] = {"train": [], "held-out": [], "evaluation": []}
    able = [player for player in ordered if seconds_of(player) >= LEAST_S]
    if not evaluated and len(ordered) >= 3 and able:
        n_given = max(1, len(able) // 5)
        parts["evaluation"], able = able[:n_given], able[n_given:]
    left = [player for player in ordered if player not in parts["evaluation"]]
    if len(left) >= 3 and able:
        parts["held-out"] = able[: max(1, len(able) // 5)]
    parts["train"] = [player for player in left if player not in parts["held-out"]]
    return parts


def _share(source: Source, part: YardPart) -> Source:
    """Takes the part's share of a player's recordings, for sounds that have no player."""
    mine = SIXTHS[part]
    return source._replace(
        notes=tuple(span for i, span in enumerate(source.notes) if i % 6 in mine),
        phrases=tuple(span for i, span in enumerate(source.phrases) if i % 6 in mine),
    )


class Players:
    """Everybody who may play in one part.

    Args:
        audio_folder: the data folder's ``audio``, with its manifest.csv.
        cache: of ``mmgat-train``: holds stems.json and stems/, perhaps pieces/, and keeps samples/.
        part: of the yard.

    Raises:
        TrainingDataError: recordings or stems are missing.
    """

    def __init__(self, audio_folder: Path, cache: Path, part: YardPart) -> None:
        self.part, self._cache = part, cache
        self.bank = SampleBank(audio_folder, "train", cache / "samples")
        evaluation = SampleBank(audio_folder, "validation", cache / "samples")
        self.recorded: dict[str, list[tuple[SampleBank, Source]]] = {}
        self.sounds: list[tuple[SampleBank, Source]] = []
        for label in sorted({*self.bank.sources, *evaluation.sources}):
            own = self.bank.sources.get(label, [])
            others = evaluation.sources.get(label, [])
            if label:
                chosen = [(self.bank, s) for s in divide(own, bool(others))[part]]
                if part == "evaluation":
                    chosen += [(evaluation, source) for source in others]
                if chosen:
                    self.recorded[label] = chosen
                continue
            shared = [(self.bank, _share(source, part)) for source in own]
            shared = [(b, s) for b, s in shared if s.notes or s.phrases]
            self.sounds = [(b, s) for b, s in shared if s.everyday]
            self.recorded[""] = [(b, s) for b, s in shared if not s.everyday]
        self.stems: dict[str, list[dict[str, Any]]] = {}
        for row in self._rows("stems.json"):
            if row["soundfont"] in SOUNDFONTS[part] and not row["song"]:
                self.stems.setdefault(row["label"] or "", []).append(row)
        self.pieces = [
            path
            for path in sorted((cache / "pieces").glob("?????.npy"))
            if _about(path)["soundfont"] in SOUNDFONTS[part]
        ]
        if not self.stems and not self.pieces:
            raise TrainingDataError(
                f"expected stems or pieces of {' or '.join(SOUNDFONTS[part])} in {cache}, found none: "
                "give that soundfont to mmgat-train yard"
            )

    def _rows(self, name: str) -> list[dict[str, Any]]:
        try:
            rows: list[dict[str, Any]] = json.loads((self._cache / name).read_text())
        except OSError as error:
            raise TrainingDataError(f"expected {name}, found {error}: render stems first") from None
        return rows

    def note_player(self, rng: np.random.Generator) -> Part:
        """Draws a label, then a player of it, and arranges the player's notes; one in ten has none."""
        labels = [label for label in self.recorded if label]
        label = "" if rng.random() < 0.1 and self.recorded.get("") else str(rng.choice(labels))
        bank, source = _one(self.recorded[label], rng)
        return Part(arrange(bank, source, rng), source.label, source.ambiguous, source.name)

    def stem(self, rng: np.random.Generator) -> Part:
        """Draws ten seconds of a rendered stem; one in twelve has no label."""
        if not self.stems:
            parts = self.song(rng)
            return parts[int(rng.integers(len(parts)))]
        labels = sorted(label for label in self.stems if label)
        label = "" if rng.random() < 0.08 and "" in self.stems else str(rng.choice(labels))
        rows = self.stems[label]
        weights = np.array([row["weight"] for row in rows])
        row = rows[rng.choice(len(rows), p=weights / weights.sum())]
        track = np.load(self._cache / "stems" / row["cache"], mmap_mode="r")
        audio = _excerpt(track, rng, float(rng.uniform(-SHIFT_SEMITONES, SHIFT_SEMITONES)))
        return Part(audio, row["label"], frozenset(row["ambiguous"]), row["soundfont"])

    def song(self, rng: np.random.Generator) -> list[Part]:
        """Draws ten seconds of a rendered piece, some of its stems; [] if there are no pieces."""
        if not self.pieces:
            return []
        path = self.pieces[rng.integers(len(self.pieces))]
        tracks, about = np.load(path, mmap_mode="r"), _about(path)
        n_kept = int(rng.integers(1, len(tracks) + 1))
        kept = rng.choice(len(tracks), n_kept, replace=False)
        start = int(rng.random() * max(0, tracks.shape[1] - CLIP_SAMPLES))
        parts = []
        for index in kept:
            audio = tracks[index, start : start + CLIP_SAMPLES].astype(np.float32) / 32_767
            gain = np.float32(10 ** (rng.uniform(-6, 6) / 20))
            row = about["stems"][index]
            parts.append(
                Part(
                    np.pad(audio, (0, CLIP_SAMPLES - len(audio))) * gain,
                    row["label"],
                    frozenset(row["ambiguous"]),
                    about["soundfont"],
                )
            )
        return parts

    def sound(self, rng: np.random.Generator) -> Part:
        """Draws everyday sounds, which have no label; silence if there are none."""
        if not self.sounds:
            return Part(np.zeros(CLIP_SAMPLES, np.float32), None)
        bank, source = _one(self.sounds, rng)
        return Part(arrange(bank, source, rng), None, source=source.name)


def _one(
    players: list[tuple[SampleBank, Source]], rng: np.random.Generator
) -> tuple[SampleBank, Source]:
    return players[int(rng.integers(len(players)))]


def _excerpt(
    track: npt.NDArray[np.int16], rng: np.random.Generator, shift: float
) -> npt.NDArray[np.float32]:
    wanted = int(CLIP_SAMPLES * 2 ** (shift / 12)) + 3200
    start = int(rng.random() * max(0, len(track) - wanted))
    excerpt = track[start : start + wanted].astype(np.float32) / np.float32(32_767)
    audio = shift_pitch(excerpt, shift)
    return np.pad(audio[:CLIP_SAMPLES], (0, max(0, CLIP_SAMPLES - len(audio))))


def _about(piece: Path) -> dict[str, Any]:
    about: dict[str, Any] = json.loads(piece.with_suffix(".json").read_text())
    return about
