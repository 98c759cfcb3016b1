"""Many files through a model on many machines, by Ray Data. The only module that knows Ray."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to Ray's makers
os.environ.setdefault(
    "RAY_worker_niceness", "0"
)  # of a local Ray; 15 would starve beside other work
os.environ.setdefault("RAY_DATA_LOG_LEVEL", "CRITICAL")  # faults are raised as well

import pyarrow as pa
import pyarrow.dataset
import pyarrow.fs
import pyarrow.parquet
import ray

from mmgat.model.errors import ClusterError
from mmgat.model.remote_files import place_of

LOCAL: Final = "local"

TASKS: Final = pa.schema([("file", pa.string()), ("task", pa.int64())])

TASKS_AN_ACTOR: Final = 8
"""At least, where there are files enough: the last ones end at about the same time."""


@dataclass(frozen=True)
class Cluster:
    """Where and how files are spread.

    Attributes:
        address: of Ray; ``local`` starts one on this machine, ``auto`` finds one that runs.
        n_actors: processes that hold the model; 0 is one a CPU, or as many as the GPUs take.
        gpus: of each, such as 0.25.
        files_a_task: that an actor takes at once, at most; a killed actor's are done again.
    """

    address: str = LOCAL
    n_actors: int = 0
    gpus: float = 0.0
    files_a_task: int = 64


def map_files(
    files: Sequence[str],
    actor: Callable[..., Callable[[pa.Table], pa.Table]],
    arguments: Mapping[str, Any],
    out: str,
    cluster: Cluster,
    again: bool = False,
) -> tuple[int, int]:
    """Gives files to actors, which write their tables as Parquet, a folder ``run=...`` a run.

    A task whose actor is killed is done again, as Ray Data does by default, and its file has the name
    of the task: no row is there twice. Files with a row in an earlier run are left out, so a run that
    was ended goes on when it is started again.

    Args:
        files: paths or addresses.
        actor: a class, made once in every actor's process; called with a table that has the column
            ``file``, it returns a row for each, with ``file`` and ``error`` (null if it went well).
        arguments: of the class.
        out: a folder or its address; it may have the results of other runs.
        cluster: Ray, and how files are spread.
        again: do files again whose row has an error.

    Returns:
        How many files were given to actors, and how many were left out.

    Raises:
        ClusterError: there is no such cluster, it has no room, or an actor fails.
    """
    done = written_files(out, with_errors=not again)
    left = [file for file in files if file not in done]
    if not left:
        return 0, len(files)
    _connect(cluster)
    filesystem, folder = place_of(out)
    run = f"{folder}/run={time.strftime('%Y%m%dT%H%M%S')}-{uuid4().hex[:6]}"
    filesystem.create_dir(run)
    n_actors = cluster.n_actors or _room(cluster)
    evenly = -(-len(left) // (TASKS_AN_ACTOR * n_actors))
    n_tasks = -(-len(left) // min(cluster.files_a_task, evenly))
    tasks = [
        {"file": left[i::n_tasks], "task": [i] * len(left[i::n_tasks])} for i in range(n_tasks)
    ]
    try:
        done = (
            ray.data.from_arrow([pa.table(task, TASKS) for task in tasks])
            .map_batches(
                _WritingActor,
                batch_size=None,
                batch_format="pyarrow",
                compute=ray.data.ActorPoolStrategy(size=min(n_actors, n_tasks)),
                fn_constructor_args=(actor, dict(arguments), filesystem, run),
                num_cpus=1,
                num_gpus=cluster.gpus,
            )
            .materialize()
        )
    except ray.exceptions.RayError as error:
        raise ClusterError(
            f"expected the cluster to do all files, found {_reason(error)}: mend it, and "
            "start the same command again, which does those that have no row yet"
        ) from None
    for answer in ray.get(done.to_arrow_refs()):
        if faults := answer["fault"].drop_null().to_pylist():
            raise ClusterError(
                "expected a process of the cluster to begin, found one that cannot: "
                f"{faults[0].rstrip('.')}. Mend it, and start the same command again, which does "
                "the files without a row"
            )
    return len(left), len(files) - len(left)


class _WritingActor:
    """Writes what an actor makes of a task: so no rows travel, and no other process is needed.

    An actor that cannot begin is told in the answer to each task: raised here, it would be a
    traceback on standard output, by Ray, and begun again and again.

    Args:
        actor, arguments: see ``map_files``.
        filesystem, run: where the run's folder is.
    """

    def __init__(
        self,
        actor: Callable[..., Callable[[pa.Table], pa.Table]],
        arguments: Mapping[str, Any],
        filesystem: pa.fs.FileSystem,
        run: str,
    ) -> None:
        self._filesystem, self._run = filesystem, run
        self._fault: str | None = None
        try:
            self._actor = actor(**arguments)
        except Exception as error:
            self._fault = str(error) or type(error).__name__

    def __call__(self, task: pa.Table) -> pa.Table:
        """Writes the rows of a task's files; returns its number, or why there are none."""
        answer = task.select(["task"]).slice(0, 1)
        fault = pa.array([self._fault], pa.string())
        if self._fault is not None:
            return answer.append_column("fault", fault)
        number = task["task"][0].as_py()
        path = f"{self._run}/task-{number:06d}.parquet"
        rows = self._actor(task.select(["file"]))
        with self._filesystem.open_output_stream(f"{path}.part") as stream:
            pyarrow.parquet.write_table(rows, stream)
        self._filesystem.move(f"{path}.part", path)
        return answer.append_column("fault", fault)


def written_files(out: str, with_errors: bool = True) -> set[str]:
    """The files that have a row in a folder of results."""
    found = _rows(out)
    if found is None:
        return set()
    fine = None if with_errors else pa.dataset.field("error").is_null()
    return set(found.to_table(columns=["file"], filter=fine)["file"].to_pylist())


def n_failed(out: str, files: Sequence[str]) -> int:
    """How many of the files have only rows with an error."""
    return len(set(files) - written_files(out, with_errors=False))


def _rows(out: str) -> pa.dataset.Dataset | None:
    filesystem, folder = place_of(out)
    if filesystem.get_file_info(folder).type != pa.fs.FileType.Directory:
        return None
    selector = pa.fs.FileSelector(folder, recursive=True)
    parts = [i.path for i in filesystem.get_file_info(selector) if i.path.endswith(".parquet")]
    if not parts:
        return None
    return pa.dataset.dataset(parts, filesystem=filesystem, format="parquet")


def _reason(error: BaseException) -> str:
    """What was wrong first, of an error with the tracebacks of all processes in its text."""
    first = str(error).split("\n\nThe above exception was")[0].strip()
    return first.splitlines()[-1].rstrip(".") if first else type(error).__name__


def _connect(cluster: Cluster) -> None:
    if ray.is_initialized():
        return
    address = None if cluster.address == LOCAL else cluster.address
    n_cpus = max(cluster.n_actors, os.cpu_count() or 1) if address is None else None
    try:
        ray.init(
            address,
            num_cpus=n_cpus,
            include_dashboard=False if address is None else None,
            log_to_driver=False,
            logging_level=logging.WARNING,
        )
    except Exception as error:  # it raises this one itself where a node takes more than 30 s
        advice = "ray start --head begins one"
        if address is None:
            advice = "start the same command again, when the machine is less busy"
        raise ClusterError(
            f"expected a Ray cluster at {cluster.address!r}, found none ({_reason(error)}): {advice}"
        ) from None
    ray.data.DataContext.get_current().enable_progress_bars = sys.stderr.isatty()


def _room(cluster: Cluster) -> int:
    """How many actors the cluster has room for."""
    has = ray.cluster_resources()  # type: ignore[no-untyped-call]
    room = int(has.get("CPU", 0))
    if cluster.gpus:
        room = min(room, int(has.get("GPU", 0) / cluster.gpus))
    if not room:
        raise ClusterError(
            f"expected a cluster with room for one actor of {cluster.gpus:g} GPUs, found "
            f"{has.get('CPU', 0):g} CPUs and {has.get('GPU', 0):g} GPUs"
        )
    return room
