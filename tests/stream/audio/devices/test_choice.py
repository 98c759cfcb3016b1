"""A device that is listened to before it is chosen."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import mmgat.stream.audio.devices.choice as choice
from mmgat.stream.audio.devices.choice import LEASE_S, DevicePreview
from mmgat.stream.audio.source import AudioSource, Block
from mmgat.stream.errors import DeviceError, SourceError


class Tone(AudioSource):
    """Gives full scale as fast as it is read."""

    live = True

    def __init__(self, name: str) -> None:
        super().__init__(name, "device", 1000, 1)
        self.n_open = 0

    def probe(self) -> None:
        if self.name == "gone":
            raise DeviceError("expected 'gone', found none")

    def open(self) -> None:
        self.n_open += 1

    def read(self) -> Block:
        return Block(0, np.ones((100, 1), np.float32), 0.0)

    def stop(self) -> None: ...

    def close(self) -> None:
        self.n_open -= 1


def joined(preview: DevicePreview) -> None:
    assert preview._listener
    preview._listener._thread.join(20)
    assert preview._listener.over


def test_it_is_open_only_while_somebody_asks() -> None:
    now, made = [0.0], list[Tone]()

    def make(name: str) -> Tone:
        made.append(Tone(name))
        return made[-1]

    preview = DevicePreview(make, lambda: now[0])
    while (dbfs := preview.level("mic")) is None:
        pass
    assert dbfs == pytest.approx(0.0)
    now[0] = LEASE_S
    joined(preview)
    assert [one.n_open for one in made] == [0]
    preview.level("mic")
    preview.level("line")  # the other one is closed for it
    assert [one.n_open for one in made[:2]] == [0, 0]
    preview.close()
    assert [one.n_open for one in made] == [0, 0, 0]


def test_one_that_does_not_open_says_why() -> None:
    preview = DevicePreview(Tone)
    assert preview.level("gone") is None
    joined(preview)
    with pytest.raises(SourceError, match="expected 'gone', found none"):
        preview.level("gone")
    assert preview.level("gone") is None  # it is tried again
    preview.close()


def test_one_that_does_not_close_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    hangs = threading.Event()

    class Stuck(Tone):
        def read(self) -> Block:
            hangs.wait(60)
            return super().read()

    monkeypatch.setattr(choice, "LEASE_S", 0.05)
    preview = DevicePreview(Stuck)
    preview.level("mic")
    assert preview._listener
    thread = preview._listener._thread
    preview.close()
    assert thread.is_alive()
    hangs.set()
    thread.join(20)


def test_what_has_no_sound_yet_has_no_level() -> None:
    class Mute(Tone):
        def read(self) -> Block:
            return Block(0, np.ones((0, 1), np.float32), 0.0)

    preview = DevicePreview(Mute)
    assert preview.level("mic") is None
    preview.close()
