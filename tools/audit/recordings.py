"""False events in sounds in which nothing plays, and delays of recorded solos between silences."""

from __future__ import annotations

import contextlib
import fnmatch
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile

from mmgat.training.synthesis.packages import find_tracks
from mmgat.training.synthesis.sample_bank import split_of
from tools.audit.listening import RATE_HZ, Listener, Samples
from tools.audit.sound import joined, manifest, read, trimmed

QUIET_S: Final = 3.0
"""Digital silence before and after a recording."""

SHORTEST_SOLO_S: Final = 2.0
LONGEST_SOLO_S: Final = 8.0
SOON_S: Final = 1.0


def false_events(listener: Listener, sounds: Iterable[Samples]) -> dict[str, Any]:
    """Hours listened to, ``on`` events, events an hour and which labels they name.

    Raises:
        ValueError: there are no sounds.
    """
    seconds, labels = 0.0, Counter[str]()
    for samples in sounds:
        seconds += len(samples) / RATE_HZ
        labels.update(e.label for _, e in listener(samples).events if e.event == "on")
    hours = seconds / 3600
    if not hours:
        raise ValueError("expected sounds to listen to, found none")
    return {
        "hours": round(hours, 3),
        "false events": labels.total(),
        "false events an hour": round(labels.total() / hours, 2),
        "labels": dict(labels.most_common()),
    }


def package(folder: Path, minutes: float, without: Sequence[str]) -> Samples:
    """The sounds of one unpacked package, one after another.

    Args:
        minutes: at most so much.
        without: patterns of names that are left out, such as music among sounds.
    """
    parts: list[Samples] = []
    for track in find_tracks(folder.parent):
        if track.package != folder.name or any(fnmatch.fnmatch(track.name, p) for p in without):
            continue
        with contextlib.suppress(soundfile.LibsndfileError):  # what is no audio is left out
            parts.append(read(track.open()))
        if sum(map(len, parts)) > minutes * 60 * RATE_HZ:
            break
    return joined(parts) if parts else np.zeros(0, np.float32)


def everyday(audio: Path) -> Samples:
    """Recordings of everyday sounds that were kept out of training, one after another."""
    return joined(read(audio / row["path"]) for row in manifest(audio) if split_of(row) == "audit")


def is_solo(row: dict[str, str]) -> bool:
    """Whether one instrument, and one of the 20, plays in a row of the manifest."""
    return bool(row["labels"]) and "+" not in row["labels"]


def solos(audio: Path) -> Iterable[tuple[str, Samples]]:
    """Labelled recordings of the validation split, cut to 2 to 8 seconds that sound."""
    for row in manifest(audio):
        if row["split"] == "validation" and is_solo(row):
            samples = trimmed(read(audio / row["path"]))[: round(LONGEST_SOLO_S * RATE_HZ)]
            if len(samples) >= SHORTEST_SOLO_S * RATE_HZ:
                yield row["labels"], samples


def delays(listener: Listener, label: str, solo: Samples) -> tuple[float | None, float | None]:
    """Seconds until a solo between silences is named, and until it is released; None for never."""
    quiet = np.zeros(round(QUIET_S * RATE_HZ), np.float32)
    named, released = None, None
    ends = QUIET_S + len(solo) / RATE_HZ
    for now, event in listener(np.concatenate([quiet, solo, quiet])).events:
        if event.label == label and event.event == "on" and named is None:
            named = now - QUIET_S
        if event.label == label and event.event == "off":
            released = now - ends
    return named, released if named is not None else None


def solo_delays(listener: Listener, audio: Path) -> dict[str, Any]:
    """How many solos are named, how soon, and how soon they are released.

    Raises:
        ValueError: there are no solos.
    """
    measured = [(label, *delays(listener, label, solo)) for label, solo in solos(audio)]
    if not measured:
        raise ValueError(f"expected labelled validation recordings in {audio}, found none")
    named = [float("inf") if delay is None else delay for _, delay, _ in measured]
    released = [delay for _, _, delay in measured if delay is not None]
    by_label: dict[str, list[float]] = {}
    for (label, _, _), delay in zip(measured, named, strict=True):
        by_label.setdefault(label, []).append(delay)
    return {
        "n": len(measured),
        "named at all": round(float(np.mean(np.isfinite(named))), 3),
        f"named within {SOON_S:g} s": round(float(np.mean(np.array(named) <= SOON_S)), 3),
        "named after, median s, never is late": statistics.median(named),
        "released after, median s": statistics.median(released) if released else None,
        "released within 1.5 s": round(float(np.mean(np.array(released) <= 1.5)), 3),
        "named by label": {
            label: f"{int(np.isfinite(found).sum())} of {len(found)}"
            for label, found in sorted(by_label.items())
        },
    }
