"""The front ends in torch beside those in numpy."""

import numpy as np
import pytest
import torch

from mmgat.model.embedders.base import FrontEnd
from mmgat.model.embedders.kaldi_mel import KALDI_LOG_MEL
from mmgat.model.embedders.log_mel import VGGISH_LOG_MEL
from tests.conftest import melody

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
FRONT_ENDS = pytest.mark.parametrize(
    "front_end", [VGGISH_LOG_MEL, KALDI_LOG_MEL], ids=["vggish", "compact"]
)


@pytest.mark.parametrize("device", DEVICES)
@FRONT_ENDS
def test_torch_gives_the_frames_of_numpy(front_end: FrontEnd, device: str) -> None:
    """At full scale, at -100 dBFS, and for digital silence."""
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    sound = melody(2.1, front_end.sample_rate_hz)[: front_end.window_samples, 0]
    windows = np.stack([sound / np.abs(sound).max(), 1e-5 * sound, 0 * sound])
    compute = front_end.torch_module().to(device)
    found = compute(torch.from_numpy(windows).to(device)).cpu().numpy()
    assert found.shape == (3, front_end.n_frames, front_end.n_bands)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, front_end.compute(windows), atol=2e-5)


@pytest.mark.parametrize(
    ("hop_s", "vggish", "compact"),
    [(1.0, 96, 100), (0.5, 50, 50), (0.25, 25, 25), (0.125, 96, 200)],
)
def test_a_hop_of_whole_frames_keeps_the_others(hop_s: float, vggish: int, compact: int) -> None:
    """An eighth of a second is 12.5 frames, so no frame of one window is one of the next."""
    assert VGGISH_LOG_MEL.new_frames(hop_s) == vggish
    assert KALDI_LOG_MEL.new_frames(hop_s) == compact
