import math

import numpy as np
import pytest
import torch
from torchvggish.vggish_input import waveform_to_examples

from model.log_mel import LogMel
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
    ours = LogMel().examples(torch.from_numpy(waveform)[None]).numpy()
    assert theirs.shape == ours.shape == (1, 96, 64)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_silence_is_ln_of_the_offset_everywhere() -> None:
    frames = LogMel()(torch.zeros(1, 16_000))
    assert frames.shape == (1, 98, 64)
    assert torch.allclose(frames, torch.full_like(frames, math.log(0.01)))


def test_15600_samples_are_one_example_and_one_less_is_refused() -> None:
    assert LogMel().examples(torch.zeros(2, 15_600)).shape == (2, 96, 64)
    with pytest.raises(ValueError, match="96 frames"):
        LogMel().examples(torch.zeros(2, 15_599))


def test_less_than_a_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 400 samples, found 399"):
        LogMel()(torch.zeros(399))


def test_a_batch_gives_what_its_windows_give_alone() -> None:
    windows = torch.from_numpy(melody(3.0, 16_000)[:, 0]).reshape(3, 16_000)
    alone = torch.cat([LogMel().examples(window[None]) for window in windows])
    assert torch.allclose(LogMel().examples(windows), alone, atol=1e-6)
