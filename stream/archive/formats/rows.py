"""Formats with a row, or some, for every file: JSON lines and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence

from mmgat.model.labels import LABELS
from mmgat.stream.archive.formats.base import RowFormat, shown
from mmgat.stream.archive.result import FileResult, Origin, as_dict


class JsonLines(RowFormat):
    """A JSON object a file, with everything there is."""

    name, suffix, takes_windows = "jsonl", ".jsonl", True

    def rows(self, result: FileResult, origin: Origin) -> bytes:
        """One line."""
        line = json.dumps(as_dict(result, origin), ensure_ascii=False) + "\n"
        return line.encode("utf-8", "backslashreplace")  # escapes that JSON has, too


class Csv(RowFormat):
    """A row a segment; with ``--windows`` a row a window, with a column for every label.

    A file in which nothing is named has no row.
    """

    name, suffix, takes_windows = "csv", ".csv", True

    def header(self, origin: Origin, windows: bool) -> bytes:
        """Names of the columns."""
        found = LABELS if windows else ("label", "score", "threshold")
        return _csv([["file", "t0", "t1", *found, "model", "sensitivity", "hop_s"]])

    def rows(self, result: FileResult, origin: Origin) -> bytes:
        """A row a segment or window."""
        file = shown(result.file)
        end = _end(origin)
        if result.windows is not None:
            return _csv(
                [file, t0, t1, *scores.values(), *end] for t0, t1, scores in result.window_rows()
            )
        return _csv(
            [file, s.t0, s.t1, s.label, s.score, origin.threshold(s.label), *end]
            for s in result.segments
        )


class Scores(RowFormat):
    """A row a file, with its score for every label."""

    name, suffix = "scores", ".csv"

    def header(self, origin: Origin, windows: bool) -> bytes:
        """Names of the columns, and a row of thresholds."""
        thresholds = [origin.threshold(label) for label in LABELS]
        columns = ["file", "seconds", *LABELS, "model", "sensitivity", "hop_s"]
        return _csv([columns, ["(thresholds)", "", *thresholds, *_end(origin)]])

    def rows(self, result: FileResult, origin: Origin) -> bytes:
        """One row."""
        scores = [result.scores[label] for label in LABELS]
        return _csv([[shown(result.file), result.seconds, *scores, *_end(origin)]])


def _end(origin: Origin) -> list[object]:
    return [f"{origin.model} {origin.model_version}", origin.sensitivity, origin.hop_s]


def _csv(rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
