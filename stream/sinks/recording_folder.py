"""The folder of recordings: FLAC clips and the log of the session, within a bound on disk use.

What the disk does not take is missing from the recordings, with a warning and a line in the log; what
was good before is kept, and recording goes on when there is room.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import soundfile

from mmgat.stream.bus.protocol import Message, to_json
from mmgat.stream.errors import SettingsError
from mmgat.stream.settings import RecordSettings
from mmgat.stream.sinks.own_files import OwnFiles, listing, part_stem
from mmgat.stream.sinks.rescue import rescue
from mmgat.stream.sinks.session_log import SessionLog

FULL_BYTES: Final = 65_536
"""A disk with less than this left is full."""

FLAC_BLOCK_FRAMES: Final = 4096
"""A clip may grow by so many frames that its file does not show yet."""

RETRY_S: Final = 1.0
"""After the disk has refused, it is tried again so often (seconds)."""

MAX_STEM_BYTES: Final = 120
"""With the labels behind it, a name stays below the 255 bytes that file systems allow."""

MAX_CHANNELS: Final = 8
"""FLAC holds no more."""

ANY_RATE_HZ, MAX_RATE_HZ = 65_535, 655_350
"""FLAC holds each rate up to the first, and whole tens up to the second; libsndfile writes others that
nobody can read."""

log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Piece:
    """One file of a clip; a clip has several if the disk refused some of it."""

    part: Path
    file: soundfile.SoundFile
    descriptor: int
    start: int
    n_frames: int = 0


@dataclass(eq=False)
class Clip:
    """A recording that is still being written.

    Attributes:
        rate_hz, channels: of its sound.
        stem: what its name begins with.
        n_frames: so far, with those that the disk refused.
        n_lost: frames that the disk refused.
    """

    rate_hz: int
    channels: int
    stem: str
    n_frames: int = 0
    n_lost: int = 0
    pieces: list[_Piece] = field(default_factory=list)
    is_open: bool = False
    retry_at: float = 0.0


class RecordingFolder:
    """Writes clips and log lines into a folder.

    Its own oldest files go when all of them would take more than ``limit_gb``; files of others are
    never touched.

    Args:
        settings: the folder and its bound.
        clock: seconds, monotonic.

    Attributes:
        lost: how often the disk began to refuse sound.

    Raises:
        SettingsError: the folder cannot be made or written to.
    """

    def __init__(
        self, settings: RecordSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if settings.folder is None:
            raise SettingsError("expected a folder to record into, found none: give --record")
        self.folder, self._limit = settings.folder, round(settings.limit_gb * 1e9)
        self._spare_bytes = round(settings.spare_gb * 1e9)
        self.lost = 0
        self._clock = clock
        self._why = self._refusal = ""
        self._used_by_finished = 0
        self._clips: list[Clip] = []
        try:
            self._files = OwnFiles(self.folder)
            self._log_file = SessionLog(self._files)
            rescue(self._files, self._log_file.path, self._add_to_log)
        except OSError as error:
            raise SettingsError(
                f"expected a folder to record into, found {str(self.folder)!r} "
                f"({error.strerror}): choose another with --record"
            ) from None

    def begin(self, rate_hz: int, channels: int, stem: str) -> Clip:
        """Begins a clip at a rate, whose name begins with ``stem``."""
        stem = re.sub(r"[^\w.+()-]+", "-", stem)
        return Clip(rate_hz, channels, stem.encode()[:MAX_STEM_BYTES].decode(errors="ignore"))

    def write(self, clip: Clip, samples: npt.NDArray[np.float32]) -> None:
        """Adds frames, float32 [frames, channels]; those that the disk refuses are missing."""
        if not clip.is_open and self._clock() < clip.retry_at:
            self._lose(clip, len(samples))
            return
        try:
            self._check_room(clip, samples)
            if not clip.is_open:
                self._open(clip)
            piece = clip.pieces[-1]
            piece.file.write(np.nan_to_num(samples))
        except (OSError, soundfile.SoundFileError) as error:
            self._lose(clip, len(samples), self._reason(error))
            return
        piece.n_frames += len(samples)
        clip.n_frames += len(samples)
        self._why = ""

    def finish(self, clip: Clip, labels: list[str], facts: dict[str, Any]) -> None:
        """Gives a clip its full name, and the log a line about it.

        Args:
            clip: nothing is written to it afterwards.
            labels: for its name.
            facts: for the line: ``source``, ``t0`` and ``t1`` in seconds, ``labels``.
        """
        if clip.is_open:
            clip.is_open = False
            try:
                clip.pieces[-1].file.close()
            except soundfile.SoundFileError as error:
                self._refusal = f"the end of a clip is missing: {self._reason(error)}"
        if clip in self._clips:
            self._clips.remove(clip)
        begins_s = float(facts.get("t0", 0.0))
        for piece in clip.pieces:
            if not piece.n_frames:
                self._files.remove(piece.part)
                continue
            try:
                path = self._files.publish(piece.part, f"{clip.stem}_{'+'.join(labels)}", ".flac")
            except OSError as error:
                self._refusal = f"a clip is lost: {self._reason(error)}"
                clip.n_lost += piece.n_frames
                continue
            self._used_by_finished += path.lstat().st_size
            t0 = begins_s + piece.start / clip.rate_hz
            t1 = t0 + piece.n_frames / clip.rate_hz
            self._add_to_log(listing(path.name, **(facts | {"t0": t0, "t1": t1})))
            self._files.remove(piece.part)
        if clip.n_lost:
            lost_s = round(clip.n_lost / clip.rate_hz, 3)
            words = {"type": "recording_lost", "seconds": lost_s, **facts}
            self._add_to_log(json.dumps(words, ensure_ascii=False))

    def take_refusal(self) -> str:
        """Returns why the disk has refused anything since the last call, or ""."""
        refusal, self._refusal = self._refusal, ""
        return refusal

    def log(self, message: Message) -> None:
        """Puts a message into the log of the session; what the disk refuses is kept for later."""
        self._add_to_log(to_json(message))

    def close(self) -> None:
        """Closes the log; callable more than once."""
        self._log_file.close()

    def _open(self, clip: Clip) -> None:
        self._make_room()
        stem = part_stem(clip.stem, self._log_file.path)
        descriptor, part = self._files.create(stem, ".part")
        file = soundfile.SoundFile(
            descriptor, "w", clip.rate_hz, clip.channels, "PCM_16", format="FLAC"
        )
        clip.pieces.append(_Piece(part, file, descriptor, clip.n_frames))
        clip.is_open = True
        if clip not in self._clips:
            self._clips.append(clip)

    def _check_room(self, clip: Clip, samples: npt.NDArray[np.float32]) -> None:
        """Makes sure that the frames fit into the bound and that the file is still there.

        Raises:
            OSError: they do not fit, or it is gone.
        """
        if clip.is_open and os.fstat(clip.pieces[-1].descriptor).st_nlink == 0:
            raise FileNotFoundError(f"{str(self.folder)!r} or a file in it was removed")
        needed = 2 * samples.size + 2 * clip.channels * FLAC_BLOCK_FRAMES
        if self._used() + needed > self._limit:
            self._make_room(needed)
        if self._used() + needed > self._limit:
            raise OSError(f"a clip does not fit into --record-limit {self._limit / 1e9:g} GB")

    def _used(self) -> int:
        """Bytes of all that is ours: finished clips and logs as last counted, and what is open."""
        parts = (piece for clip in self._clips for piece in clip.pieces)
        return self._used_by_finished + sum(_size(piece) for piece in parts)

    def _lose(self, clip: Clip, n_frames: int, why: str = "") -> None:
        """Goes without these frames; what was written before them is kept."""
        if clip.is_open:
            clip.is_open = False
            with contextlib.suppress(soundfile.SoundFileError, OSError):
                clip.pieces[-1].file.close()
        clip.n_frames += n_frames
        clip.n_lost += n_frames
        clip.retry_at = max(clip.retry_at, self._clock() + (RETRY_S if why else 0.0))
        if not self._why:
            self.lost += 1
        self._why = self._refusal = why or self._why

    def _add_to_log(self, line: str) -> None:
        """Adds a line; one that the disk refuses is kept for later."""
        before = self._log_file.path
        try:
            self._log_file.add(line)
            if self._log_file.path != before:
                self._make_room()
        except OSError as error:
            self._refusal = f"the log of the session waits: {self._reason(error)}"

    def _make_room(self, needed: int = 0) -> None:
        """Removes our oldest files beyond the bound.

        Raises:
            OSError: the disk is full of other things.
        """
        files = self._files.finished()
        self._used_by_finished = sum(file.size for file in files)
        for file in files:
            if self._used() + needed <= self._limit:
                break
            if file.path.name != self._log_file.path.name:
                self._files.remove(file.path)
                self._used_by_finished -= file.size
        if (free := shutil.disk_usage(self.folder).free) < self._spare_bytes:
            raise OSError(
                f"expected {self._spare_bytes / 1e6:.0f} MB left for others on the disk of "
                f"{str(self.folder)!r}, found {free / 1e6:.0f}: make room on it"
            )

    def _reason(self, error: Exception) -> str:
        """The fault in words; libsndfile has none for a full disk."""
        try:
            free = shutil.disk_usage(self.folder).free
        except OSError as fault:
            return f"{str(self.folder)!r}: {fault.strerror}"
        if isinstance(error, soundfile.SoundFileError) and free < FULL_BYTES:
            return f"the disk of {str(self.folder)!r} is full"
        return str(error)


def holds_rate(rate_hz: int) -> bool:
    """Whether a clip may have this rate."""
    return rate_hz <= ANY_RATE_HZ or (rate_hz <= MAX_RATE_HZ and rate_hz % 10 == 0)


def _size(piece: _Piece) -> int:
    try:
        return piece.part.lstat().st_size
    except OSError:
        return 0
