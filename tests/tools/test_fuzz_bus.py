"""A short form of the fuzz of the bus; ``python -m tools.fuzz_bus`` is the long one."""

from __future__ import annotations

import sys

import pytest

from mmgat.stream.bus import subscription
from mmgat.stream.bus.protocol import Message
from tools.fuzz_bus.attacks import attack_control, attack_publisher, attack_readers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")


def test_readers_survive_hostile_messages() -> None:
    outcome = attack_readers(1500, seed=1)
    assert outcome.faults == []
    assert outcome.refused > 500


def test_the_publisher_and_an_honest_reader_survive_hostile_peers() -> None:
    outcome = attack_publisher(10_000, seed=1)
    assert outcome.faults == []
    assert outcome.refused > 5


def test_the_control_endpoint_and_an_honest_client_survive_hostile_clients() -> None:
    outcome = attack_control(4000, seed=1)
    assert outcome.faults == []
    assert outcome.refused > 100


def test_a_reader_that_dies_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    original = subscription.from_frames

    def fragile(frames: list[bytes]) -> Message | None:
        if len(frames) == 3:
            raise RecursionError
        return original(frames)

    monkeypatch.setattr(subscription, "from_frames", fragile)
    assert attack_readers(400, seed=1).deaths > 0
