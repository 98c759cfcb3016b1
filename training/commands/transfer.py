"""``mmgat-train transfer``: the steps that make the default model from mn04."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from mmgat.training.commands.compact import Folder, Pipeline, SomeFile, cache_option

if TYPE_CHECKING:
    from mmgat.training.transfer.steps import Workplace

STEP_OPTIONS: Final = (
    click.option("--pack", type=Folder, required=True, help="The packed set of transfer pack."),
    click.option(
        "--mn04",
        type=SomeFile,
        required=True,
        help="The published state dict, mn04_as_mAP_432.pt.",
    ),
    cache_option,
    click.option("--threads", default=1, show_default=True),
    click.option(
        "--device",
        default="cpu",
        show_default=True,
        help="Where it is computed: cpu, cuda, cuda:1, mps.",
    ),
)
OUT_OPTIONS: Final = (
    click.option("--out", type=Folder, required=True, help="Takes the checkpoint and its graphs."),
    click.option(
        "--graphs/--no-graphs",
        default=True,
        help="Without: mmgat-train export makes the graphs later.",
    ),
)
Command = TypeVar("Command", bound=Callable[..., Any])


def step_options(command: Command) -> Command:
    """Adds the options that every step takes."""
    return _with(STEP_OPTIONS, command)


def out_options(command: Command) -> Command:
    """Adds the options of a step that writes a checkpoint."""
    return _with(OUT_OPTIONS, command)


def _with(options: tuple[Callable[[Command], Command], ...], command: Command) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def workplace(
    pack: Path, mn04: Path, cache: Path, threads: int, device: str, graphs: bool = True
) -> Workplace:
    """Where a step works; sets torch's threads."""
    import torch

    from mmgat.training.transfer.audio.packed import PackedSet
    from mmgat.training.transfer.steps import Workplace

    torch.set_num_threads(threads)
    return Workplace(PackedSet(pack, cache), mn04, cache, device, graphs)


@click.group(cls=Pipeline)
def main() -> None:
    """Make the default model; its music and sounds come from ``mmgat-train compact collect``."""


@main.command()
@cache_option
@click.option("--count", default=100, show_default=True)
def scores(cache: Path, count: int) -> None:
    """Read scores of music21's corpus."""
    from mmgat.training.transfer.scores import run

    click.echo(f"{run(cache, count)} scores")


@main.command()
@cache_option
@click.option("--soundfont", "soundfonts", type=SomeFile, multiple=True, required=True)
@click.option("--count", default=300, show_default=True, help="Pieces of 45 s.")
def pieces(cache: Path, soundfonts: tuple[Path, ...], count: int) -> None:
    """Render the scores in chosen instrumentations, one stem a player."""
    from mmgat.training.transfer.pieces import run

    click.echo(f"{run(list(soundfonts), cache, count)} pieces")


@main.command()
@click.option("--data", type=Folder, required=True, help="The local data folder.")
@cache_option
@click.option("--mib", default=600.0, show_default=True, help="Most; 60 travels to a GPU.")
@click.option("--out", type=Folder, required=True, help="Takes the packed set.")
def pack(data: Path, cache: Path, mib: float, out: Path) -> None:
    """Pack all that the next steps hear into one folder; they need nothing else but mn04."""
    from mmgat.training.data.label_text import minilm_embeddings
    from mmgat.training.data.published.audioset_names import read_class_names
    from mmgat.training.transfer.audio import packed
    from mmgat.training.transfer.audio.parts import PartMaker
    from mmgat.training.transfer.checkpoint import training_data

    names = read_class_names(data / "audioset-vggish" / "class_labels_indices.csv")
    about = packed.About(names, list(training_data(data, cache)))
    makers = {
        split: PartMaker(data / "audio", cache, split == "validation") for split in packed.SPLITS
    }
    for name, n_parts in packed.pack(makers, about, minilm_embeddings(), out, mib).items():
        click.echo(f"{name}: {n_parts} parts")


@main.command()
@step_options
@click.option("--parts", default=30, show_default=True, help="Of 50 clips, of every kind.")
@click.option("--validation-parts", default=6, show_default=True)
def features(parts: int, validation_parts: int, **where: Any) -> None:
    """Mix clips, hear them, and keep what the network's first half says of them."""
    from mmgat.training.transfer.audio.mixing import KINDS
    from mmgat.training.transfer.features import run

    place = workplace(**where)
    counts = {
        split: {kind: max(1, n // 5) if kind == "noise" else n for kind in KINDS}
        for split, n in (("validation", validation_parts), ("train", parts))
    }
    made = run(place.packed, place.mn04, place.cache, counts, place.device)
    for split, of_split in made.items():
        for kind, n in of_split.items():
            click.echo(f"{split} {kind}: {n} parts")


@main.command()
@step_options
@click.option("--steps", default=500, show_default=True)
@click.option("--way", default=0.7, show_default=True, help="Share of the way from mn04.")
def tail(steps: int, way: float, **where: Any) -> None:
    """Train the network's second half, and the labels' prior logits."""
    from mmgat.training.transfer.steps import train_tail
    from mmgat.training.transfer.tail import TailSettings

    train_tail(workplace(**where), TailSettings(steps=steps, way=way), click.echo)


@main.command()
@step_options
@click.option("--epochs", default=3.0, show_default=True)
@click.option(
    "--without",
    type=click.Choice(["graph", "labels", "temporal", "near", "wide"]),
    help="A part of MMGAT to leave out, to learn what it adds.",
)
@out_options
def fit(epochs: float, without: str | None, out: Path, **where: Any) -> None:
    """Fit MMGAT, choose the operating points, and write the checkpoint with its graphs."""
    from mmgat.training.transfer.heads import FitSettings
    from mmgat.training.transfer.steps import fit_mmgat

    fit_mmgat(workplace(**where), FitSettings(epochs=epochs), without, out, click.echo)


@main.command()
@step_options
@click.option(
    "--checkpoint", "start", default="compact", show_default=True, help="Goes on from it."
)
@click.option("--parts", default=60, show_default=True, help="Of 50 onsets, of music.")
@click.option("--more-parts", default=80, show_default=True, help="Of music for MMGAT alone.")
@click.option("--validation-parts", default=5, show_default=True, help="Of every kind.")
@click.option(
    "--steps",
    type=click.IntRange(min=5),
    default=400,
    show_default=True,
    help="Of the embedder, and of MMGAT.",
)
@out_options
def onsets(
    start: str, parts: int, more_parts: int, validation_parts: int, steps: int, out: Path,
    **where: Any,
) -> None:  # fmt: skip
    """Teach a finished checkpoint sound that begins after silence; needs the views of features.

    Makes the windows after onsets, trains the embedder's second half, then MMGAT; all else they
    keep saying as before.
    """
    from mmgat.training.transfer.steps import OnsetSizes, learn_onsets

    sizes = OnsetSizes(parts, more_parts, validation_parts, steps)
    learn_onsets(workplace(**where), start, sizes, out, click.echo)


@main.command()
@step_options
@click.option(
    "--checkpoint", "start", default="compact", show_default=True, help="Goes on from it."
)
@out_options
def context(start: str, out: Path, **where: Any) -> None:
    """Choose how seconds of the graph speak for each other; needs the views of features.

    Instruments that follow each other without a rest are then told sooner. All else stays.
    """
    from mmgat.training.transfer.steps import learn_context

    learn_context(workplace(**where), start, out, click.echo)
