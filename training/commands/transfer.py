"""``mmgat-train transfer``: the steps that make the default model from mn04."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mmgat.training.commands.compact import Folder, Pipeline, SomeFile, cache_option

if TYPE_CHECKING:
    from mmgat.model.embedders.tagger import TaggerEmbedder
    from mmgat.model.mmgat import MMGAT
    from mmgat.training.transfer.backbone import Tail
    from mmgat.training.transfer.heads import Nodes
    from mmgat.training.transfer.tail import TargetedViews
    from mmgat.training.transfer.targets import Calibration

data_option = click.option("--data", type=Folder, required=True, help="The local data folder.")
mn04_option = click.option(
    "--mn04", type=SomeFile, required=True, help="The published state dict, mn04_as_mAP_432.pt."
)
threads_option = click.option("--threads", default=1, show_default=True)


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
@data_option
@mn04_option
@cache_option
@threads_option
@click.option("--parts", default=30, show_default=True, help="Of 50 clips, of every kind.")
@click.option("--validation-parts", default=6, show_default=True)
def features(
    data: Path, mn04: Path, cache: Path, threads: int, parts: int, validation_parts: int
) -> None:
    """Make clips, hear them, and keep what the network's first half says of them."""
    import torch

    from mmgat.training.transfer.clips import KINDS
    from mmgat.training.transfer.features import run

    torch.set_num_threads(threads)
    for split, n_parts in (("validation", validation_parts), ("train", parts)):
        for kind in KINDS:
            wanted = max(1, n_parts // 5) if kind == "noise" else n_parts
            click.echo(f"{split} {kind}: {run(data, mn04, cache, split, kind, wanted)} parts")


def _targeted(
    data: Path, cache: Path, split: str
) -> tuple[dict[str, TargetedViews], Calibration, list[str]]:
    """Augmented views of every kind with their targets, the calibration, and AudioSet's class names."""
    from mmgat.training.data.audioset_names import read_class_names
    from mmgat.training.transfer.clips import KINDS
    from mmgat.training.transfer.features import read_parts
    from mmgat.training.transfer.tail import TargetedViews
    from mmgat.training.transfer.targets import calibrate, targets_and_weights

    names = read_class_names(data / "audioset-vggish" / "class_labels_indices.csv")
    exact = [read_parts(cache, "train", kind) for kind in ("pieces", "notes")]
    calibration = calibrate(exact, names)
    found = {}
    for kind in KINDS:
        part = read_parts(cache, split, kind)
        found[kind] = TargetedViews(part, *targets_and_weights(part, kind, calibration, names))
    return found, calibration, names


@main.command()
@data_option
@mn04_option
@cache_option
@threads_option
@click.option("--steps", default=500, show_default=True)
@click.option("--way", default=0.7, show_default=True, help="Share of the way from mn04.")
def tail(data: Path, mn04: Path, cache: Path, threads: int, steps: int, way: float) -> None:
    """Train the network's second half, and the labels' prior logits."""
    import torch

    from mmgat.training.transfer.backbone import Tail, load_mn04
    from mmgat.training.transfer.tail import TailSettings, save, train

    torch.set_num_threads(threads)
    found, calibration, names = _targeted(data, cache, "train")
    settings = TailSettings(steps=steps, way=way)
    trained = train(Tail(*load_mn04(mn04)), found, calibration, names, settings, click.echo)
    save(cache / "tail", *trained)


@main.command()
@data_option
@mn04_option
@cache_option
@threads_option
@click.option("--epochs", default=3.0, show_default=True)
@click.option("--out", type=Folder, required=True, help="Takes the checkpoint and its graphs.")
def fit(data: Path, mn04: Path, cache: Path, threads: int, epochs: float, out: Path) -> None:
    """Fit MMGAT, choose the operating points, and write the checkpoint with its graphs."""
    import torch

    from mmgat.training.data.audioset_names import label_columns
    from mmgat.training.data.label_text import minilm_embeddings
    from mmgat.training.transfer import checkpoint, heads, tail
    from mmgat.training.transfer.backbone import Tail, load_mn04

    torch.set_num_threads(threads)
    found, _, names = _targeted(data, cache, "train")
    network, classes = load_mn04(mn04)
    second, prior = Tail(network, classes), tail.Prior(label_columns(names), len(names))
    tail.load(cache / "tail", second, prior)
    embedded_views = {
        kind: heads.embed_views(second.eval(), views) for kind, views in found.items()
    }
    nodes, text = heads.Nodes(prior, names), minilm_embeddings()
    nodes.start(torch.cat([h.features[::7].flatten(0, 1) for h in embedded_views.values()]))
    settings = heads.FitSettings(epochs=epochs)
    mmgat = heads.fit(nodes, heads.new_mmgat(text), embedded_views, settings, click.echo)
    embedder = checkpoint.embedder_of(network, second, nodes, names)
    _publish(data, cache, out, embedder, (second, nodes, mmgat), text.encoder)


def _publish(
    data: Path,
    cache: Path,
    out: Path,
    embedder: TaggerEmbedder,
    trained: tuple[Tail, Nodes, MMGAT],
    text_encoder: str,
) -> None:
    """Chooses the operating points on held-out clips; writes the checkpoint with its graphs."""
    from mmgat.training.export.onnx_graphs import export
    from mmgat.training.transfer import checkpoint, heads
    from mmgat.training.transfer.operating_points import material, operating_points

    second, nodes, mmgat = trained
    held_out, _, _ = _targeted(data, cache, "validation")
    log_odds = {
        kind: heads.live_log_odds(nodes, mmgat, heads.embed_views(second, views)).numpy()
        for kind, views in held_out.items()
    }
    points = operating_points(
        material(
            log_odds,
            {kind: views.targets for kind, views in held_out.items()},
            {kind: views.weights for kind, views in held_out.items()},
        )
    )
    sources = checkpoint.training_data(data, cache)
    card = checkpoint.save(out, embedder, mmgat, points, text_encoder, sources)
    export(out / "compact")
    for name, point in card.operating_points.items():
        click.echo(f"{name}: {point.figures}")


@main.command()
@data_option
@mn04_option
@cache_option
@threads_option
@click.option(
    "--checkpoint", "start", default="compact", show_default=True, help="Goes on from it."
)
@click.option("--parts", default=60, show_default=True, help="Of 50 onsets, of music.")
@click.option("--more-parts", default=80, show_default=True, help="Of music for MMGAT alone.")
@click.option("--validation-parts", default=5, show_default=True, help="Of every kind.")
@click.option(
    "--steps",
    type=click.IntRange(min=20),
    default=400,
    show_default=True,
    help="Of the embedder, and of MMGAT.",
)
@click.option("--out", type=Folder, required=True, help="Takes the checkpoint and its graphs.")
def onsets(
    data: Path,
    mn04: Path,
    cache: Path,
    threads: int,
    start: str,
    parts: int,
    more_parts: int,
    validation_parts: int,
    steps: int,
    out: Path,
) -> None:
    """Teach a finished checkpoint sound that begins after silence; needs the views of features.

    Makes the windows after onsets, trains the embedder's second half, then MMGAT; all else they
    keep saying as before.
    """
    import torch

    from mmgat.model.checkpoint import load_checkpoint
    from mmgat.training.transfer import checkpoint, heads
    from mmgat.training.transfer.onsets import embedder, graphs, windows

    torch.set_num_threads(threads)
    loaded = load_checkpoint(start)
    first = checkpoint.trainable(loaded, mn04)
    train_counts = windows.counts_for(parts)
    windows.run(data, mn04, cache, "train", {**train_counts, "music": parts + more_parts})
    windows.run(data, mn04, cache, "validation", dict.fromkeys(windows.KINDS, validation_parts))
    full, calibration, names = _targeted(data, cache, "train")
    kept = [names[column] for column in checkpoint.kept_classes(names)]

    def views(split: str, kind: str, n_parts: int) -> TargetedViews:
        part = windows.read(cache, split, kind, n_parts)
        return windows.targeted(part, kind, calibration, full["music"].part, names)

    heard = {kind: views("train", kind, n) for kind, n in train_counts.items()}
    settings = embedder.OnsetTailSettings(steps=steps)
    origin = embedder.origin_of(loaded.card.sha256, settings, heard, full)
    path = cache / "onsets" / "embedder.safetensors"
    made = embedder.finished(path, origin)
    if made is None:
        second, nodes = checkpoint.parts_of(first, kept)
        trained = embedder.train(second, nodes, heard, full, settings, click.echo)
        for kind in windows.KINDS:
            held_out = views("validation", kind, validation_parts)
            losses = [embedder.onset_loss(*parts, held_out) for parts in ((second, nodes), trained)]
            click.echo(f"held-out onsets of {kind}: loss {losses[0]:.4f} to {losses[1]:.4f}")
        second, nodes = trained
        made = checkpoint.embedder_of(first.network, second, nodes, kept)
        embedder.save(path, made, origin)
    second, nodes = checkpoint.parts_of(made, kept)
    heard["music"] = views("train", "music", parts + more_parts)
    embedded = {kind: heads.embed_views(second, views) for kind, views in full.items()}
    onset_windows = {kind: heads.embed_views(second, views) for kind, views in heard.items()}
    nodes, mmgat = graphs.fit(
        nodes,
        loaded.mmgat,
        onset_windows,
        embedded,
        graphs.OnsetFitSettings(steps=steps),
        click.echo,
    )
    made = checkpoint.embedder_of(made.network, second, nodes, kept)
    _publish(data, cache, out, made, (second, nodes, mmgat), loaded.card.text_encoder)
