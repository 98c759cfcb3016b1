"""``mmgat-evaluate``: what a checkpoint is worth on labelled rows."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmgat.model.errors import ModelError
from mmgat.training.errors import TrainingDataError

if TYPE_CHECKING:
    from mmgat.model.checkpoint import Checkpoint
    from mmgat.training.data.bags import RowSet


def report(truth: Any, scores: Any, known: Any, thresholds: Any) -> dict[str, Any]:
    """Figures of bag scores; arrays [n, 20], thresholds [20].

    ``map`` is the mean of ``per_label``'s average precisions. Every F1 names its kind: ``micro``
    and ``macro`` count positives only, ``macro_both`` is the mean of the positives' and the
    negatives' F1 (Gururani et al.), averaged over labels.
    """
    import numpy as np

    from mmgat.training.evaluation.metrics import average_precisions, f1_scores

    per_label = average_precisions(truth, scores, known)
    return {
        "map": float(np.mean(list(per_label.values()))) if per_label else None,
        "per_label": per_label,
        "f1_at_0.5": f1_scores(truth, scores >= 0.5, known),
        "f1_at_calibrated_thresholds": f1_scores(truth, scores >= thresholds, known),
    }


def evaluate(checkpoint: str, rows: Path, every_clip: bool = False) -> dict[str, Any]:
    """The report of a checkpoint on published rows.

    AudioSet's: music clips only, unless ``every_clip``. OpenMIC's: the test split, whose ``map`` is
    the usual headline there (average precision where the mask is set, mean over labels).

    Raises:
        ModelError: no such checkpoint, or of another embedder.
        TrainingDataError: no such rows.
    """
    from mmgat.model.card import check_embedding_space
    from mmgat.model.checkpoint import load_checkpoint
    from mmgat.model.embedders.vggish import VARIANTS
    from mmgat.training.data.audioset import read_audioset
    from mmgat.training.data.openmic import FILE_NAME, read_openmic

    loaded = load_checkpoint(checkpoint)
    openmic = rows.name == FILE_NAME
    check_embedding_space(loaded.card, "vggish", VARIANTS[1 if openmic else 0])
    if openmic:
        bags, of = read_openmic(rows.parent, "test"), "clips of the test split"
    else:
        bags = read_audioset(rows, music_only=not every_clip)
        of = "clips" if every_clip else "music clips"
    if not len(bags):
        raise TrainingDataError(f"expected {of} in {rows}, found none")
    return _about(loaded, rows.name, len(bags), of) | _report_on(loaded, bags)[0]


def evaluate_irmas(checkpoint: str, folder: Path, weights: Path | None = None) -> dict[str, Any]:
    """The report of a checkpoint on IRMAS's test clips, heard by its own embedder.

    ``irmas`` follows that set's convention (Han et al. 2017): seconds summed and divided by the
    clip's largest, one threshold of 0.5, F1 over ten labels, since the two guitars are one.

    Raises:
        ModelError: no such checkpoint, or its embedder is not to be had.
        TrainingDataError: no such clips.
    """
    import numpy as np

    from mmgat.model.checkpoint import load_checkpoint
    from mmgat.model.labels import INDEX
    from mmgat.training.data.irmas import COVERED, embed_clips, test_clips
    from mmgat.training.evaluation.benchmark_metrics import irmas_clip_scores, irmas_scores

    loaded = load_checkpoint(checkpoint)
    bags = embed_clips(test_clips(folder), loaded.embedder(weights))
    found, instance = _report_on(loaded, bags)
    columns = [INDEX[label] for label in COVERED]
    clips = [
        irmas_clip_scores(seconds[:length][:, columns])
        for seconds, length in zip(instance, bags.lengths.tolist(), strict=True)
    ]
    truth = bags.bag[:, columns].numpy() > 0.5
    about = _about(loaded, folder.name, len(bags), "IRMAS test clips")
    return about | found | {"irmas": irmas_scores(truth, np.stack(clips), 0.5)}


def _report_on(loaded: Checkpoint, bags: RowSet) -> tuple[dict[str, Any], Any]:
    """The report, and the instance scores."""
    import numpy as np
    import torch

    from mmgat.model.labels import LABELS
    from mmgat.training.fitting.fit import predict

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    scores, instance = predict(loaded.mmgat.to(device), bags)
    thresholds = np.array([loaded.card.thresholds[label] for label in LABELS])
    return report(bags.bag.numpy(), scores, bags.bag_weight.numpy(), thresholds), instance


def _about(loaded: Checkpoint, rows: str, n_clips: int, of: str) -> dict[str, Any]:
    card = loaded.card
    return {
        "checkpoint": card.name, "version": card.version, "rows": rows, "clips": n_clips, "of": of
    }  # fmt: skip


def as_text(found: dict[str, Any]) -> str:
    """The report as a person reads it."""
    lines = [
        f"{found['checkpoint']} {found['version']} on {found['clips']} {found['of']} "
        f"of {found['rows']}",
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


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--checkpoint", default="vggish", show_default=True, metavar="NAME|PATH")
@click.option(
    "--rows",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.npz",
    help="AudioSet's released rows with labels, or openmic-2018.npz beside its partitions.",
)
@click.option(
    "--irmas",
    type=click.Path(path_type=Path, file_okay=False),
    help="IRMAS's unpacked test clips, in place of rows.",
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    help="VGGish's published files, to hear IRMAS with a checkpoint of vggish.",
)
@click.option("--every-clip", is_flag=True, help="Not only clips with a label of music.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.version_option(package_name="mmgat-stream")
def main(
    checkpoint: str,
    rows: Path | None,
    irmas: Path | None,
    weights: Path | None,
    every_clip: bool,
    as_json: bool,
) -> None:
    """Mean average precision and F1 of a checkpoint on labelled rows or clips."""
    if (rows is None) == (irmas is None):
        raise click.UsageError("expected either --rows FILE.npz or --irmas FOLDER")
    try:
        if irmas is not None:
            found = evaluate_irmas(checkpoint, irmas, weights)
        elif rows is not None:
            found = evaluate(checkpoint, rows, every_clip)
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
