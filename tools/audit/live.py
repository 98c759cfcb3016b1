"""Clips of playing through the live path: what is named, how soon, and how steadily."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, label_ranking_average_precision_score

from mmgat.model.labels import INDEX, LABELS
from tools.audit.listening import RATE_HZ, Heard, Listener, Samples
from tools.audit.sound import read

AUDIBLE_DBFS: Final = -50.0
"""Windows with less level count neither for nor against anybody."""

DELAYS_S: Final = (0.1, 0.2, 0.3, 0.4)
N_RESAMPLES: Final = 200
INTERVAL: Final = (2.5, 97.5)


@dataclass(frozen=True)
class Clip:
    """A clip of the manifest, and what was heard in it.

    Attributes:
        name: of the file.
        truth: bool [20], the instruments that play.
        heard: from the clip as it is.
        agreement: share of its windows with the same active labels when silence comes before it,
            or None if that was not tried.
        agreement_cut: the same when its first tenths of a second are missing.
    """

    name: str
    truth: npt.NDArray[np.bool_]
    heard: Heard
    agreement: float | None
    agreement_cut: float | None

    @property
    def audible(self) -> npt.NDArray[np.bool_]:
        """bool [W]."""
        return self.heard.levels_dbfs > AUDIBLE_DBFS

    @property
    def first_right_s(self) -> float:
        """Seconds until a right instrument is named; infinite for never."""
        times = [
            at for at, e in self.heard.events if e.event == "on" and self.truth[INDEX[e.label]]
        ]
        return min(times, default=float("inf"))

    @property
    def wrong(self) -> bool:
        """A wrong instrument is named."""
        return any(e.event == "on" and not self.truth[INDEX[e.label]] for _, e in self.heard.events)


def listen(folder: Path, listener: Listener, delays_s: Sequence[float] = DELAYS_S) -> list[Clip]:
    """Plays every clip of ``folder``/manifest.csv (columns path, labels as ``a+b``).

    Raises:
        OSError, KeyError, ValueError: no manifest, a missing column or file, an unknown label.
    """
    with (folder / "manifest.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    clips = []
    for row in rows:
        truth = np.zeros(len(LABELS), bool)
        truth[[INDEX[label] for label in row["labels"].split("+") if label]] = True
        samples = read(folder / row["path"])
        heard = listener(samples)
        late = [_agreement(heard, listener(shifted(samples, d)), d) for d in delays_s]
        cut = [_agreement(heard, listener(shifted(samples, -d)), -d) for d in delays_s]
        agreement = (_mean(late), _mean(cut)) if delays_s else (None, None)
        clips.append(Clip(row["path"], truth, heard, *agreement))
    if not clips:
        raise ValueError(f"expected clips in {folder / 'manifest.csv'}, found none")
    return clips


def shifted(samples: Samples, delay_s: float) -> Samples:
    """The sound after so many seconds of silence, or without so many of its first."""
    n = round(delay_s * RATE_HZ)
    return np.concatenate([np.zeros(n, np.float32), samples]) if n > 0 else samples[-n:]


def _agreement(heard: Heard, again: Heard, delay_s: float) -> float:
    """Share of audible windows whose active labels are those of the nearest window heard again."""
    audible = (heard.levels_dbfs > AUDIBLE_DBFS) & (heard.ends_s + delay_s > again.ends_s[0])
    ends = heard.ends_s[audible] + delay_s
    nearest = np.abs(again.ends_s[None] - ends[:, None]).argmin(axis=1)
    return _mean((heard.active[audible] == again.active[nearest]).all(axis=1))


def _mean(shares: Sequence[float] | npt.NDArray[np.bool_]) -> float:
    return float(np.mean(shares)) if len(shares) else 1.0


def figures(clips: Sequence[Clip]) -> dict[str, float]:
    """Figures of windows, of the labels that are on, and of clips.

    Raises:
        ValueError: no window is audible.
    """
    if not any(clip.audible.any() for clip in clips):
        raise ValueError(f"expected windows above {AUDIBLE_DBFS:g} dBFS, found none")
    scores = np.concatenate([clip.heard.scores[clip.audible] for clip in clips])
    active = np.concatenate([clip.heard.active[clip.audible] for clip in clips])
    truth = np.concatenate([np.tile(clip.truth, (clip.audible.sum(), 1)) for clip in clips])
    seen = truth.any(axis=0)
    right = int((active & truth).sum())
    precision, recall = right / max(active.sum(), 1), right / max(truth.sum(), 1)
    first = [clip.first_right_s for clip in clips]
    named = np.isfinite(first)
    again = {
        name: [share for share in shares if share is not None]
        for name, shares in (
            ("agreement when delayed", [clip.agreement for clip in clips]),
            ("agreement when cut", [clip.agreement_cut for clip in clips]),
        )
    }
    return {
        "micro AP": float(average_precision_score(truth.ravel(), scores.ravel())),
        "macro AP": float(
            np.mean(
                [average_precision_score(truth[:, c], scores[:, c]) for c in np.flatnonzero(seen)]
            )
        ),
        "LRAP": float(label_ranking_average_precision_score(truth, scores)),
        "precision": precision,
        "recall": recall,
        "F1": 2 * precision * recall / max(precision + recall, 1e-9),
        "clips with a right event": float(named.mean()),
        "clips with a wrong event": float(np.mean([clip.wrong for clip in clips])),
        "clips with no event": float(
            np.mean([not any(e.event == "on" for _, e in clip.heard.events) for clip in clips])
        ),
        **{name: float(np.mean(shares)) for name, shares in again.items() if shares},
    }


def report(clips: Sequence[Clip], seed: int = 0) -> dict[str, Any]:
    """``figures`` with 95 % bootstrap intervals over clips, times, and counts of every label."""
    rng = np.random.default_rng(seed)
    found = figures(clips)
    resamples = (
        [clips[i] for i in rng.integers(0, len(clips), len(clips))] for _ in range(N_RESAMPLES)
    )
    drawn = [figures(some) for some in resamples if any(clip.audible.any() for clip in some)]
    first = statistics.median(clip.first_right_s for clip in clips)
    return {
        "clips": len(clips),
        "audible windows": int(sum(clip.audible.sum() for clip in clips)),
        "clips named right": int(sum(np.isfinite(clip.first_right_s) for clip in clips)),
        "first right event, median s": first if np.isfinite(first) else None,
        "figures": {
            name: {
                "value": round(value, 4),
                "95 %": [
                    round(float(np.percentile([d[name] for d in drawn], q)), 3) for q in INTERVAL
                ],
            }
            for name, value in found.items()
        },
        "labels": per_label(clips),
    }


def per_label(clips: Sequence[Clip]) -> dict[str, dict[str, int]]:
    """Audible windows of every label that plays or is on: right, wrong and missed ones."""
    counts = {}
    for label, index in INDEX.items():
        right = wrong = missed = 0
        for clip in clips:
            on = clip.heard.active[clip.audible, index]
            right += int(on.sum()) if clip.truth[index] else 0
            wrong += 0 if clip.truth[index] else int(on.sum())
            missed += int((~on).sum()) if clip.truth[index] else 0
        if right or wrong or missed:
            counts[label] = {"right": right, "wrong": wrong, "missed": missed}
    return counts


def as_text(found: dict[str, Any], name: str) -> str:
    """The report as lines for a person."""
    lines = [f"{name}: {found['clips']} clips, {found['audible windows']} audible windows"]
    first = found["first right event, median s"]
    lines.append(
        f"  a right instrument named in {found['clips named right']} of {found['clips']} clips, "
        f"first after {'never' if first is None else f'{first:g} s'} (median)"
    )
    for figure, row in found["figures"].items():
        low, high = row["95 %"]
        lines.append(f"  {figure:28s} {row['value']:.3f}  ({low:.3f} to {high:.3f})")
    for label, row in found["labels"].items():
        lines.append(
            f"  {label:18s} right {row['right']:4d}  wrong {row['wrong']:4d}  missed {row['missed']:4d}"
        )
    return "\n".join(lines)
