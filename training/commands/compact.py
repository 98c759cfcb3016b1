"""``mmgat-train compact``: the steps that make the compact model."""

from __future__ import annotations

from pathlib import Path

import click

from mmgat.model.command_line import Group
from mmgat.model.errors import ModelError
from mmgat.training.errors import TrainingDataError
from mmgat.training.synthesis.clip_kinds import KINDS

Folder = click.Path(path_type=Path, file_okay=False)
SomeFile = click.Path(path_type=Path, dir_okay=False)
cache_option = click.option("--cache", type=Folder, required=True, help="Where results are kept.")
threads_option = click.option(
    "--threads", default=2, show_default=True, help="One is faster on a busy machine."
)
without_option = click.option(
    "--without", help="Source of recordings to leave out, a folder of DATA/audio."
)
classes_option = click.option(
    "--yamnet-classes", type=SomeFile, required=True, help="YAMNet's class table, a .csv file."
)
workers_option = click.option("--workers", default=2, show_default=True, help="Processes.")


class Pipeline(Group):
    """A group whose commands report an error of data or model, or a missing library, in one line."""

    def invoke(self, ctx: click.Context) -> object:
        """Runs a command and turns its errors into messages."""
        try:
            return super().invoke(ctx)
        except (ModelError, TrainingDataError) as error:
            raise click.ClickException(str(error)) from error
        except ModuleNotFoundError as error:
            raise click.ClickException(
                f"training needs {error.name}: pip install 'mmgat-stream[train]'"
            ) from error


@click.group(cls=Pipeline)
def main() -> None:
    """Make the compact embedder, and the embeddings that MMGAT is fitted to."""


@main.command()
@click.option("--music", type=Folder, required=True, help="Folder of unpacked packages.")
@click.option("--sounds", type=Folder, help="The same of packages in which no instrument plays.")
@cache_option
@workers_option
def collect(music: Path, sounds: Path | None, cache: Path, workers: int) -> None:
    """Find and decode unlabelled music, speech and everyday sounds."""
    from mmgat.training.synthesis.packages import run

    sources = run(music, cache, sounds=sounds, workers=workers)
    click.echo(f"{len(sources)} files, {sum(row['minutes'] for row in sources):.0f} minutes")


@main.command()
@click.option(
    "--soundfont",
    "soundfonts",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    required=True,
    help="A soundfont; repeat for more.",
)
@click.option("--midi", type=Folder, help="Folder of MIDI songs to render too.")
@click.option("--takes", default=2, show_default=True, help="Random stems of each program.")
@cache_option
@workers_option
def render(
    soundfonts: tuple[Path, ...], midi: Path | None, takes: int, cache: Path, workers: int
) -> None:
    """Render stems of every instrument."""
    from mmgat.training.synthesis.render import run

    stems = run(list(soundfonts), midi, cache, takes=takes, workers=workers)
    click.echo(f"{len(stems)} stems")


@main.command()
@click.option("--data", type=Folder, required=True, help="The data folder, with audio/.")
@click.option("--mn04", type=SomeFile, required=True, help="mn04's state dict, a .pt file.")
@click.option("--yamnet", type=SomeFile, required=True, help="YAMNet's TensorFlow Lite file.")
@classes_option
@click.option("--clips", default=12_000, show_default=True, help="Clips for training.")
@click.option("--validation-clips", default=800, show_default=True, help="Clips held out.")
@click.option("--seed", default=0, show_default=True)
@click.option(
    "--only", type=click.Choice(KINDS), help="Make what is missing of clips of this kind."
)
@cache_option
@workers_option
def mix(
    data: Path,
    mn04: Path,
    yamnet: Path,
    yamnet_classes: Path,
    clips: int,
    validation_clips: int,
    seed: int,
    only: str | None,
    cache: Path,
    workers: int,
) -> None:
    """Make clips with labels and with the scores of the teachers."""
    from mmgat.training.distillation.shards import run
    from mmgat.training.distillation.teachers import TeacherFiles

    n_shards = run(
        data,
        TeacherFiles(mn04, yamnet),
        yamnet_classes,
        cache,
        n_train=clips,
        n_validation=validation_clips,
        workers=workers,
        seed=seed,
        only=only,
    )
    click.echo(f"{n_shards} shards")


@main.command()
@click.option("--data", type=Folder, required=True, help="The data folder.")
@classes_option
@click.option("--init", help="Begin with this checkpoint's embedder, not with random weights.")
@click.option("--epochs", default=16, show_default=True, help="Epochs in all, also after a resume.")
@threads_option
@click.option("--stop-after", type=int, help="Stop after this epoch of the plan.")
@click.option("--seed", default=0, show_default=True)
@without_option
@cache_option
def distil(
    data: Path,
    yamnet_classes: Path,
    init: str | None,
    epochs: int,
    threads: int,
    stop_after: int | None,
    seed: int,
    without: str | None,
    cache: Path,
) -> None:
    """Train the compact embedder; a run that was stopped is resumed."""
    import msgspec
    import torch

    from mmgat.training.distillation.distil import PEAK_RATE_WARM, SETTINGS, run

    torch.set_num_threads(threads)
    settings = msgspec.structs.replace(
        SETTINGS,
        epochs=epochs,
        learning_rate=SETTINGS.learning_rate if init is None else PEAK_RATE_WARM,
        seed=seed,
    )

    path = run(
        data,
        yamnet_classes,
        cache,
        settings,
        init=init,
        stop_after=stop_after,
        without=without,
    )
    click.echo(path)


@main.command()
@click.option("--data", type=Folder, required=True, help="The data folder.")
@classes_option
@click.option(
    "--embedder",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Weights; the distilled ones if not given.",
)
@threads_option
@without_option
@cache_option
def embed(
    data: Path,
    yamnet_classes: Path,
    embedder: Path | None,
    threads: int,
    without: str | None,
    cache: Path,
) -> None:
    """Embed every clip, for MMGAT."""
    import torch

    from mmgat.training.distillation.embeddings import run

    torch.set_num_threads(threads)
    written = run(data, yamnet_classes, cache, embedder=embedder, without=without)
    for path in written.values():
        click.echo(path)


@main.command()
@click.option("--data", type=Folder, required=True, help="The data folder, for its manifest.")
@click.option("--out", type=Folder, required=True, help="Where the checkpoint is written.")
@click.option(
    "--init", help="Begin with this checkpoint's MMGAT, whose embedder made the embeddings."
)
@click.option("--epochs", default=14, show_default=True)
@click.option("--rate", default=1e-3, show_default=True, help="The highest learning rate.")
@click.option("--seed", default=0, show_default=True)
@threads_option
@without_option
@cache_option
def fit(
    data: Path,
    out: Path,
    init: str | None,
    epochs: int,
    rate: float,
    seed: int,
    threads: int,
    without: str | None,
    cache: Path,
) -> None:
    """Fit MMGAT to the embeddings and write the checkpoint with its card and its ONNX graphs."""
    import torch

    from mmgat.training.distillation.checkpoint import run
    from mmgat.training.export.onnx_graphs import export
    from mmgat.training.fitting.fit import FitSettings

    torch.set_num_threads(threads)
    settings = FitSettings(
        epochs=epochs,
        patience=epochs,
        learning_rate=rate,
        noise=0.1,
        crop=1 / 3,
        temporal_cutmix=1 / 3,
        seed=seed,
    )
    card = run(data, cache, out, settings, init=init, without=without)
    export(out / "compact", data)
    for metric in card.metrics:
        click.echo(f"{metric['name']} {metric['value']} on {metric['on']}")


@main.command()
@click.option("--card", type=click.Path(path_type=Path, dir_okay=False), required=True)
@click.option("--on", required=True, help="What the metrics were measured on.")
@click.option("--command", required=True, help="What reproduces them.")
def record(card: Path, on: str, command: str) -> None:
    """Write metrics, a JSON object on standard input, into a model card."""
    import json
    import sys

    from mmgat.training.distillation.checkpoint import record as write

    try:
        scores = json.load(sys.stdin)
    except json.JSONDecodeError as error:
        raise click.ClickException(f"expected a JSON object of figures, found {error}") from None
    write(card, scores, on, command)


@main.command()
@click.option("--card", type=click.Path(path_type=Path, dir_okay=False), required=True)
@cache_option
def calibrate(card: Path, cache: Path) -> None:
    """Compute a card's thresholds again, on the held-out embeddings."""
    from mmgat.training.distillation.checkpoint import recalibrate

    for label, threshold in recalibrate(cache, card).items():
        click.echo(f"{label} {threshold}")
