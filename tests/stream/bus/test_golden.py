"""Messages as bytes and as JSON, read by a decoder that knows nothing of this package.

The files are what v2 is: readers of today must read an engine of tomorrow. A new field adds to them;
nothing in them is changed. To write the files of a new kind of message:
``python -m tests.stream.bus.test_golden``.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import msgpack
import msgspec
import pytest

from mmgat.stream.bus.protocol import Message, from_frames, to_frames, to_json, topic_of
from tests.stream.bus.messages import ESTIMATE, GRAPH, HELLO, LIFECYCLE, MARK, STATUS, event

FOLDER = Path(__file__).parent / "golden"
PROTOCOL = Path(__file__).parents[3] / "docs" / "protocol.md"
STAMP = {"session": "0123456789ab", "seq": 300, "time": 1_800_000_000.5}
MESSAGES = {
    name: msgspec.structs.replace(message, **STAMP)
    for name, message in {
        "hello": msgspec.structs.replace(HELLO, replayed=True),
        "estimate": ESTIMATE,
        "event": event(9.75, label="grand piano ♩"),
        "status": STATUS,
        "graph": GRAPH,
        "mark": MARK,
        "lifecycle": LIFECYCLE,
    }.items()
}


def decode(data: bytes) -> Any:
    """msgpack, written from its specification; whole numbers, floats, text, lists, maps."""
    value, end = _value(data, 0)
    assert end == len(data)
    return value


def _value(data: bytes, at: int) -> tuple[Any, int]:
    code, at = data[at], at + 1
    if code < 0x80:
        return code, at
    if code < 0x90:
        return _map(data, at, code & 0x0F)
    if code < 0xA0:
        return _list(data, at, code & 0x0F)
    if code < 0xC0:
        return _text(data, at, code & 0x1F)
    if code >= 0xE0:
        return code - 256, at
    if code in _CONSTANTS:
        return _CONSTANTS[code], at
    form = _NUMBERS.get(code) or _SIZES[code][1]
    (number,), at = struct.unpack_from(form, data, at), at + struct.calcsize(form)
    return (number, at) if code in _NUMBERS else _SIZES[code][0](data, at, number)


def _text(data: bytes, at: int, size: int) -> tuple[str, int]:
    return data[at : at + size].decode("utf-8"), at + size


def _list(data: bytes, at: int, size: int) -> tuple[list[Any], int]:
    items = []
    for _ in range(size):
        item, at = _value(data, at)
        items.append(item)
    return items, at


def _map(data: bytes, at: int, size: int) -> tuple[dict[Any, Any], int]:
    items, at = _list(data, at, 2 * size)
    return dict(zip(items[::2], items[1::2], strict=True)), at


_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}
_NUMBERS = {0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q"}
_NUMBERS |= {0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q"}
_SIZES = {0xD9: (_text, ">B"), 0xDA: (_text, ">H"), 0xDB: (_text, ">I"), 0xDC: (_list, ">H")}
_SIZES |= {0xDD: (_list, ">I"), 0xDE: (_map, ">H"), 0xDF: (_map, ">I")}


@pytest.fixture(params=sorted(MESSAGES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def common(sent: Any, golden: Any) -> Any:
    """What is sent, without fields that the golden files do not have yet."""
    if isinstance(golden, dict) and isinstance(sent, dict):
        return {name: common(sent.get(name), value) for name, value in golden.items()}
    if isinstance(golden, list) and isinstance(sent, list) and len(golden) == len(sent):
        return [common(*pair) for pair in zip(sent, golden, strict=True)]
    return sent


def test_every_kind_has_its_files() -> None:
    expected = sorted(f"{name}{end}" for name in MESSAGES for end in (".json", ".msgpack"))
    assert sorted(path.name for path in FOLDER.iterdir()) == expected


def test_both_decoders_read_the_bytes(name: str) -> None:
    payload = (FOLDER / f"{name}.msgpack").read_bytes()
    assert decode(payload) == msgpack.unpackb(payload)


def test_json_and_bytes_have_the_same_fields(name: str) -> None:
    fields = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    assert fields == {"type": name} | decode((FOLDER / f"{name}.msgpack").read_bytes())


def test_we_read_what_is_golden(name: str) -> None:
    payload = (FOLDER / f"{name}.msgpack").read_bytes()
    assert from_frames([topic_of(MESSAGES[name]).encode(), payload]) == MESSAGES[name]


def test_what_we_send_has_every_golden_field_with_its_value(name: str) -> None:
    golden = decode((FOLDER / f"{name}.msgpack").read_bytes())
    sent = decode(to_frames(MESSAGES[name])[1])
    assert common(sent, golden) == golden


def test_json_lines_have_every_golden_field_with_its_value(name: str) -> None:
    golden = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    sent = json.loads(to_json(MESSAGES[name]))
    assert common(sent, golden) == golden


def test_the_example_in_the_page_is_the_golden_event() -> None:
    page = PROTOCOL.read_text("utf-8").split("<!-- golden event -->\n")[1]
    hexadecimal = page.split("```text\n")[1].split("```")[0]
    payload = bytes.fromhex("".join(line.split("  ")[0] for line in hexadecimal.splitlines()))
    assert payload == (FOLDER / "event.msgpack").read_bytes()
    line = page.split("```json\n")[1].split("```")[0]
    assert json.loads(line) == json.loads((FOLDER / "event.json").read_text("utf-8"))


def write() -> None:
    """Writes the files of kinds that have none yet."""
    for name, message in MESSAGES.items():
        for end, content in ((".msgpack", to_frames(message)[1]), (".json", _line(message))):
            path = FOLDER / f"{name}{end}"
            if not path.exists():
                path.write_bytes(content)


def _line(message: Message) -> bytes:
    return to_json(message).encode() + b"\n"


if __name__ == "__main__":
    write()
