from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from mmgat.stream.bus.protocol import Message
from mmgat.stream.dashboard.drawing.cells import Line
from mmgat.stream.dashboard.screens.log import entry_lines, last_scroll, render
from mmgat.stream.dashboard.state.dashboard import (
    DashboardState,
    advance,
    observe,
    with_notice,
    with_trouble,
)
from mmgat.stream.dashboard.state.log import KINDS, MAX_ENTRIES, filtered, with_entry
from mmgat.stream.dashboard.state.steering import stepped
from mmgat.stream.dashboard.state.view import View
from tests.stream.dashboard.builders import MIC, estimate, event, hello, status


def text_of(line: Line) -> str:
    return "".join(span.text for span in line)


def told(*messages: Message) -> list[tuple[str, str]]:
    state = DashboardState(address="")
    for message in messages:
        state = advance(state, message, 0.0)
    return [(entry.kind, entry.text) for entry in state.entries]


def test_events_are_told() -> None:
    assert told(event("on", "mallet_percussion", 6.0, 5.0), event("off", "piano", 9.0, 5.0)) == [
        ("on", "mallet percussion began"), ("off", "piano ended"),
    ]  # fmt: skip


def test_what_is_replayed_stands_where_its_time_is() -> None:
    assert told(
        event("on", "piano", 9.0, 8.0, time=109.0),
        event("on", "voice", 5.0, 4.0, time=105.0, replayed=True),
        event("off", "voice", 7.0, 4.0, time=107.0, replayed=True),
    ) == [("on", "voice began"), ("off", "voice ended"), ("on", "piano began")]


def test_a_log_that_is_scrolled_stands_still_while_entries_come() -> None:
    state = DashboardState(address="")
    for n in range(5):
        state = with_notice(state, f"notice {n}", float(n))
    view = View(state, 0.0, choices=stepped(View(state, 0.0), "log", 2, last=4))
    later = replace(view, state=with_notice(state, "another", 9.0))
    assert (view.log_scroll, later.log_scroll) == (2, 3)
    newest = replace(later, choices=stepped(later, "log", -3, last=5))
    assert newest.log_scroll == 0


def test_little_room_gives_a_source_its_number() -> None:
    name = "mallet percussion ended"
    entry = with_entry((), "off", name, 1.0, MIC, 9.0, "mallet_percussion", 5.9)[0]
    numbers = {MIC: 2, "desk": 1}
    (wide,), (narrow,) = entry_lines(entry, 80, numbers), entry_lines(entry, 38, numbers)
    assert text_of(wide).endswith(f"{MIC:14} mallet percussion ended after 5.9 s")
    assert text_of(narrow)[9:] == "○ 2 mallet percussion ended …"


def test_much_room_gives_a_source_its_whole_name() -> None:
    state = DashboardState(address="")
    state = advance(state, event("on", "piano", 6.0, 5.0), 0.0)
    (entry,) = (replace(e, source="a recording of the second evening") for e in state.entries)
    names = {entry.source: 1, "the other microphone": 2}
    assert entry.source in text_of(entry_lines(entry, 200, names)[0])
    assert entry.source[:12] in text_of(entry_lines(entry, 80, names)[0])


def test_a_long_warning_is_read_whole_and_the_oldest_entry_is_reached() -> None:
    state = with_notice(DashboardState(address=""), "the oldest", 1.0)
    long = "expected the engine to let us in, found it refuse: put our key into its folder"
    state = with_trouble(state, long, 2.0)
    for n in range(9):
        state = with_notice(state, f"notice {n}", 3.0 + n)
    view = View(state, 0.0)
    (warning,) = [entry for entry in view.entries if entry.kind == "warning"]
    lines = entry_lines(warning, 38, {})
    assert " ".join(" ".join(map(text_of, lines)).split()).endswith(long)
    assert all(len(text_of(line)) <= 38 for line in lines)
    last = last_scroll(view, 38, 12)
    scrolled = replace(view, choices=stepped(view, "log", 99, last))
    assert "the oldest" in text_of(render(scrolled, 38, 12)[-2])


def test_a_warning_is_one_line_when_it_begins_and_one_when_it_ends() -> None:
    assert told(status(), status(message="2% dropped"), status(message="3% dropped"), status()) == [
        ("warning", "2% dropped"), ("over", "over: 3% dropped"),
    ]  # fmt: skip


def test_losses_are_told_once_in_a_while() -> None:
    lines = told(
        status(),
        *(status(dropped=48000 * n, captured=48000 * (65 + n)) for n in range(1, 15)),
    )
    assert lines == [("warning", "1.0 s of sound dropped")] * 2


def test_a_restart_is_a_line_not_an_erasure() -> None:
    lines = told(event("on", "piano", 6.0, 5.0), hello(session="b"), estimate(session="b"))
    assert lines == [("on", "piano began"), ("notice", "the engine was started anew")]


def test_an_engine_that_goes_and_comes_back_is_told() -> None:
    state = advance(DashboardState(address=""), estimate(), 0.0)
    for now in (1.0, 5.0, 6.0):
        state = observe(state, now, now)
    state = observe(advance(state, estimate(11.0), 7.0), 7.0, 7.0)
    assert [entry.kind for entry in state.entries] == ["warning", "over"]
    assert state.entries[0].unix_time == 0.0  # when it was last heard


@given(st.text(max_size=10), st.sampled_from(list(KINDS)))
def test_the_filter_keeps_order_and_nothing_else(search: str, kinds: str) -> None:
    entries = with_entry((), "on", "piano began", 1.0, MIC)
    entries = with_entry(entries, "warning", "overrun", 2.0, MIC)
    found = filtered(entries, kinds, search)
    assert list(found) == [entry for entry in entries if entry in found]
    assert all(entry.kind in KINDS[kinds] for entry in found)


def test_the_log_is_bounded() -> None:
    entries = with_entry((), "notice", "first", 0.0)
    for _ in range(MAX_ENTRIES):
        entries = with_entry(entries, "notice", "another", 0.0)
    assert len(entries) == MAX_ENTRIES
    assert entries[0].text == "another"
