import math

import numpy as np
import pytest
from torchvggish.vggish_input import waveform_to_examples

from mmgat.model.embedders.log_mel import examples, log_mel
from tests.conftest import melody


@pytest.mark.parametrize("kind", ["melody", "noise", "sine", "loud clicks"])
def test_equals_torchvggish_within_1e_5(kind: str) -> None:
    rng = np.random.default_rng(1)
    t = np.arange(16_000) / 16_000
    clicks = np.zeros(16_000)
    clicks[::997] = 1.0
    waveform = {
        "melody": melody(1.0, 16_000)[:, 0],
        "noise": rng.uniform(-1, 1, 16_000),
        "sine": np.sin(2 * np.pi * 1000 * t),
        "loud clicks": clicks,
    }[kind].astype(np.float32)
    theirs = waveform_to_examples(waveform.astype(np.float64), 16_000).detach().numpy()[:, 0]
    ours = examples(waveform[None])
    assert theirs.shape == ours.shape == (1, 96, 64)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_silence_is_ln_of_the_offset_everywhere() -> None:
    frames = log_mel(np.zeros((1, 16_000), np.float32))
    assert frames.shape == (1, 98, 64)
    np.testing.assert_allclose(frames, math.log(0.01), rtol=1e-6)


def test_15600_samples_are_one_example_and_one_less_is_refused() -> None:
    assert examples(np.zeros((2, 15_600), np.float32)).shape == (2, 96, 64)
    with pytest.raises(ValueError, match="96 frames"):
        examples(np.zeros((2, 15_599), np.float32))


def test_less_than_a_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 400 samples, found 399"):
        log_mel(np.zeros(399, np.float32))


def test_a_batch_gives_what_its_windows_give_alone() -> None:
    windows = melody(3.0, 16_000)[:, 0].reshape(3, 16_000)
    alone = np.stack([examples(window) for window in windows])
    np.testing.assert_allclose(examples(windows), alone, atol=1e-6)
