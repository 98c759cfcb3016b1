"""Hours of audio with scripted faults through the real engine, on a clock that runs with the audio.

    python -m tools.soak                       24 hours, compact model, a fault every few minutes
    python -m tools.soak --hours 1 --seed 7
    python -m tools.soak --hours 3 --channels 8    as many hours of audio, eight at a time
    python -m tools.soak --scripts 100         100 random scripts of ten minutes instead
    python -m tools.soak --short               three minutes with one fault of each kind

Engine, pipeline, reconnecting source, publisher and model are the real ones; only the device and the
clock are ours. Its audio comes as fast as the engine takes it, except where a script says that the
embedder is slow: then it does not wait, and what does not fit is dropped. The device counts what it
gives, and every counter, window, event and message is compared with that; it exits with 1 and the
list of what does not agree.
"""

from __future__ import annotations

import logging
import sys

import click

from tools.soak.device import SHORT, SHORT_S, Fault, random_script
from tools.soak.run import SETTINGS, Outcome, soak


@click.command()
@click.option("--hours", default=24.0, show_default=True, help="Hours of audio.")
@click.option("--every", default=300.0, show_default=True, help="Seconds between faults.")
@click.option("--seed", default=0, show_default=True, help="Of the script.")
@click.option("--scripts", type=int, help="So many scripts of ten minutes, a fault every 20 s.")
@click.option("--short", is_flag=True, help="Three minutes with one fault of each kind.")
@click.option("--channels", default=1, show_default=True, help="Recognised side by side.")
@click.option("--model", default="compact", show_default=True, help="Model, or a path.")
def main(
    hours: float,
    every: float,
    seed: int,
    scripts: int | None,
    short: bool,
    channels: int,
    model: str,
) -> None:
    """Run the engine for hours of audio with faults; Linux only, for it reads /proc."""
    from mmgat.stream.recognition.recognizer import load_recognizer

    logging.getLogger("mmgat").setLevel(logging.CRITICAL)  # faults are what is asked for
    recognizer = load_recognizer(model, SETTINGS, "cpu")
    if scripts:
        broken = []
        for number in range(seed, seed + scripts):
            outcome = soak(random_script(number, 600, 20), 600, recognizer)
            broken += [f"script {number}: {fact}" for fact in outcome.broken]
        _conclude(broken, f"{scripts} scripts: no crash, no hang, every account balanced")
        return
    if short:
        outcome = soak(SHORT, SHORT_S, recognizer, channels)
        _report(outcome)
        slow = soak([Fault("slow", 5.0, 10.0)], 30.0, recognizer, channels)
        broken = [*outcome.broken, *(f"slow: {fact}" for fact in slow.broken)]
        if not outcome.n_compared or not outcome.n_events:
            broken.append("there were no events, or no scores to compare")
        _conclude(broken, "every fact holds")
        return
    outcome = soak(random_script(seed, 3600 * hours, every), 3600 * hours, recognizer, channels)
    _report(outcome)
    _conclude(outcome.broken, "every fact holds")


def _report(outcome: Outcome) -> None:
    account, status = outcome.account, outcome.status
    click.echo(
        f"{outcome.audio_s / 3600:.2f} h of audio in {outcome.real_s:.0f} s: "
        f"x{outcome.audio_s / outcome.real_s:.0f}; "
        f"{sum(one.windows for one in outcome.statuses)} windows, "
        f"{outcome.n_events} events, {status.outages} outages, {status.nonfinite} NaN samples, "
        f"{outcome.n_compared} estimates compared with those of a minute before"
    )
    click.echo(
        f"samples: {account.captured} captured = {account.analysed} analysed + "
        f"{account.dropped} dropped + {account.discarded} discarded + {account.queued} queued"
    )
    click.echo(
        f"memory: {outcome.memory_mb[0]:.0f} MB at first, {outcome.memory_mb[-1]:.0f} at last, "
        f"slope {outcome.memory_slope:+.2f} MB per 24 h of audio; threads {outcome.n_threads[0]} -> "
        f"{outcome.n_threads[1]}, files {outcome.n_files[0]} -> {outcome.n_files[1]}"
    )


def _conclude(broken: list[str], good: str) -> None:
    """Ends the process with 1 if a fact is broken."""
    for fact in broken:
        click.echo(f"BROKEN: {fact}", err=True)
    if broken:
        sys.exit(1)
    click.echo(good)


if __name__ == "__main__":
    main()
