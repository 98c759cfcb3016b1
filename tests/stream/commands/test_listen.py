"""``mmgat-listen``: what it says of what it does not print."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
import zmq

from mmgat.stream.bus.protocol import to_frames
from tests.stream.bus.messages import event


@pytest.fixture
def publisher() -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.XPUB) as publisher:
        publisher.setsockopt(zmq.RCVTIMEO, 60_000)
        publisher.setsockopt(zmq.LINGER, 5_000)
        publisher.bind("tcp://127.0.0.1:*")
        yield publisher


def listen(address: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "mmgat.stream.commands.listen", "--connect", address, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_names_what_it_skipped(publisher: zmq.Socket[bytes]) -> None:
    listener = listen(publisher.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0"), "--count", "3")
    publisher.recv()
    for frames in (
        to_frames(event(0.0, session="a", seq=0)),
        [b"mmgat/v2/event/lab/", b"\xc1"],
        [b"mmgat/v2/event/lab/", b"\xc1"],
        [b"mmgat/v2/aurora/lab/", b""],
        to_frames(event(1.0, session="a", seq=5)),
        to_frames(event(0.0, session="b", seq=0)),
    ):
        publisher.send_multipart(frames)
    out, err = listener.communicate(timeout=60)
    assert [json.loads(line)["session"] for line in out.splitlines()] == ["a", "a", "b"]
    assert err.count("mmgat-listen: skipped 1 so far") == 1
    assert "was started anew" in err
    assert (
        "mmgat-listen: skipped: 4 messages that were lost on the way; 2 that are no messages of this "
        "protocol; messages of kinds that this version does not know: aurora\n"
    ) in err


def test_without_an_engine_it_says_once_that_it_waits(publisher: zmq.Socket[bytes]) -> None:
    address = publisher.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0")
    listener = listen(address, "--count", "1")
    assert listener.stderr is not None
    line = listener.stderr.readline()
    assert line == (
        f"mmgat-listen: nothing from {address} yet: waiting; does mmgat-stream run there, and publish "
        "on that address?\n"
    )
    publisher.recv()
    publisher.send_multipart(to_frames(event(0.0, session="a")))
    out, err = listener.communicate(timeout=60)
    assert json.loads(out)["label"] == "a"
    assert err == ""


def test_an_address_that_is_none_is_refused_in_words() -> None:
    listener = listen("tcp://127.0.0.1:99999")
    _, err = listener.communicate(timeout=60)
    assert listener.returncode == 1
    assert "port '99999' is not from 1 to 65535" in err
