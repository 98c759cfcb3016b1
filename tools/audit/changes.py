"""Solos one after another without a rest: how soon the new one is named, and the old one released."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mmgat.model.labels import INDEX
from tools.audit.listening import RATE_HZ, Heard, Listener, Samples
from tools.audit.sound import manifest, read, trimmed

PART_S: Final = 6.0
"""Of every clip; a shorter one is left out."""

LEVEL_DBFS: Final = -25.0
SOON_S: Final = 1.0


def audit_changes(folder: Path, listener: Listener, seed: int = 0) -> dict[str, Any]:
    """Joins the clips of one label in ``folder``/manifest.csv, in random order, and listens to all.

    Two clips of the same label never follow each other. A time is from the change to the end of the
    first window that says so; what is not said before the next change is never said.

    Raises:
        OSError, KeyError, ValueError: no manifest, a missing column or file, fewer than two labels.
    """
    solos = [(row["labels"], folder / row["path"]) for row in manifest(folder)]
    solos = [(label, path) for label, path in solos if label in INDEX]
    parts = [(label, part) for label, path in solos if (part := part_of(read(path))) is not None]
    ordered = _in_turn(parts, np.random.default_rng(seed))
    if len(ordered) < 2:
        raise ValueError(f"expected solos of two labels in {folder / 'manifest.csv'}, found fewer")
    heard = listener(np.concatenate([part for _, part in ordered]))
    return times_of(heard, [label for label, _ in ordered])


def part_of(samples: Samples) -> Samples | None:
    """The first seconds of a clip at one level; None where it is shorter."""
    part = trimmed(samples)[: round(PART_S * RATE_HZ)]
    if len(part) < round(PART_S * RATE_HZ):
        return None
    rms = float(np.sqrt(np.mean(part**2)))
    return np.clip(part * 10 ** (LEVEL_DBFS / 20) / rms, -1, 1).astype(np.float32)


def times_of(heard: Heard, labels: Sequence[str], part_s: float = PART_S) -> dict[str, Any]:
    """Medians and shares over all changes.

    Args:
        heard: of the parts one after another.
        labels: of each part.
        part_s: length of each.
    """
    named, released = [], []
    for number, (old, new) in enumerate(itertools.pairwise(labels), 1):
        begin_s = number * part_s
        during = (heard.ends_s > begin_s) & (heard.ends_s <= begin_s + part_s)
        ends_s, active = heard.ends_s[during] - begin_s, heard.active[during]
        named.append(_first(ends_s, active[:, INDEX[new]]))
        before = heard.active[heard.ends_s <= begin_s]
        if len(before) and before[-1, INDEX[old]]:
            released.append(_first(ends_s, ~active[:, INDEX[old]]))
    part = np.minimum((heard.ends_s / part_s).astype(int), len(labels) - 1)
    right = heard.active[np.arange(len(part)), [INDEX[labels[number]] for number in part]]
    return {
        "changes": len(named),
        "named": _share(named, part_s),
        "named within 1 s": _share(named, SOON_S),
        "named, median s": _median(named),
        "released within 1 s": _share(released, SOON_S),
        "released, median s": _median(released),
        "of what is on, right": round(float(right.sum() / max(heard.active.sum(), 1)), 3),
    }


def _first(ends_s: npt.NDArray[np.float64], said: npt.NDArray[np.bool_]) -> float:
    found = np.flatnonzero(said)
    return float(ends_s[found[0]]) if len(found) else float("inf")


def _share(times_s: Sequence[float], at_most_s: float) -> float:
    return round(sum(t <= at_most_s for t in times_s) / max(len(times_s), 1), 3)


def _median(times_s: Sequence[float]) -> float | None:
    """None where most never come."""
    found = statistics.median(times_s) if times_s else float("inf")
    return round(found, 2) if np.isfinite(found) else None


def _in_turn(
    parts: Sequence[tuple[str, Samples]], rng: np.random.Generator
) -> list[tuple[str, Samples]]:
    """In random order, but for those that would follow one of their own label: they are left out."""
    ordered: list[tuple[str, Samples]] = []
    left = [parts[i] for i in rng.permutation(len(parts))]
    while found := [part for part in left if not ordered or part[0] != ordered[-1][0]]:
        ordered.append(found[0])
        left = [part for part in left if part is not found[0]]
    return ordered
