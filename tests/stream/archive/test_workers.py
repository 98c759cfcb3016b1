"""Annotating processes that die, and those that cannot begin."""

from __future__ import annotations

import os
import signal
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from mmgat.model.errors import CheckpointError
from mmgat.stream.archive.workers import AHEAD, Job, WorkerPool
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


def test_a_model_that_is_not_there_is_its_own_error() -> None:
    job = Job(ModelSettings(model="absent"), StreamSettings())
    with pytest.raises(CheckpointError, match="found no file 'absent'"):
        WorkerPool(job, 1)
