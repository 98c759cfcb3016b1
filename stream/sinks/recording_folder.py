"""The folder of recordings: FLAC clips and the log of the session, within a bound on disk use.

What the disk does not hold is a clip less and a warning; recognition goes on.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TextIO

import numpy as np
import numpy.typing as npt
import soundfile

from mmgat.stream.bus.protocol import Message, to_json
from mmgat.stream.errors import SettingsError
from mmgat.stream.settings import RecordSettings

SPARE_BYTES: Final = 200_000_000
"""So much of the disk is left to others."""

FULL_BYTES: Final = 1_000_000
"""A disk with less is full: what libsndfile calls a system error."""

LOG_PART_BYTES: Final = 8_000_000
"""A log grows to this and goes on in another file, so that old parts can go."""

STALE_S: Final = 60.0
"""A clip that nobody has written to for so long is one of a run that was killed."""

MAX_CHANNELS: Final = 8
"""FLAC holds no more."""

_OURS: Final = re.compile(r"\d[\d.]*(T\d{6}\.\d{3}Z|s)_.+\.flac|\d{8}T\d{6}Z-\d+\.session\.jsonl")

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Clip:
    """A recording that is still being written.

    Attributes:
        rate_hz, channels: of its sound.
        stem: what its name begins with.
        path: until it has its name.
        lost: the disk could not take it.
    """

    rate_hz: int
    channels: int
    stem: str
    path: Path
    file: soundfile.SoundFile | None = None
    lost: bool = False


class RecordingFolder:
    """Writes clips and log lines into a folder.

    Its own oldest files go when all of them would take more than ``limit_gb``; files of others are
    never touched.

    Args:
        settings: the folder and its bound.

    Attributes:
        lost: clips that the disk could not take.

    Raises:
        SettingsError: the folder cannot be made or written to.
    """

    def __init__(self, settings: RecordSettings) -> None:
        if settings.folder is None:
            raise SettingsError("expected a folder to record into, found none: name one (--record)")
        self.folder, self._limit = settings.folder, round(settings.limit_gb * 1e9)
        self.lost = 0
        self._began = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        self._n_parts = 0
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._rescue()
            self._log_file = self._next_log()
        except OSError as error:
            raise SettingsError(
                f"expected a folder to record into, found {str(self.folder)!r} "
                f"({error.strerror}): choose another with --record"
            ) from None

    def begin(self, rate_hz: int, channels: int, stem: str) -> Clip:
        """A new clip at a rate, whose name begins with ``stem``."""
        stem = re.sub(r"[^\w.+()-]+", "-", stem)[:120]
        return Clip(rate_hz, channels, stem, self.folder / f".{stem}.part")

    def write(self, clip: Clip, samples: npt.NDArray[np.float32]) -> None:
        """Adds frames, float32 [frames, channels]; a clip that the disk cannot take is lost."""
        if clip.lost:
            return
        try:
            if clip.file is None:
                self._make_room()
                clip.file = soundfile.SoundFile(
                    clip.path, "w", clip.rate_hz, clip.channels, "PCM_16", format="FLAC"
                )
            clip.file.write(np.nan_to_num(samples))
        except (OSError, soundfile.SoundFileError) as error:
            self._lose(clip, str(error))

    def log(self, message: Message) -> None:
        """Puts a message into the log of the session.

        Raises:
            OSError: the disk does not take it.
        """
        self._log(to_json(message))

    def close(self) -> None:
        """Closes the log; callable more than once."""
        self._log_file.close()

    def finish(self, clip: Clip, labels: list[str], facts: dict[str, Any]) -> None:
        """Gives a clip its full name, and the log a line about it.

        Raises:
            OSError: the disk does not take them.
        """
        if clip.file is not None:
            try:
                clip.file.close()
            except soundfile.SoundFileError as error:
                self._lose(clip, str(error))
        if clip.lost:
            clip.path.unlink(missing_ok=True)
            return
        name = f"{clip.stem}_{'+'.join(labels)}.flac"
        clip.path.replace(self.folder / name)
        self._log(json.dumps({"type": "recording", "file": name, **facts}))

    def _lose(self, clip: Clip, why: str) -> None:
        clip.lost = True
        self.lost += 1
        if self.folder.is_dir() and shutil.disk_usage(self.folder).free < FULL_BYTES:
            why = "the disk is full"
        log.warning("a recording was lost: %s", why)

    def _log(self, line: str) -> None:
        print(line, file=self._log_file, flush=True)
        if self._log_file.tell() > LOG_PART_BYTES:
            self._log_file.close()
            self._log_file = self._next_log()
            self._make_room()

    def _next_log(self) -> TextIO:
        self._n_parts += 1
        path = self.folder / f"{self._began}-{self._n_parts}.session.jsonl"
        return path.open("a", encoding="utf-8")

    def _rescue(self) -> None:
        """Names the clips of a run that was killed: what they hold can be heard."""
        for path in self.folder.glob(".*.part"):
            if time.time() - path.stat().st_mtime > STALE_S:
                path.replace(
                    self.folder / f"{path.name[1:].removesuffix('.part')}_interrupted.flac"
                )

    def _make_room(self) -> None:
        """Removes our oldest files beyond the bound.

        Raises:
            OSError: the disk is full of other things.
        """
        files = [
            (path, path.stat()) for path in self.folder.iterdir() if _OURS.fullmatch(path.name)
        ]
        used = sum(facts.st_size for _, facts in files)
        for path, facts in sorted(files, key=lambda file: file[1].st_mtime):
            if used <= self._limit:
                break
            if path.name != Path(self._log_file.name).name:
                path.unlink()
                used -= facts.st_size
        if (free := shutil.disk_usage(self.folder).free) < SPARE_BYTES:
            raise OSError(
                f"expected {SPARE_BYTES / 1e6:.0f} MB left for others on the disk of "
                f"{str(self.folder)!r}, found {free / 1e6:.0f}"
            )
