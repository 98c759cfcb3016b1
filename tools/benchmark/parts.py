"""What the parts of the live path cost, beside others that do the same."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from tools.benchmark.timing import RATE_HZ, side_by_side, sound

if TYPE_CHECKING:
    from mmgat.stream.audio.windows import Window
    from mmgat.stream.recognition.front_end import IncrementalFrontEnd


def stages() -> Iterator[str]:
    """Front end against torchvggish, resampler against resampy."""
    import resampy
    from torchvggish.vggish_input import waveform_to_examples

    from mmgat.model.embedders.log_mel import VGGISH_LOG_MEL
    from mmgat.stream.audio.resampler import MonoResampler
    from mmgat.stream.recognition.front_end import IncrementalFrontEnd

    window = window_of(VGGISH_LOG_MEL.window_samples, 16_000)
    second = window.samples
    for hop_s in (0.25, 0.5, 1.0):
        front_end, starts = (
            IncrementalFrontEnd(VGGISH_LOG_MEL),
            itertools.count(0, round(16_000 * hop_s)),
        )
        ours, theirs = side_by_side(
            partial(_front_end_step, front_end, starts, window),
            lambda: waveform_to_examples(second.astype(np.float64), 16_000),
        )
        yield (
            f"front end, a window at hop {hop_s:g}: {ours:.2f} ms, torchvggish {theirs:.2f}: "
            f"x{theirs / ours:.1f}"
        )
    samples, resample = sound(1.0)[:, None], MonoResampler(RATE_HZ, 16_000)
    ours, theirs = side_by_side(
        lambda: resample(samples), lambda: resampy.resample(samples[:, 0], RATE_HZ, 16_000)
    )
    yield f"1 s from 48 to 16 kHz: {ours:.2f} ms, resampy {theirs:.2f}: x{theirs / ours:.1f}"


def window_of(n_samples: int, rate_hz: int) -> Window:
    """A window of noise and tones, as in the middle of a stream."""
    from mmgat.stream.audio.windows import Window

    lead = max(0, n_samples - rate_hz)
    samples = sound(n_samples / rate_hz, rate_hz)[:n_samples]
    return Window(0, 0, samples, rate_hz, lead, n_samples - lead, continues=True)


def _front_end_step(front_end: IncrementalFrontEnd, starts: Iterator[int], window: Window) -> None:
    front_end(replace(window, start=next(starts)))
