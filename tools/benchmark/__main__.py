"""The live path's figures: medians, 95th percentiles and ratios, measured side by side in one run.

    python -m tools.benchmark              all of it, about three minutes
    python -m tools.benchmark stages start one or more parts; --help lists them
    python -m tools.benchmark streams --compute cuda                on a GPU
    YAMNET_TFLITE=yamnet.tflite python -m tools.benchmark yamnet    beside Google's tagger

Absolute times depend on the machine and on what else it does; the ratios hardly do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import click

from tools.benchmark.channels import many, streams
from tools.benchmark.commands import file, start
from tools.benchmark.dashboard import dashboard
from tools.benchmark.hop import profile
from tools.benchmark.live import latency
from tools.benchmark.networks import graph, vggish, yamnet
from tools.benchmark.parts import stages
from tools.benchmark.wire.bus import bus
from tools.benchmark.wire.newcomers import newcomers
from tools.benchmark.wire.osc import osc

PARTS = {
    "stages": stages, "graph": graph, "vggish": vggish, "latency": latency, "many": many,
    "streams": streams, "profile": profile, "file": file, "start": start, "osc": osc,
    "bus": bus, "newcomers": newcomers, "dashboard": dashboard, "yamnet": yamnet,
}  # fmt: skip
ON_A_DEVICE = ("latency", "many", "streams", "profile")


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(list(PARTS)))
@click.option(
    "--compute", default="cpu", show_default=True, help="Of latency, streams and profile."
)
def main(parts: tuple[str, ...], compute: str) -> None:
    """Measure PARTS of the live path (by default all that need no other file)."""
    for part in parts or [part for part in PARTS if part != "yamnet"]:
        measure: Callable[..., Iterator[str]] = PARTS[part]
        for line in measure(compute) if part in ON_A_DEVICE else measure():
            click.echo(line)


if __name__ == "__main__":
    main()
