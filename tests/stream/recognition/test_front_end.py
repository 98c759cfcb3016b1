import numpy as np
import pytest

from mmgat.model.embedders.log_mel import examples
from mmgat.stream.audio.windows import HEARD_SAMPLES, Window, WindowAssembler
from mmgat.stream.recognition.front_end import FrontEnd
from tests.conftest import melody


def alone(window: Window) -> np.ndarray:
    return examples(window.samples)


@pytest.mark.parametrize("hop", [4_000, 8_000, 16_000])
def test_a_sliding_window_has_the_frames_it_has_alone(hop: int) -> None:
    assembler, front_end = WindowAssembler(hop), FrontEnd()
    windows = assembler.push(melody(3.4, 16_000)[:, 0]) + assembler.flush()
    assert windows[-1].partial
    for window in windows:
        np.testing.assert_allclose(front_end(window), alone(window), atol=1e-6)


def test_behind_a_gap_nothing_of_the_padded_window_before_is_kept() -> None:
    front_end = FrontEnd()
    padded = np.zeros(HEARD_SAMPLES, np.float32)
    padded[:8_000] = melody(0.5, 16_000)[:, 0]
    front_end(Window(0, 0, padded, n_valid=8_000))
    after = Window(1, 8_000, melody(1.0, 16_000, seed=1)[:HEARD_SAMPLES, 0])
    np.testing.assert_allclose(front_end(after), alone(after), atol=1e-6)
