"""``mmgat-tag``: files through the very stages of the live path, one result a file."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmgat.model.labels import LABELS
from mmgat.stream.audio.file import FileSource
from mmgat.stream.bus.protocol import Estimate, Event
from mmgat.stream.commands.options import (
    HELP_NAMES,
    RECOGNIZER_OPTIONS,
    report_user_errors,
    settings_options,
)
from mmgat.stream.errors import SourceError
from mmgat.stream.settings import ProgramSettings, StreamSettings

if TYPE_CHECKING:
    from mmgat.stream.recognition.recognizer import Recognizer


def tag_file(path: Path, recognizer: Recognizer, settings: StreamSettings) -> dict[str, Any]:
    """What sounds in a file.

    Returns:
        ``file``; ``seconds``; ``scores``: label -> 0..1, see ``file_scores``; ``segments``: label,
        t0, t1 (seconds) and peak score of every instrument heard; ``partial``: the file is shorter
        than one window and was padded; ``faults``: samples that were not finite, or clipped.

    Raises:
        SourceError: missing, not audio, empty or damaged.
    """
    from mmgat.stream.recognition.pipeline import Pipeline

    estimates: list[Estimate] = []
    segments: list[dict[str, Any]] = []
    open_scores: dict[str, float] = {}
    n_samples = 0
    with FileSource(path) as source:
        pipeline = Pipeline(recognizer, source.name, source.sample_rate_hz, settings)

        def messages() -> Iterator[Estimate | Event]:
            nonlocal n_samples
            while (block := source.read()) is not None:
                n_samples = block.end
                yield from pipeline.process(block)
            yield from pipeline.finish()

        for message in messages():
            if isinstance(message, Estimate):
                estimates.append(message)
                for label in open_scores:
                    open_scores[label] = max(open_scores[label], message.scores[label])
            elif message.event == "on":
                open_scores[message.label] = message.score
            else:
                segments.append(
                    {
                        "label": message.label,
                        "t0": round(message.onset_s, 3),
                        "t1": round(message.time_s, 3),
                        "score": round(open_scores.pop(message.label), 4),
                    }
                )
        rate = source.sample_rate_hz
    return {
        "file": str(path),
        "seconds": round(n_samples / rate, 3),
        "scores": file_scores(estimates, settings),
        "segments": sorted(segments, key=lambda segment: (segment["t0"], segment["label"])),
        "partial": n_samples < rate,
        "faults": {"nonfinite": pipeline.meter.nonfinite, "clipped": pipeline.meter.clipped},
    }


def file_scores(estimates: list[Estimate], settings: StreamSettings) -> dict[str, float]:
    """label -> 0..1 for a whole file: the mean of MMGAT's bag scores over its stretches.

    A stretch is as long as the graph; where one ends, the bag scores of all phases speak for its
    seconds together. A file shorter than the graph is one bag.
    """
    n_phases = round(1 / settings.hop_s)
    size = settings.nodes * n_phases
    totals = dict.fromkeys(LABELS, 0.0)
    for first in range(0, len(estimates), size):
        stretch = estimates[first : first + size]
        bags = [estimate.bag_scores for estimate in stretch[-n_phases:]]
        for label in LABELS:
            totals[label] += len(stretch) * sum(bag[label] for bag in bags) / len(bags)
    return {label: round(total / max(len(estimates), 1), 6) for label, total in totals.items()}


class _Output:
    """Writes results to standard output in one of the formats."""

    def __init__(self, form: str) -> None:
        self._form = form
        self._csv = csv.writer(sys.stdout)
        if form == "csv":
            self._csv.writerow(["file", "seconds", *LABELS])

    def __call__(self, result: dict[str, Any]) -> None:
        if self._form == "jsonl":
            print(json.dumps(result, ensure_ascii=False), flush=True)
        elif self._form == "csv":
            self._csv.writerow(
                [result["file"], result["seconds"], *(result["scores"][x] for x in LABELS)]
            )
        else:
            for segment in result["segments"]:
                print(f"{segment['t0']:.6f}\t{segment['t1']:.6f}\t{segment['label']}", flush=True)


@click.command(context_settings=HELP_NAMES)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    default="jsonl",
    show_default=True,
    type=click.Choice(["jsonl", "csv", "audacity"]),
    help="JSON lines, a table of scores, or an Audacity label track (one file).",
)
@settings_options(*RECOGNIZER_OPTIONS)
@click.version_option(package_name="mmgat-stream")
@report_user_errors
def main(settings: ProgramSettings, files: tuple[Path, ...], form: str) -> int:
    """Say which instruments sound in FILES, and when.

    Files that cannot be read are named at the end, with exit code 1; all others are done.
    """  # fmt: skip
    if form == "audacity" and len(files) > 1:
        raise click.UsageError(
            "expected one file for --format audacity: a label track has no names"
        )
    from tqdm import tqdm

    from mmgat.model.backends.threads import limit_threads
    from mmgat.stream.recognition.recognizer import load_recognizer

    model, stream = settings.model, settings.stream
    recognizer = load_recognizer(model.model, stream, model.compute, model.weights)
    limit_threads(recognizer.model.embedder)
    output = _Output(form)
    failed = []
    for path in tqdm(files, unit="file", disable=not sys.stderr.isatty() or len(files) == 1):
        try:
            output(tag_file(path, recognizer, stream))
        except SourceError as error:
            failed.append(str(error))
    for fault in failed:
        click.echo(f"mmgat-tag: {fault}", err=True)
    return 1 if failed else 0


if __name__ == "__main__":
    main()
