"""Clients of the control endpoint; they connect anew after each time-out, so none is ever stuck."""

from __future__ import annotations

import time
from typing import Any, Final, cast

import zmq
import zmq.asyncio

from mmgat.stream.bus.access import endpoint
from mmgat.stream.bus.access.keys import ClientKeys
from mmgat.stream.bus.validation import MAX_MESSAGE_BYTES
from mmgat.stream.control.answers import decode_answer
from mmgat.stream.control.requests import Request, encode_request
from mmgat.stream.errors import PublishError

TIMEOUT_S: Final = 3.0


class _Client:
    """What both clients share: the socket, its options, its end."""

    def __init__(
        self,
        address: str,
        keys: ClientKeys | None,
        timeout_s: float,
        context: zmq.Context[Any],
    ) -> None:
        self.address, self._keys, self._timeout_s = address, keys, timeout_s
        self._context = context
        self._socket: zmq.Socket[Any] | None = None
        try:
            self._connected()
        except PublishError:
            self.close()
            raise

    def _connected(self) -> zmq.Socket[Any]:
        if self._socket is None:
            sock = self._context.socket(zmq.REQ)
            sock.setsockopt(zmq.LINGER, 0)
            sock.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES)
            self._socket = sock
            endpoint.connect(sock, self.address, self._keys)
        return self._socket

    def _timed_out(self) -> PublishError:
        """Drops the socket, whose late answer would be taken for that of the next request."""
        if self._socket is not None:
            self._socket.close(linger=0)
            self._socket = None
        keys = "are the keys right?" if self._keys else "does it need keys?"
        return PublishError(
            f"expected an answer from {self.address} within {self._timeout_s:g} s, found none: does "
            f"mmgat-stream run there with --control, and {keys}"
        )

    def close(self) -> None:
        """Gives the socket back."""
        self._context.destroy(linger=0)


class ControlClient(_Client):
    """Asks an engine, and waits for its answer.

    Example::

        with ControlClient("tcp://127.0.0.1:5560") as control:
            control(Mute(["drums"]))
            print(control(Describe())["decision"])

    Args:
        address: of the engine's control endpoint; the hello has it.
        keys: for an engine that has some.
        timeout_s: how long to wait for an answer.

    Raises:
        PublishError: the address is none.

    One thread owns a client.
    """

    def __init__(
        self, address: str, keys: ClientKeys | None = None, timeout_s: float = TIMEOUT_S
    ) -> None:
        super().__init__(address, keys, timeout_s, zmq.Context())

    def __call__(self, request: Request) -> dict[str, Any]:
        """The result, as a map of its fields.

        Raises:
            ProtocolError: the engine refuses the request, and says why.
            PublishError: no answer came.
        """
        sock, until = self._connected(), time.monotonic() + self._timeout_s
        sock.send(encode_request(request))
        if not sock.poll(int(1000 * (until - time.monotonic()))):
            raise self._timed_out()
        return decode_answer(sock.recv())

    def __enter__(self) -> ControlClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncControlClient(_Client):
    """As :class:`ControlClient`, for asyncio: one task at a time asks.

    Example::

        async with AsyncControlClient("tcp://studio:5560") as control:
            await control(MarkMoment("second verse"))
    """

    def __init__(
        self, address: str, keys: ClientKeys | None = None, timeout_s: float = TIMEOUT_S
    ) -> None:
        super().__init__(address, keys, timeout_s, zmq.asyncio.Context())

    async def __call__(self, request: Request) -> dict[str, Any]:
        """The result, as a map of its fields; raises as ``ControlClient`` does."""
        sock = cast(zmq.asyncio.Socket, self._connected())
        await sock.send(encode_request(request))
        if not await sock.poll(int(1000 * self._timeout_s)):
            raise self._timed_out()
        return decode_answer(await sock.recv())

    async def __aenter__(self) -> AsyncControlClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
