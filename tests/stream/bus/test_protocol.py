"""Messages and frames: what is one, and that nothing else passes or raises another error."""

from __future__ import annotations

import msgpack
import pytest

from mmgat.stream.bus.protocol import Message, from_frames, to_frames, to_json
from mmgat.stream.bus.validation import MAX_ITEMS, MAX_MESSAGE_BYTES, MAX_TEXT
from mmgat.stream.errors import ProtocolError
from tests.stream.bus.messages import ESTIMATE, HELLO, STATUS, event

EVENT_TOPIC = b"mmgat/v2/event/lab/"


def changed(message: Message, /, **fields: object) -> list[bytes]:
    """Frames of a message with other values, of any type."""
    topic, payload = to_frames(message)
    return [topic, msgpack.packb(msgpack.unpackb(payload) | fields, unicode_errors="surrogatepass")]


@pytest.mark.parametrize("message", [HELLO, ESTIMATE, STATUS, event(1.5)])
def test_messages_survive_the_wire(message: Message) -> None:
    assert from_frames(to_frames(message)) == message


@pytest.mark.parametrize(
    ("frames", "fault"),
    [
        ([], "expected 2 frames"),
        ([EVENT_TOPIC], "expected 2 frames"),
        ([b"other/v1/x/", b""], "expected a topic under 'mmgat/v2/'"),
        ([b"\xff\x9b", b""], "expected a topic under"),
        ([EVENT_TOPIC, b""], "damaged message"),
        ([EVENT_TOPIC, b"\xc1"], "damaged message"),
        ([EVENT_TOPIC, b"\x01"], "expected a map, found int"),
        ([EVENT_TOPIC, b"\x81\xa1\xff\x01"], "utf-8"),
        ([EVENT_TOPIC, b"\x81\xa1a" + b"\x91" * 100_000], "recursion"),
        ([EVENT_TOPIC, b"\x81\xa1a" + b"\x91" * 20 + b"\x01"], "at most 6 levels in a"),
        ([EVENT_TOPIC, b"\x81\x91\x01\x01"], "damaged message"),
        ([EVENT_TOPIC, bytes(MAX_MESSAGE_BYTES + 1)], "at most 1048576 bytes, found 1048577"),
        ([EVENT_TOPIC, msgpack.packb({"source": "lab"})], "missing required field"),
        (changed(event(), time_s=float("nan")), "expected time_s from -1e\\+09 to 1e\\+09, found nan"),
        (changed(event(), onset_s=float("-inf")), "found -inf"),
        (changed(event(), time=1e300), "expected time from 0 to 1e\\+11"),
        (changed(event(), seq=-1), "expected seq from 0"),
        (changed(event(), seq=2**64 - 1), "expected seq from 0"),
        (changed(event(), score=2.0), "expected score from"),
        (changed(event(), event="maybe"), "Invalid enum value"),
        (changed(event(), label=b"piano"), "damaged message"),
        (changed(event(), label=msgpack.ExtType(5, b"")), "damaged message"),
        (changed(ESTIMATE, evidence={"a": [0.5, float("nan")]}), "expected evidence from"),
        (changed(ESTIMATE, evidence={"a": [0.5, 7.0]}), "expected evidence from"),
        (changed(ESTIMATE, scores={"a": float("inf")}), "expected scores from"),
        (changed(HELLO, labels=["a"] * 50_000), "expected at most 1024 labels, found 50000"),
        (changed(HELLO, hop_s=0.0), "expected hop_s from"),
        (
            changed(HELLO, model={**msgpack.unpackb(to_frames(HELLO)[1])["model"],
                                  "thresholds": {"a": float("nan")}}),
            "expected thresholds from",
        ),
    ],
)  # fmt: skip
def test_what_is_no_message_is_refused_in_words(frames: list[bytes], fault: str) -> None:
    with pytest.raises(ProtocolError, match=fault):
        from_frames(frames)


def test_a_kind_of_a_newer_engine_is_no_fault() -> None:
    assert from_frames([b"mmgat/v2/aurora/lab/", b"anything"]) is None


def test_fields_added_later_are_ignored() -> None:
    assert from_frames(changed(event(1.0), colour={"deep": [{"er": 1}]})) == event(1.0)


def test_control_characters_of_a_peer_are_escaped() -> None:
    text = "pi\x1b[2Jano\x9b31m\u202e\x00ü"
    message = from_frames(changed(event(), label=text))
    assert message == event(label="pi\\x1b[2Jano\\x9b31m\\u202e\\x00ü")


def test_labels_of_a_peer_are_escaped_where_they_are_keys() -> None:
    message = from_frames(changed(ESTIMATE, scores={"\x9b": 0.5}))
    assert message is not None
    assert "\x9b" not in to_json(message)


def test_a_long_text_is_cut() -> None:
    message = from_frames(changed(STATUS, message="x" * 10_000))
    assert message is not None
    assert message.message == "x" * (MAX_TEXT - 1) + "…"  # type: ignore[attr-defined]


def test_as_many_labels_as_audioset_has_are_no_fault() -> None:
    labels = [str(n) for n in range(527)]
    assert MAX_ITEMS >= 527
    assert from_frames(changed(HELLO, labels=labels)) is not None


def test_json_has_the_type_first_and_no_empty_session() -> None:
    assert to_json(event(1.0)).startswith('{"type":"event","source":"lab","event":"on"')
    assert "session" not in to_json(event(1.0))
