"""Scores in chosen instrumentations: who plays what, for a soloist up to a band (ours)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from mmgat.training.synthesis.general_midi import (
    CONFUSABLE,
    CYMBAL_KEYS,
    DRUM_KEYS,
    PROGRAMS,
    STRINGS,
    Program,
)
from mmgat.training.synthesis.midi_generation import Note, drum_pattern, melody
from mmgat.training.synthesis.render import DRUM_KITS
from mmgat.training.transfer.scores import Score, ScoreNote

PIECE_S: Final = 45.0
KINDS: Final = ("solo", "duo", "trio", "band", "quartet", "strings")
KIND_SHARES: Final = (0.26, 0.2, 0.14, 0.2, 0.12, 0.08)
LEADS: Final = (
    "violin", "flute", "clarinet", "saxophone", "trumpet", "trombone", "accordion", "guitar", "piano",
    "organ", "synthesizer", "cello", "banjo", "mallet_percussion", "voice",
)  # fmt: skip
ACCOMPANIMENTS: Final = (
    "piano", "guitar", "organ", "synthesizer", "accordion", "banjo", "mallet_percussion", "strings",
)  # fmt: skip
CHORDAL: Final = ("piano", "guitar", "organ", "accordion", "banjo", "synthesizer")
STRING_PROGRAMS: Final = (44, 45, 48, 49)
"""Sections of strings; a part's register tells whose part it is."""

VIOLA, HORN, BASSOON = 41, 60, 70
FAMILIES: Final[tuple[tuple[str | int, ...], ...]] = (
    ("violin", "violin", VIOLA, "cello"),
    ("trumpet", "trumpet", "trombone", "trombone"),
    ("saxophone",) * 4,
    ("clarinet",) * 4,
    ("flute", "clarinet", HORN, BASSOON),
    ("accordion",) * 4,
    ("mallet_percussion",) * 4,
    ("voice",) * 4,
    ("guitar",) * 4,
    ("violin", "flute", "cello", "piano"),
)
Part = list[ScoreNote]


class Player(NamedTuple):
    """One stem: a label, what it leaves unknown, a General MIDI program or kit, and its notes."""

    label: str | None
    ambiguous: frozenset[str]
    program: int
    notes: list[Note]
    drums: bool = False


class Ensemble:
    """Players of one piece: 45 s of a score, at a random tempo and pitch.

    Args:
        score: to play from.
        rng: of every choice.
    """

    def __init__(self, score: Score, rng: np.random.Generator) -> None:
        self._rng = rng
        self._beat_s = 60 / rng.uniform(66, 150)
        self._parts = sorted(score.parts, key=lambda part: -float(np.median(_pitches(part))))
        end = max(note.start for part in score.parts for note in part)
        self._first = float(np.floor(rng.uniform(0, max(0.0, end - PIECE_S / self._beat_s))))
        self._transpose = int(rng.integers(-5, 6))
        self.players: list[Player] = []
        self.kind = str(rng.choice(KINDS, p=KIND_SHARES))
        getattr(self, f"_{self.kind}")()

    def _solo(self) -> None:
        rng, labels = self._rng, sorted({p.label for p in PROGRAMS.values() if p.label} | {"drums"})
        label = str(rng.choice(labels))
        if label == "drums":
            self._kit()
        elif label in CHORDAL and rng.random() < 0.6:
            program = self._program(label)
            for part in self._parts[:4]:
                self._add(part, program)
        elif rng.random() < 0.3:
            program = self._program(label)
            notes = melody(rng, PIECE_S, program.low, program.high, chords=program.chords)
            self._append(program, notes)
        else:
            self._add(self._parts[-1 if label == "bass" else 0], self._program(label))

    def _duo(self) -> None:
        choice = self._rng.random()
        if choice < 0.6:
            self._lead()
            self._accompany()
        elif choice < 0.75:
            self._bass()
            self._kit()
        elif choice < 0.9:
            self._lead()
            self._lead(1)
        else:
            self._bass()
            self._accompany()

    def _trio(self) -> None:
        choice = self._rng.random()
        self._lead()
        if choice < 0.8:
            self._bass()
            if choice < 0.6:
                self._kit()
            else:
                self._accompany()
        else:
            self._lead(len(self._parts) // 2)
            self._accompany("piano")

    def _band(self) -> None:
        self._lead()
        self._bass()
        self._kit()
        self._accompany()
        if self._rng.random() < 0.4:
            self._accompany()

    def _quartet(self) -> None:
        family = FAMILIES[self._rng.integers(len(FAMILIES))]
        same = self._program(str(family[0])) if len(set(family)) == 1 else None
        for index, who in enumerate(family):
            program = PROGRAMS[who] if isinstance(who, int) else same or self._program(who)
            self._add(self._parts[index % len(self._parts)], program)

    def _strings(self) -> None:
        section = PROGRAMS[int(self._rng.choice(STRING_PROGRAMS))]
        for part in self._parts[:4]:
            self._add(part, section, _register(part), legato=1.0)
        if self._rng.random() < 0.7:
            self._add(self._parts[-1], PROGRAMS[43], "bass", legato=1.0)
        if self._rng.random() < 0.4:
            self._lead()

    def _lead(self, part: int = 0) -> None:
        program = self._program(str(self._rng.choice(LEADS)))
        self._add(self._parts[min(part, len(self._parts) - 1)], program)

    def _bass(self) -> None:
        self._add(self._parts[-1], self._program("bass"))

    def _kit(self) -> None:
        kit = int(self._rng.choice(DRUM_KITS))
        for label, keys in (("drums", DRUM_KEYS), ("cymbals", CYMBAL_KEYS)):
            notes = drum_pattern(self._rng, PIECE_S, keys, steady=label == "cymbals")
            notes = [note for note in notes if note.start < PIECE_S]
            self.players.append(Player(label, CONFUSABLE[label], kit, notes, drums=True))

    def _accompany(self, who: str | None = None) -> None:
        who = who or str(self._rng.choice(ACCOMPANIMENTS))
        chords = self._chords()
        if who != "strings":
            self._add(chords, self._program(who))
            return
        section = PROGRAMS[int(self._rng.choice(STRING_PROGRAMS))]
        for label, octaves in (("violin", 1), ("cello", -1)):
            part = [note._replace(pitch=note.pitch + 12 * octaves) for note in chords]
            self._add(part, section, label, legato=1.0)

    def _chords(self) -> Part:
        """What sounds on every beat, or every second or fourth: held, broken, or off the beat."""
        rng = self._rng
        style, step = str(rng.choice(["block", "broken", "off"])), float(rng.choice([1, 2, 2, 4]))
        everything = [note for part in self._parts for note in part]
        chords: Part = []
        now = self._first
        while (now - self._first) * self._beat_s < PIECE_S - 1:
            classes = sorted(
                {n.pitch % 12 for n in everything if n.start <= now + 0.01 < n.start + n.length}
            )
            if len(classes) == 1:
                classes = sorted({(classes[0] + interval) % 12 for interval in (0, 4, 7)})
            if classes and style == "broken":
                for index in range(4):
                    pitch = 60 + classes[index % len(classes)]
                    chords.append(ScoreNote(now + index * step / 4, step / 3, pitch))
            elif classes:
                late, length = (step / 2, step / 3) if style == "off" else (0.0, step * 0.95)
                chords += [ScoreNote(now + late, length, 55 + (c - 7) % 12) for c in classes]
                if style == "off":
                    chords.append(ScoreNote(now, length, 43 + (classes[0] - 7) % 12))
            now += step
        return chords

    def _program(self, label: str) -> Program:
        programs = [program for program in PROGRAMS.values() if program.label == label]
        return programs[self._rng.integers(len(programs))]

    def _add(
        self, part: Part, program: Program, label: str | None = None, legato: float | None = None
    ) -> None:
        """Lets a program play a part, in its range, by hand: not quite in time, nor even."""
        rng = self._rng
        legato = legato or float(rng.uniform(0.5, 1.05))
        loudness = int(rng.integers(50, 105))
        middle = (program.low + program.high) / 2
        octaves = 12 * round((middle - float(np.median(_pitches(part) or [60]))) / 12)
        notes = []
        for note in part:
            start = (note.start - self._first) * self._beat_s
            if not 0 <= start <= PIECE_S - 1:
                continue
            pitch = note.pitch + octaves + self._transpose
            while pitch < program.low:
                pitch += 12
            while pitch > program.high:
                pitch -= 12
            velocity = int(np.clip(loudness + rng.integers(-12, 13), 25, 125))
            length = max(0.09, note.length * self._beat_s * legato)
            notes.append(Note(max(0.0, start + rng.normal(0, 0.008)), length, pitch, velocity))
        if notes:
            self._append(program, notes, label)

    def _append(self, program: Program, notes: list[Note], label: str | None = None) -> None:
        ambiguous = program.ambiguous
        if program.number in STRING_PROGRAMS:
            ambiguous = STRINGS - {label or ""}
        notes = [note for note in notes if note.start < PIECE_S]
        self.players.append(Player(label or program.label, ambiguous, program.number, notes))


def _pitches(part: Sequence[ScoreNote]) -> list[int]:
    return [note.pitch for note in part]


def _register(part: Part) -> str:
    median = float(np.median(_pitches(part)))
    return "violin" if median >= 59 else "cello" if median >= 46 else "bass"
