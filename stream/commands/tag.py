"""``mmgat-tag``: files through the very stages of the live path, one result a file."""

from __future__ import annotations

import csv
import json
import sys
from collections import deque
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
from mmgat.stream.commands.process.signals import interrupt_with_exception
from mmgat.stream.errors import SourceError
from mmgat.stream.settings import ProgramSettings, StreamSettings
from mmgat.stream.sinks.text import printable

if TYPE_CHECKING:
    from mmgat.stream.recognition.recognizer import Recognizer


def tag_file(path: Path, recognizer: Recognizer, settings: StreamSettings) -> dict[str, Any]:
    """What sounds in a file.

    Returns:
        ``file``; ``seconds``; ``scores``: label -> 0..1, see ``FileScores``; ``segments``: label,
        t0, t1 (seconds) and peak score of every instrument heard; ``partial``: the file is shorter
        than one window and was padded; ``complete``: it was read to the end that it declares;
        ``warning``: what was wrong with it, in words, or ""; ``faults``: samples that were not
        finite, or clipped.

    Raises:
        SourceError: missing, not audio or empty.
    """
    from mmgat.stream.recognition.pipeline import Pipeline

    scores = FileScores(settings)
    segments: list[dict[str, Any]] = []
    open_scores: dict[str, float] = {}
    n_samples = 0
    source = FileSource(path)
    with source:
        pipeline = Pipeline(recognizer, source.name, source.sample_rate_hz, settings)

        def messages() -> Iterator[Estimate | Event]:
            nonlocal n_samples
            while (block := source.read()) is not None:
                n_samples = block.end
                yield from pipeline.process(block)
            yield from pipeline.finish()

        for message in messages():
            if isinstance(message, Estimate):
                scores.add(message)
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
        "scores": scores.mean(),
        "segments": sorted(segments, key=lambda segment: (segment["t0"], segment["label"])),
        "partial": n_samples < rate,
        "complete": source.complete,
        "warning": source.health.warning,
        "faults": {"nonfinite": pipeline.meter.nonfinite, "clipped": pipeline.meter.clipped},
    }


class FileScores:
    """label -> 0..1 for a whole file: the mean of MMGAT's bag scores over its stretches.

    A stretch is as long as the graph; where one ends, the bag scores of all phases speak for its
    seconds together. A file shorter than the graph is one bag. Only the last bags are kept, so a
    file may be hours long.

    Args:
        settings: hop and nodes.
    """

    def __init__(self, settings: StreamSettings) -> None:
        n_phases = round(1 / settings.hop_s)
        self._size = settings.nodes * n_phases
        self._bags: deque[dict[str, float]] = deque(maxlen=n_phases)
        self._n_in_stretch = self._n_estimates = 0
        self._totals = dict.fromkeys(LABELS, 0.0)

    def add(self, estimate: Estimate) -> None:
        """Takes the next window's estimate."""
        self._bags.append(estimate.bag_scores)
        self._n_in_stretch += 1
        if self._n_in_stretch == self._size:
            self._end_stretch()

    def mean(self) -> dict[str, float]:
        """label -> score; zeros if there was no window. Nothing may be added afterwards."""
        self._end_stretch()
        n = max(self._n_estimates, 1)
        return {label: round(total / n, 6) for label, total in self._totals.items()}

    def _end_stretch(self) -> None:
        for label in LABELS if self._bags else ():
            bag = sum(scores[label] for scores in self._bags) / len(self._bags)
            self._totals[label] += self._n_in_stretch * bag
        self._n_estimates += self._n_in_stretch
        self._n_in_stretch = 0
        self._bags.clear()


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
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, readable=False))
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

    Files that cannot be read, or not to their end, are named at the end, with exit code 1; all
    others are done. Ctrl+C ends with what is done and exit code 130.
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
    faults: list[str] = []
    code = 0
    shown = len(files) > 1 and sys.stderr is not None and sys.stderr.isatty()
    interrupt_with_exception()
    try:
        for path in tqdm(files, unit="file", disable=not shown):
            try:
                result = tag_file(path, recognizer, stream)
            except SourceError as error:
                faults.append(str(error))
                code = 1
                continue
            except Exception as error:  # whatever a file holds, the others are done
                faults.append(f"{str(path)!r}: {type(error).__name__}: {error}")
                code = 1
                continue
            output(result)
            if result["warning"]:
                faults.append(result["warning"])
                code = code if result["complete"] else 1
    except KeyboardInterrupt:
        code = 130
    for fault in faults:
        click.echo(f"mmgat-tag: {printable(fault)}", err=True)
    return code


if __name__ == "__main__":
    from mmgat.stream.commands import entry

    entry.tag()
