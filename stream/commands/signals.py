"""Signals that end a run, and calls that must not keep them waiting."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from types import FrameType
from typing import Final, TypeVar

from mmgat.stream.errors import DeviceError

T = TypeVar("T")

POLL_S: Final = 0.05
WORD_AFTER_S: Final = 3.0
"""A call that takes longer is worth a line."""

PROBE_TIMEOUT_S: Final = 20.0
"""For the audio system to say what devices there are."""


class Interrupted(Exception):
    """A signal has asked for the end."""


@contextlib.contextmanager
def ending_signals(quit_: threading.Event) -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP set an event; those that the caller ignores stay ignored."""

    def set_quit(_number: int, _frame: FrameType | None) -> None:
        quit_.set()

    before = {
        number: signal.signal(number, set_quit)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def interrupt_with_exception() -> None:
    """From now on Ctrl+C is a ``KeyboardInterrupt``, unless the caller ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def call_patiently(
    function: Callable[[], T],
    waiting_for: str,
    say: Callable[[str], None] | None = None,
    quit_: threading.Event | None = None,
    timeout_s: float | None = None,
) -> T:
    """The result of a function that runs on a thread, so that a signal ends the wait for it.

    Args:
        function: may take long, or not come back.
        waiting_for: whom, in words; said once when it takes long.
        say: takes that line, if it is wanted.
        quit_: ends the wait.
        timeout_s: longest wait.

    Raises:
        Interrupted: ``quit_`` was set.
        DeviceError: the time-out has passed.
        Exception: whatever the function raises.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name=waiting_for, daemon=True).start()
    began, said = time.monotonic(), False
    while not wait([future], POLL_S).done:
        waited_s = time.monotonic() - began
        if quit_ is not None and quit_.is_set():
            raise Interrupted
        if timeout_s is not None and waited_s > timeout_s:
            raise DeviceError(
                f"expected an answer of {waiting_for}, found none within {timeout_s:g} s: restart it"
            )
        if say is not None and waited_s > WORD_AFTER_S and not said:
            said = True
            say(f"waiting for {waiting_for}; Ctrl+C ends it")
    return future.result()
