"""The search for how many channels keep up, with engines that only say so."""

from typing import Any

import pytest

from tools.benchmark import channels


@pytest.mark.parametrize(
    ("bear", "found"),
    [
        (95, "90 channels in real time in 2 processes, p95 100 ms"),
        (75, "70 channels in real time in 2 processes, p95 100 ms"),
        (5, "fewer than 46 channels in real time in 2 processes"),
    ],
)
def test_the_first_try_follows_from_the_speed_and_the_next_by_an_eighth(
    bear: int, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two engines of 50 channels each without a clock, which lose samples beyond ``bear``."""

    def ask(fleet: list[object], requests: list[tuple[str, int]]) -> list[Any]:
        if requests[0][0] == "speed":
            return [(0.02, "in a test")] * 2
        lost = int(sum(n for _, n in requests) > bear)
        return [(lost, [100.0] * n, "") for _, n in requests]

    monkeypatch.setattr(channels, "_ask", ask)
    told = channels._most([None, None])  # type: ignore[list-item]
    assert told.startswith(found)
    assert told.endswith("; 100 without a clock (in a test)")


def test_channels_that_fall_behind_are_not_in_real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(fleet: list[object], requests: list[tuple[str, int]]) -> list[Any]:
        if requests[0][0] == "speed":
            return [(1.0, "in a test")]
        return [(0, [channels.BEHIND_MS], "cuda:0 failed, the CPU took over")]

    monkeypatch.setattr(channels, "_ask", ask)
    told = channels._most([None])  # type: ignore[list-item]
    assert told == (
        "fewer than 1 channels in real time in 1 processes; 1 without a clock "
        "(cuda:0 failed, the CPU took over)"
    )
