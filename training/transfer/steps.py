"""The steps from a packed set to the checkpoint: tail, MMGAT, onsets, operating points (ours)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from mmgat.model.card import OperatingPoint, Sensitivity
from mmgat.model.checkpoint import load_checkpoint
from mmgat.model.embedders.tagger import TaggerEmbedder
from mmgat.model.mmgat import MMGAT
from mmgat.training.errors import TrainingDataError
from mmgat.training.export import onnx_graphs
from mmgat.training.transfer import checkpoint, context, heads, tail
from mmgat.training.transfer.audio.mixing import KINDS
from mmgat.training.transfer.audio.packed import PackedSet
from mmgat.training.transfer.backbone import Tail, kept_classes, load_mn04
from mmgat.training.transfer.features import read_parts
from mmgat.training.transfer.onsets import embedder, graphs, windows
from mmgat.training.transfer.operating_points import KIND_WEIGHTS, material, operating_points
from mmgat.training.transfer.tail import TargetedViews
from mmgat.training.transfer.targets import Calibration, calibrate, targets_and_weights

EACH: Final = 7
"""The embedding's axes are those of every seventh view."""

Report = Callable[[str], None]
Views = dict[str, TargetedViews]
Points = dict[Sensitivity, OperatingPoint]


@dataclass(frozen=True)
class Workplace:
    """What every step works with.

    Attributes:
        packed: all that is heard.
        mn04: the published state dict.
        cache: keeps the views of ``features``, and what is finished.
        device: where networks are trained.
        graphs: write a checkpoint's ONNX graphs, too; ``mmgat-train export`` does it as well.
    """

    packed: PackedSet
    mn04: Path
    cache: Path
    device: str = "cpu"
    graphs: bool = True

    def views(self, split: str) -> tuple[Views, Calibration]:
        """Augmented views of every kind with their targets, and the teacher's calibration.

        Raises:
            TrainingDataError: ``features`` was not run.
        """
        names = self.packed.class_names
        exact = [read_parts(self.cache, "train", kind) for kind in ("pieces", "notes")]
        calibration, found = calibrate(exact, names), {}
        for kind in KINDS:
            part = read_parts(self.cache, split, kind)
            found[kind] = TargetedViews(part, *targets_and_weights(part, kind, calibration, names))
        return found, calibration


def train_tail(place: Workplace, settings: tail.TailSettings, report: Report) -> None:
    """Trains the network's second half and the labels' prior logits; keeps both in the cache."""
    views, calibration = place.views("train")
    start = Tail(*load_mn04(place.mn04)).to(place.device)
    names = place.packed.class_names
    second, prior = tail.train(start, views, calibration, names, settings, report)
    tail.save(place.cache / "tail", second.cpu(), prior.cpu())


def fit_mmgat(
    place: Workplace, settings: heads.FitSettings, without: str | None, out: Path, report: Report
) -> None:
    """Fits MMGAT to the trained tail; writes the checkpoint.

    Args:
        place: of the training.
        settings: of the fit.
        without: a part of ``heads.PARTS`` to leave out.
        out: folder of the checkpoint.
        report: takes lines.

    Raises:
        TrainingDataError: the tail was not trained.
    """
    names, text = place.packed.class_names, place.packed.text()
    views, _ = place.views("train")
    network, classes = load_mn04(place.mn04)
    second, prior = Tail(network, classes), tail.Prior(names)
    tail.load(place.cache / "tail", second, prior)
    second.eval().to(place.device)
    embedded = {kind: heads.embed_views(second, of_kind) for kind, of_kind in views.items()}
    nodes = heads.Nodes(prior, names).to(place.device)
    nodes.start(torch.cat([v.features[::EACH].flatten(0, 1) for v in embedded.values()]))
    start = heads.new_mmgat(text, without).to(place.device)
    mmgat = heads.fit(nodes, start, embedded, settings, report)
    trained = second.cpu(), nodes.cpu(), mmgat.cpu()
    made = checkpoint.embedder_of(network, second, nodes, names)
    publish(place, out, made, trained, text.encoder, report)


@dataclass(frozen=True)
class OnsetSizes:
    """How much is heard, and for how long.

    Attributes:
        parts: of music's onsets; other kinds in proportion.
        more_parts: of music for MMGAT alone.
        validation_parts: of every kind.
        steps: of the embedder, and of MMGAT.
    """

    parts: int = 60
    more_parts: int = 80
    validation_parts: int = 5
    steps: int = 400


def learn_onsets(
    place: Workplace, start: str, sizes: OnsetSizes, out: Path, report: Report
) -> None:
    """Teaches a checkpoint sound that begins after silence: windows, embedder, MMGAT.

    Args:
        place: of the training.
        start: checkpoint to go on from.
        sizes: of windows and training.
        out: folder of the new checkpoint.
        report: takes lines.

    Raises:
        TrainingDataError: the checkpoint has another embedder or another first half.
    """
    names, loaded = place.packed.class_names, load_checkpoint(start)
    first = checkpoint.trainable(loaded, place.mn04)
    counts = windows.counts_for(sizes.parts)
    more = {**counts, "music": sizes.parts + sizes.more_parts}
    held_out = dict.fromkeys(windows.KINDS, sizes.validation_parts)
    wanted = {"train": more, "validation": held_out}
    windows.run(place.packed, place.mn04, place.cache, wanted, place.device)
    full, calibration = place.views("train")
    kept = [names[column] for column in kept_classes(names)]

    def onsets(split: str, kind: str, n_parts: int) -> TargetedViews:
        part = windows.read(place.cache, split, kind, n_parts)
        return windows.targeted(part, kind, calibration, full["music"].part, names)

    heard = {kind: onsets("train", kind, n) for kind, n in counts.items()}
    unheard = {kind: onsets("validation", kind, n) for kind, n in held_out.items()}
    made = _taught(place, loaded.card.sha256, first, kept, (heard, unheard, full), sizes, report)
    second, nodes = checkpoint.parts_of(made, kept)
    second.to(place.device), nodes.to(place.device)
    heard["music"] = onsets("train", "music", more["music"])
    nodes, mmgat = graphs.fit(
        nodes,
        loaded.mmgat.to(place.device),
        {kind: heads.embed_views(second, views) for kind, views in heard.items()},
        {kind: heads.embed_views(second, views) for kind, views in full.items()},
        graphs.OnsetFitSettings(steps=sizes.steps),
        report,
    )
    trained = second.cpu(), nodes.cpu(), mmgat.cpu()
    made = checkpoint.embedder_of(made.network, second, nodes, kept)
    publish(place, out, made, trained, loaded.card.text_encoder, report)


def _taught(
    place: Workplace,
    sha256: str,
    first: TaggerEmbedder,
    kept: list[str],
    views: tuple[Views, Views, Views],
    sizes: OnsetSizes,
    report: Report,
) -> TaggerEmbedder:
    """The embedder that has learned onsets; one that is finished is read."""
    heard, unheard, full = views
    settings = embedder.OnsetTailSettings(steps=sizes.steps)
    origin = embedder.origin_of(sha256, settings, heard, full)
    path = place.cache / "onsets" / "embedder.safetensors"
    if (finished := embedder.finished(path, origin)) is not None:
        return finished
    second, nodes = checkpoint.parts_of(first, kept)
    second.to(place.device), nodes.to(place.device)
    trained = embedder.train(second, nodes, heard, full, settings, report)
    for kind, held_out in unheard.items():
        losses = [embedder.onset_loss(*parts, held_out) for parts in ((second, nodes), trained)]
        report(f"held-out onsets of {kind}: loss {losses[0]:.4f} to {losses[1]:.4f}")
    made = checkpoint.embedder_of(first.network, trained[0].cpu(), trained[1].cpu(), kept)
    embedder.save(path, made, origin)
    return made


def learn_context(place: Workplace, start: str, out: Path, report: Report) -> None:
    """Chooses how seconds of the graph speak for each other; all other weights stay as they are.

    See ``mmgat.training.transfer.context``. Where no context keeps held-out sounds as quiet as they
    were, nothing is written.

    Args:
        place: of the training.
        start: checkpoint to go on from.
        out: folder of the new checkpoint.
        report: takes lines.

    Raises:
        TrainingDataError: the checkpoint has another embedder or no context, there are no views, or
            every other context causes more events in held-out sounds.
    """
    loaded = load_checkpoint(start)
    made = checkpoint.trainable(loaded, place.mn04)
    names = place.packed.class_names
    second, nodes = checkpoint.parts_of(made, [names[column] for column in kept_classes(names)])
    held_out = _held_out(place, second)
    with torch.inference_mode():
        rows = {
            kind: context.Rows(nodes(views.features, views.logits), views.targets, views.weights)
            for kind, views in held_out.items()
            if kind in KIND_WEIGHTS
        }
    mmgat = loaded.mmgat
    before = _events_an_hour(_points(nodes, mmgat, held_out))
    for choice in context.choices(mmgat, rows, report):
        context.set_context(mmgat, choice.likeness, choice.decay)
        points = _points(nodes, mmgat, held_out)
        found = _events_an_hour(points)
        report(
            f"likeness {choice.likeness:g}, decay {choice.decay:g}: "
            f"{found:g} events an hour of held-out sounds, before {before:g}"
        )
        if found <= before:
            break
    else:
        raise TrainingDataError(
            f"expected a context with at most {before:g} events an hour of held-out sounds, found none"
        )
    card = loaded.card
    _write(place, out, made, mmgat, points, card.text_encoder, card.training_data, report)


def publish(
    place: Workplace,
    out: Path,
    made: TaggerEmbedder,
    trained: tuple[Tail, heads.Nodes, MMGAT],
    text_encoder: str,
    report: Report,
) -> None:
    """Chooses the operating points on held-out clips; writes the checkpoint with its graphs."""
    second, nodes, mmgat = trained
    points = _points(nodes, mmgat, _held_out(place, second))
    sources = place.packed.training_data
    _write(place, out, made, mmgat, points, text_encoder, sources, report)


def _held_out(place: Workplace, second: Tail) -> dict[str, heads.EmbeddedViews]:
    views, _ = place.views("validation")
    return {kind: heads.embed_views(second, of_kind) for kind, of_kind in views.items()}


def _points(nodes: heads.Nodes, mmgat: MMGAT, held_out: dict[str, heads.EmbeddedViews]) -> Points:
    return operating_points(
        material(
            {
                kind: heads.live_log_odds(nodes, mmgat, views).numpy()
                for kind, views in held_out.items()
            },
            {kind: views.targets.numpy() for kind, views in held_out.items()},
            {kind: views.weights.numpy() for kind, views in held_out.items()},
        )
    )


def _events_an_hour(points: Points) -> float:
    return points["normal"].figures["events_an_hour"]


def _write(
    place: Workplace,
    out: Path,
    made: TaggerEmbedder,
    mmgat: MMGAT,
    points: Points,
    text_encoder: str,
    sources: tuple[dict[str, Any], ...],
    report: Report,
) -> None:
    card = checkpoint.save(out, made, mmgat, points, text_encoder, sources)
    if place.graphs:
        onnx_graphs.export(out / "compact")
    for name, point in card.operating_points.items():
        report(f"{name}: {point.figures}")
