import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmgat.stream.audio.meter import MAX_MAGNITUDE, ChannelMeter, level_dbfs, power_dbfs
from tests.conftest import Samples, melody

RATE_HZ = 8000
GATE_DBFS = -60.0


def metered(samples: Samples, block: int = 400) -> ChannelMeter:
    meter = ChannelMeter(RATE_HZ)
    for start in range(0, len(samples), block):
        meter.push(samples[start : start + block])
    return meter


def of(*channels: np.ndarray) -> Samples:
    return np.stack(channels, 1).astype(np.float32)


music = melody(3.0, RATE_HZ)[:, 0]


@pytest.mark.parametrize("other", [-music, -0.9 * music], ids=["exactly", "nearly"])
def test_channels_in_antiphase_cancel_and_keep_their_level(other: np.ndarray) -> None:
    meter = metered(of(music, other))
    assert meter.cancels(GATE_DBFS)
    assert meter.level_dbfs == pytest.approx(metered(of(music)).level_dbfs)


@pytest.mark.parametrize(
    "channels",
    [(music,), (music, music), (music, 0 * music), (music, np.roll(music, 999)),
     (music, *[0 * music] * 31), (music, *[0 * music] * 127), (music, -0.5 * music)],
    ids=["mono", "the same", "one side", "another", "one of 32", "one of 128", "half"],
)  # fmt: skip
def test_other_channels_do_not_cancel(channels: tuple[np.ndarray, ...]) -> None:
    assert not metered(of(*channels)).cancels(GATE_DBFS)


@pytest.mark.parametrize("block", [1, 500, 1000, 2000, 5000])
def test_whether_channels_cancel_does_not_depend_on_the_blocks_they_come_in(block: int) -> None:
    steady = np.full(RATE_HZ, 0.5)
    assert not metered(of(steady, steady), block).cancels(GATE_DBFS)
    assert metered(of(steady, -steady), block).cancels(GATE_DBFS)
    assert metered(of(steady, -steady), block).level_dbfs == pytest.approx(-6.02, abs=0.01)


def test_silent_channels_do_not_cancel() -> None:
    assert not metered(of(0 * music, 0 * music)).cancels(GATE_DBFS)
    faint = 1e-4 * music
    assert not metered(of(faint, -faint)).cancels(GATE_DBFS)


def test_the_level_is_that_of_the_loudest_channel_in_the_last_second() -> None:
    t = np.arange(3 * RATE_HZ) / RATE_HZ
    sine = np.sin(2 * np.pi * 100 * t)
    quiet_at_last = sine * np.where(t < 1.5, 1.0, 0.1)
    meter = metered(of(0.01 * sine, quiet_at_last))
    assert meter.level_dbfs == pytest.approx(-23.01, abs=0.1)


def test_every_channel_has_its_level_and_its_clipped_samples() -> None:
    meter = metered(of(np.ones(RATE_HZ), np.full(RATE_HZ, 0.1)))
    assert meter.levels_dbfs == pytest.approx([0.0, -20.0], abs=0.01)
    assert meter.clipped_channels == [RATE_HZ, 0]


def test_only_exact_zeros_on_all_channels_count_as_zeros() -> None:
    zeros = np.zeros(2 * RATE_HZ)
    assert metered(of(zeros, zeros)).zeros_s == pytest.approx(2.0)
    assert metered(of(zeros, zeros + 1e-9)).zeros_s == 0
    assert metered(of(zeros + np.nan)).zeros_s == 0
    sound_before = np.concatenate([music[:400], zeros])
    assert metered(of(sound_before)).zeros_s == pytest.approx(2.0)


def test_numbers_far_beyond_full_scale_are_limited_and_no_silence() -> None:
    meter = ChannelMeter(RATE_HZ)
    huge = of(np.full(RATE_HZ, 1e38), np.full(RATE_HZ, -3e38))
    limited = meter.push(huge)
    assert np.abs(limited).max() == MAX_MAGNITUDE
    assert meter.level_dbfs == pytest.approx(120.0)
    assert meter.clipped == 2 * RATE_HZ
    assert meter.nonfinite == 0


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, -1.0, np.nan, np.inf, -np.inf]), min_size=1))
def test_every_sample_is_finite_afterwards_and_every_fault_is_counted(values: list[float]) -> None:
    meter = ChannelMeter(RATE_HZ)
    samples = np.array(values, np.float32)[:, None]
    repaired = meter.push(samples)
    finite = np.isfinite(samples)
    np.testing.assert_array_equal(repaired, np.where(finite, samples, 0))
    assert meter.nonfinite == (~finite).sum()
    assert meter.clipped == (np.abs(samples[finite]) == 1).sum()


def test_levels_are_in_decibels_of_full_scale_and_end_at_digital_silence() -> None:
    assert power_dbfs(1.0) == 0.0
    assert power_dbfs(0.01) == pytest.approx(-20.0)
    assert power_dbfs(0.0) == power_dbfs(1e-30) == -200.0
    assert level_dbfs(np.full(100, 0.1, np.float32)) == pytest.approx(-20.0)
    assert level_dbfs(np.zeros(0, np.float32)) == level_dbfs(np.zeros(9, np.float32)) == -200.0


def test_before_the_first_samples_there_is_silence_on_no_channel() -> None:
    meter = ChannelMeter(RATE_HZ)
    meter.push(np.zeros((0, 2), np.float32))
    assert (meter.level_dbfs, meter.levels_dbfs, meter.cancels(GATE_DBFS)) == (-200.0, [], False)
    assert (meter.nonfinite, meter.clipped, meter.clipped_channels, meter.zeros_s) == (0, 0, [], 0)
