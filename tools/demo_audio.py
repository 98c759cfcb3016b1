"""Renders the bundled demo clip: Beethoven's Ode to Joy (public domain), one band after another.

    python -m tools.demo_audio --soundfont FluidR3_GM.sf2 --out stream/demo/demo.ogg

The arrangement is ours; the sound is FluidR3 GM's (MIT licence), rendered by fluidsynth.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import click
import mido
import numpy as np
import soundfile

RATE_HZ = 44_100
BEAT_S = 0.42
MELODY = [64, 64, 65, 67, 67, 65, 64, 62, 60, 60, 62, 64, 64, 62, 62, None]
CHORDS = [(48, 55, 60, 64), (43, 55, 59, 62), (45, 57, 60, 64), (43, 55, 59, 62)]
PIANO, VIBRAPHONE, VIOLIN, CELLO, TRUMPET, FLUTE = 0, 11, 40, 42, 56, 73
DRUMS = 9

Note = tuple[float, float, int, int]  # beat, beats, key, velocity


def tune(transpose: int, velocity: int = 96) -> list[Note]:
    return [
        (beat, 0.95, key + transpose, velocity)
        for beat, key in enumerate(MELODY)
        if key is not None
    ]


def chords(every: float, velocity: int = 70) -> list[Note]:
    return [
        (beat, every * 0.95, key, velocity)
        for beat in np.arange(0, 16, every)
        for key in CHORDS[int(beat // 4)]
    ]


def higher(notes: list[Note], semitones: int) -> list[Note]:
    """The notes, transposed."""
    return [(beat, beats, key + semitones, velocity) for beat, beats, key, velocity in notes]


def drum_beat() -> list[Note]:
    kick = [(float(beat), 0.2, 36, 110) for beat in range(0, 16, 2)]
    snare = [(float(beat), 0.2, 38, 105) for beat in range(1, 16, 2)]
    hat = [(half / 2, 0.2, 42, 80) for half in range(32)]
    return kick + snare + hat


PARTS: list[list[tuple[int, list[Note]]]] = [
    [(PIANO, tune(12) + higher(chords(2), 12))],
    [(FLUTE, tune(24))],
    [(VIOLIN, tune(12)), (CELLO, [(b, 3.9, CHORDS[int(b // 4)][0], 90) for b in (0, 4, 8, 12)])],
    [(TRUMPET, tune(12))],
    [(VIBRAPHONE, tune(12))],
    [(DRUMS, drum_beat())],
]
"""Bands one after another: each part is (program, or 9 for drums, notes)."""


def midi_of(parts: list[list[tuple[int, list[Note]]]]) -> mido.MidiFile:
    """One track a part and player; drums on channel 10."""
    file = mido.MidiFile(ticks_per_beat=480)
    channel = 0
    for number, band in enumerate(parts):
        for program, notes in band:
            track = mido.MidiTrack()
            file.tracks.append(track)
            track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(60 / BEAT_S)))
            used = DRUMS if program == DRUMS else channel
            if program != DRUMS:
                track.append(mido.Message("program_change", channel=used, program=program))
                channel = channel + 1 if channel + 1 != DRUMS else channel + 2
            moments = []
            for beat, beats, key, velocity in notes:
                start = number * 17 + beat
                moments.append((start, "note_on", key, velocity))
                moments.append((start + beats, "note_off", key, 0))
            now = 0
            for beat, kind, key, velocity in sorted(moments):
                tick = round(beat * 480)
                track.append(
                    mido.Message(kind, channel=used, note=key, velocity=velocity, time=tick - now)
                )
                now = tick
    return file


@click.command()
@click.option("--soundfont", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
def main(soundfont: Path, out: Path) -> None:
    """Render the demo clip as mono Ogg Vorbis."""
    with tempfile.TemporaryDirectory() as folder:
        score, sound = Path(folder) / "demo.mid", Path(folder) / "demo.wav"
        midi_of(PARTS).save(score)
        command = ["fluidsynth", "-ni", "-q", "-g", "0.6", "-r", str(RATE_HZ), "-F", str(sound)]
        subprocess.run([*command, str(soundfont), str(score)], check=True)
        audio, _ = soundfile.read(sound)
    mono = audio.mean(axis=1)[: round((len(PARTS) * 17 + 1) * BEAT_S * RATE_HZ)]
    fade = np.minimum(1, np.arange(len(mono))[::-1] / (0.5 * RATE_HZ))
    soundfile.write(out, 0.7 * mono / np.abs(mono).max() * fade, RATE_HZ, format="OGG")
    click.echo(f"{out}: {len(mono) / RATE_HZ:.1f} s, {out.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
