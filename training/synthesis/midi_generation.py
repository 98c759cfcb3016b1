"""Random MIDI with much variety of pitch, rhythm and dynamics (ours).

It has scale walks, arpeggios, chords and long notes, in sections of their own tempo, for
one General MIDI program; and bar patterns for a drum kit.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import mido
import numpy as np

TICKS_PER_SECOND: Final = 960
"""480 ticks a beat at 120 beats a minute, so that ticks are simply time."""

DRUM_CHANNEL: Final = 9
SCALES: Final = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 3, 5, 7, 10))
CHORDS: Final = ((0, 4, 7), (0, 3, 7), (0, 4, 7, 11), (0, 3, 7, 10), (0, 7, 12))


class Note(NamedTuple):
    """One note; times in seconds."""

    start: float
    length: float
    pitch: int
    velocity: int


def _section(
    rng: np.random.Generator, style: str, start: float, end: float, low: int, high: int
) -> list[Note]:
    beat = rng.uniform(0.22, 0.8)
    legato = rng.uniform(0.4, 1.1)
    loudness = rng.integers(45, 115)
    scale = SCALES[rng.integers(len(SCALES))]
    tonic = int(rng.integers(12))
    pitches = [p for p in range(low, high + 1) if (p - tonic) % 12 in scale]
    place = int(rng.integers(len(pitches)))
    notes = []
    now = start
    while now < end:
        velocity = int(np.clip(loudness + rng.integers(-14, 15), 20, 127))
        if style == "long":
            length = rng.uniform(1.5, 4.0)
            chosen = [pitches[place]]
        elif style == "chords":
            length = beat * float(rng.choice([1, 2, 4]))
            root = min(pitches[place], high - 12)
            chosen = [root + step for step in CHORDS[rng.integers(len(CHORDS))]]
        elif style == "arpeggio":
            length = beat / 2
            root = min(pitches[place], high - 12)
            chord = CHORDS[rng.integers(len(CHORDS))]
            for step in (*chord, *chord[-2:0:-1]):
                notes.append(Note(now, beat * legato * 1.5, root + step, velocity))
                now += length
            chosen = []
        else:
            length = beat * float(rng.choice([0.5, 0.5, 1, 1, 2]))
            chosen = [pitches[place]]
        notes += [Note(now, max(0.08, length * legato), pitch, velocity) for pitch in chosen]
        if chosen:
            now += length
        if rng.random() < 0.08:
            now += beat * float(rng.choice([1, 2, 4]))
        place = int(np.clip(place + rng.integers(-3, 4), 0, len(pitches) - 1))
    return notes


def melody(
    rng: np.random.Generator, seconds: float, low: int, high: int, *, chords: bool
) -> list[Note]:
    """Generates sections of 5 to 12 s in different styles, with MIDI pitches ``low`` to ``high``."""
    styles = ["walk", "walk", "long"] + (["chords", "chords", "arpeggio"] if chords else [])
    notes: list[Note] = []
    start = 0.0
    while start < seconds:
        end = min(seconds, start + rng.uniform(5.0, 12.0))
        notes += _section(rng, str(rng.choice(styles)), start, end, low, high)
        start = end
    return notes


def drum_pattern(
    rng: np.random.Generator, seconds: float, keys: tuple[int, ...], *, steady: bool
) -> list[Note]:
    """Generates bars of 16 steps on some drum ``keys``, and a new pattern now and then.

    Args:
        rng: the randomness.
        seconds: how long.
        keys: General MIDI percussion keys to choose from.
        steady: one key keeps the time (a hi-hat or ride).
    """
    notes: list[Note] = []
    now = 0.0
    while now < seconds:
        step = 60 / rng.uniform(70, 170) / 4
        chosen = rng.choice(keys, size=min(len(keys), int(rng.integers(1, 5))), replace=False)
        grid = rng.random((len(chosen), 16)) < rng.uniform(0.1, 0.35, (len(chosen), 1))
        if steady:
            grid[0] = np.arange(16) % int(rng.choice([1, 2, 4])) == 0
        for _ in range(int(rng.integers(2, 5))):
            for row, column in np.argwhere(grid):
                velocity = int(rng.integers(55, 125))
                notes.append(Note(now + column * step, 0.3, int(chosen[row]), velocity))
            now += 16 * step
    return notes


def to_midi(notes: list[Note], program: int, *, drums: bool = False) -> mido.MidiFile:
    """Writes notes as a MIDI file with one track on one channel."""
    channel = DRUM_CHANNEL if drums else 0
    events = []
    for note in notes:
        on, off = (round(t * TICKS_PER_SECOND) for t in (note.start, note.start + note.length))
        events.append((on, 1, note.pitch, note.velocity))
        events.append((max(off, on + 1), 0, note.pitch, 0))
    track = mido.MidiTrack()
    track.append(mido.Message("program_change", channel=channel, program=program, time=0))
    now = 0
    for tick, _, pitch, velocity in sorted(events):
        message = mido.Message("note_on", channel=channel, note=pitch, velocity=velocity)
        track.append(message.copy(time=tick - now))
        now = tick
    file = mido.MidiFile(ticks_per_beat=TICKS_PER_SECOND // 2)
    file.tracks.append(track)
    return file


def channels(file: mido.MidiFile) -> dict[int, tuple[set[int], mido.MidiFile]]:
    """Splits a MIDI file: channel -> its programs, and a file with this channel only."""
    parts = {}
    used = {m.channel for track in file.tracks for m in track if m.type == "note_on"}
    for channel in sorted(used):
        programs = {0} if channel == DRUM_CHANNEL else set()
        part = mido.MidiFile(ticks_per_beat=file.ticks_per_beat)
        for track in file.tracks:
            alone, waited = mido.MidiTrack(), 0
            for message in track:
                if message.is_meta or getattr(message, "channel", channel) == channel:
                    alone.append(message.copy(time=message.time + waited))
                    waited = 0
                else:
                    waited += message.time
                if message.type == "program_change" and message.channel == channel:
                    programs.add(message.program)
            part.tracks.append(alone)
        parts[channel] = (programs or {0}, part)
    return parts
