"""The rooms whose lines are broken, and the copy of the sources that holds all mutants."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import click

from tools.namespace import PACKAGES, ROOT

WORK: Final = Path(os.environ.get("MUTATION_FOLDER", ROOT / "build" / "mutation"))
MUTANTS: Final = WORK / "mutants"
"""Where mutmut writes every function with all its mutants."""

ROOMS: Final = {
    "stream/audio/": "tests/stream/audio",
    "stream/engine/": "tests/stream/engine",
    "stream/bus/": "tests/stream/bus",
    "stream/sinks/": "tests/stream/sinks",
    "stream/recognition/graph_buffer.py": "tests/stream/recognition/test_graph_buffer.py",
    "model/graph/": "tests/model/graph",
}
"""Which modules are broken, and the tests that must notice."""

SLOW_TESTS: Final = ("test_devices.py", "test_monitor_heard.py", "test_overload.py")
"""Those with a real PulseAudio and those of overload, which are not asked."""

SETTINGS: Final = """
[tool.pytest.ini_options]
asyncio_mode = "auto"
timeout = 240
addopts = "--strict-markers -p no:cacheprovider"
markers = ["gpu: needs a CUDA device"]
filterwarnings = ["error::pytest.PytestUnhandledThreadExceptionWarning"]

[tool.mutmut]
source_paths = ["mmgat"]
only_mutate = {modules}
also_copy = ["tools", "docs", "stream", "README.md"]
do_not_mutate_patterns = ['^\\s*_?log\\.', '^\\s*raise ', '^\\s*r?f?"[^"]*"[,)]*$', 'TYPE_CHECKING']
use_git_change_detection = false
"""
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
    "import mutmut.__main__ as m; m.copy_src_dir(); m.copy_also_copy_files(); m.create_mutants(1)"
)
DIFFERENCES: Final = (
    "import json, sys; from mutmut.mutation.diff_apply import get_diff_for_mutant as d; "
    "print(json.dumps([d(name) for name in json.load(sys.stdin)]))"
)


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


def tests_of(modules: list[str]) -> list[str]:
    """Folders and files of the tests that must notice."""
    return [tests for room, tests in ROOMS.items() if any(m.startswith(room) for m in modules)]


def prepare(modules: list[str]) -> list[str]:
    """Lays out a copy of the sources as they are installed, and breaks its lines.

    Returns:
        The names of all mutants, in order.
    """
    shutil.rmtree(WORK, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, WORK / "mmgat" / name, ignore=ignored)
    for name in ("tests", "tools", "docs"):
        shutil.copytree(ROOT / name, WORK / name, ignore=ignored)
    shutil.copy(ROOT / "README.md", WORK)
    (WORK / "stream").symlink_to(WORK / "mmgat" / "stream")
    settings = SETTINGS.format(modules=[f"mmgat/{m}" for m in modules])
    (WORK / "pyproject.toml").write_text(settings)
    with (WORK / "tests" / "conftest.py").open("a") as file:
        file.write(NO_SHRINKING)
    call("-c", GENERATE)
    return [
        name
        for path in sorted((MUTANTS / "mmgat").rglob("*.meta"))
        for name in json.loads(path.read_text())["exit_code_by_key"]
    ]


def differences(names: list[str]) -> list[str]:
    """What the mutants of these names change."""
    said = call("-c", DIFFERENCES, text=json.dumps(names))
    return list(json.loads(said.splitlines()[-1]))


def environment() -> dict[str, str]:
    """In which the copy's modules are those that are imported."""
    return os.environ | {"PYTHONPATH": str(MUTANTS), "PYTHONWARNINGS": "ignore"}


def call(*command: str, text: str | None = None) -> str:
    """Runs a command of Python in the copy.

    Returns:
        What it said.

    Raises:
        click.ClickException: it fails.
    """
    done = subprocess.run(
        [sys.executable, *command], cwd=WORK, env=environment(), text=True, input=text,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    if done.returncode:
        raise click.ClickException(f"{command[0]} failed:\n{done.stdout[-4000:]}")
    return done.stdout
