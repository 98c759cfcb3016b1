"""Messages of several engines become those of one."""

from __future__ import annotations

from typing import Any

import msgspec

from mmgat.stream.bus.protocol import Event, Hello, Message, Status
from mmgat.stream.proxy.merge import MAX_SOURCES, Merge
from tests.stream.bus.messages import ESTIMATE, GRAPH, HELLO, LIFECYCLE, MARK, STATUS, event


def of(session: str, message: Message, **changes: Any) -> Message:
    return msgspec.structs.replace(message, session=session, **changes)


def take(merge: Merge, name: str, *messages: Message) -> list[Message]:
    return [out for message in messages for out in merge.take(name, message)]


def test_sources_are_named_after_their_engine() -> None:
    merge = Merge(["a", "b"])
    for name in ("a", "b"):
        out = take(merge, name, *(of(name, m) for m in (ESTIMATE, event(), GRAPH, STATUS)))
        assert [getattr(message, "source", None) for message in out] == [f"{name}: lab"] * 4
    (mark,) = take(merge, "b", of("b", MARK))
    assert getattr(mark, "times_s", None) == {"b: lab": 63.5}
    assert merge.topic("a", "mmgat/v2/event/lab/") == "mmgat/v2/event/a: lab/"
    assert merge.topic("a", "mmgat/v2/status/") == "mmgat/v2/status/"


def test_the_hello_has_the_sources_of_all_with_host_and_session() -> None:
    merge = Merge(["a", "b"])
    take(merge, "b", of("2", HELLO, host="hall", labels=["a", "kazoo"]))
    (hello,) = take(merge, "a", of("1", HELLO, host="studio", control="tcp://127.0.0.1:1"))
    assert isinstance(hello, Hello)
    found = [(source.name, source.host, source.session) for source in hello.sources]
    assert found == [("a: lab", "studio", "1"), ("b: lab", "hall", "2")]
    assert hello.labels == ["a", "kazoo"]
    assert hello.control == ""


def test_what_is_on_ends_with_its_engine_and_its_sources_say_why() -> None:
    merge = Merge(["a", "b"])
    take(merge, "a", *(of("1", m) for m in (STATUS, event(1.0), ESTIMATE)))
    take(merge, "b", of("2", event(1.0)))
    off, status = merge.lose("a", "nothing for 3 s")
    assert isinstance(off, Event)
    assert (off.source, off.event, off.time_s, off.onset_s) == ("a: lab", "off", 2.5, 1.0)
    assert isinstance(status, Status)
    assert (status.state, status.message) == ("failed", "a: nothing for 3 s")
    assert merge.lose("a", "again") == []


def test_an_engine_that_seemed_silent_and_says_then_that_it_has_ended_is_told_so() -> None:
    merge, ended = Merge(["a"]), of("1", LIFECYCLE, state="ended")
    take(merge, "a", of("1", STATUS))
    merge.lose("a", "nothing for 3 s")
    (status,) = take(merge, "a", ended)
    assert isinstance(status, Status)
    assert (status.state, status.message) == ("failed", "a: the engine has ended")
    assert merge.lose("a", "disconnected") == []


def test_a_source_that_had_finished_stays_so_when_its_engine_ends() -> None:
    merge = Merge(["a"])
    take(merge, "a", of("1", STATUS, state="finished"))
    assert take(merge, "a", of("1", LIFECYCLE, state="ended")) == []


def test_an_engine_that_starts_anew_ends_what_was_on_before() -> None:
    merge = Merge(["a"])
    take(merge, "a", of("1", event(1.0)))
    out = take(merge, "a", of("2", LIFECYCLE), of("2", event(0.5, id="a-1")))
    assert [(e.event, e.onset_s) for e in out if isinstance(e, Event)] == [
        ("off", 1.0),
        ("on", 0.5),
    ]


def test_what_went_on_while_the_way_was_cut_begins_again_under_a_new_id() -> None:
    merge = Merge(["a"])
    take(merge, "a", of("1", event(1.0)), of("1", ESTIMATE, active=["a"]))
    merge.lose("a", "gone")
    _, again = take(merge, "a", of("1", ESTIMATE, active=["a"], t1=9.0))
    assert isinstance(again, Event)
    assert (again.event, again.id, again.onset_s) == ("on", "a-1+1", 1.0)
    (off,) = take(merge, "a", of("1", event(9.0, event="off")))
    assert isinstance(off, Event)
    assert off.id == "a-1+1"


def test_what_ended_while_the_way_was_cut_ends_once() -> None:
    merge = Merge(["a"])
    take(merge, "a", of("1", event(1.0)))
    merge.lose("a", "gone")
    assert take(merge, "a", of("1", event(9.0, event="off"))) == []


def test_an_orderly_end_is_no_fault() -> None:
    merge = Merge(["a"])
    take(merge, "a", of("1", STATUS, state="ended"))
    assert take(merge, "a", of("1", LIFECYCLE, state="ended")) == []


def test_a_hostile_engine_has_a_bounded_number_of_sources() -> None:
    merge = Merge(["a"])
    names = [str(n) for n in range(2 * MAX_SOURCES)]
    out = take(merge, "a", *(of("1", event(), source=name) for name in names))
    assert len(out) == MAX_SOURCES
