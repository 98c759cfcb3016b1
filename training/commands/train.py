"""``mmgat-train``: makes the shipped checkpoints, tables and figures from a local data folder."""

from __future__ import annotations

from pathlib import Path

import click

from mmgat.training.commands.compact import Folder, Pipeline, SomeFile
from mmgat.training.commands.compact import main as compact
from mmgat.training.commands.comparison import compare, publish_system, yard
from mmgat.training.commands.transfer import main as transfer

TomlFile = click.Path(path_type=Path, dir_okay=False)
SoundFile = click.Path(path_type=Path, dir_okay=False)
data_option = click.option("--data", type=Folder, required=True, help="The local data folder.")
threads_option = click.option(
    "--threads", default=2, show_default=True, help="One is faster on a busy machine."
)


@click.group(cls=Pipeline, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mmgat-stream")
def main() -> None:
    """Offline training; every step is one command and can be run again."""


main.add_command(compact, "compact")
main.add_command(transfer, "transfer")
main.add_command(compare)
main.add_command(yard)
main.add_command(publish_system)


@main.command()
@click.option("--config", type=TomlFile, required=True, help="A recipe, as in training/recipes.")
@data_option
@click.option("--out", type=Folder, required=True, help="Where the run is kept, and goes on.")
@click.option("--seed", type=int, help="In place of the recipe's.")
@click.option("--devices", type=int, help="GPUs, or processes on the CPU; all GPUs if not given.")
@threads_option
def fit(
    config: Path, data: Path, out: Path, seed: int | None, devices: int | None, threads: int
) -> None:
    """Fit a recipe: write the network, its metrics and TensorBoard's log."""
    import torch

    from mmgat.training.fitting.runs import run

    torch.set_num_threads(threads)
    result = run(config, data, out, seed, click.echo, devices or "auto")
    click.echo(f"mAP {result['map']:.4f} on {result['evaluation_clips']} evaluation clips")


@main.command()
@click.argument("configs", type=TomlFile, nargs=-1, required=True, metavar="RECIPE...")
@data_option
@click.option("--runs", type=Folder, required=True, help="Where runs are kept; done ones are read.")
@click.option("--seeds", default=3, show_default=True, help="Runs of each recipe.")
@threads_option
def table(configs: tuple[Path, ...], data: Path, runs: Path, seeds: int, threads: int) -> None:
    """Fit recipes with several seeds and print a table of their metrics."""
    import torch

    from mmgat.training.fitting.runs import table

    torch.set_num_threads(threads)
    click.echo(table(list(configs), data, runs, seeds, lambda line: click.echo(line, err=True)))


@main.command()
@click.argument("run", type=Folder)
@click.option("--name", required=True, help="Of the checkpoint.")
@data_option
@click.option("--out", type=Folder, required=True, help="Where the checkpoint is written.")
def publish(run: Path, name: str, data: Path, out: Path) -> None:
    """Write a finished run of MMGAT as a checkpoint with its card, and its ONNX graphs."""
    from mmgat.training.export.onnx_graphs import export
    from mmgat.training.export.publish import publish as write

    card = write(run, name, data, out)
    export(out / f"{name}.safetensors")
    click.echo(f"{out / name}.safetensors: mAP {card.metrics[0]['value']}")


@main.command()
@click.argument("paths", nargs=-1, required=True)
@click.option("--model", default="compact", show_default=True, help="A name or a checkpoint.")
@click.option("--embedder", help="In place of a model's: passt, beats, yamnet, mn04 or convnet.")
@click.option("--weights", type=SomeFile, help="The embedder's file; downloaded if not given.")
@click.option("--compute", default="auto", show_default=True, help="auto, cpu or cuda.")
@click.option("--out", help="A folder or an address, for Parquet files.")
@click.option("--ray", "address", default="local", show_default=True, help="Of the cluster.")
@click.option("--actors", default=0, help="Processes with the model; one a CPU if not given.")
@click.option("--gpus", default=0.0, help="GPUs of each process, such as 0.25.")
def embed(
    paths: tuple[str, ...],
    model: str,
    embedder: str | None,
    weights: Path | None,
    compute: str,
    out: str | None,
    address: str,
    actors: int,
    gpus: float,
) -> None:
    """Embed every second of sound files, on a Ray cluster, into Parquet.

    PATHS are files, folders, and addresses such as s3://bucket/music. Files that cannot be read are
    rows with an error. The same command again does what has no row yet. With --embedder
    PATHS may be the folder of a yard: its clips get features of that name, for recipes.
    """
    if embedder is not None:
        from mmgat.training.embedders.registry import loaded

        loaded(embedder, weights)  # a missing file is told once, before processes start
        if len(paths) == 1 and is_yard(Path(paths[0])):
            from mmgat.training.data.yard_store import Yard
            from mmgat.training.features.registry import of_embedder

            store = Yard(Path(paths[0]))
            for part in store.parts():
                click.echo(
                    f"{part}: {len(store.features(part, of_embedder(embedder, weights)))} clips"
                )
            return
    if out is None:
        raise click.UsageError("expected --out with a folder for Parquet files, found none")
    try:
        from mmgat.model.cluster import Cluster, map_files
        from mmgat.model.errors import ClusterError
        from mmgat.model.remote_files import list_files
        from mmgat.training.data.file_embeddings import SUFFIXES, EmbeddingActor
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"expected {error.name} for mmgat-train embed, found it is not installed: "
            "pip install 'mmgat-stream[ray]'"
        ) from error
    try:
        files = [file for path in paths for file in list_files(path, SUFFIXES)]
        arguments = {"model": model, "compute": compute}
        if embedder is not None:
            arguments = {"embedder": embedder, "weights": str(weights.resolve() if weights else "")}
        cluster = Cluster(address, actors, gpus)
        n_done, n_before = map_files(files, EmbeddingActor, arguments, out, cluster)
    except ClusterError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{n_done} files embedded, {n_before} were already")


def is_yard(folder: Path) -> bool:
    """Tells whether a folder is a yard's."""
    return (folder / "labels").is_dir() and (folder / "audio").is_dir()


@main.command("operating-points")
@click.argument("checkpoint")
@click.option(
    "--embeddings",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="AudioSet's released embeddings of clips it was not trained on.",
)
def operating_points(checkpoint: str, embeddings: Path) -> None:
    """Write thresholds of low and high sensitivity, and the figures of each, into a card."""
    from mmgat.training.evaluation.operating_points import write_operating_points

    card = write_operating_points(checkpoint, embeddings)
    for name, point in card.operating_points.items():
        click.echo(f"{name}: {point.figures} on {point.on}")


@main.command()
@click.argument("dataset", type=click.Choice(["openmic", "irmas"]))
@click.option(
    "--out", type=Folder, required=True, help="A data folder; the set gets its own in it."
)
def download(dataset: str, out: Path) -> None:
    """Fetch OpenMIC-2018 (2.6 GB) or IRMAS (10 GB), check the hashes and unpack it."""
    from mmgat.training.data.download import download as fetch
    from mmgat.training.data.registry import archives

    for archive in archives()[dataset]:
        fetch(archive, out)


@main.command()
@click.argument("runs", type=Folder, nargs=-1, required=True, metavar="RUN...")
@data_option
def noise(runs: tuple[Path, ...], data: Path) -> None:
    """Evaluate finished runs with white noise on 10 and 20 % of the embeddings."""
    from mmgat.training.evaluation.robustness import noise_table

    click.echo(noise_table(runs, data))


@main.command("top-k")
@click.argument("run", type=Folder)
@data_option
def top_k(run: Path, data: Path) -> None:
    """Evaluate a finished run of MMGAT on its k most activated instances."""
    from mmgat.training.evaluation.robustness import top_k_table

    click.echo(top_k_table(run, data))


@main.command()
@click.option("--run", type=Folder, required=True, help="A finished run of MMGAT.")
@click.option("--without", type=Folder, required=True, help="The same without center losses.")
@click.option("--compare", type=Folder, multiple=True, help="More runs for the heatmap; repeat.")
@click.option("--audio", type=SoundFile, required=True, help="For the evidence, by compact.")
@data_option
@click.option("--out", type=Folder, required=True)
def figures(
    run: Path, without: Path, compare: tuple[Path, ...], audio: Path, data: Path, out: Path
) -> None:
    """Draw t-SNE, per-label heatmap, correlation graphs, and evidence beside the log-mel."""
    from mmgat.training.figures import draw

    for path in draw(run, without, compare, audio, data, out):
        click.echo(path)


@main.command()
@data_option
@click.option("--cache", type=Folder, required=True, help="Of mmgat-train compact.")
@click.option("--out", type=Folder, required=True, help="A data folder; mixtures/ is made in it.")
@click.option("--clips", default=3000, show_default=True, help="Clips for training.")
@click.option("--validation-clips", default=800, show_default=True, help="Clips held out.")
def mixtures(data: Path, cache: Path, out: Path, clips: int, validation_clips: int) -> None:
    """Make embeddings of mixtures, learned and time-frequency."""
    from mmgat.training.distillation.mixtures import make_mixtures

    make_mixtures(data, cache, out, clips, validation_clips)


@main.command()
@click.argument("checkpoint")
@click.option("--data", type=Folder, help="Local data folder, for a checkpoint with its embedder.")
def export(checkpoint: str, data: Path | None) -> None:
    """Write the ONNX graphs of CHECKPOINT, a name or path, beside it."""
    from mmgat.training.export.onnx_graphs import export as write

    for path in write(checkpoint, data):
        click.echo(path)


@main.command("label-embeddings")
@click.option(
    "--encoder",
    type=click.Choice(["clip", "minilm"]),
    default="clip",
    show_default=True,
    help="CLIP, as in the paper, or MiniLM, which needs no download.",
)
@click.option("--model", default="ViT-B-32", show_default=True, help="CLIP's architecture.")
@click.option(
    "--pretrained",
    default="laion2b_s34b_b79k",
    show_default=True,
    help="CLIP's weights: open_clip's tag, or a file.",
)
@click.option(
    "--prompt", default="the sound of a {}", show_default=True, help="With {} for the name."
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Safetensors."
)
def label_embeddings(encoder: str, model: str, pretrained: str, prompt: str, out: Path) -> None:
    """Embed the names of the labels for a recipe's label_text."""
    from mmgat.training.data.label_text import clip_embeddings, minilm_embeddings

    if encoder == "clip":
        text = clip_embeddings(model, pretrained, prompt)
    else:
        text = minilm_embeddings(prompt)
    text.save(out)
    click.echo(f"{out}: {tuple(text.embeddings.shape)} from {text.encoder}")


if __name__ == "__main__":
    main()
