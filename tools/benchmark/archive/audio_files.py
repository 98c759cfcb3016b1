"""Audio files made from the demo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

DEMO = Path(__file__).parents[3] / "stream" / "demo" / "demo.ogg"


def music(seconds: float, rate_hz: int = 44_100) -> np.ndarray:
    """The demo over and over, float32 [n, 2]."""
    sound, found_hz = soundfile.read(DEMO, dtype="float32")
    sound = sound[:: found_hz // rate_hz] if found_hz % rate_hz == 0 else sound
    n = round(seconds * rate_hz)
    left = np.resize(sound, n)
    return np.stack([left, np.roll(left, 11)], axis=1)


def write(path: Path, sound: np.ndarray, rate_hz: int = 44_100) -> None:
    """Written second by second: libsndfile's Vorbis encoder fails on long arrays."""
    with soundfile.SoundFile(path, "w", rate_hz, sound.shape[1]) as file:
        for first in range(0, len(sound), rate_hz):
            file.write(sound[first : first + rate_hz])


def write_copies(folder: Path, name: str, n_files: int, seconds: float) -> None:
    """A file of music and links to it, in a new folder."""
    folder.mkdir(parents=True)
    write(folder / name, music(seconds))
    for i in range(1, n_files):
        (folder / f"{i}{Path(name).suffix}").hardlink_to(folder / name)


def seconds_of_music(folder: Path, files: int) -> np.ndarray:
    """Makes FLAC files of a second, a thousand in a folder; returns the sound they are pieces of."""
    sound = music(40, 16_000)[:, :1]
    for i in range(files):
        place = folder / f"{i // 1000:03d}"
        if i % 1000 == 0:
            place.mkdir(parents=True)
        path = place / f"{i}.flac"
        if i % 20_000 < 40:
            soundfile.write(path, sound[16_000 * (i % 40) : 16_000 * (i % 40 + 1)], 16_000)
        else:  # a file system takes some ten thousand names of a file
            first = i // 20_000 * 20_000
            path.hardlink_to(folder / f"{first // 1000:03d}" / f"{first + i % 40}.flac")
    return sound
