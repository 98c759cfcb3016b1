"""Calls into the audio system that may hang, made so that signals work and the user is told."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from mmgat.stream.errors import DeviceError

NOTICE_S: Final = 3.0
"""After this long (seconds) without an answer, one line says what is waited for."""

TIMEOUT_S: Final = 15.0
POLL_S: Final = 0.05

T = TypeVar("T")

log = logging.getLogger(__name__)


def with_deadline(
    call: Callable[[], T], what: str, notice_s: float = NOTICE_S, timeout_s: float = TIMEOUT_S
) -> T:
    """Makes a call on a thread of its own, and waits for it where Ctrl+C works.

    A call into a stopped audio server never returns and cannot be ended, so its thread is left
    behind: it does not keep the process alive.

    Args:
        call: what to do.
        what: it is, for the messages, such as ``opening 'pulse'``.
        notice_s, timeout_s: seconds until the line, and until the error.

    Raises:
        DeviceError: it has not returned in time.
        Exception: what the call raises.
    """
    results: list[T] = []
    faults: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:
            faults.append(error)

    thread = threading.Thread(target=run, name="audio system", daemon=True)
    begun, told = time.monotonic(), False
    with _standard_error() as restore:
        thread.start()
        while thread.is_alive():
            thread.join(POLL_S)
            waited_s = time.monotonic() - begun
            if thread.is_alive() and waited_s > timeout_s:
                restore()
                raise DeviceError(
                    f"{what}: expected an answer of the audio system, found none within "
                    f"{timeout_s:.0f} s: start its server (PulseAudio, PipeWire, JACK) anew"
                )
            if thread.is_alive() and waited_s > notice_s and not told:
                restore()
                log.warning("%s: waiting for the audio system; Ctrl+C ends this", what)
                told = True
    if faults:
        raise faults[0]
    return results[0]


@contextlib.contextmanager
def _standard_error() -> Iterator[Callable[[], object]]:
    """Gives a function that undoes a redirection of the standard error.

    While PortAudio initialises, sounddevice sends descriptor 2 to /dev/null; if it hangs there,
    nothing that is said would be seen.
    """
    try:
        saved = os.dup(2)
    except OSError:  # it is closed
        yield lambda: None
        return
    try:
        yield lambda: os.dup2(saved, 2)
    except BaseException:
        os.dup2(saved, 2)
        raise
    finally:
        os.close(saved)
