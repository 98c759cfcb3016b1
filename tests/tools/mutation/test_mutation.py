"""The short form of the mutation tool, as CI runs it, and when it fails."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import tools.mutation.__main__ as mutation
from tools.mutation import layout, short
from tools.mutation.__main__ import Mutant
from tools.mutation.forks import NO_TEST

DROP_RATE = "stream/engine/drop_rate.py"


def test_the_tests_notice_what_is_broken_in_modules_that_have_changed(tmp_path: Path) -> None:
    """Or in two others, where none has; ``python -m tools.mutation`` breaks every line."""
    done = subprocess.run(
        [sys.executable, "-m", "tools.mutation", "--short"],
        env=os.environ | {"MUTATION_FOLDER": str(tmp_path / "mutation")},
        capture_output=True, text=True, timeout=230, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d+ of \d+ mutants (killed|of)", done.stdout)


@pytest.mark.parametrize(
    ("options", "n_killed", "code"),
    [(["--short"], 16, 0), (["--short"], 6, 0), (["--short"], 5, 1), (["--short"], 0, 1),
     (["--sample", "16"], 14, 0), (["--sample", "16"], 13, 1)],
)  # fmt: skip
def test_too_many_survivors_are_an_error(
    monkeypatch: pytest.MonkeyPatch, options: list[str], n_killed: int, code: int
) -> None:
    """The short form fails where all of the 95 % interval is below 60 %."""
    outcomes = [1] * n_killed + [0] * (15 - n_killed) + [NO_TEST] * (n_killed < 16)
    names = [f"mmgat.stream.engine.drop_rate.x_f__mutmut_{n}" for n in range(40)]
    asked: list[str] = []

    def ask(tests: list[str], chosen: list[str]) -> list[Mutant]:
        asked.extend(tests)
        return [Mutant(name, outcome) for name, outcome in zip(chosen, outcomes, strict=True)]

    monkeypatch.setattr(mutation, "ask", ask)
    monkeypatch.setattr(layout, "prepare", lambda _: names)
    monkeypatch.setattr(layout, "differences", lambda names: ["-\n+\n-a\n+b" for _ in names])
    monkeypatch.setattr(short, "some_modules", lambda _: ([DROP_RATE], "of 1"))
    done = CliRunner().invoke(mutation.main, options)
    assert done.exit_code == code, done.output
    assert f"{n_killed} of 16 mutants killed" in done.output
    assert ("tests/stream/engine/test_drop_rate.py" in asked) is ("--short" in options)


def test_modules_that_have_changed_are_taken_and_at_most_so_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    every = layout.modules_of(None)
    for changed in ([DROP_RATE], every[:9]):
        monkeypatch.setattr(short, "base", lambda: "0123456789abc")
        monkeypatch.setattr(layout, "modules_of", lambda since, c=changed: c if since else every)
        modules, why = short.some_modules(0)
        assert set(modules) <= set(changed)
        assert len(modules) == min(len(changed), short.N_MODULES)
        assert why == f"of {len(changed)} that differ from 012345678"


def test_where_git_knows_of_no_change_the_same_modules_are_drawn_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GIT_DIR", "/nonexistent")  # a source archive
    assert short.base() == ""
    modules, why = short.some_modules(3)
    assert (modules, why) == short.some_modules(3)
    assert len(modules) == short.N_MODULES
    assert "none has changed: seed 3" in why


def test_tests_near_a_module_import_it_or_what_imports_it() -> None:
    assert short.tests_near(DROP_RATE) == [
        "tests/stream/engine/test_drop_rate.py",
        "tests/stream/engine/test_gathering.py",
    ]
    assert "tests/stream/audio/test_file_lengths.py" in short.tests_near(
        "stream/audio/patched_file.py"
    )
    assert short.tests_near("stream/bus/new.py") == ["tests/stream/bus"]  # nothing imports it
