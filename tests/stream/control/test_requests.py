"""Requests and answers as bytes."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmgat.stream.control import answers
from mmgat.stream.control.answers import (
    Counters,
    Decision,
    Description,
    DeviceInfo,
    DeviceLevel,
    DeviceList,
    SourceState,
    decode_answer,
    encode_answer,
)
from mmgat.stream.control.requests import (
    MAX_REQUEST_BYTES,
    REQUESTS,
    Describe,
    MarkMoment,
    Mute,
    Pause,
    Request,
    SetSensitivity,
    SetThresholds,
    decode_request,
    encode_request,
)
from mmgat.stream.errors import ProtocolError

PAGE = (Path(__file__).parents[3] / "docs" / "control.md").read_text("utf-8")


@pytest.mark.parametrize(
    "request_",
    [
        Describe(),
        SetThresholds({"piano": 0.5, "drums": None}),
        SetSensitivity("high"),
        Mute(["a"]),
        Pause("mic"),
        MarkMoment(),
    ],
)
def test_a_request_is_what_it_was(request_: Request) -> None:
    assert decode_request(encode_request(request_)) == request_
    as_json = json.dumps(msgpack.unpackb(encode_request(request_))).encode()
    assert decode_request(as_json) == request_


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        (b"", "expected msgpack"),
        (b"\xc1", "expected msgpack"),
        (b"{", "expected JSON"),
        (b"{" * 9000, "expected JSON"),
        (b'{"request":"frob\x1b"}', "expected JSON"),
        (b'{"request":"frob\\u001b[2J"}', r"expected a request of describe, .*, found 'frob"),
        (b'{"request":["mute"]}', "expected a request of"),
        (b"{}", "expected a request of describe, .*, found None"),
        (b'{"request":"mute"}', "expected labels with mute"),
        (b'{"request":"mute","labels":"drums"}', "Expected `array`, got `str`"),
        (b'{"request":"mute","labels":[],"also":1}', "unknown field"),
        (b'{"request":"sensitivity","sensitivity":"most"}', "expected sensitivity with"),
        (b'{"request":"thresholds","thresholds":{"piano":7}}', "from -0.001 to 1.001, found 7"),
        (b'{"request":"thresholds","thresholds":{"piano":NaN}}', "found nan"),
        (b" " * (MAX_REQUEST_BYTES + 1), "expected a request of at most 16384 bytes"),
    ],
)
def test_what_is_no_request_is_told_in_words(payload: bytes, fault: str) -> None:
    with pytest.raises(ProtocolError, match=fault) as found:
        decode_request(payload)
    assert str(found.value).isprintable()


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda end: b"{" + end))
def test_whatever_comes_is_a_request_or_a_protocol_error(payload: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        assert isinstance(decode_request(payload), Request)


def test_an_answer_is_a_result_or_a_fault() -> None:
    state = SourceState(source="mic", paused=True)
    assert decode_answer(encode_answer(state)) == {"source": "mic", "paused": True, "device": ""}
    assert json.loads(encode_answer(state, as_json=True)) == {
        "ok": True,
        "result": {"source": "mic", "paused": True, "device": ""},
    }
    with pytest.raises(ProtocolError, match="^no such label$"):
        decode_answer(encode_answer(ProtocolError("no such label")))
    for other in (b"\x80", msgpack.packb({"ok": True}), msgpack.packb({"ok": 1, "result": {}})):
        with pytest.raises(ProtocolError, match="expected an answer"):
            decode_answer(other)


def test_the_page_names_every_request_with_its_fields() -> None:
    section = PAGE.split("| request |")[1].split("\n\n")[0]
    table = dict(re.findall(r"^\| `(\w+)` \| (.*?) ?\|", section, re.MULTILINE))
    for name, kind in REQUESTS.items():
        fields = [field.name for field in msgspec.structs.fields(kind)]
        assert re.findall(r"`(\w+)`:", table[name]) == fields


@pytest.mark.parametrize(
    "kind",
    [Description, Decision, SourceState, DeviceList, DeviceInfo, DeviceLevel, Counters],
)
def test_the_page_names_every_field_of_the_answers(kind: type[msgspec.Struct]) -> None:
    section = PAGE.split(f"\n### {kind.__name__}\n")[1].split("\n#")[0]
    found = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert found == list(kind.__struct_fields__)
    assert answers.Result
