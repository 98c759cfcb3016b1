"""Unlabelled music, speech and everyday sounds, decoded from unpacked packages with their licences.

The expected layout is one folder for every unpacked Debian package (``dpkg-deb -x``), so that the
licence of a file can be read from ``usr/share/doc/<package>/copyright``.
"""

from __future__ import annotations

import contextlib
import fnmatch
import functools
import hashlib
import io
import itertools
import json
import logging
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import soundfile
import soxr
from debian.copyright import Copyright, License, NotMachineReadableError
from tqdm import tqdm

from mmgat.training.errors import TrainingDataError

RATE_HZ: Final = 32_000
"""Sample rate of the cache: that of the mn04 teacher, and twice that of the student."""

SHORTEST_S: Final = 20.0
SHORTEST_SOUND_S: Final = 0.1
SHORTEST_JOINED_S: Final = 5.0
LONGEST_S: Final = 600.0
TELEPHONE_SUFFIX: Final = ".g722"
"""16 kHz speech of telephone systems; ffmpeg decodes it."""

AUDIO_SUFFIXES: Final = frozenset(
    {".ogg", ".oga", ".opus", ".flac", ".wav", ".mp3", TELEPHONE_SUFFIX}
)
ARCHIVE_SUFFIXES: Final = frozenset({".pk3", ".zip"})


class Track(NamedTuple):
    """One music file, perhaps inside a zip archive (``member``)."""

    package: str
    path: Path
    member: str | None
    licence: str

    def open(self) -> Any:
        """Returns what soundfile can open: a path, or a file in memory."""
        if self.path.suffix == TELEPHONE_SUFFIX:
            return io.BytesIO(_wave(self.path))
        if self.member is None:
            return self.path
        return io.BytesIO(_archive(self.path).read(self.member))

    @property
    def name(self) -> str:
        """Path inside the package or the archive."""
        return self.member or self.path.as_posix().split(f"/{self.package}/", 1)[-1]

    @property
    def folder(self) -> str:
        """Folder inside the package or the archive; sounds of one folder belong together."""
        return f"{self.package}/{self.path if self.member else ''}/{Path(self.name).parent}"


@functools.cache
def _archive(path: Path) -> zipfile.ZipFile:
    """Opens an archive once a process: listing a large one takes longer than reading a sound."""
    return zipfile.ZipFile(path)


@functools.lru_cache(maxsize=2)
def _wave(path: Path) -> bytes:
    """Decodes a telephone recording to a WAV file."""
    command = ["ffmpeg", "-v", "error", "-f", "g722", "-i", str(path), "-f", "wav", "-"]
    return subprocess.run(command, check=True, capture_output=True).stdout


def to_mono(
    audio: npt.NDArray[np.floating], rate_hz: int, to_hz: int = RATE_HZ
) -> npt.NDArray[np.float32]:
    """[T] or [T, channels] at ``rate_hz`` -> float32 [T'] at ``to_hz``, mean of the channels."""
    mono = np.ascontiguousarray(audio.mean(axis=1) if audio.ndim == 2 else audio, np.float32)
    return mono if rate_hz == to_hz else soxr.resample(mono, rate_hz, to_hz, "HQ")


def to_int16(audio: npt.NDArray[np.floating]) -> npt.NDArray[np.int16]:
    """Converts samples of full scale 1.0 to int16, clipped."""
    samples: npt.NDArray[np.int16] = np.clip(np.rint(audio * 32_767.0), -32_768, 32_767).astype(
        np.int16
    )
    return samples


def _licence_rules(copyright_file: Path) -> list[tuple[str, str]]:
    """Reads (pattern, short licence name) pairs of a machine-readable copyright file, in order.

    A file that is missing or not machine-readable has none.
    """
    logging.getLogger("debian.copyright").setLevel(logging.ERROR)  # old addresses of the format
    try:
        with copyright_file.open(encoding="utf-8", errors="replace") as file:
            parsed = Copyright(file, strict=False)
            return [
                (pattern, licence.synopsis)
                for paragraph in parsed.all_files_paragraphs()
                if (licence := cast(License | None, paragraph.license)) is not None
                for pattern in paragraph.files
            ]
    except (OSError, NotMachineReadableError, ValueError):
        return []


def _licence_of(path: str, rules: list[tuple[str, str]]) -> str:
    """Finds the last rule that matches, as Debian's format wants; a path may be any suffix."""
    found = "see the package's copyright file"
    for pattern, licence in rules:
        named = pattern.rsplit("/", 1)[-1]
        same_name = not named.startswith("*") and fnmatch.fnmatch(path.rsplit("/", 1)[-1], named)
        if pattern == "*" or same_name or fnmatch.fnmatch(path, f"*/{pattern}"):
            found = licence
    return found


def find_tracks(root: Path) -> Iterator[Track]:
    """Finds every audio file below ``root/<package>/``, also in zip archives, in a fixed order."""
    for package in sorted(p for p in root.iterdir() if p.is_dir()):
        rules = _licence_rules(package / "usr/share/doc" / package.name / "copyright")
        for path in sorted(package.rglob("*")):
            name = path.relative_to(package).as_posix()
            if path.suffix.lower() in AUDIO_SUFFIXES:
                yield Track(package.name, path, None, _licence_of(name, rules))
            elif path.suffix.lower() in ARCHIVE_SUFFIXES and zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive:
                    members = sorted(archive.namelist())
                for member in members:
                    if Path(member).suffix.lower() in AUDIO_SUFFIXES:
                        yield Track(package.name, path, member, _licence_of(member, rules))


def _decode(tracks: list[Track], folder: Path) -> list[dict[str, Any]]:
    """Decodes the tracks of one folder into the cache, and leaves out files that are no audio.

    Sounds too short to be music (effects, spoken words) are joined to tracks: a microphone gets
    everyday sounds and speech most of the time, and the teachers know them too.
    """
    rows, short = [], []
    for track in tracks:
        try:
            info = soundfile.info(track.open())
            if info.duration >= SHORTEST_S:
                rows.append(_cached(track, track.name, folder, functools.partial(_read, track)))
            elif info.duration >= SHORTEST_SOUND_S:
                short.append((track, info.duration))
        except soundfile.LibsndfileError:
            continue
    for number, group in enumerate(_ten_minutes(short)):
        name = f"{Path(group[0].name).parent.as_posix()}/*" + (f" {number + 1}" if number else "")
        rows.append(_cached(group[0], name, folder, functools.partial(_joined, group)))
    return rows


def _ten_minutes(short: list[tuple[Track, float]]) -> list[list[Track]]:
    """Groups tracks with their seconds to about ten minutes; a group of less than 5 s is left out."""
    groups: list[list[Track]] = []
    lasted = LONGEST_S
    for track, seconds in short:
        if lasted >= LONGEST_S:
            groups.append([])
            lasted = 0.0
        groups[-1].append(track)
        lasted += seconds
    return groups if lasted >= SHORTEST_JOINED_S else groups[:-1]


def _read(track: Track) -> npt.NDArray[np.int16]:
    """Reads at most ten minutes of a track, int16 [T] at 32 kHz."""
    with soundfile.SoundFile(track.open()) as file:
        audio = file.read(int(LONGEST_S * file.samplerate), dtype="float32")
        return to_int16(to_mono(audio, file.samplerate))


def _joined(tracks: list[Track]) -> npt.NDArray[np.int16]:
    """Joins tracks with half a second between them."""
    parts: list[npt.NDArray[np.int16]] = []
    for track in tracks:
        with contextlib.suppress(soundfile.LibsndfileError):
            parts += [_read(track), np.zeros(RATE_HZ // 2, np.int16)]
    return np.concatenate(parts)


def _cached(
    track: Track, name: str, folder: Path, decode: Callable[[], npt.NDArray[np.int16]]
) -> dict[str, Any]:
    """Returns the row of sources.json for a track, and decodes it if the cache does not have it."""
    target = folder / f"{hashlib.sha1(f'{track.package}/{name}'.encode()).hexdigest()[:16]}.npy"
    if not target.exists():
        partial = target.with_suffix(".partial.npy")
        np.save(partial, decode())
        partial.rename(target)
    samples = np.load(target, mmap_mode="r").shape[0]
    return {
        "package": track.package,
        "file": name,
        "licence": track.licence,
        "minutes": round(samples / RATE_HZ / 60, 2),
        "cache": target.name,
    }


def run(
    music: Path, cache: Path, *, sounds: Path | None = None, workers: int = 2
) -> list[dict[str, Any]]:
    """Decodes all audio below ``music`` and ``sounds`` into ``cache/music``, with ``sources.json``.

    Args:
        music: folder of unpacked packages of music.
        cache: the results are kept there.
        sounds: folder of unpacked packages with speech, effects and noise, without any instrument.
        workers: processes.

    Returns the rows of sources.json: kind ("music" or "sounds"), package, file, licence, minutes,
    cache file (int16 [T], mono, 32 kHz). Files that are already there are not decoded again.

    Raises:
        TrainingDataError: there is no audio below a folder, or no ffmpeg for telephone recordings.
    """
    sources = _decode_all(music, cache / "music", "music", workers)
    if sounds is not None:
        sources += _decode_all(sounds, cache / "music", "sounds", workers)
    (cache / "sources.json").write_text(json.dumps(sources, indent=1))
    return sources


def _decode_all(root: Path, folder: Path, kind: str, workers: int) -> list[dict[str, Any]]:
    if not root.is_dir():
        raise TrainingDataError(f"expected a folder of unpacked packages, found nothing at {root}")
    folder.mkdir(parents=True, exist_ok=True)
    folders: dict[str, list[Track]] = {}
    for track in find_tracks(root):
        if track.path.suffix == TELEPHONE_SUFFIX and shutil.which("ffmpeg") is None:
            raise TrainingDataError(f"expected the program ffmpeg for {track.path}, found none")
        folders.setdefault(track.folder, []).append(track)
    with ProcessPoolExecutor(workers) as pool:
        found = pool.map(_decode, folders.values(), [folder] * len(folders))
        rows = list(itertools.chain.from_iterable(tqdm(found, f"decode {kind}", len(folders))))
    if not rows:
        raise TrainingDataError(
            f"expected audio of at least {SHORTEST_JOINED_S:g} s in {root}, found none in "
            f"{sum(map(len, folders.values()))} audio files"
        )
    return [row | {"kind": kind} for row in rows]
