import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmgat.stream.audio.resampler import EDGE_SAMPLES, MonoResampler
from tests.conftest import melody


def run(
    samples: np.ndarray,
    rate_hz: int,
    sizes: list[int],
    hurried: tuple[bool, ...] = (False,),
    target_hz: int = 16_000,
) -> np.ndarray:
    resample = MonoResampler(rate_hz, target_hz)
    parts, position, turn = [], 0, 0
    while position < len(samples):
        end = position + (sizes[turn % len(sizes)] if sizes else len(samples))
        parts.append(resample(samples[position:end]))
        if hurried[turn % len(hurried)] and resample.n_ready:
            parts.append(resample.ahead())
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


@settings(deadline=None, max_examples=20)
@given(
    rate_hz=st.sampled_from([8_000, 11_025, 16_000, 22_050, 44_100, 47_999, 48_000, 192_000]),
    sizes=st.lists(st.integers(1, 3_000), min_size=1, max_size=4),
    hurried=st.lists(st.booleans(), min_size=1, max_size=5).map(tuple),
    target_hz=st.sampled_from([16_000, 32_000]),
)
def test_samples_given_ahead_are_those_that_the_stream_gives_later(
    rate_hz: int, sizes: list[int], hurried: tuple[bool, ...], target_hz: int
) -> None:
    noise = np.random.default_rng(rate_hz).uniform(-1, 1, (rate_hz * 2 // 5, 1)).astype(np.float32)
    np.testing.assert_allclose(
        run(noise, rate_hz, sizes, hurried, target_hz),
        run(noise, rate_hz, [], target_hz=target_hz),
        atol=2e-6,
    )


@pytest.mark.parametrize("rate_hz", [44_100, 48_000, 96_000])
def test_what_is_given_ahead_ends_half_a_filter_before_the_newest_frame(rate_hz: int) -> None:
    resample = MonoResampler(rate_hz, 32_000)
    frames = np.zeros((rate_hz // 100, 1), np.float32)
    n_given = 0
    for n_blocks in range(1, 40):
        n_given += len(resample(frames))
        n_given += len(resample.ahead()) if resample.n_ready else 0
        assert n_given == n_blocks * 320 - EDGE_SAMPLES


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
