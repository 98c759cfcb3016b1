"""All stages of one stream in order, without threads or sockets: blocks in, messages out.

Microphone, file and pipe go through this very object, so a file recognised at full speed gives the
numbers that the same samples give block by block.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.labels import LABELS
from model.log_mel import SAMPLE_RATE_HZ
from stream.decision import Decision
from stream.protocol import Estimate, Event
from stream.recognizer import Recognizer
from stream.resampler import MonoResampler
from stream.settings import StreamSettings
from stream.sources import Block
from stream.windows import Window, WindowAssembler

SILENCE_DBFS = -200.0
FULL_SCALE = 0.999


@dataclass
class Faults:
    """Samples that were not as they should be, over all channels."""

    nonfinite: int = 0
    clipped: int = 0


class Pipeline:
    """Blocks of one source -> estimates and events.

    Args:
        recognizer: reset by the pipeline when it starts.
        source: name in the messages.
        sample_rate_hz: of the blocks.
        settings: hop and decision; nodes are the recogniser's.
        live: report each estimate's latency.
        clock: ``time.monotonic``, or another in tests.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        source: str,
        sample_rate_hz: int,
        settings: StreamSettings,
        live: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.faults = Faults()
        self.n_windows = 0
        self.level_dbfs = SILENCE_DBFS
        self.latency_ms = 0.0
        self._source, self._rate, self._settings = source, sample_rate_hz, settings
        self._live, self._clock = live, clock
        self._resample = MonoResampler(sample_rate_hz)
        self._windows = WindowAssembler(round(settings.hop_s * SAMPLE_RATE_HZ))
        self._recognize = recognizer
        self._recognize.reset()
        thresholds = recognizer.card.thresholds
        self._decide = Decision(thresholds, settings.hop_s, source, settings.decision)
        self._position = 0

    def process(self, block: Block) -> list[Estimate | Event]:
        """The messages that a block completes.

        Where its position jumps, what was held is finished first and the stream goes on behind
        the gap: nodes keep their times, and an instrument that was on ends at the gap.
        """
        messages: list[Estimate | Event] = []
        if block.position != self._position:
            messages += self.finish()
            self._windows.restart(round(block.position * SAMPLE_RATE_HZ / self._rate))
        self._position = block.end
        samples = self._repair(block.samples)
        return messages + self._run(self._windows.push(self._resample(samples)), block)

    def finish(self) -> list[Estimate | Event]:
        """The messages of what is still held, with the tail padded, and the end of all that is on."""
        windows = self._windows.push(self._resample.flush()) + self._windows.flush()
        return self._run(windows, None) + list(self._decide.finish())

    def _run(self, windows: list[Window], block: Block | None) -> list[Estimate | Event]:
        messages: list[Estimate | Event] = []
        for window in windows:
            recognition = self._recognize(window)
            level = level_dbfs(window.samples[: window.n_valid])
            silent = level < self._settings.decision.silence_dbfs
            scores = np.zeros_like(recognition.scores) if silent else recognition.scores
            events = self._decide.update(window, scores)
            if self._live and block is not None:
                heard_until = (window.start + window.n_valid) / SAMPLE_RATE_HZ
                behind = block.end / self._rate - heard_until
                self.latency_ms = 1000 * (self._clock() - block.captured_at + behind)
            estimate = Estimate(
                source=self._source,
                index=window.index,
                t0=window.start / SAMPLE_RATE_HZ,
                t1=window.end / SAMPLE_RATE_HZ,
                scores=_by_label(scores),
                recent=_by_label(recognition.recent),
                active=self._decide.active,
                evidence={
                    label: [round(float(x), 6) for x in recognition.evidence[:, index]]
                    for index, label in enumerate(LABELS)
                },
                evidence_t0=[start / SAMPLE_RATE_HZ for start in recognition.node_starts],
                level_dbfs=level,
                silent=silent,
                partial=window.partial,
                warming_up=self._decide.warming_up,
                latency_ms=self.latency_ms,
            )
            messages += [estimate, *events]
            self.n_windows += 1
            self.level_dbfs = level
        return messages

    def _repair(self, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Counts clipped samples, and replaces NaN and infinity by zero."""
        magnitude = np.abs(samples)
        if not magnitude.max(initial=0.0) >= FULL_SCALE and np.isfinite(magnitude.sum()):
            return samples
        finite = np.isfinite(samples)
        self.faults.nonfinite += int(samples.size - finite.sum())
        self.faults.clipped += int((magnitude[finite] >= FULL_SCALE).sum())
        return np.where(finite, samples, np.float32(0.0))


def level_dbfs(samples: npt.NDArray[np.float32]) -> float:
    """RMS level in dB relative to full scale; -200 for digital silence."""
    power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    return max(SILENCE_DBFS, 10 * math.log10(power)) if power > 0 else SILENCE_DBFS


def _by_label(scores: npt.NDArray[np.float32]) -> dict[str, float]:
    return {label: round(float(score), 6) for label, score in zip(LABELS, scores, strict=True)}
