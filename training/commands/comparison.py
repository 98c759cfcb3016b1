"""``mmgat-train yard`` and ``mmgat-train compare``: all systems on the same clips."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

import click

from mmgat.model.command_line import Command
from mmgat.training.commands.compact import Folder, SomeFile

HAN: Final = "han-convnet-0.4m"
"""The recipe whose aggregations are set beside each other."""


@click.command(cls=Command)
@click.argument("configs", type=SomeFile, nargs=-1, required=True, metavar="RECIPE...")
@click.option("--yard", type=Folder, required=True, help="The folder of mmgat-train yard.")
@click.option("--runs", type=Folder, required=True, help="Where runs are kept; done ones are read.")
@click.option("--page", type=click.Path(path_type=Path, dir_okay=False), help="To write tables in.")
@click.option("--figures", type=Folder, help="Where pictures are written.")
@click.option("--seeds", default=1, show_default=True, help="Runs of each, for their spread.")
@click.option("--only-done", is_flag=True, help="Leave out recipes without a finished run.")
@click.option("--threads", default=2, show_default=True)
def compare(
    configs: tuple[Path, ...],
    yard: Path,
    runs: Path,
    page: Path | None,
    figures: Path | None,
    seeds: int,
    only_done: bool,
    threads: int,
) -> None:
    """Fit systems on the yard, evaluate them on mixtures and real playing, and write tables.

    The same command goes on where it was stopped.
    """
    import torch

    from mmgat.training.evaluation.aggregations import aggregations
    from mmgat.training.evaluation.comparison import chance, compare, compare_seeds, seeds_of
    from mmgat.training.evaluation.comparison_page import tables, write_page
    from mmgat.training.figures.comparison import draw_comparison
    from mmgat.training.fitting.run_folder import RESULT

    torch.set_num_threads(threads)
    if only_done:
        configs = tuple(c for c in configs if (runs / c.stem / "seed-0" / RESULT).is_file())
        if not configs:
            raise click.ClickException(f"expected finished runs in {runs}, found none")

    def report(line: str) -> None:
        click.echo(line, err=True)

    rows = []
    for config in configs:
        click.echo(config.stem, err=True)
        rows.append(compare(config, yard, runs, report))
        if not only_done:
            compare_seeds(config, yard, runs, seeds, report)
    by_seed = {config.stem: seeds_of(config.stem, runs) for config in configs}
    has_han = any(row["name"] == HAN for row in rows)
    by_rule = aggregations(runs / HAN / "seed-0", yard) if has_han else None
    written = tables(rows, by_seed, chance(yard), by_rule)
    click.echo(written)
    if page is not None:
        write_page(page, written)
    if figures is not None:
        for path in draw_comparison(rows, yard, runs, figures):
            click.echo(path)


@click.command(cls=Command)
@click.option("--data", type=Folder, required=True, help="The local data folder.")
@click.option(
    "--soundfont",
    "soundfonts",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    help="A soundfont; repeat for all three. Debian's places if not given.",
)
@click.option("--cache", type=Folder, help="Keeps rendered stems and recordings.")
@click.option("--out", type=Folder, required=True, help="The yard's folder.")
@click.option(
    "--size", type=click.Choice(["tiny", "small", "full"]), default="full", show_default=True
)
@click.option(
    "--published",
    type=click.Choice(["openmic", "irmas", "openmic+irmas"]),
    help="In place of clips of our own: a published set that lies in the data folder.",
)
def yard(
    data: Path,
    soundfonts: tuple[Path, ...],
    cache: Path | None,
    out: Path,
    size: str,
    published: Literal["openmic", "irmas", "openmic+irmas"] | None,
) -> None:
    """Make the clips on which all systems are compared: 850 (tiny), 1,800 (small) or 15,000 (full).

    From recordings of the data folder and three soundfonts (Debian: fluid-soundfont-gm,
    musescore-general-soundfont, timgm6mb-soundfont). The same command goes on where it was stopped.
    """
    if published is not None:
        from mmgat.training.yard.published import run as write

        write(published, data, out, click.echo)
        return
    if cache is None:
        raise click.UsageError("expected --cache FOLDER, found none: rendered stems are kept there")
    from mmgat.training.yard.make import SIZES, run, usual_soundfonts

    run(data, list(soundfonts) or usual_soundfonts(), cache, out, SIZES[size], click.echo)


@click.command("publish-system", cls=Command)
@click.argument("run", type=Folder)
@click.option("--out", type=Folder, required=True, help="Where the checkpoint is written.")
def publish_system(run: Path, out: Path) -> None:
    """Write a finished run of a window network, with its ONNX graphs, for mmgat-stream --model."""
    from mmgat.training.export.window_checkpoint import publish_system as write

    click.echo(write(run, out))
