"""A run over a collection: files to workers, results to the output, progress to the terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mmgat.stream.archive.inputs import Inputs
from mmgat.stream.archive.output.target import Output, Target
from mmgat.stream.archive.result import FileResult
from mmgat.stream.archive.workers import Job, WorkerPool

FLUSH_EVERY_S: Final = 1.0
"""A killed run does again what it has done since."""


@dataclass
class Summary:
    """How a run went.

    Attributes:
        n_done: files with a result, of this run.
        n_before: files that were done already.
        n_failed: files without a result.
        faults: what was wrong with files, in words.
        failed: a file could not be read, or not to its end.
        interrupted: Ctrl+C ended it.
        seconds: of sound that was annotated.
    """

    n_done: int = 0
    n_before: int = 0
    n_failed: int = 0
    faults: list[str] = field(default_factory=list)
    failed: bool = False
    interrupted: bool = False
    seconds: float = 0.0

    @property
    def exit_code(self) -> int:
        """0, 1 where a file failed, 130 after Ctrl+C."""
        return 130 if self.interrupted else int(self.failed)


def annotate(
    inputs: Inputs,
    target: Target,
    job: Job,
    n_jobs: int = 1,
    progress: bool = False,
    interrupted: Callable[[], bool] = lambda: False,
) -> Summary:
    """Annotates files, whatever is wrong with some of them.

    Args:
        inputs: the files.
        target: where results go.
        job: model and settings.
        n_jobs: processes.
        progress: shown on standard error.
        interrupted: asked several times a second; once it is true the run ends with what is done.

    Raises:
        StreamError, ModelError: the model cannot be loaded, or the output not be used.
        OSError: the output cannot be written.
    """
    target.check(len(inputs.files))
    summary = Summary(faults=list(inputs.faults), failed=bool(inputs.faults))
    with WorkerPool(job, max(1, min(n_jobs, len(inputs.files)))) as pool:
        output = target.open(inputs, pool.origin)
        left = [Path(file) for file in inputs.files if file not in output.done]
        summary.n_before = len(inputs.files) - len(left)
        try:
            _run(left, pool, output, summary, progress, interrupted)
        finally:
            output.close()
    return summary


def _run(
    files: list[Path],
    pool: WorkerPool,
    output: Output,
    summary: Summary,
    progress: bool,
    interrupted: Callable[[], bool],
) -> None:
    from tqdm import tqdm

    begun = flushed = time.monotonic()
    with tqdm(
        total=len(files),
        disable=not progress,
        postfix="0x real time",
        bar_format="{percentage:3.0f}%|{bar}| {n:.1f}/{total} files{postfix}, {elapsed} gone, "
        "{remaining} left",
    ) as bar:
        for path, found in pool(files):
            _take(path, found, output, summary)
            now = time.monotonic()
            if now > flushed + FLUSH_EVERY_S:
                flushed = now
                output.flush()
            if progress:
                share, seconds = pool.underway
                rate = (summary.seconds + seconds) / max(now - begun, 1e-9)
                bar.set_postfix_str(f"{rate:.0f}x real time", refresh=False)
                bar.update(summary.n_done + summary.n_failed + share - bar.n)
            if interrupted():
                summary.interrupted = True
                return


def _take(path: Path, found: Any, output: Output, summary: Summary) -> None:
    if isinstance(found, FileResult):
        output.add(found)
        summary.n_done += 1
        summary.seconds += found.seconds
        if found.warning:
            summary.faults.append(found.warning)
            summary.failed = summary.failed or not found.complete
    elif found is not None:
        output.add_error(str(path), found)
        summary.faults.append(found)
        summary.n_failed += 1
        summary.failed = True
