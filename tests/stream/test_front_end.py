import numpy as np
import pytest
import torch

from model.log_mel import LogMel
from stream.front_end import FrontEnd
from stream.windows import HEARD_SAMPLES, Window, WindowAssembler
from tests.conftest import melody

CPU = torch.device("cpu")


def alone(window: Window) -> np.ndarray:
    return LogMel().examples(torch.from_numpy(window.samples)[None]).numpy()


@pytest.mark.parametrize("hop", [4_000, 8_000, 16_000])
def test_a_sliding_window_has_the_frames_it_has_alone(hop: int) -> None:
    assembler, front_end = WindowAssembler(hop), FrontEnd(CPU)
    windows = assembler.push(melody(3.4, 16_000)[:, 0]) + assembler.flush()
    assert windows[-1].partial
    for window in windows:
        np.testing.assert_allclose(front_end(window).numpy(), alone(window), atol=1e-6)


def test_behind_a_gap_nothing_of_the_padded_window_before_is_kept() -> None:
    front_end = FrontEnd(CPU)
    padded = np.zeros(HEARD_SAMPLES, np.float32)
    padded[:8_000] = melody(0.5, 16_000)[:, 0]
    front_end(Window(0, 0, padded, n_valid=8_000))
    after = Window(1, 8_000, melody(1.0, 16_000, seed=1)[:HEARD_SAMPLES, 0])
    np.testing.assert_allclose(front_end(after).numpy(), alone(after), atol=1e-6)
