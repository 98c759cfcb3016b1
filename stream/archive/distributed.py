"""What an actor of a cluster does: files, from disks or object stores, to rows of a table."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pyarrow as pa

from mmgat.model.cluster import fetch, is_address
from mmgat.model.errors import ModelError
from mmgat.stream.archive.formats.parquet import error_row, result_row, table
from mmgat.stream.archive.result import FileResult
from mmgat.stream.archive.workers import Job, WorkerPool


class AnnotatingActor:
    """Loads the model once, then annotates tables of files.

    The model runs in a process of its own, as for ``mmgat-tag``: a file that crashes a decoder is a
    row with an error, and does not end the actor again and again.

    Args:
        job: model and settings.
    """

    def __init__(self, job: Job) -> None:
        self._pool = WorkerPool(job, 1)

    def __call__(self, files: pa.Table) -> pa.Table:
        """A row of ``SCHEMA`` for each of the column ``file``."""
        rows = []
        with tempfile.TemporaryDirectory() as folder:
            names: dict[Path, str] = {}
            for number, name in enumerate(files["file"].to_pylist()):
                path = Path(name)
                if is_address(name):
                    path = Path(folder) / f"{number}{path.suffix}"
                    try:
                        fetch(name, path)
                    except (OSError, ModelError) as error:
                        rows.append(error_row(name, f"expected a file at {name!r}, found {error}"))
                        continue
                names[path] = name
            for path, found in self._pool(names):
                if isinstance(found, FileResult):
                    row = result_row(found, self._pool.origin) | {"file": names[path]}
                    row["warning"] = found.warning.replace(str(path), names[path])
                    rows.append(row)
                elif found is not None:
                    rows.append(error_row(names[path], found.replace(str(path), names[path])))
        return table(rows)
