"""What a command costs: wall and processor time, and memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import click


@dataclass
class Cost:
    """Wall and processor seconds of a command with its children, and the largest one's memory."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def beyond(more_s: float, less_s: float) -> float:
    """How much longer a command took than one that does less, such as start up alone.

    Raises:
        click.ClickException: it is too little to tell the two apart.
    """
    if more_s < 1.05 * less_s:
        raise click.ClickException(
            f"expected a run well beyond the {less_s:.2f} s of one that does less, found "
            f"{more_s:.2f} s: give longer or more files"
        )
    return more_s - less_s


MEASURE = """
import json, resource, subprocess, sys, time
begun = time.perf_counter()
code = subprocess.call(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
wall = time.perf_counter() - begun
print(json.dumps([code, wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""


def cost(command: str, *arguments: object) -> Cost:
    """Runs a command of this package to its end."""
    code = f"from mmgat.stream.commands.entry import {command}; {command}()"
    call = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run([sys.executable, "-c", MEASURE, *call], capture_output=True, check=True)
    status, wall_s, cpu_s, peak_mb = json.loads(done.stdout.splitlines()[-1])
    if status:
        said = done.stderr.decode(errors="replace").strip().splitlines()[-3:]
        raise click.ClickException(
            f"expected {command} to end well, found exit code {status}: {' '.join(said)}"
        )
    return Cost(wall_s, cpu_s, peak_mb)


def costs_together(commands: Sequence[Sequence[object]]) -> list[Cost]:
    """Runs commands at the same time."""
    with ThreadPoolExecutor(len(commands)) as pool:
        return list(pool.map(lambda command: cost(str(command[0]), *command[1:]), commands))
