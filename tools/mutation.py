"""Breaks one line at a time and asks whether a test notices (mutation testing, by mutmut).

    python -m tools.mutation                          every mutant: hours
    python -m tools.mutation --sample 300             as many, drawn at random
    python -m tools.mutation --changed HEAD~1 --sample 20     of modules that were changed since

Of each room the tests of its own folder are asked: those that reach the function. A survivor is
printed as a difference; those of ``mutation_survivors.toml`` have a reason there. What is not broken
is the wording of messages: lines of logging, and lines that are nothing but text.

mutmut wants sources where they are imported from, so it works on a copy with the folders of the
installed package, ``build/mutation``. Children of a test inherit the mutant by the environment, so
tests of whole programs count. Not asked, for they take too long, are the tests with a real
PulseAudio and those of overload.
"""

from __future__ import annotations

import json
import math
import os
import random
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Final, NamedTuple

import click

from tools.namespace import PACKAGES, ROOT

WORK: Final = ROOT / "build" / "mutation"
REASONS: Final = Path(__file__).with_name("mutation_survivors.toml")
KILLED: Final = (1, 3)
TIMED_OUT: Final = (36, -24, 24, 152, 255)
ROOMS: Final = {
    "stream/audio/": "tests/stream/audio",
    "stream/engine/": "tests/stream/engine",
    "stream/bus/": "tests/stream/bus",
    "stream/sinks/": "tests/stream/sinks",
    "stream/recognition/graph_buffer.py": "tests/stream/recognition/test_graph_buffer.py",
    "model/graph/": "tests/model/graph",
}
"""Which modules are broken, and the tests that must notice."""

SETTINGS: Final = """
[tool.pytest.ini_options]
asyncio_mode = "auto"
timeout = 240
addopts = "--strict-markers -p no:cacheprovider"
markers = ["gpu: needs a CUDA device"]

[tool.mutmut]
source_paths = ["mmgat"]
only_mutate = {modules}
also_copy = ["tools", "docs", "stream", "README.md"]
do_not_mutate_patterns = ['^\\s*log\\.', '^\\s*raise ', '^\\s*r?f?"[^"]*"[,)]*$', 'TYPE_CHECKING']
pytest_add_cli_args = [
    "--ignore-glob=*/test_devices.py",
    "--ignore-glob=*/test_monitor.py",
    "--ignore-glob=*/test_overload.py",
    "-k", "not random_stalls",
]
pytest_add_cli_args_test_selection = {tests}
process_isolation = "forkserver"
timeout_multiplier = 4.0
timeout_constant = 5.0
use_git_change_detection = false
debug = true
"""
_SPINNER: Final = re.compile(r"[\u2800-\u28ff]")
NO_SHRINKING: Final = """
import hypothesis

hypothesis.settings.register_profile(
    "mutation", phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate], database=None,
    deadline=None,
    max_examples=30,
)
hypothesis.settings.load_profile("mutation")
"""
GENERATE: Final = (
    "import mutmut.__main__ as m; m.copy_src_dir(); m.copy_also_copy_files(); m.create_mutants(2)"
)
DIFFERENCES: Final = (
    "import json, sys; from mutmut.mutation.diff_apply import get_diff_for_mutant as d; "
    "print(json.dumps([d(name) for name in json.load(sys.stdin)]))"
)


class Mutant(NamedTuple):
    """A mutant that was tried: mutmut's name, and its tests' exit code."""

    name: str
    exit_code: int | None

    @property
    def module(self) -> str:
        """``stream.audio.windows``."""
        return re.sub(r"\.x(_|ǁ).*", "", self.name).removeprefix("mmgat.")


def modules_of(changed_since: str | None) -> list[str]:
    """Paths of the modules to break: all of the rooms, or those that git says have changed."""
    found = [
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py") if room[-1] == "/" else [ROOT / room])
        if path.name != "__init__.py"
    ]
    if changed_since is None:
        return found
    command = ["git", "diff", "--name-only", changed_since, "--"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for path in found if path in listed.stdout.splitlines()]


def prepare(modules: list[str]) -> None:
    """Lays out a copy of the sources as they are installed, with mutmut's settings."""
    shutil.rmtree(WORK, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, WORK / "mmgat" / name, ignore=ignored)
    for name in ("tests", "tools", "docs"):
        shutil.copytree(ROOT / name, WORK / name, ignore=ignored)
    shutil.copy(ROOT / "README.md", WORK)
    (WORK / "stream").symlink_to(WORK / "mmgat" / "stream")
    tests = [tests for room, tests in ROOMS.items() if any(m.startswith(room) for m in modules)]
    settings = SETTINGS.format(modules=[f"mmgat/{m}" for m in modules], tests=tests)
    (WORK / "pyproject.toml").write_text(settings)
    with (WORK / "tests" / "conftest.py").open("a") as file:
        file.write(NO_SHRINKING)


def mutants() -> list[Mutant]:
    """All mutants of the copy, in order."""
    return [
        Mutant(name, exit_code)
        for path in sorted((WORK / "mutants" / "mmgat").rglob("*.meta"))
        for name, exit_code in json.loads(path.read_text())["exit_code_by_key"].items()
    ]


def call(*command: str, text: str | None = None) -> str:
    """Runs a command in the copy, which its imports come from; its output is shown as it comes.

    Raises:
        click.ClickException: it fails.
    """
    environment = os.environ | {"PYTHONPATH": str(WORK / "mutants"), "PYTHONWARNINGS": "ignore"}
    with subprocess.Popen(
        [sys.executable, *command], cwd=WORK, env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        said, _ = process.communicate(text)
    if process.returncode:
        lines = [line for line in said.splitlines() if not _SPINNER.match(line)]
        raise click.ClickException(f"{command[0]} failed:\n" + "\n".join(lines[-60:]))
    return said


def changed_lines(difference: str) -> tuple[str, str]:
    """The lines before and after of a mutant's difference."""
    lines = difference.splitlines()[2:]
    before = " ".join(line[1:].strip() for line in lines if line.startswith("-"))
    return before, " ".join(line[1:].strip() for line in lines if line.startswith("+"))


def interval(n: int, of: int) -> tuple[float, float]:
    """Wilson's interval of 95 % for a share of which ``n`` of so many were seen."""
    z, share = 1.96, n / of
    centre = share + z * z / 2 / of
    spread = z * math.sqrt((share - share * share + z * z / 4 / of) / of)
    return (centre - spread) / (1 + z * z / of), (centre + spread) / (1 + z * z / of)


def report(tried: list[Mutant]) -> float:
    """Prints the figures of every module and each survivor; returns the share of the killed."""
    survivors = [m for m in tried if m.exit_code not in (*KILLED, *TIMED_OUT)]
    said = call("-c", DIFFERENCES, text=json.dumps([m.name for m in survivors]))
    reasons = {
        (one["module"], one["before"], one["after"]): one["reason"]
        for one in tomllib.loads(REASONS.read_text("utf-8")).get("survivor", [])
    }
    explained: Counter[str] = Counter()
    for mutant, difference in zip(survivors, json.loads(said.splitlines()[-1]), strict=True):
        before, after = changed_lines(difference)
        reason = reasons.get((mutant.module, before, after), "")
        explained[mutant.module] += bool(reason)
        click.echo(f"{mutant.name}\n  - {before}\n  + {after}")
        click.echo(f"  = {reason}" if reason else "  = nobody notices")
    totals, alive = (Counter(m.module for m in some) for some in (tried, survivors))
    for module, total in sorted(totals.items()):
        note = f", {explained[module]} explained" if explained[module] else ""
        click.echo(f"{module}: {total - alive[module]} of {total} killed{note}")
    n_killed = len(tried) - len(survivors)
    low, high = interval(n_killed, len(tried))
    n_timed_out = sum(m.exit_code in TIMED_OUT for m in tried)
    click.echo(
        f"{n_killed} of {len(tried)} mutants killed ({n_killed / len(tried):.0%}, 95 % interval "
        f"{low:.0%} to {high:.0%}; {n_timed_out} by a time-out); {sum(explained.values())} of "
        f"{len(survivors)} survivors have a reason"
    )
    return n_killed / len(tried)


@click.command()
@click.option("--sample", type=int, help="So many mutants, at random.")
@click.option("--seed", default=0, show_default=True, help="Of the sample.")
@click.option("--changed", metavar="COMMIT", help="Only modules that differ from it.")
@click.option("--only", metavar="TEXT", default="", help="Only modules with this in their path.")
@click.option("--workers", default=2, show_default=True)
@click.option("--at-least", default=0.85, show_default=True, help="Share to be killed, or exit 1.")
def main(
    sample: int | None, seed: int, changed: str | None, only: str, workers: int, at_least: float
) -> None:
    """Break lines of audio, engine, bus, sinks and graph, and count what the tests notice."""
    modules = [path for path in modules_of(changed) if only in path]
    if not modules:
        click.echo("no module of these rooms has changed")
        return
    prepare(modules)
    call("-c", GENERATE)
    names = [mutant.name for mutant in mutants()]
    if sample is not None and sample < len(names):
        names = random.Random(seed).sample(names, sample)
    click.echo(f"{len(names)} of {len(mutants())} mutants of {len(modules)} modules")
    call("-m", "mutmut", "run", "--max-children", str(workers), *names)
    chosen = set(names)
    if report([mutant for mutant in mutants() if mutant.name in chosen]) < at_least:
        sys.exit(1)


if __name__ == "__main__":
    main()
