"""Breaks each line of a list and asks whether its test notices.

    python -m tools.mutation.broken_lines                  all of ``broken_lines.toml``: a minute
    python -m tools.mutation.broken_lines --sample 8       as many, at random: what CI does
    python -m tools.mutation.broken_lines overflow clip    those whose fact has one of these words in it

These are lines whose breaking once went unnoticed; ``tools.mutation`` breaks lines at random. A
process that has imported all tests forks for every line; the fork gives the functions of the module
the code that they have with the broken line, and runs the test. Ends with 1 if a test notices
nothing, or fails on whole lines.
"""

from __future__ import annotations

import gc
import os
import random
import signal
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import CodeType, FunctionType
from typing import Final, NamedTuple

import click
import pytest

from tools.namespace import ROOT

LINES: Final = Path(__file__).with_suffix(".toml")
TIMEOUT_S: Final = 240
UNNOTICED, NOTICED = 0, 1
"""pytest's exit codes."""


class BrokenLine(NamedTuple):
    """A line, what it becomes, the fact that is then false, and the test below ``tests/stream``."""

    fact: str
    module: str
    line: str
    instead: str
    test: str


def broken_lines() -> list[BrokenLine]:
    """All that are listed.

    Raises:
        ValueError: a line is not in its module, or more than once.
    """
    listed = [BrokenLine(**one) for one in tomllib.loads(LINES.read_text("utf-8"))["broken"]]
    for one in listed:
        if (n := (ROOT / one.module).read_text("utf-8").count(one.line)) != 1:
            raise ValueError(f"expected once in {one.module}, found {n} times: {one.line!r}")
    return listed


def run_pytest(tests: list[str], *options: str) -> int:
    """Its exit code."""
    plain = ["-p", "no:cacheprovider", "-p", "no:xdist", "-o", "addopts=", "-W", "ignore"]
    return int(pytest.main([*plain, *options, *(f"tests/stream/{test}" for test in tests)]))


def outcome(tests: list[str], broken: BrokenLine | None = None) -> int:
    """pytest's exit code of these tests in a fork, in which the line is broken; -1 if it hangs."""
    child = os.fork()
    if not child:
        with open(os.devnull, "w") as nowhere:
            for descriptor in (1, 2):
                os.dup2(nowhere.fileno(), descriptor)
        signal.alarm(TIMEOUT_S)
        if broken:
            _break(broken)
        os._exit(run_pytest(tests, "-x", "-q"))
    _, status = os.waitpid(child, 0)
    return -1 if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status)


def _break(broken: BrokenLine) -> None:
    """Gives the module's functions the code that they have with the broken line."""
    module = import_module("mmgat." + broken.module.removesuffix(".py").replace("/", "."))
    file = str(module.__file__)
    source = (ROOT / broken.module).read_text("utf-8").replace(broken.line, broken.instead)
    codes = {code.co_qualname: code for code in _codes(compile(source, file, "exec"))}
    for function in gc.get_objects():
        if type(function) is FunctionType and function.__code__.co_filename == file:
            new = codes.get(function.__code__.co_qualname)
            if new and new.co_freevars == function.__code__.co_freevars:
                function.__code__ = new


def _codes(code: CodeType) -> Iterator[CodeType]:
    """The code of all functions in it."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


@click.command()
@click.argument("words", nargs=-1)
@click.option("--sample", type=int, help="So many lines, at random.")
@click.option("--seed", default=0, show_default=True, help="Of the sample.")
def main(words: tuple[str, ...], sample: int | None, seed: int) -> None:
    """Break each line in turn, and ask its test."""
    os.chdir(ROOT)
    listed = [one for one in broken_lines() if not words or any(w in one.fact for w in words)]
    if sample is not None and sample < len(listed):
        listed = random.Random(seed).sample(listed, sample)
    tests = list(dict.fromkeys(one.test for one in listed))
    run_pytest(tests, "--collect-only", "-qqq")  # imports all, for the forks
    if outcome(tests) != UNNOTICED:
        raise click.ClickException("expected the tests to pass on whole lines, found a failure")
    n_noticed = 0
    for one in listed:
        code = outcome([one.test], one)
        n_noticed += code == NOTICED
        if code != NOTICED:
            click.echo(
                f"NOBODY NOTICES ({code}): {one.fact}: {one.line} -> {one.instead}", err=True
            )
    click.echo(f"{n_noticed} of {len(listed)} broken lines noticed")
    sys.exit(n_noticed < len(listed))


if __name__ == "__main__":
    main()
