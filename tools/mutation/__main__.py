"""Breaks one line at a time and asks whether a test notices (mutation testing, by mutmut).

    python -m tools.mutation                          every mutant: hours
    python -m tools.mutation --sample 300             as many, drawn at random
    python -m tools.mutation --changed HEAD~1 --sample 20     of modules that were changed since
    python -m tools.mutation --short                  half a minute: what CI does, see ``short.py``

Of each room the tests of its own folder are asked: those that reach the function. A survivor is
printed as a difference; those of ``survivors.toml`` have a reason there. What is not broken
is the wording of messages: lines of logging, and lines that are nothing but text.

mutmut makes the mutants, in a copy of the sources, ``build/mutation``; ``forks.py`` asks the tests.
Programs that a test starts inherit the mutant by the environment, so tests of whole programs count.
"""

from __future__ import annotations

import json
import math
import random
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Final, NamedTuple

import click

from tools.mutation import layout, short
from tools.mutation.forks import NO_TEST, TIMED_OUT

REASONS: Final = Path(__file__).with_name("survivors.toml")
SURVIVED: Final = (0, NO_TEST)


class Mutant(NamedTuple):
    """A mutant that was tried: mutmut's name, and the outcome."""

    name: str
    outcome: int

    @property
    def module(self) -> str:
        """``stream.audio.windows``."""
        return re.sub(r"\.x(_|ǁ).*", "", self.name).removeprefix("mmgat.")


def ask(tests: list[str], names: list[str]) -> list[Mutant]:
    """Asks the tests of each mutant.

    Raises:
        click.ClickException: the tests fail on whole lines.
    """
    tried = []
    with subprocess.Popen(
        [sys.executable, "-m", "tools.mutation.forks"], cwd=layout.MUTANTS,
        env=layout.environment(), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps({"tests": tests, "mutants": names}))
        process.stdin.close()
        for line in process.stdout:
            tried.append(Mutant(*json.loads(line)))
            if tried[-1].outcome in SURVIVED:
                click.echo(f"{len(tried)} tried: {tried[-1].name} survives", err=True)
    if process.returncode:
        raise click.ClickException("the tests could not be asked")
    return tried


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


def report(tried: list[Mutant]) -> tuple[float, float]:
    """Prints the figures of every module and each survivor.

    Returns:
        The share of the killed, and the upper end of its interval.
    """
    survivors = [m for m in tried if m.outcome in SURVIVED]
    reasons = {
        (one["module"], one["before"], one["after"]): one["reason"]
        for one in tomllib.loads(REASONS.read_text("utf-8")).get("survivor", [])
    }
    explained: Counter[str] = Counter()
    found = layout.differences([m.name for m in survivors])
    for mutant, difference in zip(survivors, found, strict=True):
        before, after = changed_lines(difference)
        reason = reasons.get((mutant.module, before, after), "")
        explained[mutant.module] += bool(reason)
        click.echo(f"{mutant.name}\n  - {before}\n  + {after}")
        nobody = "no test reaches it" if mutant.outcome == NO_TEST else "nobody notices"
        click.echo(f"  = {reason or nobody}")
    totals, alive = (Counter(m.module for m in some) for some in (tried, survivors))
    for module, total in sorted(totals.items()):
        note = f", {explained[module]} explained" if explained[module] else ""
        click.echo(f"{module}: {total - alive[module]} of {total} killed{note}")
    n_killed = len(tried) - len(survivors)
    low, high = interval(n_killed, len(tried))
    n_timed_out = sum(m.outcome == TIMED_OUT for m in tried)
    click.echo(
        f"{n_killed} of {len(tried)} mutants killed ({n_killed / len(tried):.0%}, 95 % interval "
        f"{low:.0%} to {high:.0%}; {n_timed_out} by a time-out); {sum(explained.values())} of "
        f"{len(survivors)} survivors have a reason"
    )
    return n_killed / len(tried), high


@click.command()
@click.option("--sample", type=int, help="So many mutants, at random.")
@click.option("--seed", default=0, show_default=True, help="Of the sample.")
@click.option("--changed", metavar="COMMIT", help="Only modules that differ from it.")
@click.option("--only", metavar="TEXT", default="", help="Only modules with this in their path.")
@click.option("--at-least", default=0.85, show_default=True, help="Share to be killed, or exit 1.")
@click.option("--short", "is_short", is_flag=True, help="Some mutants of some changed modules.")
def main(
    sample: int | None, seed: int, changed: str | None, only: str, at_least: float, is_short: bool
) -> None:
    """Break lines of audio, engine, bus, sinks and graph, and count what the tests notice."""
    if is_short:
        modules, why = short.some_modules(seed)
        click.echo(f"{', '.join(modules)}: {why}")
        sample = sample or short.N_MUTANTS
        tests = sorted({test for module in modules for test in short.tests_near(module)})
    else:
        modules = [path for path in layout.modules_of(changed) if only in path]
        tests = layout.tests_of(modules)
    if not modules:
        click.echo("no module of these rooms has changed")
        return
    names = layout.prepare(modules)
    chosen = names
    if sample is not None and sample < len(names):
        chosen = sorted(random.Random(seed).sample(names, sample))
    click.echo(f"{len(chosen)} of {len(names)} mutants of {len(modules)} modules")
    if not chosen:
        return
    share, high = report(ask(tests, chosen))
    if high < short.AT_LEAST if is_short else share < at_least:
        sys.exit(1)


if __name__ == "__main__":
    main()
