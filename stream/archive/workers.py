"""Annotating processes: each takes files and gives results; one that dies costs no file but its own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Final

import numpy as np

from mmgat.model.errors import ModelError
from mmgat.stream.archive.result import FileResult
from mmgat.stream.errors import StreamError
from mmgat.stream.settings import ModelSettings, StreamSettings

AHEAD: Final = 64
"""Files that a worker may have been given; more than a batch's, so that it never waits."""

BYTES_AHEAD: Final = 4 << 20
"""What is given beyond two files, so that long ones are left for the worker that is free first."""

TELL_EVERY_S: Final = 0.2


@dataclass(frozen=True)
class Job:
    """What a worker needs to begin.

    Attributes:
        model, stream: settings.
        keep_windows: results have the scores of every window.
    """

    model: ModelSettings
    stream: StreamSettings
    keep_windows: bool = False


@dataclass(eq=False)
class _Worker:
    """A process, its end of the line, and the files it was given and has not finished."""

    process: Any
    line: Connection
    files: dict[Path, tuple[float, float]] = field(default_factory=dict)  # share, seconds read
    sizes: dict[Path, int] = field(default_factory=dict)  # of these files, in bytes
    windows: dict[Path, list[Any]] = field(default_factory=dict)  # rows that came before a result
    ready: bool = False
    careful: bool = False  # one file at a time: another worker died over them


class WorkerPool:
    """Annotates files in processes of their own.

    A worker that dies, as over a file that crashes a decoder, is replaced. The files it had are
    done again one at a time, and the one that kills again is a fault. Workers end with their parent.

    Args:
        job: the same for all.
        n_workers: processes.
        serve: what a process runs; another in tests.

    Raises:
        StreamError, ModelError: a worker cannot begin.
    """

    def __init__(
        self, job: Job, n_workers: int, serve: Callable[[Connection, Job], None] | None = None
    ) -> None:
        self._job, self._serve = job, serve or serve_files
        self._suspects: deque[Path] = deque()
        self._workers: list[_Worker] = []
        self.origin: Any = None
        for _ in range(n_workers):
            self._start()
        try:
            self._begun(self._workers[0])
        except BaseException:
            self.close()
            raise

    def __call__(self, files: Iterable[Path]) -> Iterator[tuple[Path, Any]]:
        """(file, its result or a fault in words), as they are done; (no path, None) in between."""
        left = deque(files)
        while True:
            self._give(left)
            if not any(worker.files for worker in self._workers):
                return
            lines: dict[Any, _Worker] = {worker.line: worker for worker in self._workers}
            ready = wait(list(lines), timeout=TELL_EVERY_S)
            if not ready:
                yield Path(), None
            for line in ready:
                worker = lines[line]
                try:
                    message = worker.line.recv()
                except (EOFError, OSError):
                    yield from self._died(worker)
                    continue
                yield from self._take(worker, message)

    @property
    def underway(self) -> tuple[float, float]:
        """Files that are not done, counted by the part that was read of each; seconds read of them."""
        read = [read for worker in self._workers for read in worker.files.values()]
        return sum(share for share, _ in read), sum(seconds for _, seconds in read)

    def close(self) -> None:
        """Ends the processes, whatever they are at."""
        for worker in self._workers:
            worker.line.close()
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join()
        self._workers = []

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self, careful: bool = False) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=self._serve, args=(theirs, self._job), daemon=True)
        # Ctrl+C is the parent's: the child inherits that it is blocked.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        self._workers.append(_Worker(process, ours, careful=careful))

    def _begun(self, worker: _Worker) -> None:
        """Waits until a worker has loaded the model."""
        try:
            list(self._take(worker, worker.line.recv()))
        except EOFError:
            worker.process.join()
            raise StreamError(
                f"expected a process that annotates, found it ended with {worker.process.exitcode}: "
                "is there enough memory?"
            ) from None

    def _take(self, worker: _Worker, message: Any) -> Iterator[tuple[Path, Any]]:
        match message:
            case ("ready", origin):
                worker.ready, self.origin = True, origin
            case ("failed", error):
                raise error
            case ("underway", underway):
                worker.files.update(underway)
                yield Path(), None
            case ("windows", path, rows):
                worker.windows.setdefault(path, []).append(rows)
            case ("done", path, found):
                worker.files.pop(path, None)
                worker.sizes.pop(path, None)
                before = worker.windows.pop(path, None)
                if before and isinstance(found, FileResult):
                    windows = np.concatenate([*before, found.windows])
                    found = replace(found, windows=windows)
                yield path, found

    def _give(self, left: deque[Path]) -> None:
        """Gives files out, each to the worker that has the fewest."""
        for worker in self._workers:
            worker.careful = worker.careful and bool(self._suspects or worker.files)
        while free := [worker for worker in self._workers if self._may_have_more(worker, left)]:
            worker = min(free, key=_n_files)
            path = (self._suspects if worker.careful else left).popleft()
            worker.files[path] = (0.0, 0.0)
            worker.sizes[path] = _size(path)
            try:
                worker.line.send(path)
            except OSError:
                return  # it has died; reading from it says so

    def _may_have_more(self, worker: _Worker, left: deque[Path]) -> bool:
        if worker.careful:
            return bool(self._suspects) and not worker.files
        n_files = len(worker.files)
        small = n_files < AHEAD and sum(worker.sizes.values()) < BYTES_AHEAD
        return bool(left) and (small or n_files < 2)

    def _died(self, worker: _Worker) -> Iterator[tuple[Path, Any]]:
        self._workers.remove(worker)
        worker.line.close()
        worker.process.join()
        if not worker.ready:
            raise StreamError(
                f"expected a process that annotates, found it ended with {worker.process.exitcode}: "
                "is there enough memory for so many --jobs?"
            )
        if worker.careful:
            for path in worker.files:
                code = worker.process.exitcode
                yield (
                    path,
                    f"expected an audio file, found {str(path)!r}, which ended the process that read "
                    f"it ({_ending(code)}): convert it with ffmpeg",
                )
        else:
            self._suspects.extend(worker.files)
        self._start(careful=bool(self._suspects))


def serve_files(line: Connection, job: Job) -> None:
    """What a worker does: it loads the model, and annotates the files that come until the line ends.

    Args:
        line: to the parent. Paths come; ``("ready", origin)`` or ``("failed", error)``, then
            ``("done", path, result or fault)``, ``("underway", see ``Annotator``)`` and, of long
            files, ``("windows", path, rows)`` go.
        job: the settings.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        from mmgat.model.threads import limit_threads
        from mmgat.stream.archive.annotator import Annotator
        from mmgat.stream.archive.result import Origin
        from mmgat.stream.recognition.recognizer import load_recognizer

        model = job.model
        recognizer = load_recognizer(model.model, job.stream, model.where, model.weights)
        limit_threads(recognizer.model.embedder)
        line.send(("ready", Origin.of(recognizer.model.card, job.stream)))
    except (StreamError, ModelError) as error:
        line.send(("failed", error))
        return
    annotator = Annotator(recognizer, job.stream, job.keep_windows)
    waiting: deque[Path] = deque()
    told_at = time.monotonic()
    try:
        while True:
            while line.poll(0 if waiting or annotator.underway else None):
                waiting.append(line.recv())
            while waiting and not annotator.full:
                path = waiting.popleft()
                if fault := annotator.begin(path):
                    line.send(("done", path, fault))
            for path, found in annotator.step():
                line.send(("done", path, found))
            if time.monotonic() > told_at + TELL_EVERY_S:
                told_at = time.monotonic()
                line.send(("underway", annotator.underway))
                for path, rows in annotator.take_windows().items():
                    line.send(("windows", path, rows))
    except (EOFError, OSError):  # the parent has ended
        os._exit(0)


def _size(path: Path) -> int:
    """In bytes; 0 for a file that the worker will say is missing."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _n_files(worker: _Worker) -> int:
    return len(worker.files)


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f"exit code {code}"
