"""The figures of ``docs/training``, one module a kind; each function returns a Figure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from mmgat.model.mmgat import MMGAT
from mmgat.training.errors import TrainingDataError
from mmgat.training.figures.correlation_graphs import correlation_graphs
from mmgat.training.figures.evidence import evidence_beside_log_mel
from mmgat.training.figures.feature_map import feature_map, labelled_features, one_label_clips
from mmgat.training.figures.per_label import per_label_heatmap
from mmgat.training.fitting.run_folder import Run, load_run

EXAMPLES = 3
"""Clips whose graphs are drawn."""


def draw(
    run: Path, without: Path, compare: Sequence[Path], audio: Path, data: Path, out: Path
) -> Iterator[Path]:
    """Draws the figures, writes them into ``out`` and yields their paths.

    Args:
        run: a finished run of MMGAT.
        without: a finished run without center losses.
        compare: more finished runs for the heatmap.
        audio: a sound file for the evidence, which the shipped compact model reads.
        data: the local data folder.
        out: folder of the figures.

    Raises:
        TrainingDataError: a run or its data are missing, or it is not of MMGAT.
    """
    out.mkdir(parents=True, exist_ok=True)
    ours, other = _mmgat(run), _mmgat(without)
    evaluation = load_run(run).recipe.evaluation_bags(data)

    alone = one_label_clips(evaluation, each=60)
    sets = {
        "with center losses": labelled_features(ours, alone),
        "without": labelled_features(other, alone),
    }
    maps = {str(run): load_run(run), **{str(path): load_run(path) for path in compare}}
    several = evaluation.select((evaluation.bag.sum(1) >= 3) & (evaluation.lengths == 10))
    pictures = {
        "feature-map": feature_map(sets),
        "per-label": per_label_heatmap({of.name: of.result["per_label"] for of in maps.values()}),
        "correlation-graphs": correlation_graphs(ours, several.select(torch.arange(EXAMPLES))),
        "evidence": evidence_beside_log_mel(audio, "compact"),
    }
    for name, figure in pictures.items():
        path = out / f"{name}.png"
        figure.savefig(path, dpi=110)
        yield path


def _mmgat(folder: Path) -> MMGAT:
    run: Run = load_run(folder)
    if not isinstance(run.network, MMGAT):
        raise TrainingDataError(f"expected a run of mmgat in {folder}, found {run.name}")
    return run.network
