"""``mmgat-train``: makes the shipped checkpoints from a local data folder."""

from __future__ import annotations

from pathlib import Path

import click

from training.compact.commands import Folder, Pipeline
from training.compact.commands import main as compact


@click.group(cls=Pipeline, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mmgat-stream")
def main() -> None:
    """Offline training; every step is one command and can be run again."""


main.add_command(compact, "compact")


@main.command()
@click.option("--data", type=Folder, required=True, help="Folder with audioset-vggish/.")
@click.option("--out", type=Folder, required=True, help="Where the checkpoint is written.")
@click.option("--epochs", default=10, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--threads", default=2, show_default=True, help="One is faster on a busy machine.")
def vggish(data: Path, out: Path, epochs: int, seed: int, threads: int) -> None:
    """Fit MMGAT to AudioSet's VGGish rows and write the checkpoint with its card."""
    import torch

    from training.fit import FitSettings
    from training.vggish_checkpoint import run

    torch.set_num_threads(threads)
    card = run(data, out, FitSettings(epochs=epochs, seed=seed))
    for metric in card.metrics:
        click.echo(f"{metric['name']} {metric['value']} on {metric['on']}")


if __name__ == "__main__":
    main()
