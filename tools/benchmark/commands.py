"""Whole commands: a file at full speed, memory, and how soon they answer."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from tools.benchmark.timing import RATE_HZ, sound


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "mmgat.stream", *arguments]


CHILD = """
import json, resource, subprocess, sys, time
begun = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)
while b'"estimate"' not in process.stdout.readline():
    pass
first = time.perf_counter() - begun
process.stdout.read()
process.wait()
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(json.dumps([time.perf_counter() - begun, first, peak]))
"""
"""Runs a command from a small process: a child's peak memory counts from its parent's size on."""


def file() -> Iterator[str]:
    """A 60-s file at full speed, when its first estimate comes, and the memory it takes."""
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for seconds in (1, 61):
            clip = Path(folder) / f"{seconds}.wav"
            soundfile.write(clip, sound(seconds), RATE_HZ)
            command = _command("--file", str(clip), "--speed", "max", "--jsonl", "-")
            command += ["--publish", "tcp://127.0.0.1:*"]
            runs = [
                json.loads(subprocess.check_output([sys.executable, "-c", CHILD, *command]))
                for _ in range(3)
            ]
            figures[seconds] = np.median(runs, axis=0)
    yield f"60 s of a file at full speed, after start-up: {figures[61][0] - figures[1][0]:.2f} s"
    yield f"first estimate after process start: {figures[61][1]:.2f} s"
    yield f"peak resident memory, compact: {figures[61][2]:.0f} MiB"


def start() -> Iterator[str]:
    """How soon the commands answer."""
    for arguments in (["--help"], ["--list-devices"]):
        runs = []
        for _ in range(7):
            begun = time.perf_counter()
            subprocess.run(_command(*arguments), capture_output=True, check=False)
            runs.append(time.perf_counter() - begun)
        yield f"mmgat-stream {arguments[0]}: {statistics.median(runs):.2f} s"
