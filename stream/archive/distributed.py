"""What an actor of a cluster does: files, from disks or object stores, to rows of a table."""

from __future__ import annotations

import pyarrow as pa

from mmgat.model.remote_files import on_disk
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
        rows, names = [], {}
        with on_disk(files) as found_files:
            for name, path, fault in found_files:
                if fault:
                    rows.append(error_row(name, fault))
                else:
                    names[path] = name
            for path, found in self._pool(names):
                if isinstance(found, FileResult):
                    row = result_row(found, self._pool.origin) | {"file": names[path]}
                    row["warning"] = found.warning.replace(str(path), names[path])
                    rows.append(row)
                elif found is not None:
                    rows.append(error_row(names[path], found.replace(str(path), names[path])))
        return table(rows)
