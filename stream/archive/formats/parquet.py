"""Parquet: a row a file, for DuckDB, Spark, pandas and ``mmgat-find``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from mmgat.model.labels import LABELS
from mmgat.stream.archive.formats.base import Format, shown
from mmgat.stream.archive.result import FileResult, Origin, as_dict

_SCORES = pa.struct([(label, pa.float32()) for label in LABELS])

SCHEMA = pa.schema(
    [
        ("file", pa.string()),
        ("error", pa.string()),
        ("seconds", pa.float64()),
        ("scores", _SCORES),
        (
            "segments",
            pa.list_(
                pa.struct(
                    [
                        ("label", pa.string()),
                        ("t0", pa.float64()),
                        ("t1", pa.float64()),
                        ("score", pa.float32()),
                    ]
                )
            ),
        ),
        (
            "windows",
            pa.list_(pa.struct([("t0", pa.float64()), ("t1", pa.float64()), ("scores", _SCORES)])),
        ),
        ("partial", pa.bool_()),
        ("complete", pa.bool_()),
        ("warning", pa.string()),
        ("faults", pa.struct([("nonfinite", pa.int64()), ("clipped", pa.int64())])),
        (
            "model",
            pa.struct([(name, pa.string()) for name in ("name", "version", "sha256", "program")]),
        ),
        ("thresholds", _SCORES),
        (
            "settings",
            pa.struct(
                [("sensitivity", pa.string()), ("hop_s", pa.float64()), ("nodes", pa.int64())]
            ),
        ),
    ]
)
"""The columns. Of a file that could not be read only ``file`` and ``error`` are there; ``error`` is
null otherwise, ``windows`` unless they were asked for, and a threshold for a label never named."""


class Parquet(Format):
    """Parquet files; see ``SCHEMA``."""

    name, suffix, takes_windows = "parquet", ".parquet", True


def result_row(result: FileResult, origin: Origin) -> dict[str, Any]:
    """A row of the table."""
    return as_dict(result, origin) | {"file": shown(result.file), "error": None}


def error_row(file: str, error: str) -> dict[str, Any]:
    """The row of a file that could not be read."""
    return {"file": shown(file), "error": error}


def table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Rows as a table of ``SCHEMA``."""
    return pa.Table.from_pylist(list(rows), schema=SCHEMA)
