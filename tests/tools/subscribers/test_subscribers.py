"""The subscribers of ``tools/subscribers``, each as its own program, beside one live engine."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import connect

from mmgat.stream.bus.publisher import Publisher
from mmgat.stream.commands.live.inputs import demo_clip
from tests.stream.bridges.running import PATIENCE_S, Process, bridge, free_port, publishing
from tests.stream.bus.messages import ESTIMATE, event

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "tools" / "subscribers"
GOLDEN = ROOT / "tests" / "stream" / "bus" / "golden"


@pytest.fixture(scope="module")
def engine() -> Iterator[str]:
    """The address of an engine that hears the demo over and over, as if from a microphone."""
    port = free_port()
    player = subprocess.Popen(
        ["ffmpeg", "-loglevel", "quiet", "-re", "-stream_loop", "-1", "-i", demo_clip(),
         "-f", "s16le", "-ar", "16000", "-ac", "1", "-"],
        stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    recogniser = subprocess.Popen(
        [sys.executable, "-m", "mmgat.stream", "--stdin", "--rate", "16000", "--channels", "1",
         "--no-dashboard", "--publish", f"tcp://127.0.0.1:{port}"],
        stdin=player.stdout, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield f"tcp://127.0.0.1:{port}"
    finally:
        for process in (recogniser, player):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def node_modules() -> Path:
    """What ``npm ci`` installs beside the Max script, once for each content of its lock file."""
    lock = (FOLDER / "max" / "package-lock.json").read_bytes()
    folder = ROOT / "build" / "node" / hashlib.sha256(lock).hexdigest()[:12]
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(FOLDER / "max" / name, folder)
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=folder, check=True)
        (folder / "done").touch()
    return folder


def test_c(engine: str, tmp_path: Path) -> None:
    program = tmp_path / "subscriber"
    source = FOLDER / "subscriber.c"
    command = ["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", program, source, "-lzmq"]
    subprocess.run(command, check=True)
    with Process(program, engine) as process:
        assert " s  " in process.out.until(" on (")
        process.popen.send_signal(signal.SIGINT)
        assert process.popen.wait(PATIENCE_S) == 0


def test_c_skips_fields_that_it_does_not_know(tmp_path: Path) -> None:
    program = tmp_path / "subscriber"
    subprocess.run(["cc", "-o", program, FOLDER / "subscriber.c", "-lzmq"], check=True)
    with publishing("lab") as publisher, Process(program, publisher.address) as process:
        publisher(event(9.75, label="grand piano ♩"))
        assert process.out.until("on") == "    9.75 s  grand piano ♩ on (lab)"


def test_c_says_what_an_address_is(tmp_path: Path) -> None:
    program = tmp_path / "subscriber"
    subprocess.run(["cc", "-o", program, FOLDER / "subscriber.c", "-lzmq"], check=True)
    with Process(program, "nowhere") as process:
        assert "expected an address such as" in process.err.until("nowhere")
        assert process.popen.wait(PATIENCE_S) == 1


def test_node_as_max_runs_it(engine: str, node_modules: Path) -> None:
    script = node_modules / "mmgat.js"
    shutil.copy(FOLDER / "max" / "mmgat.js", script)
    with Process("node", script, engine) as process:
        process.out.until(lambda line: line.startswith("on "))
        process.out.until(lambda line: line.startswith("score "))
        process.out.until(lambda line: line.startswith("level "))


DECODER = """
const { decode } = require("@msgpack/msgpack");
const { readFileSync } = require("node:fs");
for (const path of process.argv.slice(1)) console.log(JSON.stringify(decode(readFileSync(path))));
"""


def test_the_golden_messages_read_by_msgpack_for_javascript(node_modules: Path) -> None:
    paths = sorted(GOLDEN.glob("*.msgpack"))
    command = ["node", "-e", DECODER, *paths]
    read = subprocess.run(command, cwd=node_modules, capture_output=True, text=True, check=True)
    for path, line in zip(paths, read.stdout.splitlines(), strict=True):
        fields = json.loads(path.with_suffix(".json").read_text("utf-8"))
        assert {"type": path.stem} | json.loads(line) == fields


def test_plain_javascript_written_from_the_protocol_page(engine: str) -> None:
    with Process("node", FOLDER / "plain.mjs", "127.0.0.1", engine.rpartition(":")[2]) as process:
        process.out.until(lambda line: line.startswith("hello compact"))
        process.out.until(lambda line: line.startswith("on "))
        process.popen.send_signal(signal.SIGINT)
        process.out.until("0 messages were lost")
        assert process.popen.wait(PATIENCE_S) == 0


def test_a_shell_line(engine: str, tmp_path: Path) -> None:
    command = tmp_path / "mmgat-listen"
    listen = f'exec {sys.executable} -m mmgat.stream.commands.listen "$@"'
    command.write_text(f"#!/bin/sh\n{listen}\n")
    command.chmod(0o755)
    path = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    process = Process(FOLDER / "events.sh", engine, environment=path, group=True)
    with process:
        _, source, label, kind = process.out.until(lambda line: line.endswith("\ton")).split("\t")
        assert (source, kind) == ("stdin", "on")
        assert label


def test_the_page_shows_what_sounds_and_again_when_the_bridge_is_back(tmp_path: Path) -> None:
    port = free_port()
    options = ("--port", port, "--page", FOLDER / "page.html")

    async def look(publisher: Publisher) -> list[str]:
        with bridge("ws", publisher.address, *options) as first:
            first.err.until("page: http://")
            publisher(event())
            async with chromium(f"http://127.0.0.1:{port}/", tmp_path) as shown:
                texts = [await shown("tr.on")]
                first.popen.kill()
                texts.append(await shown("table:empty"))
                with bridge("ws", publisher.address, *options):
                    texts.append(await shown("tr.on"))
        return texts

    with publishing("lab") as publisher:
        before, away, after = asyncio.run(look(publisher))
    assert "lab: a on" in before
    assert "no connection" in away
    assert after.count("lab: a on") == 1


@contextlib.asynccontextmanager
async def chromium(url: str, profile: Path) -> AsyncIterator[Callable[[str], Awaitable[str]]]:
    """A page, by Chrome's DevTools protocol: its text once it has an element of a selector."""
    browser = Process(
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank",
    )  # fmt: skip
    with browser:
        await asyncio.to_thread(browser.err.until, "DevTools listening on")
        (debugger,) = (line for line in browser.err.seen if "DevTools listening on" in line)
        async with connect(debugger.split()[-1], max_size=None) as socket:
            numbers = iter(range(1, 10_000))

            async def call(method: str, session: str = "", **params: Any) -> Any:
                number = next(numbers)
                request = {"id": number, "method": method, "params": params}
                await socket.send(json.dumps(request | ({"sessionId": session} if session else {})))
                while (answer := json.loads(await socket.recv())).get("id") != number:
                    pass
                return answer["result"]

            page = (await call("Target.createTarget", url="about:blank"))["targetId"]
            session = (await call("Target.attachToTarget", targetId=page, flatten=True))[
                "sessionId"
            ]

            async def shown(selector: str) -> str:
                read = (
                    f"document.querySelector('{selector}') ? ['#state', '#sources', '#events']"
                    ".map((id) => document.querySelector(id).textContent).join('; ') : ''"
                )
                async with asyncio.timeout(PATIENCE_S):
                    while True:
                        answer = await call("Runtime.evaluate", session, expression=read)
                        if text := answer["result"].get("value"):
                            return str(text)
                        await asyncio.sleep(0.05)

            async with asyncio.timeout(PATIENCE_S):
                while not (await call("Page.navigate", session, url=url)).get("loaderId"):
                    await asyncio.sleep(0.05)  # the bridge does not listen yet
            yield shown


DRIVER = """
import signal, sys, time
import reaper_python as reaper
ended = []
signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
script = open(sys.argv[1]).read()
space = {"__name__": "__main__"}
exec(compile(script, sys.argv[1], "exec"), space)
while not ended:
    waiting, reaper.deferred[:] = list(reaper.deferred), []
    for code in waiting:
        exec(code, space)
    time.sleep(0.03)
for code in reaper.at_exit:
    exec(code, space)
reaper.tell("project", [[*key, *value.values()] for key, value in reaper.markers.items()])
"""
"""What REAPER does with a script: it runs it, then what it deferred at each round, then its end."""


def test_reaper_gets_a_marker_that_becomes_a_region(tmp_path: Path) -> None:
    shutil.copy(Path(__file__).with_name("reaper_stub.py"), tmp_path / "reaper_python.py")
    with publishing("lab") as publisher:
        environment = {"MMGAT_CONNECT": publisher.address, "PYTHONPATH": str(tmp_path)}
        driver = (sys.executable, "-c", DRIVER, FOLDER / "reaper_markers.py")
        with Process(*driver, environment=environment) as process:
            process.out.until("say")
            added: list[Any] = []
            n = 0
            while not added:  # the script takes what comes after it has subscribed
                n += 1
                publisher(event(5.0, id=f"a-{n}"))
                with contextlib.suppress(AssertionError):
                    added = json.loads(process.out.until('"add"', patience_s=0.2))
            _, is_region, position_s, _, name, _ = added
            assert (is_region, name) == (False, "a")
            assert position_s == pytest.approx(100.0, abs=1.0)
            publisher(event(8.0, event="off", id=f"a-{n}", onset_s=5.0))
            deleted = json.loads(process.out.until('"delete"'))
            assert deleted[1] is False
            assert deleted[3] == 1
            process.out.until('"add"')
            assert process.terminate() == 0
            project = json.loads(process.out.until('"project"'))[1]
            regions = [
                (name, end_s > start_s) for isrgn, _, start_s, end_s, name, _ in project if isrgn
            ]
            assert regions == [("a", True)]


def test_max_is_told_when_the_engine_falls_silent(node_modules: Path) -> None:
    script = node_modules / "mmgat.js"
    shutil.copy(FOLDER / "max" / "mmgat.js", script)
    with publishing("lab") as publisher:
        publisher(event())
        with Process("node", script, publisher.address) as process:
            process.out.until("on a 0.9 lab")
            publisher(msgspec.structs.replace(ESTIMATE, index=4))
            process.out.until("level -20 lab")
            publisher.close()
            process.out.until("off a 0 lab")
            process.out.until("lost 3")
