"""Lines of the program that both the soak and the live check must miss when they are broken."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final, NamedTuple

from tools.namespace import ROOT


class Line(NamedTuple):
    """A line of a module below ``stream``, and what it becomes."""

    module: str
    whole: str
    broken: str


LINES: Final = {
    "the lag is not told": Line("engine/stream.py", "lag_ms=pipeline.latency_ms", "lag_ms=0.0"),
    "overflows are not told": Line("engine/stream.py", "xruns=health.xruns", "xruns=0"),
    "one frame too many": Line(
        "engine/stream.py", "captured=account.captured,", "captured=account.captured + 1,"
    ),
    "a gap is forgotten": Line(
        "audio/reconnect.py",
        "lost = max(0, missed - len(block.samples)) if self.live else 0",
        "lost = 0",
    ),
    "nothing is opened again": Line(
        "audio/reconnect.py", "                self._reopen()", "                pass"
    ),
    "outages are not counted": Line(
        "audio/liveness.py",
        "LivenessState.ALARMED, self.outages + 1",
        "LivenessState.ALARMED, self.outages",
    ),
    "what is on stays on": Line(
        "recognition/pipeline.py",
        "self._messages += self._decide.finish()",
        "self._decide.finish()",
    ),
    "windows are not counted": Line("recognition/pipeline.py", "self.n_windows += 1", "pass"),
    "a window has no number": Line("audio/windows.py", "self._index += 1", "pass"),
    "frames vanish in the queue": Line(
        "engine/block_queue.py",
        "self._add(queued=-size, analysed=size)",
        "self._add(queued=-size, analysed=size - 1)",
    ),
    "a jump is no loss": Line(
        "engine/block_queue.py", "gap = max(0, block.position - self._expected)", "gap = 0"
    ),
    "NaN is not counted": Line(
        "audio/meter.py", "self.nonfinite += int(samples.size - finite.sum())", "pass"
    ),
    "messages have no number": Line("bus/stamp.py", "self._next[topic] = seq + 1", "pass"),
}
"""The lines, each under what is then wrong."""


def environment_with(name: str, folder: Path) -> dict[str, str]:
    """Lays out a copy of the program in which that line is broken; "" leaves it whole.

    Returns:
        The environment in which Python imports the copy.

    Raises:
        ValueError: the line is not in its module, or more than once.
    """
    package = folder / "mmgat"
    shutil.copytree(ROOT / "stream", package / "stream")
    (package / "model").symlink_to(ROOT / "model")
    if name:
        line = LINES[name]
        path = package / "stream" / line.module
        source = path.read_text("utf-8")
        if (n := source.count(line.whole)) != 1:
            raise ValueError(f"expected once in {line.module}, found {n} times: {line.whole!r}")
        path.write_text(source.replace(line.whole, line.broken), "utf-8")
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}
