"""What is installed works beside a user's own files of the same names, and with plug-ins."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.stream.bridges.running import PATIENCE_S, bridge, publishing
from tests.stream.bus.messages import event
from tests.stream.commands.terminal import Terminal

ROOT = Path(__file__).parents[1]
PACKAGES = ("model", "stream", "training")
DEMO = ("--demo", "--speed", "max", "--no-dashboard", "--publish", "off")


def pip_install(source: Path, target: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
         "--disable-pip-version-check", "--target", target, source],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, installed into a folder of its own."""
    copy, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    pip_install(copy, target)
    return target


def desk_in(folder: Path) -> Path:
    """A folder of a user who has modules of the same names, all of which refuse to be imported."""
    for name in (*PACKAGES, "tools"):
        (folder / f"{name}.py").write_text(f"raise SystemExit('the user\\'s own {name}.py ran')\n")
    return folder


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """Such a folder."""
    return desk_in(tmp_path)


def environment(*paths: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))}


def run(desk: Path, paths: list[Path], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments, cwd=desk, env=environment(*paths), capture_output=True, text=True, check=False
    )


def test_every_package_folder_is_in_the_list_of_what_is_installed() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {
        "mmgat." + ".".join(path.parent.relative_to(ROOT).parts)
        for package in PACKAGES
        for path in (ROOT / package).rglob("__init__.py")
    }
    assert set(listed) == found


@pytest.fixture(scope="module")
def demo(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the installed command says of the demo, run beside a user's own modules."""
    desk = desk_in(tmp_path_factory.mktemp("desk"))
    command = str(installed / "bin" / "mmgat-stream")
    done = run(desk, [installed], sys.executable, command, *DEMO, "--jsonl", "-")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_installed_command_runs_beside_a_users_own_modules(demo: list[dict[str, Any]]) -> None:
    assert {"estimate", "event"} <= {message["type"] for message in demo}


def test_the_tutorial_shows_what_the_demo_prints(demo: list[dict[str, Any]]) -> None:
    tutorial = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
    shown = re.findall(r"^(\d):(\d\d\.\d)  (\w+) +(on|off)", tutorial, re.MULTILINE)
    events = [message for message in demo if message["type"] == "event"][: len(shown)]
    assert len(shown) >= 3
    assert [line[2:] for line in shown] == [(e["label"], e["event"]) for e in events]
    for (minutes, seconds, *_), told in zip(shown, events, strict=True):
        assert int(minutes) * 60 + float(seconds) == pytest.approx(told["time_s"], abs=0.5)


def test_the_installed_dashboard_runs_beside_a_users_own_modules(
    installed: Path, desk: Path
) -> None:
    terminal = Terminal(
        "--demo", "--publish", f"ipc://{desk}/bus",
        command=[str(installed / "bin" / "mmgat-stream")], cwd=desk, environment=environment(installed),
    )  # fmt: skip
    try:
        terminal.read_until("LIVE")
        terminal.type("q")
        assert terminal.wait() == 0
        assert "own" not in terminal.drawn
    finally:
        terminal.end()


def test_a_program_beside_a_users_own_modules_gets_the_installed_package(
    installed: Path, desk: Path
) -> None:
    code = (
        "import mmgat.stream; from mmgat.stream import load_recognizer; "
        "print(mmgat.stream.__file__, load_recognizer().model.card.name)"
    )
    done = run(desk, [installed], sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
    file, name = done.stdout.split()
    assert Path(file).is_relative_to(installed)
    assert name == "compact"


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example package, installed into a folder of its own."""
    copy, target = tmp_path_factory.mktemp("plugins"), tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "tests" / "plugin_example", copy / "example")
    pip_install(copy / "example", target)
    return target


def with_plugins(desk: Path, plugins: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    paths = [plugins, *(Path(p) for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p)]
    command = (sys.executable, "-m", "mmgat.stream", "--no-dashboard", "--publish", "off")
    return run(desk, paths, *command, *arguments)


def test_a_sink_and_a_source_of_another_package_are_used_by_name(plugins: Path, desk: Path) -> None:
    tally = desk / "tally.txt"
    done = with_plugins(
        desk, plugins, "--source", "tone:440", "--sink", f"tally:{tally}", "--jsonl", "-"
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    estimates = [line for line in lines if line["type"] == "estimate"]
    assert {line["source"] for line in estimates} == {"tone 440 Hz"}
    ends = [0.5 + i / 4 for i in range(len(estimates))]
    assert [line["t1"] for line in estimates] == pytest.approx(ends, abs=1e-3)
    assert int(tally.read_text()) == len(estimates) > 8


def test_a_sink_of_another_package_that_fails_harms_nobody(plugins: Path, desk: Path) -> None:
    done = with_plugins(desk, plugins, "--source", "tone:440", "--sink", "unlucky", "--jsonl", "-")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 5
    assert done.stderr.count("output unlucky fails: RuntimeError: no luck") == 1


@pytest.mark.parametrize(
    ("option", "text", "message"),
    [
        ("--sink", "nosuch", "entry point of mmgat.sinks (tally, unlucky), found 'nosuch'"),
        ("--source", "nosuch:1", "entry point of mmgat.sources (tone), found 'nosuch'"),
        ("--source", "tone:high", "to make one, found ValueError: could not convert"),
    ],
)
def test_a_plug_in_that_cannot_be_used_is_told(
    plugins: Path, desk: Path, option: str, text: str, message: str
) -> None:
    done = with_plugins(desk, plugins, *(() if option == "--source" else ("--demo",)), option, text)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bridge_of_another_package_is_run_by_its_name(plugins: Path, desk: Path) -> None:
    paths = [plugins, *(Path(p) for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p)]
    notes = desk / "notes"
    with (
        publishing("lab") as publisher,
        bridge(
            "note", publisher.address, "--path", notes, PYTHONPATH=os.pathsep.join(map(str, paths))
        ) as process,
    ):
        publisher(event())
        assert process.err.until("from tcp").endswith(f"to the file {notes}")
        until = time.monotonic() + PATIENCE_S
        while not (notes.exists() and notes.read_text()) and time.monotonic() < until:
            time.sleep(0.05)
        assert notes.read_text() == "a\n"
        assert process.terminate() == 0


def test_a_bridge_that_is_not_there_is_told(desk: Path) -> None:
    command = (sys.executable, "-m", "mmgat.stream.commands.bridge", "nosuch")
    paths = [Path(p) for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
    done = run(desk, paths, *command)
    assert done.returncode == 1
    assert "expected one of osc" in done.stderr
    assert "found 'nosuch'" in done.stderr
