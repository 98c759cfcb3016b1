"""WebSocket: every message as a JSON text, as ``mmgat-listen`` prints it, for browsers.

A client that connects gets what a newcomer to the bus gets: the hello, the last estimate and status
of each source, and the events of the last ten minutes, marked ``replayed``. A source that says
nothing more is ``{"type":"lost","source":...}``. ``?kinds=event,hello`` asks for these only.

A browser lets any web page open a connection to any address, so the page's origin is checked.
Source: RFC 6455, section 10.2.
"""

from __future__ import annotations

import asyncio
import contextlib
import http
import json
import logging
import re
import threading
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import parse_qs, urlsplit

from msgspec import Meta

from mmgat.stream.bridges.base import Bridge, ReceiverAway, Signal, SourceLost, required
from mmgat.stream.bus.protocol import PREFIX, to_json
from mmgat.stream.bus.replay import Replay
from mmgat.stream.errors import BridgeError
from mmgat.stream.setting_types import SettingsGroup

MAX_CLIENTS: Final = 100
MAX_WAITING: Final = 500
"""Messages that wait for one client; one that does not take them loses what comes on top."""

MAX_INCOMING_BYTES: Final = 1024
OPEN_TIMEOUT_S: Final = 5.0


class WebSocketSettings(SettingsGroup, frozen=True):
    """Where to listen, and who may connect."""

    host: Annotated[str, Meta(description="Address to listen on.", min_length=1)] = "127.0.0.1"
    port: Annotated[int, Meta(description="TCP port to listen on.", ge=1, le=65_535)] = 8765
    origin: Annotated[
        tuple[str, ...],
        Meta(
            description="Origin of web pages that may also connect, such as https://lights.lan, or "
            "null for pages opened as files; several times for several. Pages that this bridge "
            "serves itself, and programs that are no browser, always may."
        ),
    ] = ()
    page: Annotated[Path | None, Meta(description="HTML file to serve at /.")] = None


def text_of(signal: Signal) -> tuple[str, str]:
    """Kind and JSON text of a signal."""
    if isinstance(signal, SourceLost):
        return "lost", json.dumps({"type": "lost", "source": signal.source}, separators=(",", ":"))
    return type(signal).__name__.lower(), to_json(signal)


def wanted_kinds(path: str) -> frozenset[str] | None:
    """The kinds that a client's path asks for, None for all: ``/?kinds=event,hello``."""
    asked = parse_qs(urlsplit(path).query).get("kinds")
    return frozenset(asked[-1].split(",")) if asked else None


def is_own_origin(origin: str, host_header: str) -> bool:
    """Whether a page was served by this bridge itself, under a name of this machine.

    Only a name that nobody can have resolve elsewhere counts, or another's page could come under
    its own name at our address (DNS rebinding).
    """
    address = urlsplit(f"//{host_header}").hostname or ""
    literal = re.fullmatch(r"[\d.]+|[0-9a-f:.]+", address) is not None
    return (literal or address == "localhost") and origin == f"http://{host_header}"


@dataclass(eq=False)
class _Client:
    """One connection and what waits for it."""

    kinds: frozenset[str] | None
    waiting: asyncio.Queue[str] = field(default_factory=lambda: asyncio.Queue(MAX_WAITING))

    def offer(self, kind: str, text: str) -> bool:
        """Queues a text if it is wanted; False if there is no room."""
        if self.kinds is None or kind in self.kinds:
            if self.waiting.full():
                return False
            self.waiting.put_nowait(text)
        return True


class _Past:
    """What a newcomer must know: of this session of the engine, and which sources are lost."""

    def __init__(self) -> None:
        self._replay, self._session = Replay(), ""
        self._lost: dict[str, SourceLost] = {}

    def keep(self, signal: Signal) -> None:
        """Takes note of a signal; with a new session, what was before is over."""
        if isinstance(signal, SourceLost):
            self._lost[signal.source] = signal
            return
        if signal.session != self._session:
            self._replay, self._session = Replay(), signal.session
            self._lost.clear()
        self._replay.keep(signal)
        self._lost.pop(getattr(signal, "source", ""), None)

    def signals(self, now: float) -> list[Signal]:
        """The messages as they are sent again, and the losses behind them; ``now`` in Unix seconds."""
        return [*self._replay.messages(now, (PREFIX,)), *self._lost.values()]


class WebSocketBridge(Bridge):
    """Serves JSON to browsers and programs over WebSocket, on this machine unless told otherwise."""

    Settings = WebSocketSettings
    history = True
    settings: WebSocketSettings

    def __init__(self, settings: WebSocketSettings) -> None:
        super().__init__(settings)
        self._server_module = required("websockets.asyncio.server", "websockets", "ws")
        self._http = required("websockets.http11", "websockets", "ws")
        self._headers = required("websockets.datastructures", "websockets", "ws")
        self._past = _Past()
        self._clients: set[_Client] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._server: Any = None
        self._page = _read_page(settings.page)

    @property
    def receiver(self) -> str:
        """The URL that clients connect to, and the page's where there is one."""
        host = f"[{self.settings.host}]" if ":" in self.settings.host else self.settings.host
        page = f" (page: http://{host}:{self.settings.port}/)" if self._page else ""
        return f"ws://{host}:{self.settings.port}{page}"

    def open(self) -> None:
        """Listens, on a thread of its own."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ws", daemon=True)
        self._thread.start()
        try:
            self._server = self._call(self._listen())
        except OSError as error:
            raise ReceiverAway(
                f"expected {self.settings.host} port {self.settings.port} to be free, found "
                f"{error.strerror or error}: choose another with --port"
            ) from None

    def send(self, signal: Signal) -> None:
        """Hands a signal to every client; what one has no room for is counted."""
        if self._loop is None:
            self._past.keep(signal)
        else:
            self._loop.call_soon_threadsafe(self._offer, signal)

    def close(self) -> None:
        """Ends all connections."""
        loop, self._loop = self._loop, None
        if loop is None or self._thread is None:
            return
        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(self._end(), loop).result(OPEN_TIMEOUT_S)
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join(OPEN_TIMEOUT_S)
        self._thread = None

    async def _end(self) -> None:
        if self._server is not None:
            await asyncio.sleep(0)  # what was handed over is sent first
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(OPEN_TIMEOUT_S)

    async def _listen(self) -> Any:
        return await self._server_module.serve(
            self._serve_client, self.settings.host, self.settings.port,
            process_request=self._answer, max_size=MAX_INCOMING_BYTES, max_queue=1,
            compression=None, server_header=None, logger=_silent(),
        )  # fmt: skip

    def _answer(self, connection: Any, request: Any) -> Any:
        """None where a connection may go on, otherwise the response that ends it."""
        if "upgrade" not in request.headers.get("Connection", "").lower():
            if self._page is not None and urlsplit(request.path).path == "/":
                headers = self._headers.Headers(
                    {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store",
                     "Content-Length": str(len(self._page)), "Connection": "close"}
                )  # fmt: skip
                return self._http.Response(200, "OK", headers, self._page)
            return connection.respond(
                http.HTTPStatus.NOT_FOUND, "expected a WebSocket, or / with --page\n"
            )
        origin = request.headers.get("Origin")
        if (
            origin is not None
            and origin not in self.settings.origin
            and not is_own_origin(origin, request.headers.get("Host", ""))
        ):
            return connection.respond(
                http.HTTPStatus.FORBIDDEN, f"expected an origin of --origin, found {origin}\n"
            )
        if len(self._clients) >= MAX_CLIENTS:
            return connection.respond(
                http.HTTPStatus.SERVICE_UNAVAILABLE, f"{MAX_CLIENTS} clients are connected\n"
            )
        return None

    async def _serve_client(self, connection: Any) -> None:
        client = _Client(wanted_kinds(connection.request.path))
        for signal in self._past.signals(time.time()):
            client.offer(*text_of(signal))
        self._clients.add(client)
        reading = asyncio.create_task(_discard(connection))
        try:
            while not reading.done():
                getting = asyncio.ensure_future(client.waiting.get())
                await asyncio.wait({getting, reading}, return_when=asyncio.FIRST_COMPLETED)
                if getting.done():
                    await connection.send(getting.result())
                else:
                    getting.cancel()
        except Exception:  # the client is gone: there is nobody to tell
            return
        finally:
            self._clients.discard(client)
            reading.cancel()

    def _offer(self, signal: Signal) -> None:
        """Keeps a signal and hands it on, in one step, so that a newcomer gets it once."""
        self._past.keep(signal)
        kind, text = text_of(signal)
        for client in self._clients:
            self.not_delivered += not client.offer(kind, text)


async def _discard(connection: Any) -> None:
    """Reads what a client says, which means nothing, until it is gone."""
    async for _ in connection:
        pass


def _silent() -> logging.Logger:
    """Strangers that knock wrongly are no news for the user."""
    logger = logging.getLogger("websockets.mmgat")
    logger.setLevel(logging.CRITICAL)
    return logger


def _read_page(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise BridgeError(f"--page: expected a file, found {path}: {error.strerror}") from None
