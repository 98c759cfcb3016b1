"""Who is audited: a model through the live pipeline, or a public tagger through the same decisions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from mmgat.model.backends.loading import LoadedModel
from mmgat.model.labels import LABELS
from mmgat.stream.audio.meter import level_dbfs
from mmgat.stream.audio.source import Block
from mmgat.stream.audio.windows import WindowAssembler
from mmgat.stream.bus.protocol import Estimate, Event
from mmgat.stream.recognition.event_detector import EventDetector
from mmgat.stream.recognition.pipeline import Pipeline
from mmgat.stream.recognition.recognizer import Recognizer
from mmgat.stream.settings import LIVE_HOP_S, DecisionSettings, StreamSettings

Samples = npt.NDArray[np.float32]

RATE_HZ: Final = 32_000
"""Rate of all sound in the audit: enough for every model, and a model resamples it to its own."""


@dataclass(frozen=True)
class Heard:
    """Everything said of one sound; W windows, L = 20 labels.

    Attributes:
        ends_s: float64 [W], seconds of the sound at which each window ends.
        levels_dbfs: float64 [W].
        scores: float32 [W, L].
        active: bool [W, L], the labels that are on.
        events: each with the second of the sound at which it is told.
    """

    ends_s: npt.NDArray[np.float64]
    levels_dbfs: npt.NDArray[np.float64]
    scores: npt.NDArray[np.float32]
    active: npt.NDArray[np.bool_]
    events: list[tuple[float, Event]]


class Listener(Protocol):
    """Listens to mono sound at ``RATE_HZ``, at the hop of ``mmgat-stream``."""

    def __call__(self, samples: Samples) -> Heard: ...


class ModelListener:
    """A model of this project, through the pipeline that a microphone goes through.

    Args:
        model: the model.
        settings: those of ``mmgat-stream`` if not given.
    """

    def __init__(self, model: LoadedModel, settings: StreamSettings | None = None) -> None:
        self._settings = settings or StreamSettings(hop_s=LIVE_HOP_S)
        self._recognizer = Recognizer(model, self._settings)

    def __call__(self, samples: Samples) -> Heard:
        pipeline = Pipeline(self._recognizer, "audit", RATE_HZ, self._settings)
        estimates: list[Estimate] = []
        events: list[tuple[float, Event]] = []
        for message in pipeline.process(Block(0, samples[:, None], 0.0)) + pipeline.finish():
            if isinstance(message, Estimate):
                estimates.append(message)
            else:
                events.append((estimates[-1].t1, message))
        return Heard(
            np.array([e.t1 for e in estimates]),
            np.array([e.level_dbfs for e in estimates]),
            np.array([[e.scores[label] for label in LABELS] for e in estimates], np.float32),
            np.array([[label in e.active for label in LABELS] for e in estimates]),
            events,
        )


class TaggerListener:
    """A public AudioSet tagger on the windows that end with every second, with our decisions.

    Args:
        tagger: float32 [T] at ``RATE_HZ`` -> scores [L] of the 20 labels.
        window_s: seconds that the tagger hears.
        threshold: of every label.
    """

    def __init__(
        self,
        tagger: Callable[[Samples], npt.NDArray[np.float32]],
        window_s: float,
        threshold: float,
    ) -> None:
        self._tagger, self._size = tagger, round(window_s * RATE_HZ)
        self._thresholds = dict.fromkeys(LABELS, threshold)

    def __call__(self, samples: Samples) -> Heard:
        silence = 10 ** (DecisionSettings().silence_dbfs / 20)
        windows = WindowAssembler(
            round(LIVE_HOP_S * RATE_HZ), max(self._size, RATE_HZ), RATE_HZ, silence
        )
        detector = EventDetector(self._thresholds, LIVE_HOP_S, "audit")
        heard = Heard(np.zeros(0), np.zeros(0), np.zeros((0, len(LABELS)), np.float32),
                      np.zeros((0, len(LABELS)), bool), [])  # fmt: skip
        ends, levels, scores, active = [], [], [], []
        for window in windows.push(samples) + windows.flush():
            level = level_dbfs(window.second)
            silent = level < detector.settings.silence_dbfs
            said = np.zeros(len(LABELS), np.float32)
            if not silent:
                said = self._tagger(window.samples[-self._size :])
            for event in detector.update(window, said, silent):
                heard.events.append((window.end_s, event))
            ends.append(window.end_s)
            levels.append(level)
            scores.append(said)
            active.append([label in detector.active for label in LABELS])
        heard.events.extend((ends[-1], event) for event in detector.finish())
        return Heard(
            np.array(ends), np.array(levels), np.array(scores), np.array(active), heard.events
        )
