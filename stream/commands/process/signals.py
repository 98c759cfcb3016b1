"""Signals that end a run, and calls that must not keep them waiting."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from types import FrameType
from typing import Final, TypeVar

T = TypeVar("T")

POLL_S: Final = 0.05


class Interrupted(Exception):
    """A signal has asked for the end."""


@contextlib.contextmanager
def ending_signals(quit_: threading.Event) -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP set an event; under nohup SIGHUP stays ignored."""

    def set_quit(_number: int, _frame: FrameType | None) -> None:
        quit_.set()

    before = {
        number: signal.signal(number, set_quit)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def interrupt_with_exception() -> None:
    """From now on Ctrl+C is a ``KeyboardInterrupt``."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def call_interruptibly(function: Callable[[], T], quit_: threading.Event) -> T:
    """The result of a function that runs on a thread of its own, so that a signal ends the wait.

    A signal's exception in the midst of importing a library could leave it half made.

    Args:
        function: may take long.
        quit_: ends the wait; the thread is left behind.

    Raises:
        Interrupted: ``quit_`` was set.
        Exception: whatever the function raises.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="preparation", daemon=True).start()
    while not wait([future], POLL_S).done:
        if quit_.is_set():
            raise Interrupted
    if quit_.is_set():
        raise Interrupted
    return future.result()
