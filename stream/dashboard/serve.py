"""The dashboard in a browser, by textual-serve: one process of it for each page that is open."""

from __future__ import annotations

import hmac
import shlex
import sys
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from textual_serve.server import Server

from mmgat.stream.bus.access.security import is_loopback_host
from mmgat.stream.errors import StreamError

COOKIE: Final = "mmgat-token"
MIN_TOKEN: Final = 16
POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "connect-src 'self' ws: wss:; img-src 'self' data:; font-src 'self' data:; "
    "frame-ancestors 'none'"
)
"""Nothing is loaded from elsewhere, and no other page shows this one within itself."""


def listening_on(text: str, token: str) -> tuple[str, int]:
    """Host and port of an address such as ``127.0.0.1:8000``.

    Raises:
        StreamError: it is none, or another machine could connect and there is no good token.
    """
    host, separator, port = text.rpartition(":")
    host = host.strip("[]")
    if not separator or not host or not port.isdecimal() or not 1 <= int(port) <= 65_535:
        raise StreamError(f"expected an address such as 127.0.0.1:8000, found {text!r}")
    if not is_loopback_host(host) and len(token) < MIN_TOKEN:
        raise StreamError(
            f"expected --token with at least {MIN_TOKEN} characters where other machines can "
            f"connect, found {'none' if not token else 'a shorter one'}: add one, or serve on "
            "127.0.0.1"
        )
    return host, int(port)


def guarded(host: str, token: str) -> Middleware:
    """What every request passes: no page of another site, and a token if there is one.

    The token comes once in the address, ``?token=``, and is kept as a cookie.
    """

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        asked = urlsplit(f"//{request.host}").hostname or ""
        if is_loopback_host(host) and not is_loopback_host(asked):
            raise web.HTTPForbidden(text="expected this machine's own address")
        origin = request.headers.get("Origin")
        if origin and urlsplit(origin).netloc != request.host:
            raise web.HTTPForbidden(text="expected a page of this server")
        given = request.query.get("token", "") or request.cookies.get(COOKIE, "")
        if token and not hmac.compare_digest(given.encode(), token.encode()):
            raise web.HTTPForbidden(text="expected the token: open this address with ?token=...")
        if token and "token" in request.query and request.path == "/":
            answer: web.StreamResponse = web.HTTPFound("/")
            answer.set_cookie(COOKIE, token, httponly=True, samesite="Strict")
            return answer
        answer = await handler(request)
        if not answer.prepared:
            answer.headers["Content-Security-Policy"] = POLICY
            answer.headers["Referrer-Policy"] = "no-referrer"
        return answer

    return check


class DashboardServer(Server):
    """Serves ``mmgat-dashboard`` with the arguments that it was given.

    Args:
        arguments: of each dashboard.
        address: host and port.
        token: that a browser needs, or "".

    Raises:
        StreamError: see ``listening_on``.
    """

    def __init__(self, arguments: Sequence[str], address: str, token: str) -> None:
        host, port = listening_on(address, token)
        command = shlex.join([sys.executable, "-P", "-m", "mmgat.stream.dashboard", *arguments])
        url_host = f"[{host}]" if ":" in host else host
        super().__init__(command, host, port, title="mmgat", public_url=f"http://{url_host}:{port}")
        self._token = token

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(guarded(self.host, self._token))
        return app

    async def on_startup(self, app: web.Application) -> None:
        """Says where to look."""
        query = "/?token=..." if self._token else "/"
        sys.stderr.write(f"the dashboard is at {self.public_url}{query}; Ctrl+C ends it\n")

    def initialize_logging(self) -> None:
        """Requests are not logged: an address may have the token."""
