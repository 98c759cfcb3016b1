import logging
import threading

import pytest

from mmgat.stream.audio.devices.deadline import with_deadline
from mmgat.stream.errors import DeviceError


def test_an_answer_and_a_fault_are_passed_on() -> None:
    assert with_deadline(lambda: 7, "asking") == 7
    with pytest.raises(ZeroDivisionError):
        with_deadline(lambda: 1 / 0, "asking")


def test_a_call_that_hangs_is_told_once_and_then_an_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hang = threading.Event()
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(DeviceError, match="opening 'mic': expected an answer .* within 0 s"),
    ):
        with_deadline(hang.wait, "opening 'mic'", notice_s=0.0, timeout_s=0.3)
    hang.set()
    lines = [record.message for record in caplog.records]
    assert lines == ["opening 'mic': waiting for the audio system; Ctrl+C ends this"]


def test_ctrl_c_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    hang = threading.Event()

    def interrupted(self: threading.Thread, timeout: float | None = None) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "join", interrupted)
        with pytest.raises(KeyboardInterrupt):
            with_deadline(hang.wait, "opening 'mic'")
    hang.set()
