"""Stems rendered with fluidsynth: one instrument each, so that mixtures have exact labels.

``cache/stems/<name>.npy`` is int16 [T], mono at 32 kHz; ``cache/stems.json`` describes each. Stems of
one song have the same ``song`` and the same time axis.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import mido
import numpy as np
import soundfile
from tqdm import tqdm

from mmgat.training.errors import TrainingDataError
from mmgat.training.synthesis.general_midi import CYMBAL_KEYS, DRUM_KEYS, PROGRAMS
from mmgat.training.synthesis.midi_generation import (
    DRUM_CHANNEL,
    channels,
    drum_pattern,
    melody,
    to_midi,
)
from mmgat.training.synthesis.packages import RATE_HZ, to_int16, to_mono

STEM_S: Final = 75.0
DRUM_KITS: Final = (0, 8, 16, 24, 25, 32, 40)
"""Different kits: standard, room, power, electronic, analogue, jazz, brush."""

HELD_OUT: Final = "TimGM6mb"
"""The soundfont of the validation clips, and of no other."""


def fluidsynth(midi: mido.MidiFile, soundfont: Path) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Renders MIDI dry (no reverb, no chorus) to float32 [T], mono at 32 kHz."""
    with tempfile.TemporaryDirectory() as folder:
        score, sound = Path(folder) / "score.mid", Path(folder) / "sound.wav"
        midi.save(score)
        subprocess.run(
            ["fluidsynth", "-ni", "-q", "-o", "synth.dynamic-sample-loading=1", "-R", "0",
             "-C", "0", "-g", "0.5", "-r", str(RATE_HZ), "-O", "s16", "-T", "wav",
             "-F", str(sound), str(soundfont), str(score)],
            check=True, capture_output=True, timeout=300,
        )  # fmt: skip
        audio, rate_hz = soundfile.read(sound, dtype="float32")
    return to_mono(audio, rate_hz)


def _random_stems(takes: int) -> Iterator[tuple[dict[str, Any], mido.MidiFile]]:
    for take in range(takes):
        for program in PROGRAMS.values():
            rng = np.random.default_rng((program.number, take))
            notes = melody(rng, STEM_S, program.low, program.high, chords=program.chords)
            row: dict[str, Any] = {
                "program": program.number,
                "label": program.label,
                "weight": program.weight,
            }
            row |= {"ambiguous": sorted(program.ambiguous), "song": None, "take": take}
            yield row, to_midi(notes, program.number)
        for kit in DRUM_KITS:
            for label, keys, other in (
                ("drums", DRUM_KEYS, "cymbals"), ("cymbals", CYMBAL_KEYS, "drums"),
            ):  # fmt: skip
                rng = np.random.default_rng((1000 + kit, take))
                notes = drum_pattern(rng, STEM_S, keys, steady=label == "cymbals")
                row = {"program": kit, "label": label, "weight": 1.0, "ambiguous": [other]}
                row |= {"song": None, "take": take}
                yield row, to_midi(notes, kit, drums=True)


def _song_stems(songs: Path) -> Iterator[tuple[dict[str, Any], mido.MidiFile]]:
    for path in sorted(songs.rglob("*.mid")):
        for channel, (programs, part) in channels(mido.MidiFile(path)).items():
            known = [PROGRAMS[number] for number in programs if number in PROGRAMS]
            row: dict[str, Any] = {"program": min(programs), "weight": 0.0, "take": channel}
            row["song"] = path.stem
            if channel == DRUM_CHANNEL:
                row |= {"label": "drums", "ambiguous": ["cymbals", "mallet_percussion"]}
            elif len(programs) == 1 and known:
                row |= {"label": known[0].label, "ambiguous": sorted(known[0].ambiguous)}
            else:
                maybe = {p.label for p in known if p.label}.union(*(p.ambiguous for p in known))
                row |= {"label": None, "ambiguous": sorted(maybe)}
            yield row, part


def _stem(
    row: dict[str, Any], midi: mido.MidiFile, soundfont: Path, folder: Path
) -> dict[str, Any] | None:
    key = json.dumps([row, soundfont.stem, STEM_S], sort_keys=True)
    name = f"{soundfont.stem}-{row['program']:03d}-{zlib.crc32(key.encode()):08x}.npy"
    target = folder / name
    if not target.exists():
        audio = fluidsynth(midi, soundfont)
        partial = target.with_suffix(".partial.npy")
        np.save(partial, to_int16(audio))
        partial.rename(target)
    if not np.any(np.load(target, mmap_mode="r")):
        return None
    return row | {"soundfont": soundfont.stem, "cache": name}


def run(
    soundfonts: list[Path], songs: Path | None, cache: Path, *, takes: int = 2, workers: int = 2
) -> list[dict[str, Any]]:
    """Renders stems and returns the rows of stems.json.

    Random MIDI is rendered with every soundfont, songs only with the first and the held-out one. The
    held-out soundfont renders one take of everything. Stems that are there are not rendered again.

    Args:
        soundfonts: files.
        songs: folder of MIDI files, if there are any.
        cache: the stems are kept there.
        takes: random stems of each program.
        workers: processes.

    Raises:
        TrainingDataError: fluidsynth or a soundfont is missing.
    """
    if shutil.which("fluidsynth") is None:
        raise TrainingDataError("expected the program fluidsynth, found none: install it")
    for soundfont in soundfonts:
        if not soundfont.is_file():
            raise TrainingDataError(f"expected a soundfont, found no file at {soundfont}")
    folder = cache / "stems"
    folder.mkdir(parents=True, exist_ok=True)
    held_out = next((path for path in soundfonts if path.stem == HELD_OUT), None)
    jobs = [
        (row, midi, soundfont, folder)
        for soundfont in soundfonts
        for row, midi in (*_random_stems(takes), *(_song_stems(songs) if songs else ()))
        if (soundfont in (soundfonts[0], held_out) if row["song"] else soundfont != held_out)
        or (row["take"] == 0 and not row["song"])
    ]
    with ThreadPoolExecutor(workers) as pool:
        done = tqdm(pool.map(lambda job: _stem(*job), jobs), "render", len(jobs))
        stems = [row for row in done if row]
    (cache / "stems.json").write_text(json.dumps(stems, indent=1))
    return stems
