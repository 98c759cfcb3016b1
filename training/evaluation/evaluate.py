"""``mmgat-evaluate``: metrics of a checkpoint on published data sets."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmgat.model.command_line import Command
from mmgat.model.errors import ModelError
from mmgat.training.errors import TrainingDataError

if TYPE_CHECKING:
    from mmgat.model.checkpoint import Checkpoint
    from mmgat.training.data.bags import Bags


def evaluate(
    checkpoint: str, path: Path, every_clip: bool = False, incomplete: bool = False
) -> dict[str, Any]:
    """Evaluates a checkpoint on a published file of embeddings.

    AudioSet: only clips of music, unless ``every_clip``. OpenMIC: the test split, whose ``map`` is
    the usual headline there (average precision where the mask is set, mean over labels).

    Args:
        checkpoint: its name or path.
        path: the file, see ``mmgat.training.data.registry.dataset_of_file``.
        every_clip: not only clips of music.
        incomplete: score what is there, although the published set has more.

    Raises:
        ModelError: the checkpoint is missing, damaged or of another embedder.
        TrainingDataError: the file is missing, damaged or incomplete.
    """
    from mmgat.model.card import check_embedding_space
    from mmgat.model.checkpoint import load_checkpoint
    from mmgat.training.data.registry import dataset_of_file

    loaded = load_checkpoint(checkpoint)
    dataset = dataset_of_file(path)
    check_embedding_space(loaded.card, "vggish", dataset.variant)
    bags, of = dataset.read_file(path, every_clip)
    if not len(bags):
        raise TrainingDataError(f"expected {of} in {path}, found none")
    expected = dataset.n_in_file
    if expected not in (None, len(bags)) and not incomplete:
        raise TrainingDataError(
            f"expected {expected} {of} for {path}, found {len(bags)}: unpack the archive again, "
            "or give --incomplete"
        )
    about = _about(loaded, path.name, len(bags), of, expected)
    return about | _report_on(loaded, bags)[0]


def evaluate_irmas(
    checkpoint: str, folder: Path, weights: Path | None = None, incomplete: bool = False
) -> dict[str, Any]:
    """Evaluates a checkpoint on IRMAS's test clips, with its own embedder.

    ``irmas`` follows that set's convention (Han et al. 2017): seconds summed and divided by the
    clip's largest, one threshold of 0.5, F1 over ten labels, since the two guitars are one.

    Args:
        checkpoint: its name or path.
        folder: of the unpacked test clips.
        weights: VGGish's published files, for a checkpoint of vggish.
        incomplete: score the clips that are there, although the published set has more.

    Raises:
        ModelError: the checkpoint is missing, or its embedder cannot be loaded.
        TrainingDataError: clips are missing.
    """
    import numpy as np

    from mmgat.model.checkpoint import load_checkpoint
    from mmgat.model.labels import INDEX
    from mmgat.training.data.published.irmas import (
        COVERED,
        N_TEST_CLIPS,
        embed_clips,
        evaluation_clips,
    )
    from mmgat.training.evaluation.benchmark_metrics import irmas_clip_scores, irmas_scores

    loaded = load_checkpoint(checkpoint)
    bags = embed_clips(evaluation_clips(folder, incomplete), loaded.embedder(weights))
    found, instance = _report_on(loaded, bags)
    columns = [INDEX[label] for label in COVERED]
    clips = [
        irmas_clip_scores(seconds[:length][:, columns])
        for seconds, length in zip(instance, bags.lengths.tolist(), strict=True)
    ]
    truth = bags.bag[:, columns].numpy() > 0.5
    about = _about(loaded, folder.name, len(bags), "IRMAS test clips", N_TEST_CLIPS)
    return about | found | {"irmas": irmas_scores(truth, np.stack(clips), 0.5)}


def _report_on(loaded: Checkpoint, bags: Bags) -> tuple[dict[str, Any], Any]:
    """All metrics, and the instance scores."""
    import numpy as np
    import torch

    from mmgat.model.labels import LABELS
    from mmgat.training.fitting.fit import predict
    from mmgat.training.metrics import report_of

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    scores, instance = predict(loaded.mmgat.to(device), bags)
    thresholds = np.array([loaded.card.thresholds[label] for label in LABELS])
    return report_of(bags.bag.numpy(), scores, bags.bag_weight.numpy(), thresholds), instance


def _about(
    loaded: Checkpoint, file: str, n_clips: int, of: str, expected: int | None
) -> dict[str, Any]:
    card = loaded.card
    return {
        "checkpoint": card.name, "version": card.version, "file": file, "clips": n_clips,
        "clips_expected": n_clips if expected is None else expected, "of": of,
    }  # fmt: skip


def as_text(found: dict[str, Any]) -> str:
    """Formats the metrics for a person."""
    lines = [
        f"{found['checkpoint']} {found['version']} on {found['clips']} {found['of']} "
        f"of {found['file']}",
        *(
            [f"INCOMPLETE: the published set has {found['clips_expected']}"]
            if found["clips"] != found["clips_expected"]
            else []
        ),
        "",
        f"mean average precision  {found['map']:.4f}",
        *(f"  {label:<20} {value:.3f}" for label, value in found["per_label"].items()),
    ]
    for name in ("f1_at_0.5", "f1_at_calibrated_thresholds"):
        f1 = found[name]
        lines += [
            "",
            name.replace("_", " ").replace("f1", "F1"),
            f"  micro, positives only        {f1['micro']:.3f}",
            f"  macro, positives only        {f1['macro']:.3f}",
            f"  macro, positive and negative {f1['macro_both']:.3f}",
        ]
    if irmas := found.get("irmas"):
        lines += [
            "",
            "IRMAS's convention: seconds summed and scaled, threshold 0.5, ten labels",
            f"  micro F1 {irmas['micro_f1']:.3f}",
            f"  macro F1 {irmas['macro_f1']:.3f}",
            f"  LRAP     {irmas['lrap']:.3f}",
        ]
    return "\n".join(lines)


@click.command(cls=Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--checkpoint", default="vggish", show_default=True, metavar="NAME|PATH")
@click.option(
    "--embeddings",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.npz",
    help="AudioSet's released embeddings with labels, or openmic-2018.npz beside its partitions.",
)
@click.option(
    "--irmas",
    type=click.Path(path_type=Path, file_okay=False),
    help="IRMAS's unpacked test clips, in place of embeddings.",
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    help="VGGish's published files, to evaluate a checkpoint of vggish on IRMAS.",
)
@click.option("--every-clip", is_flag=True, help="Not only clips with a label of music.")
@click.option("--incomplete", is_flag=True, help="Score what is there of a published set.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.version_option(package_name="mmgat-stream")
def main(
    checkpoint: str,
    embeddings: Path | None,
    irmas: Path | None,
    weights: Path | None,
    every_clip: bool,
    incomplete: bool,
    as_json: bool,
) -> None:
    """Print mean average precision and F1 of a checkpoint on labelled embeddings or clips."""
    if (embeddings is None) == (irmas is None):
        raise click.UsageError("expected either --embeddings FILE.npz or --irmas FOLDER")
    try:
        if irmas is not None:
            found = evaluate_irmas(checkpoint, irmas, weights, incomplete)
        elif embeddings is not None:
            found = evaluate(checkpoint, embeddings, every_clip, incomplete)
    except (ModelError, TrainingDataError) as error:
        click.echo(f"mmgat-evaluate: {error}", err=True)
        sys.exit(1)
    except ModuleNotFoundError as error:
        click.echo(
            f"mmgat-evaluate needs {error.name}: pip install 'mmgat-stream[train]'", err=True
        )
        sys.exit(1)
    click.echo(json.dumps(found, indent=1) if as_json else as_text(found))


if __name__ == "__main__":
    main()
