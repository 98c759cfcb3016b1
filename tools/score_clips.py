"""Metrics of whole clips against a manifest: what the published figures on real playing are.

    mmgat-tag CLIPS/*.ogg | python -m tools.score_clips CLIPS/manifest.csv

The manifest has a line for every clip, with ``path`` and ``labels`` (joined by ``+``). Standard input
has a JSON object for every clip, {"file": ..., "scores": {label: score}}, from mmgat-tag or
tools.teachers. Files are matched by their names. The result is one JSON object, which ``mmgat-train
compact record`` writes into a card.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TextIO

import click
import numpy as np
from sklearn.metrics import average_precision_score, label_ranking_average_precision_score

from mmgat.model.labels import LABELS

Scores = Mapping[str, Mapping[str, float]]


def read_manifest(path: Path) -> dict[str, frozenset[str]]:
    """Reads file name -> labels.

    Raises:
        ValueError: the file is no manifest, or has a label that is not one of the 20.
    """
    truth: dict[str, frozenset[str]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row.get("path") is None or row.get("labels") is None:
                raise ValueError(f"expected columns path and labels in {path}, found {list(row)}")
            labels = frozenset(row["labels"].split("+"))
            if unknown := sorted(labels - set(LABELS)):
                raise ValueError(f"expected labels of {', '.join(LABELS)}, found {unknown}")
            truth[Path(row["path"]).name] = labels
    return truth


def read_results(lines: Iterable[str]) -> dict[str, dict[str, float]]:
    """Reads file name -> label -> score from lines of JSON.

    Raises:
        ValueError: a line is not such an object, or a label has no score.
    """
    results = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
            scores = {label: float(found["scores"][label]) for label in LABELS}
            results[Path(found["file"]).name] = scores
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"line {number}: expected file and scores of {len(LABELS)} labels, found {error!r}"
            ) from None
    return results


def score(truth: Mapping[str, frozenset[str]], results: Scores) -> dict[str, Any]:
    """Computes the metrics over the clips of the manifest that have a result.

    Returns:
        ``clips``, their number; ``missing``, names without a result; ``lrap``, label ranking average
        precision; ``micro_ap``, average precision over all pairs of clip and label; ``macro_ap``, its
        mean over the labels that occur; ``top1``, share of clips whose highest score is a true label.

    Raises:
        ValueError: no clip of the manifest has a result.
    """
    names = [name for name in truth if name in results]
    if not names:
        raise ValueError(
            "expected results of clips in the manifest, found none: are the names alike?"
        )
    present = np.array([[label in truth[name] for label in LABELS] for name in names])
    scores = np.array([[results[name][label] for label in LABELS] for name in names])
    per_label = [
        average_precision_score(present[:, column], scores[:, column])
        for column in np.flatnonzero(present.any(axis=0))
    ]
    best = scores.argmax(axis=1)
    figures = {
        "lrap": label_ranking_average_precision_score(present, scores),
        "micro_ap": average_precision_score(present.ravel(), scores.ravel()),
        "macro_ap": np.mean(per_label),
        "top1": present[np.arange(len(names)), best].mean(),
    }
    return {
        "clips": len(names),
        "missing": [name for name in truth if name not in results],
        **{name: round(float(value), 4) for name, value in figures.items()},
    }


@click.command()
@click.argument("manifest", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("results", type=click.File(encoding="utf-8"), default="-")
def main(manifest: Path, results: TextIO) -> None:
    """Print metrics of RESULTS, lines of JSON, against MANIFEST."""
    try:
        found = score(read_manifest(manifest), read_results(results))
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    click.echo(json.dumps(found))


if __name__ == "__main__":
    main()
