"""``mmgat-evaluate``: what a checkpoint is worth on labelled rows."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from model.errors import ModelError
from training.errors import TrainingDataError


def report(truth: Any, scores: Any, known: Any, thresholds: Any) -> dict[str, Any]:
    """Figures of bag scores; arrays [n, 20], thresholds [20].

    ``map`` is the mean of ``per_label``'s average precisions. Every F1 names its kind: ``micro``
    and ``macro`` count positives only, ``macro_both`` is the mean of the positives' and the
    negatives' F1 (Gururani et al.), averaged over labels.
    """
    import numpy as np

    from training.metrics import average_precisions, f1_scores

    per_label = average_precisions(truth, scores, known)
    return {
        "map": float(np.mean(list(per_label.values()))) if per_label else None,
        "per_label": per_label,
        "f1_at_0.5": f1_scores(truth, scores >= 0.5, known),
        "f1_at_calibrated_thresholds": f1_scores(truth, scores >= thresholds, known),
    }


def evaluate(checkpoint: str, rows: Path, every_clip: bool = False) -> dict[str, Any]:
    """The report of a checkpoint on AudioSet rows: music clips only, unless ``every_clip``.

    Raises:
        ModelError: no such checkpoint.
        TrainingDataError: no such rows.
    """
    import numpy as np
    import torch

    from model.checkpoint import load_checkpoint, require_space
    from model.labels import LABELS
    from model.vggish import VARIANTS
    from training.datasets.audioset import read_audioset
    from training.fit import predict

    loaded = load_checkpoint(checkpoint)
    require_space(loaded.card, "vggish", VARIANTS[0])
    bags = read_audioset(rows, music_only=not every_clip)
    if not len(bags):
        raise TrainingDataError(f"expected music clips in {rows}, found none")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    scores, _ = predict(loaded.mmgat.to(device), bags)
    thresholds = np.array([loaded.card.thresholds[label] for label in LABELS])
    found = report(bags.bag.numpy(), scores, bags.bag_weight.numpy(), thresholds)
    return {
        "checkpoint": loaded.card.name,
        "version": loaded.card.version,
        "rows": rows.name,
        "clips": len(bags),
        "of": "all clips" if every_clip else "music clips",
    } | found


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
    return "\n".join(lines)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--checkpoint", default="vggish", show_default=True, metavar="NAME|PATH")
@click.option(
    "--rows",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="FILE.npz",
    help="AudioSet's released rows with labels.",
)
@click.option("--every-clip", is_flag=True, help="Not only clips with a label of music.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.version_option(package_name="mmgat-stream")
def main(checkpoint: str, rows: Path, every_clip: bool, as_json: bool) -> None:
    """Mean average precision and F1 of a checkpoint on labelled rows."""
    try:
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
