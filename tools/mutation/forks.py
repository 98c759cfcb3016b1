"""Runs in the copy, and asks the tests of every mutant in a fork of one process that has imported all.

It reads from standard input the tests and the mutants' names, and prints a line of JSON for each
mutant: its name, and the outcome. First the tests run once whole, to see which of them reach
which function and how long each takes; then the tests of a mutant's own module are asked first,
and the quickest of the others after them.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state
from mutmut.utils.format_utils import mangled_name_from_mutant_name

from tools.mutation import layout

TIMED_OUT: Final = -1
NO_TEST: Final = -2
"""Outcomes beside pytest's exit codes."""

OUT_OF_TIME: Final = 36
PATIENCE: Final = 4.0
PATIENCE_S: Final = 4.0
"""A test may take so many times as long as on whole lines, and these seconds; all of a mutant's tests
together as many times as long, and four times the seconds."""

MOST_S: Final = 20.0
"""Tests of other modules are asked for so long, the quickest first: what only a slow one notices
counts as unnoticed."""

HARVEST_S: Final = 600.0
MEMORY: Final = 4 << 30
LEFT_OUT: Final = (
    *(f"--ignore-glob=*/{name}" for name in layout.SLOW_TESTS),
    "-k",
    "not random_stalls",
)


class Reached:
    """A pytest plugin: which functions each test reaches, and how long it takes.

    What is reached while a test is set up counts for all tests of its file, for they may share it.
    """

    def __init__(self) -> None:
        self.tests: defaultdict[str, set[str]] = defaultdict(set)
        self.seconds: dict[str, float] = {}
        self.failed: set[str] = set()
        self._files: defaultdict[str, set[str]] = defaultdict(set)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Around a test: its time and what it reaches."""
        state()._stats.clear()
        begun = time.monotonic()
        result = yield
        self.seconds[item.nodeid] = time.monotonic() - begun
        for function in list(state()._stats):
            self.tests[function].add(item.nodeid)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Around the setting up."""
        result = yield
        for function in list(state()._stats):
            self._files[function].add(str(item.nodeid).partition("::")[0])
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notes a test that fails on whole lines."""
        if report.failed:
            self.failed.add(report.nodeid)

    def by_function(self) -> dict[str, list[str]]:
        """The tests that reach each function and hold on whole lines.

        Those of its module's own file come first, then the others, the quickest first.
        """
        for function, files in self._files.items():
            self.tests[function] |= {t for t in self.seconds if t.partition("::")[0] in files}
        return {
            function: self._in_order(function, tests - self.failed)
            for function, tests in self.tests.items()
        }

    def _in_order(self, function: str, tests: set[str]) -> list[str]:
        own_file = f"/test_{function.partition('.x')[0].rpartition('.')[2]}.py"
        chosen, asked_s = [], 0.0
        for test in sorted(tests, key=lambda t: (own_file not in t, self.seconds.get(t, 0.0))):
            if own_file not in test:
                asked_s += self.seconds.get(test, 0.0)
            if asked_s < MOST_S:
                chosen.append(test)
        return chosen


class FirstFailure:
    """A pytest plugin: the process ends with the first failure, and leaves nothing to be ended.

    Args:
        seconds: that each test takes on whole lines.
    """

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds = seconds

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Gives each test its time."""
        for item in items:
            limit_s = PATIENCE_S + PATIENCE * self._seconds.get(item.nodeid, 0.0)
            item.add_marker(pytest.mark.timeout(limit_s), append=False)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Ends it."""
        if report.failed:
            os._exit(OUT_OF_TIME if "Failed: Timeout" in report.longreprtext else 1)

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Ends it where all tests pass."""
        os._exit(exitstatus)


def run_pytest(*options: str, plugins: tuple[object, ...] = ()) -> int:
    """Its exit code."""
    return int(pytest.main(["--rootdir=.", "--tb=native", *options], plugins=[*plugins]))


def in_a_fork(mutant: str, limit_s: float, log: Path, *options: str, **plugins: Any) -> int:
    """The outcome of pytest in a fork, in which a mutant lives.

    Whatever the tests have started ends with them.
    """
    child = os.fork()
    if not child:
        os.setpgid(0, 0)
        with open(log, "w") as file:
            for descriptor in (1, 2):
                os.dup2(file.fileno(), descriptor)
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        set_mutant_under_test(mutant)
        code = run_pytest(*options, plugins=plugins.get("plugins", ()))
        if harvest := plugins.get("harvest"):
            harvest()
        sys.stdout.flush()
        os._exit(code)
    until = time.monotonic() + limit_s
    status = None
    while status is None and time.monotonic() < until:
        ended, code = os.waitpid(child, os.WNOHANG)
        status = code if ended else None
        time.sleep(0.01)
    with contextlib.suppress(OSError):
        os.killpg(child, signal.SIGKILL)
    if status is None:
        os.waitpid(child, 0)
        return TIMED_OUT
    return 1 if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status)


def ask(mutant: str, tests: list[str], seconds: dict[str, float], log: Path) -> int:
    """The outcome of the tests that reach a mutant."""
    limit_s = 4 * PATIENCE_S + PATIENCE * sum(seconds[test] for test in tests)
    code = in_a_fork(mutant, limit_s, log, "-q", *tests, plugins=(FirstFailure(seconds),))
    return TIMED_OUT if code == OUT_OF_TIME else code


def main() -> None:
    """Ask the tests of every mutant."""
    asked = json.load(sys.stdin)
    results, sys.stdout = sys.stdout, sys.stderr
    with TemporaryDirectory() as name:
        log, found = Path(name, "log"), Path(name, "reached")
        run_pytest("--collect-only", "-qqq", *LEFT_OUT, *asked["tests"])  # imports all
        reached = Reached()
        code = in_a_fork(
            "stats", HARVEST_S, log, "-q", *LEFT_OUT, *asked["tests"], plugins=(reached,),
            harvest=lambda: found.write_text(
                json.dumps([reached.by_function(), reached.seconds, sorted(reached.failed)])
            ),
        )  # fmt: skip
        if not found.exists():
            sys.exit(f"expected the tests to run to their end, found {code}:\n{log.read_text()}")
        tests_of, seconds, failed = json.loads(found.read_text())
        for test in failed:
            print(f"not asked, for it fails on whole lines: {test}", file=sys.stderr)
        print(f"{len(seconds)} tests, {sum(seconds.values()):.0f} s", file=sys.stderr)
        for mutant in asked["mutants"]:
            tests = tests_of.get(mangled_name_from_mutant_name(mutant), [])
            code = ask(mutant, tests, seconds, log) if tests else NO_TEST
            print(json.dumps([mutant, code]), file=results, flush=True)


if __name__ == "__main__":
    main()
