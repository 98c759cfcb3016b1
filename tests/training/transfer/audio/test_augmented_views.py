import numpy as np
import torch

from mmgat.model.embedders.kaldi_mel import KALDI_LOG_MEL, kaldi_log_mel
from mmgat.training.transfer.audio.augmented_views import as_recorded, augment, onset, windows
from mmgat.training.transfer.audio.mixing import Clips
from mmgat.training.transfer.audio.parts import CLIP_SAMPLES, LEAD, N_NODES

RATE = 32_000


def tones(n: int) -> torch.Tensor:
    time = torch.arange(CLIP_SAMPLES) / RATE
    return (0.1 * (2 * torch.pi * 440 * time).sin()).repeat(n, 1)


def noises(n: int) -> torch.Tensor:
    return torch.randn(n, CLIP_SAMPLES, generator=torch.Generator().manual_seed(0))


def test_a_window_holds_the_two_seconds_that_end_with_its_node() -> None:
    audio = noises(1)
    heard = windows(audio, np.array([False]))
    assert heard.shape == (1, N_NODES, 200, 128)
    ends = LEAD + 4 * RATE
    direct = kaldi_log_mel(audio[0, ends - KALDI_LOG_MEL.window_samples : ends].numpy())
    np.testing.assert_allclose(heard[0, 3], direct, atol=1e-4)


def test_where_a_sound_begins_there_was_silence_before_it() -> None:
    plain, begun = windows(noises(1).repeat(2, 1), np.array([False, True]))
    assert (begun[0, :90] == begun[0].min()).all()
    torch.testing.assert_close(begun[2:], plain[2:], atol=1e-5, rtol=0)
    torch.testing.assert_close(begun[0, -90:], plain[0, -90:], atol=1e-5, rtol=0)


def test_before_an_onset_nothing_sounds_and_that_is_known() -> None:
    labels = torch.zeros(8, N_NODES, 20, dtype=torch.bool)
    labels[..., 7] = True
    found = onset(Clips(tones(8), labels, labels), np.random.default_rng(0))
    ended = 0
    for audio, of_clip, known in zip(*found, strict=True):
        heard = audio.nonzero()[:, 0]
        begins, ends = int(heard[0]), int(heard[-1]) + 1
        assert begins > RATE // 5
        ended += ends < CLIP_SAMPLES - RATE // 10
        for node in range(N_NODES):
            first = LEAD + node * RATE
            if first + RATE <= begins or first >= ends:
                assert known[node].all()
                assert not of_clip[node].any()
        assert of_clip.any()
    assert 0 < ended < 8


def test_a_second_of_which_little_sounds_is_unknown() -> None:
    labels = torch.zeros(40, N_NODES, 20, dtype=torch.bool)
    labels[..., 7] = True
    found = onset(Clips(tones(40), labels, torch.ones_like(labels)), np.random.default_rng(1))
    seconds = found.audio[:, LEAD:].unflatten(1, (N_NODES, RATE))
    share = (seconds.abs() > 1e-4).float().mean(-1)
    known = found.known[..., 7]
    assert known[share > 0.4].all()
    assert not known[(share > 0.01) & (share < 0.3)].any()


def test_a_view_keeps_length_and_range_and_silence_is_no_error() -> None:
    heard = augment(tones(12), np.random.default_rng(0))
    assert heard.shape == (12, CLIP_SAMPLES)
    assert heard.abs().max() <= 1
    levels = heard.square().mean(-1).sqrt().log10() * 20
    assert levels.max() - levels.min() > 10
    assert augment(torch.zeros(6, CLIP_SAMPLES), np.random.default_rng(0)).isfinite().all()


def test_some_views_end_where_recordings_do() -> None:
    noise = 0.1 * torch.randn(120, 3 * RATE, generator=torch.Generator().manual_seed(0))
    power = torch.fft.rfft(augment(noise, np.random.default_rng(0))).abs().square()
    at = power.shape[1] / 16_000

    def share(low_hz: float, high_hz: float) -> torch.Tensor:
        return power[:, int(low_hz * at) : int(high_hz * at)].mean(-1)

    ends = (share(8_500, 9_500) < 0.1 * share(6_000, 7_000)).float().mean()
    assert 0.1 < ends < 0.35


def test_as_recorded_is_the_same_at_another_level() -> None:
    audio = 0.01 * noises(6)
    heard = as_recorded(audio, np.random.default_rng(0))
    gains = heard / audio
    torch.testing.assert_close(gains, gains[:, :1].expand_as(gains), rtol=1e-3, atol=1e-3)
    assert (gains[:, 0].log10() * 20).abs().max() <= 12.1
    assert gains[:, 0].std() > 0.1
