import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmgat.stream.audio.devices.clock import ClockDrift, LostTime

RATE_HZ = 48_000


def lumps(
    seed: int,
    seconds: float,
    ppm: float = 0.0,
    lost_at_s: float = 1e9,
    lost_s: float = 0.0,
    late_s: float = 0.0,
) -> Iterator[tuple[float, int]]:
    """Clock and frames so far of a device that gives lumps of up to 100 ms, up to 80 ms late.

    At one moment nothing comes for ``lost_s + late_s``; the late part comes after it in a burst.
    """  # fmt: skip
    chance = random.Random(seed)
    captured_s = now = 0.0
    while captured_s < seconds:
        captured_s += chance.uniform(0.005, 0.1)
        arrives = captured_s + chance.uniform(0, 0.08)
        lost = lost_s if captured_s > lost_at_s else 0.0
        if lost_at_s < captured_s < lost_at_s + lost_s:
            continue
        if captured_s < lost_at_s + lost_s + late_s and captured_s > lost_at_s:
            arrives = lost_at_s + lost_s + late_s
        now = max(now, arrives)
        yield 1000.0 + now, round((captured_s - lost) * RATE_HZ * (1 + 1e-6 * ppm))


def found(stream: Iterator[tuple[float, int]]) -> list[float]:
    lost_time, total, gaps = LostTime(RATE_HZ), 0, []
    for now, frames in stream:
        lost = lost_time.update(now, frames + total)
        total += lost
        if lost:
            gaps.append(lost / RATE_HZ)
    return gaps


@given(seed=st.integers(0, 10_000), ppm=st.sampled_from([-500.0, 0.0, 500.0]))
def test_lumps_lateness_and_drift_are_no_loss(seed: int, ppm: float) -> None:
    assert found(lumps(seed, 60, ppm)) == []


@given(
    seed=st.integers(0, 10_000),
    lost_s=st.sampled_from([0.5, 3.0, 18.0]),
    late_s=st.sampled_from([0.0, 0.4, 2.0]),
)
def test_lost_time_is_found_once_and_with_its_length(
    seed: int, lost_s: float, late_s: float
) -> None:
    (gap,) = found(lumps(seed, 60, lost_at_s=20.0, lost_s=lost_s, late_s=late_s))
    assert gap == pytest.approx(lost_s, abs=0.12)


def test_a_pause_whose_frames_all_come_later_is_no_loss() -> None:
    assert found(lumps(0, 60, lost_at_s=20.0, late_s=5.0)) == []


def test_the_drift_is_known_after_five_minutes() -> None:
    drift = ClockDrift(RATE_HZ)
    for seconds in range(300):
        assert drift.update(1000.0 + seconds, seconds * RATE_HZ) is None
    late = drift.update(1000.0 + 3600, round(3600 * RATE_HZ * 1.00008))
    assert late == pytest.approx(80.0, abs=0.01)
