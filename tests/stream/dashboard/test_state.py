from __future__ import annotations

import pytest

from mmgat.model.labels import LABELS
from mmgat.stream.bus.protocol import Message, SourceInfo
from mmgat.stream.dashboard.state import (
    N_EVENTS,
    N_ROWS,
    Connection,
    DashboardState,
    SourceState,
    advance,
    choose_rows,
)
from tests.stream.dashboard.builders import MIC, estimate, event, hello, status


def after(*messages: Message, now: float = 0.0) -> DashboardState:
    state = DashboardState(address="tcp://studio:5550")
    for message in messages:
        state = advance(state, message, now)
    return state


def source(*messages: Message) -> SourceState:
    return after(*messages).sources[MIC]


def test_new_session_forgets_the_old_one() -> None:
    old = after(hello(), estimate(), status(xruns=3))
    state = advance(old, hello(session="b"), 1.0)
    assert (state.session, state.sources, state.address) == ("b", {}, old.address)


def test_hello_of_the_same_session_keeps_what_is_known() -> None:
    assert after(estimate(), hello()).sources[MIC].estimate == estimate()


def test_sources_are_kept_apart() -> None:
    state = after(estimate(sounding=("piano",)), estimate(source="line", sounding=("voice",)))
    shown = {name: source.estimate.active for name, source in state.sources.items()}
    assert shown == {MIC: ["piano"], "line": ["voice"]}


def test_names_follow_the_hello_then_appearance() -> None:
    infos = [SourceInfo(name=n, kind="file", sample_rate_hz=8000, channels=1) for n in "ba"]
    state = after(hello(sources=infos), estimate(source="c"), estimate(source="a"))
    assert state.names() == ["b", "a", "c"]


def test_labels_without_a_hello_are_the_twenty() -> None:
    assert after().labels == LABELS


def test_one_estimate_of_every_phase_is_kept() -> None:
    known = source(*(estimate(t1=10 + 0.25 * step) for step in range(9)))
    assert [old.t1 for old in known.estimates] == [11.25, 11.5, 11.75, 12.0]


def test_events_are_newest_first_and_bounded() -> None:
    known = source(*(event("on", "piano", t, t) for t in range(N_EVENTS + 5)))
    assert len(known.events) == N_EVENTS
    assert known.events[0].time_s == N_EVENTS + 4


def test_clipping_is_noticed_when_the_count_rises() -> None:
    state = after(status(clipped=7), now=5.0)
    assert state.sources[MIC].clipped_at is None
    assert advance(state, status(clipped=8), 6.0).sources[MIC].clipped_at == 6.0


@pytest.mark.parametrize(
    ("heard", "now", "expected"),
    [
        ([status()], 1.0, Connection.WAITING),
        ([estimate()], 3.0, Connection.LIVE),
        ([estimate()], 3.1, Connection.GONE),
        ([status(state="ended")], 100.0, Connection.ENDED),
        ([estimate(), status(state="failed")], 1.0, Connection.FAILED),
    ],
)
def test_connection(heard: list[Message], now: float, expected: Connection) -> None:
    assert source(*heard).connection(now) is expected


def test_stale_when_only_the_status_goes_on() -> None:
    state = advance(after(estimate()), status(), 3.0)
    assert state.sources[MIC].connection(3.0) is Connection.LIVE
    assert state.sources[MIC].connection(3.5) is Connection.STALE


def test_stale_when_a_first_estimate_never_comes() -> None:
    state = advance(after(status()), status(), 4.0)
    assert state.sources[MIC].connection(4.0) is Connection.STALE


def test_over_when_every_source_has_ended_or_failed() -> None:
    assert not after(hello()).over
    one = after(status(state="ended"), status(source="line"))
    assert not one.over
    assert advance(one, status(source="line", state="failed"), 1.0).over


def test_first_rows_are_the_most_relevant_in_label_order() -> None:
    rows = choose_rows((), estimate(sounding=("voice", "drums", "bass")))
    assert len(rows) == N_ROWS
    assert {"voice", "drums", "bass"} <= set(rows)
    assert list(rows) == sorted(rows, key=LABELS.index)


def test_newcomer_takes_one_row_and_the_others_stay() -> None:
    before = choose_rows((), estimate(sounding=("voice", "drums", "bass")))
    rows = choose_rows(before, estimate(sounding=("voice", "drums", "bass", "violin")))
    assert sum(old != new for old, new in zip(before, rows, strict=True)) == 1
    assert "violin" in rows


def test_small_differences_change_no_row() -> None:
    before = choose_rows((), estimate())
    recent = dict.fromkeys(LABELS, 0.1) | {"voice": 0.19}
    assert choose_rows(before, estimate(bag_scores=recent)) == before


def test_how_long_an_instrument_has_been_on_is_known_from_its_onset_until_it_ends() -> None:
    state = advance(DashboardState(address="here"), hello(), 0.0)
    state = advance(state, event("on", "piano", 3.0, 2.5), 0.0)
    state = advance(state, estimate(10.0, ("piano", "voice")), 0.0)
    assert state.sources[MIC].sounding_s("piano") == 7.5
    assert state.sources[MIC].sounding_s("voice") is None  # it began before anybody listened
    state = advance(state, event("off", "piano", 9.0, 2.5), 0.0)
    assert state.sources[MIC].sounding_s("piano") is None
