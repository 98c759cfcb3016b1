"""Hostile publishers against readers, hostile readers against the publisher, hostile clients against
the control endpoint.

    python -m tools.fuzz_bus                       a million each: half an hour
    python -m tools.fuzz_bus --only publisher

Ends with an error unless nothing died, an honest reader lost nothing, and memory stayed in bounds.
Everything goes through real sockets on this machine.
"""

from __future__ import annotations

import logging
import time

import click

from tools.fuzz_bus.attacks import attack_control, attack_publisher, attack_readers


@click.command()
@click.option("--messages", default=1_000_000, show_default=True, help="Hostile ones, each way.")
@click.option("--seed", default=0, show_default=True, help="Of the messages.")
@click.option("--only", type=click.Choice(["readers", "publisher", "control"]), help="One of them.")
def main(messages: int, seed: int, only: str | None) -> None:
    """Send hostile messages to readers and to the publisher; Linux only, for it reads /proc."""
    for name in ("mmgat", "mmgat.stream.control.audit"):  # faults are what is asked for
        logging.getLogger(name).setLevel(logging.CRITICAL)
    failed = False
    for name, attack in (
        ("readers", attack_readers),
        ("publisher", attack_publisher),
        ("control", attack_control),
    ):
        if only not in (None, name):
            continue
        begun = time.monotonic()
        outcome = attack(messages, seed)
        failed = failed or bool(outcome.faults)
        click.echo(
            f"{name}: {outcome.messages} hostile messages in {time.monotonic() - begun:.0f} s: "
            f"{outcome.deaths} deaths, {outcome.refused} refused, {outcome.lost} lost by an honest "
            f"reader, memory {outcome.growth_mb:+.1f} MB"
        )
    if failed:
        raise click.ClickException("expected no death, no loss, and memory within 20 MB")


if __name__ == "__main__":
    main()
