import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmgat.stream.audio.resampler import MonoResampler
from tests.conftest import melody


def run(samples: np.ndarray, rate_hz: int, sizes: list[int]) -> np.ndarray:
    resample = MonoResampler(rate_hz, 16_000)
    parts, position, turn = [], 0, 0
    while position < len(samples):
        end = position + (sizes[turn % len(sizes)] if sizes else len(samples))
        parts.append(resample(samples[position:end]))
        position, turn = end, turn + 1
    return np.concatenate([*parts, resample.flush()])


@settings(deadline=None, max_examples=20)
@given(
    rate_hz=st.sampled_from([8_000, 16_000, 22_050, 44_100, 48_000, 192_000]),
    sizes=st.lists(st.integers(1, 20_000), min_size=1, max_size=4),
)
def test_blocks_of_any_size_give_the_same_samples(rate_hz: int, sizes: list[int]) -> None:
    samples = melody(0.4, rate_hz, channels=2)
    np.testing.assert_allclose(run(samples, rate_hz, sizes), run(samples, rate_hz, []), atol=1e-6)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 44_100, 48_000, 96_000, 192_000])
def test_a_second_of_any_rate_is_16000_samples_and_a_tone_keeps_its_level(rate_hz: int) -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(rate_hz) / rate_hz).astype(np.float32)[:, None]
    resampled = run(tone, rate_hz, [])
    assert abs(len(resampled) - 16_000) <= 1
    assert np.sqrt(np.mean(resampled[1000:-1000] ** 2)) == pytest.approx(0.5**0.5, rel=1e-3)


def test_channels_are_averaged() -> None:
    samples = np.stack([np.full(100, 0.2), np.full(100, 0.6)], axis=1).astype(np.float32)
    np.testing.assert_allclose(run(samples, 16_000, []), 0.4)


def test_after_a_flush_nothing_of_the_past_is_left() -> None:
    samples = melody(0.2, 44_100)
    resample = MonoResampler(44_100, 16_000)
    once = np.concatenate([resample(samples), resample.flush()])
    again = np.concatenate([resample(samples), resample.flush()])
    np.testing.assert_array_equal(once, again)
