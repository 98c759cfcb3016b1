"""``mmgat-train transfer``: the steps that make the default model from mn04."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mmgat.training.commands.compact import Folder, Pipeline, SomeFile, cache_option

if TYPE_CHECKING:
    from mmgat.model.embedders.tagger import TaggerEmbedder
    from mmgat.model.mmgat import MMGAT
    from mmgat.training.transfer.audio.packed import PackedSet
    from mmgat.training.transfer.backbone import Tail
    from mmgat.training.transfer.heads import Nodes
    from mmgat.training.transfer.tail import TargetedViews
    from mmgat.training.transfer.targets import Calibration

pack_option = click.option(
    "--pack", type=Folder, required=True, help="The packed set of ``transfer pack``."
)
device_option = click.option(
    "--device",
    default="cpu",
    show_default=True,
    help="Where it is computed: cpu, cuda, cuda:1, mps.",
)
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
@click.option("--data", type=Folder, required=True, help="The local data folder.")
@cache_option
@click.option("--mib", default=600.0, show_default=True, help="Most; 60 travels to a GPU.")
@click.option("--out", type=Folder, required=True, help="Takes the packed set.")
def pack(data: Path, cache: Path, mib: float, out: Path) -> None:
    """Pack all that the next steps hear into one folder; they need nothing else but mn04."""
    from mmgat.training.data.audioset_names import read_class_names
    from mmgat.training.data.label_text import minilm_embeddings
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
@pack_option
@mn04_option
@cache_option
@threads_option
@device_option
@click.option("--parts", default=30, show_default=True, help="Of 50 clips, of every kind.")
@click.option("--validation-parts", default=6, show_default=True)
def features(
    pack: Path,
    mn04: Path,
    cache: Path,
    threads: int,
    device: str,
    parts: int,
    validation_parts: int,
) -> None:
    """Mix clips, hear them, and keep what the network's first half says of them."""
    import torch

    from mmgat.training.transfer.audio.mixing import KINDS
    from mmgat.training.transfer.audio.packed import PackedSet
    from mmgat.training.transfer.features import run

    torch.set_num_threads(threads)
    packed = PackedSet(pack, cache)
    for split, n_parts in (("validation", validation_parts), ("train", parts)):
        counts = {kind: max(1, n_parts // 5) if kind == "noise" else n_parts for kind in KINDS}
        for kind, n in run(packed, mn04, cache, split, counts, device).items():
            click.echo(f"{split} {kind}: {n} parts")


def _targeted(
    cache: Path, split: str, names: list[str]
) -> tuple[dict[str, TargetedViews], Calibration]:
    """Augmented views of every kind with their targets, and the calibration."""
    from mmgat.training.transfer.audio.mixing import KINDS
    from mmgat.training.transfer.features import read_parts
    from mmgat.training.transfer.tail import TargetedViews
    from mmgat.training.transfer.targets import calibrate, targets_and_weights

    exact = [read_parts(cache, "train", kind) for kind in ("pieces", "notes")]
    calibration = calibrate(exact, names)
    found = {}
    for kind in KINDS:
        part = read_parts(cache, split, kind)
        found[kind] = TargetedViews(part, *targets_and_weights(part, kind, calibration, names))
    return found, calibration


@main.command()
@pack_option
@mn04_option
@cache_option
@threads_option
@device_option
@click.option("--steps", default=500, show_default=True)
@click.option("--way", default=0.7, show_default=True, help="Share of the way from mn04.")
def tail(
    pack: Path, mn04: Path, cache: Path, threads: int, device: str, steps: int, way: float
) -> None:
    """Train the network's second half, and the labels' prior logits."""
    import torch

    from mmgat.training.transfer.audio.packed import PackedSet
    from mmgat.training.transfer.backbone import Tail, load_mn04
    from mmgat.training.transfer.tail import TailSettings, save, train

    torch.set_num_threads(threads)
    names = PackedSet(pack, cache).class_names
    found, calibration = _targeted(cache, "train", names)
    settings = TailSettings(steps=steps, way=way)
    start = Tail(*load_mn04(mn04)).to(device)
    second, prior = train(start, found, calibration, names, settings, click.echo)
    save(cache / "tail", second.cpu(), prior.cpu())


@main.command()
@pack_option
@mn04_option
@cache_option
@threads_option
@device_option
@click.option("--epochs", default=3.0, show_default=True)
@click.option(
    "--without",
    type=click.Choice(["graph", "labels", "temporal", "near", "wide"]),
    help="A part of MMGAT to leave out, to learn what it adds.",
)
@click.option("--out", type=Folder, required=True, help="Takes the checkpoint and its graphs.")
def fit(
    pack: Path,
    mn04: Path,
    cache: Path,
    threads: int,
    device: str,
    epochs: float,
    without: str | None,
    out: Path,
) -> None:
    """Fit MMGAT, choose the operating points, and write the checkpoint with its graphs."""
    import torch

    from mmgat.training.data.audioset_names import label_columns
    from mmgat.training.transfer import heads, tail
    from mmgat.training.transfer.audio.packed import PackedSet
    from mmgat.training.transfer.backbone import Tail, load_mn04
    from mmgat.training.transfer.checkpoint import embedder_of

    torch.set_num_threads(threads)
    packed = PackedSet(pack, cache)
    names, text = packed.class_names, packed.text()
    found, _ = _targeted(cache, "train", names)
    network, classes = load_mn04(mn04)
    second, prior = Tail(network, classes), tail.Prior(label_columns(names), len(names))
    tail.load(cache / "tail", second, prior)
    second.eval().to(device)
    embedded_views = {kind: heads.embed_views(second, views) for kind, views in found.items()}
    nodes = heads.Nodes(prior, names).to(device)
    nodes.start(torch.cat([h.features[::7].flatten(0, 1) for h in embedded_views.values()]))
    settings, start = heads.FitSettings(epochs=epochs), heads.new_mmgat(text, without).to(device)
    mmgat = heads.fit(nodes, start, embedded_views, settings, click.echo)
    trained = second.cpu(), nodes.cpu(), mmgat.cpu()
    embedder = embedder_of(network, second, nodes, names)
    _publish(packed, cache, out, embedder, trained, text.encoder)


def _publish(
    packed: PackedSet,
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
    held_out, _ = _targeted(cache, "validation", packed.class_names)
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
    card = checkpoint.save(out, embedder, mmgat, points, text_encoder, packed.training_data)
    export(out / "compact")
    for name, point in card.operating_points.items():
        click.echo(f"{name}: {point.figures}")


@main.command()
@pack_option
@mn04_option
@cache_option
@threads_option
@device_option
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
@click.option("--out", type=Folder, required=True, help="Takes the checkpoint and its graphs.")
def onsets(
    pack: Path,
    mn04: Path,
    cache: Path,
    threads: int,
    device: str,
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
    from mmgat.training.transfer.audio.packed import PackedSet
    from mmgat.training.transfer.onsets import embedder, graphs, windows

    torch.set_num_threads(threads)
    packed = PackedSet(pack, cache)
    names = packed.class_names
    loaded = load_checkpoint(start)
    first = checkpoint.trainable(loaded, mn04)
    train_counts = windows.counts_for(parts)
    wanted = {
        "train": {**train_counts, "music": parts + more_parts},
        "validation": dict.fromkeys(windows.KINDS, validation_parts),
    }
    for split, counts in wanted.items():
        windows.run(packed, mn04, cache, split, counts, device)
    full, calibration = _targeted(cache, "train", names)
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
        second.to(device), nodes.to(device)
        trained = embedder.train(second, nodes, heard, full, settings, click.echo)
        for kind in windows.KINDS:
            held_out = views("validation", kind, validation_parts)
            losses = [embedder.onset_loss(*parts, held_out) for parts in ((second, nodes), trained)]
            click.echo(f"held-out onsets of {kind}: loss {losses[0]:.4f} to {losses[1]:.4f}")
        second, nodes = trained[0].cpu(), trained[1].cpu()
        made = checkpoint.embedder_of(first.network, second, nodes, kept)
        embedder.save(path, made, origin)
    second, nodes = checkpoint.parts_of(made, kept)
    second.to(device), nodes.to(device)
    heard["music"] = views("train", "music", parts + more_parts)
    embedded = {kind: heads.embed_views(second, views) for kind, views in full.items()}
    onset_windows = {kind: heads.embed_views(second, views) for kind, views in heard.items()}
    nodes, mmgat = graphs.fit(
        nodes,
        loaded.mmgat.to(device),
        onset_windows,
        embedded,
        graphs.OnsetFitSettings(steps=steps),
        click.echo,
    )
    second, nodes, mmgat = second.cpu(), nodes.cpu(), mmgat.cpu()
    made = checkpoint.embedder_of(made.network, second, nodes, kept)
    _publish(packed, cache, out, made, (second, nodes, mmgat), loaded.card.text_encoder)
