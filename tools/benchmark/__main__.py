"""The live path's figures: medians, 95th percentiles and ratios, measured side by side in one run.

    python -m tools.benchmark              all of it, about three minutes
    python -m tools.benchmark stages start one or more of: stages, graph, latency, streams, file,
                                           start, osc
    YAMNET_TFLITE=yamnet.tflite python -m tools.benchmark yamnet    beside Google's tagger

Absolute times depend on the machine and on what else it does; the ratios hardly do.
"""

from __future__ import annotations

import click

from tools.benchmark.commands import file, start
from tools.benchmark.live import latency, streams
from tools.benchmark.osc import osc
from tools.benchmark.parts import graph, stages, yamnet

PARTS = {
    "stages": stages, "graph": graph, "latency": latency, "streams": streams, "file": file,
    "start": start, "osc": osc, "yamnet": yamnet,
}  # fmt: skip


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(list(PARTS)))
def main(parts: tuple[str, ...]) -> None:
    """Measure PARTS of the live path (by default all that need no other file)."""
    for part in parts or [part for part in PARTS if part != "yamnet"]:
        for line in PARTS[part]():
            click.echo(line)


if __name__ == "__main__":
    main()
