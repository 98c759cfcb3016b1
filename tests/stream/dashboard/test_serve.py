"""The dashboard in a browser: who may look, and what Chromium shows."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mmgat.stream.bus.protocol import to_json
from mmgat.stream.dashboard.__main__ import _without
from mmgat.stream.dashboard.serve import listening_on
from mmgat.stream.errors import StreamError
from tests.stream.dashboard.builders import estimate, event, hello

TOKEN = "a-token-of-many-letters"


@pytest.mark.parametrize("address", ["8000", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:x", ":8000"])
def test_what_is_no_address_is_refused_in_words(address: str) -> None:
    with pytest.raises(StreamError, match="expected an address such as"):
        listening_on(address, "")


@pytest.mark.parametrize("token", ["", "short"])
@pytest.mark.parametrize("address", ["0.0.0.0:8000", "192.168.1.5:8000", "[::]:8000", "studio:1"])
def test_other_machines_need_a_token(address: str, token: str) -> None:
    with pytest.raises(StreamError, match="expected --token"):
        listening_on(address, token)
    assert listening_on(address, TOKEN)[1] in (8000, 1)


def test_this_machine_needs_none() -> None:
    assert listening_on("127.0.0.1:8000", "") == ("127.0.0.1", 8000)
    assert listening_on("[::1]:8000", "") == ("::1", 8000)


def test_each_page_has_the_other_arguments() -> None:
    given = ["--serve", "127.0.0.1:1", "--connect", "tcp://a:1", "--token=x", "--ascii"]
    assert _without(given, "--serve", "--token") == ["--connect", "tcp://a:1", "--ascii"]


@asynccontextmanager
async def served(path: Path, *arguments: str) -> AsyncIterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mmgat.stream.dashboard", "--replay", str(path), "--speed", "max",
        "--theme", "dark", "--serve", f"127.0.0.1:{port}", *arguments,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stderr
        line = await asyncio.wait_for(process.stderr.readline(), 30)
        assert b"the dashboard is at" in line
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


def session(folder: Path) -> Path:
    path = folder / "session.jsonl"
    messages = [hello(), event("on", "piano", 1.0, 1.0), estimate(2.0, ("piano",))]
    path.write_text("\n".join(map(to_json, messages)))
    return path


async def test_a_token_is_asked_once_and_pages_of_others_are_refused(tmp_path: Path) -> None:
    async with (
        served(session(tmp_path), "--token", TOKEN) as url,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http,
    ):
        for path in ("/", "/ws", "/?token=wrong"):
            async with http.get(url + path) as answer:
                assert answer.status == 403
        async with http.get(f"{url}/?token={TOKEN}") as answer:
            assert answer.status == 200
            assert TOKEN not in await answer.text()
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        async with http.get(url, headers={"Origin": "http://evil.example"}) as answer:
            assert answer.status == 403
        async with http.get(url, headers={"Host": "evil.example"}) as answer:
            assert answer.status == 403


class Browser:
    """A page of Chromium, by its debugging protocol."""

    def __init__(self, page: aiohttp.ClientWebSocketResponse) -> None:
        self._page, self._number = page, 0

    async def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        await self._page.send_json({"id": self._number, "method": method, "params": parameters})
        while True:
            answer = await self._page.receive_json()
            if answer.get("id") == self._number:
                return dict(answer["result"])

    async def value(self, expression: str) -> Any:
        answer = await self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")


@asynccontextmanager
async def chromium(folder: Path, url: str) -> AsyncIterator[Browser]:
    process = subprocess.Popen(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0",
         f"--user-data-dir={folder}", "--window-size=1200,800", url],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        told = folder / "DevToolsActivePort"
        async with asyncio.timeout(60):
            while not told.exists() or not told.read_text():
                await asyncio.sleep(0.05)
            port = told.read_text().split()[0]
            async with aiohttp.ClientSession() as http:
                pages: list[dict[str, Any]] = []
                while not pages:
                    async with http.get(f"http://127.0.0.1:{port}/json") as answer:
                        pages = [one for one in await answer.json() if one["type"] == "page"]
                socket_url = pages[0]["webSocketDebuggerUrl"]
                async with http.ws_connect(socket_url, max_msg_size=0) as page:
                    yield Browser(page)
    finally:
        process.terminate()
        process.wait()


async def test_chromium_shows_what_sounds(tmp_path: Path) -> None:
    async with (
        served(session(tmp_path)) as url,
        chromium(tmp_path / "profile", url) as browser,
    ):
        while not await browser.value("document.body.classList.contains('-first-byte')"):
            await asyncio.sleep(0.1)
        # Amber is the colour of what sounds: seen in the picture that Chromium takes of the page.
        while True:
            shot = await browser.ask("Page.captureScreenshot", format="png")
            picture = tmp_path / "page.png"
            picture.write_bytes(base64.b64decode(shot["data"]))
            if _share_of(picture, (255, 175, 95)) > 0.005:
                break
            await asyncio.sleep(0.2)


def _share_of(picture: Path, color: tuple[int, int, int]) -> float:
    """The share of pixels in a colour."""
    from matplotlib.image import imread

    pixels = (255 * imread(picture)[..., :3]).round()
    return float((abs(pixels - color) < 3).all(axis=-1).mean())
