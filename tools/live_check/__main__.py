"""Real time, for real: a PulseAudio device, loaded cores, a server that dies, and the account of it.

    python -m tools.live_check                ten minutes at hop 0.25, both cores otherwise loaded
    python -m tools.live_check --minutes 1
    python -m tools.live_check --short        half a minute
    python -m tools.live_check --broken       the short run with each of 13 lines broken in turn

The clip is played into a null sink, mmgat-stream listens to its monitor in a process of its own,
and a subscriber of the bus counts. Half-way the process is stopped until sound is lost, and the
server is killed and started anew after a while. The subscriber believes no counter: it counts
estimates, events and time itself, and the check exits with 1 and a list of the facts that do not
hold; with ``--broken``, if a broken line goes unnoticed.
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import click

from tools.live_check.run import SHORT, Plan, check
from tools.soak.lines import LINES, environment_with


@click.command()
@click.option("--minutes", default=10.0, show_default=True)
@click.option("--hop", default=0.25, show_default=True)
@click.option("--model", default="compact", show_default=True)
@click.option("--busy", default=os.cpu_count() or 1, show_default=True, help="Cores kept busy.")
@click.option("--short", is_flag=True, help="Half a minute, until a fact does not hold.")
@click.option("--broken", is_flag=True, help="The short run with each of 13 lines broken.")
@click.option("--line", "only", metavar="TEXT", default="", help="Only lines with this in them.")
def main(
    minutes: float, hop: float, model: str, busy: int, short: bool, broken: bool, only: str
) -> None:
    """Check the live path against a real audio server under load."""
    if broken:
        _break_each([name for name in LINES if only in name])
        return
    plan = Plan(half_s=30 * minutes, busy=busy)
    with tempfile.TemporaryDirectory() as name:
        facts = check(Path(name), replace(SHORT if short else plan, hop_s=hop, model=model))
    for fact in facts:
        click.echo(f"BROKEN: {fact}", err=True)
    if facts:
        sys.exit(1)
    click.echo("every fact holds")


def _break_each(names: list[str]) -> None:
    """Runs the check on the whole program, and with each line broken."""
    right = 0
    for name in ["", *names]:
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as copy:
            facts = check(Path(folder), SHORT, environment_with(name, Path(copy)))
        holds = bool(facts) is bool(name)
        right += holds
        what = "; ".join(facts) or "every fact holds"
        click.echo(f"{'' if holds else 'WRONG: '}{name or 'the program as it is'}: {what}\n")
    click.echo(f"{right} of {len(names) + 1} as they should be")
    sys.exit(right <= len(names))


if __name__ == "__main__":
    main()
