"""Annotating processes that die, and those that cannot begin."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest

from mmgat.model.errors import CheckpointError
from mmgat.stream.archive.result import FileResult
from mmgat.stream.archive.workers import AHEAD, BYTES_AHEAD, Job, WorkerPool
from mmgat.stream.settings import ModelSettings, StreamSettings

JOB = Job(ModelSettings(), StreamSettings())


def serve_with_a_killer(line: Connection, job: Job) -> None:
    """Answers each file with its name; one kills it once it has some others besides."""
    line.send(("ready", "origin"))
    waiting: list[Path] = []
    while True:
        try:
            waiting.append(line.recv())
            while line.poll(0.05):
                waiting.append(line.recv())
        except EOFError:
            return
        if any(path.name == "killer" for path in waiting):
            os.kill(os.getpid(), signal.SIGKILL)
        line.send(("done", waiting[0], waiting.pop(0).name))
        while waiting:
            path = waiting.pop()
            line.send(("done", path, path.name))


@pytest.mark.parametrize("n_workers", [1, 2])
def test_a_file_that_kills_costs_no_other(n_workers: int) -> None:
    files = [Path(f"{i}") for i in range(3 * AHEAD)]
    files.insert(5, Path("killer"))
    with WorkerPool(JOB, n_workers, serve_with_a_killer) as pool:
        found = [(path, said) for path, said in pool(files) if said is not None]
    answers = dict(found)
    assert len(found) == len(answers) == len(files)
    assert "ended the process that read it (SIGKILL)" in answers.pop(Path("killer"))
    assert all(said == path.name for path, said in answers.items())


def serve_in_pairs(line: Connection, job: Job) -> None:
    """Takes two files, answers both, and so on; a third that comes with them is an answer of 3."""
    line.send(("ready", "origin"))
    while True:
        try:
            pair = [line.recv(), line.recv()]
        except EOFError:
            return
        n_files = 3 if line.poll(0.01) else 2
        for path in pair:
            line.send(("done", path, n_files))


def serve_full(line: Connection, job: Job) -> None:
    """Answers once it has as many files as a worker may have."""
    line.send(("ready", "origin"))
    while True:
        try:
            files = [line.recv() for _ in range(AHEAD)]
        except EOFError:
            return
        for path in files:
            line.send(("done", path, AHEAD))


@pytest.mark.parametrize(
    ("serve", "n_bytes", "expected"), [(serve_in_pairs, BYTES_AHEAD, 2), (serve_full, 0, AHEAD)]
)
def test_long_files_are_left_for_the_worker_that_is_free_first(
    serve: Callable[[Connection, Job], None], n_bytes: int, expected: int, tmp_path: Path
) -> None:
    files = [tmp_path / f"{i}" for i in range(AHEAD)]
    for path in files:
        with path.open("wb") as file:
            file.truncate(n_bytes)
    with WorkerPool(JOB, 1, serve) as pool:
        found = [given for _, given in pool(files) if given is not None]
    assert found == [expected] * len(files)


def test_a_model_that_is_not_there_is_its_own_error() -> None:
    job = Job(ModelSettings(model="absent"), StreamSettings())
    with pytest.raises(CheckpointError, match="found no file 'absent'"):
        WorkerPool(job, 1)


def serve_rows_ahead(line: Connection, job: Job) -> None:
    """Sends a file's first rows before its result."""
    line.send(("ready", "origin"))
    rows = np.arange(88.0).reshape(4, 22)
    try:
        path = line.recv()
        line.send(("windows", path, rows[:1]))
        line.send(("windows", path, rows[1:3]))
        line.send(("done", path, FileResult(str(path), 5.0, {}, [], windows=rows[3:])))
        line.recv()
    except EOFError:
        return


def test_rows_that_come_before_a_result_are_its_first() -> None:
    with WorkerPool(JOB, 1, serve_rows_ahead) as pool:
        ((_, found),) = [pair for pair in pool([Path("long")]) if pair[1] is not None]
    np.testing.assert_array_equal(found.windows, np.arange(88.0).reshape(4, 22))
