"""A real datagram socket in the place of systemd's."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmgat.stream.commands.process.systemd import SystemdNotifier


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(tmp_path / "notify"))
        bound.settimeout(5)
        yield bound


def test_it_hears_of_the_start_and_of_the_end(systemd: socket.socket) -> None:
    supervisor = SystemdNotifier({"NOTIFY_SOCKET": systemd.getsockname()})
    supervisor.ready("mic")
    supervisor.watchdog()  # nobody asked for signs of life
    supervisor.stopping()
    assert systemd.recv(100) == b"READY=1\nSTATUS=mic"
    assert systemd.recv(100) == b"STOPPING=1"


def test_signs_of_life_come_three_times_a_period(systemd: socket.socket) -> None:
    now = 0.0
    environment = {"NOTIFY_SOCKET": systemd.getsockname(), "WATCHDOG_USEC": "3000000"}
    supervisor = SystemdNotifier(environment, lambda: now)
    for tenth in range(61):
        now = tenth / 10
        supervisor.watchdog()
    supervisor.stopping()
    told = []
    while (word := systemd.recv(100)) != b"STOPPING=1":
        told.append(word)
    assert told == [b"WATCHDOG=1"] * 7


def test_without_a_supervisor_nothing_happens() -> None:
    supervisor = SystemdNotifier({})
    supervisor.ready("mic")
    supervisor.watchdog()
    supervisor.stopping()
