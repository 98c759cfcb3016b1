from collections.abc import Callable

import numpy as np
import pytest

from mmgat.model.embedders.base import FrontEnd
from mmgat.model.embedders.log_mel import VGGISH_LOG_MEL
from mmgat.stream.audio.windows import Window, WindowAssembler
from mmgat.stream.recognition.front_end import IncrementalFrontEnd
from tests.conftest import melody


def energies(waveform: np.ndarray) -> np.ndarray:
    """Energy of frames of 640 samples, one every 320, in two halves."""
    frames = np.lib.stride_tricks.sliding_window_view(waveform, 640)[::320]
    return (frames.reshape(len(frames), 2, 320) ** 2).sum(axis=-1).astype(np.float32)


LONG = FrontEnd(32_000, 640, 320, 198, 2, energies)
"""Hears 1.99 s."""


@pytest.mark.parametrize("front_end", [VGGISH_LOG_MEL, LONG], ids=["vggish", "two seconds"])
@pytest.mark.parametrize("hop_s", [0.25, 0.5, 1.0])
def test_a_sliding_window_has_the_frames_it_has_alone(hop_s: float, front_end: FrontEnd) -> None:
    rate = front_end.sample_rate_hz
    assembler = WindowAssembler(round(hop_s * rate), front_end.window_samples, rate)
    incremental = IncrementalFrontEnd(front_end)
    windows = assembler.push(melody(3.4, rate)[:, 0]) + assembler.flush()
    assembler.restart(5 * rate)
    windows += assembler.push(melody(2.6, rate, seed=1)[:, 0])
    for window in windows:
        alone = front_end.examples(window.samples)
        np.testing.assert_allclose(incremental(window), alone, atol=1e-6)


def test_only_frames_that_are_new_are_computed() -> None:
    computed: list[int] = []

    def counting(compute: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
        def count(waveform: np.ndarray) -> np.ndarray:
            frames = compute(waveform)
            computed.append(len(frames))
            return frames

        return count

    front_end = FrontEnd(32_000, 640, 320, 198, 2, counting(energies))
    assembler = WindowAssembler(16_000, front_end.window_samples, 32_000)
    incremental = IncrementalFrontEnd(front_end)
    for window in assembler.push(np.zeros(96_000, np.float32)):
        incremental(window)
    assert computed == [198, 50, 50, 50, 50]


def test_behind_a_gap_nothing_of_the_padded_window_before_is_kept() -> None:
    front_end = IncrementalFrontEnd(VGGISH_LOG_MEL)
    padded = np.zeros(15_600, np.float32)
    padded[:8_000] = melody(0.5, 16_000)[:, 0]
    front_end(Window(0, 0, padded, 16_000, 0, n_valid=8_000))
    samples = melody(1.0, 16_000, seed=1)[:15_600, 0]
    after = Window(1, 8_000, samples, 16_000, 0, n_valid=15_600)
    np.testing.assert_allclose(front_end(after), VGGISH_LOG_MEL.examples(samples), atol=1e-6)
