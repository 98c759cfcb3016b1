"""The control endpoint: one thread owns a ROUTER socket and answers one request after the other."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from typing import Final

import msgspec
import zmq

from mmgat.stream.bus.access import endpoint
from mmgat.stream.bus.access.keys import ServerKeys
from mmgat.stream.bus.access.peers import Peers
from mmgat.stream.bus.access.security import Authenticator, openness
from mmgat.stream.bus.validation import printable
from mmgat.stream.control.answers import Result, encode_answer
from mmgat.stream.control.requests import (
    MAX_REQUEST_BYTES,
    Request,
    decode_request,
    is_json,
)
from mmgat.stream.errors import ProtocolError, PublishError, StreamError

POLL_MS: Final = 200
MAX_ENVELOPE: Final = 4
"""Frames before a request: the peer's, those of a client that numbers its requests, an empty one."""

BURST, PER_S = 40, 20.0
"""Requests that change something, of all clients together."""

MAX_CLIENTS: Final = 64
CLIENT_BURST_BYTES, CLIENT_BYTES_PER_S = 1_000_000, 20_000.0
"""What a client may send."""

LINGER_MS: Final = 500
SHUTDOWN_TIMEOUT_S: Final = 2.0
MAX_SHOWN: Final = 200
"""Characters of a request in the log."""

_log: Final = logging.getLogger(__name__)
_audit: Final = logging.getLogger("mmgat.stream.control.audit")
_audit.setLevel(logging.INFO)


class ControlServer:
    """Takes requests; each is a line in the log, with who asked, unless nobody else can ask.

    Args:
        address: to bind; see ``Publisher``.
        answer: from a request to its result, on this server's thread.
        keys: whoever connects over TCP needs a key that is known.
        insecure: other machines may connect without one.
        noted: each request is a line in the log.
        clock: ``time.monotonic``, or another in tests.

    Attributes:
        address: that was bound, with its port.
        requests, faults: answered, and refused.
        security: who may connect: ``local``, ``curve`` or ``none``, as in ``Hello``.

    Raises:
        PublishError: as for ``Publisher``.
    """

    def __init__(
        self,
        address: str,
        answer: Callable[[Request], Result],
        keys: ServerKeys | None = None,
        *,
        insecure: bool = False,
        noted: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._answer, self._keys, self._noted = answer, keys, noted
        self.requests = self.faults = 0
        self._clock = clock
        self._allowance, self._refilled_at = float(BURST), clock()
        self._closing = threading.Event()
        self._context = zmq.Context()
        self._authenticator = Authenticator(self._context, keys) if keys else None
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.LINGER, LINGER_MS)
        self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_REQUEST_BYTES)
        self._socket.setsockopt(zmq.SNDHWM, 100)
        self._peers = Peers(self._socket, MAX_CLIENTS, CLIENT_BURST_BYTES, CLIENT_BYTES_PER_S)
        try:
            self.address = endpoint.bind(self._socket, address, keys, insecure=insecure)
        except PublishError as error:
            self._peers.close()
            self._socket.close(linger=0)
            self._end_context()
            raise PublishError(str(error).replace("--publish", "--control")) from None
        self.security = openness(self.address, keys, insecure)
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Gives the address back; callable more than once."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._thread.join(SHUTDOWN_TIMEOUT_S)
        if not self._thread.is_alive():
            self._end_context()
            endpoint.release(self.address)

    def _end_context(self) -> None:
        if self._authenticator:
            self._authenticator.close()
        self._context.term()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                if self._socket.poll(POLL_MS):
                    self._serve(self._socket.recv_multipart(copy=False))
            except Exception as error:
                _log.warning("control goes on after a fault, %s: %s", type(error).__name__, error)
                self._closing.wait(0.1)  # never a busy loop
        self._peers.close()
        self._socket.close()

    def _serve(self, frames: list[zmq.Frame]) -> None:
        *envelope, payload = frames
        if not 1 <= len(envelope) <= MAX_ENVELOPE:
            return  # nobody to answer, or no request of anybody who waits for an answer
        content, peer = payload.bytes, self._peer_of(payload)
        result: Result | ProtocolError
        request: Request | None = None
        try:
            request = decode_request(content)
            self._check_rate(request)
            result = self._answer(request)
        except StreamError as error:
            result = ProtocolError(printable(str(error)))
        except Exception as error:  # a fault of ours must not end the endpoint
            result = ProtocolError(f"expected an answer, found a fault: {type(error).__name__}")
            _log.warning("control: %s: %s", type(error).__name__, error)
        self._note(peer, request, result)
        answer = encode_answer(result, as_json=is_json(content))
        with contextlib.suppress(zmq.Again):
            self._socket.send_multipart([*(f.bytes for f in envelope), answer], zmq.NOBLOCK)

    def _check_rate(self, request: Request) -> None:
        if not request.changes:
            return
        now = self._clock()
        self._allowance = min(BURST, self._allowance + PER_S * (now - self._refilled_at))
        self._refilled_at = now
        if self._allowance < 1:
            raise ProtocolError(f"expected at most {PER_S:g} changes a second, found more: wait")
        self._allowance -= 1

    def _note(self, peer: str, request: Request | None, result: Result | ProtocolError) -> None:
        if not self._noted:
            return
        if isinstance(result, ProtocolError):
            self.faults += 1
            # Lines about requests that are none are held back like any others.
            asked = f"{_words(request)}: " if request is not None else ""
            _audit.warning("control: refused %s: %s%s", peer, asked, _short(str(result)))
        else:
            self.requests += 1
            if request is not None:
                words = _words(request)
                # Questions may come every second: they are held back like any other line.
                extra = {"audit": request.changes, "kind": words.partition(" ")[0]}
                _audit.info("control: %s: %s", peer, words, extra=extra)

    def _peer_of(self, frame: zmq.Frame) -> str:
        """Who asks, in words: the name of its key, and its address."""
        found = []
        for name in ("User-Id", "Peer-Address"):
            with contextlib.suppress(zmq.ZMQError, ValueError, KeyError):
                value = str(frame.get(name))
                if name == "User-Id" and self._keys:
                    value = self._keys.name_of(value.encode("ascii", "replace")) or value
                found.append(value)
        return printable(" at ".join(filter(None, found))) or "this machine"


def _words(request: Request) -> str:
    fields = dict(msgspec.json.decode(msgspec.json.encode(request)))
    name = fields.pop("request")
    return _short(f"{name} {msgspec.json.encode(fields).decode()}" if fields else name)


def _short(text: str) -> str:
    text = printable(text)
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"
