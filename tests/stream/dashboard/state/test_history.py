from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mmgat.model.labels import LABELS
from mmgat.stream.bus.protocol import Estimate, Event
from mmgat.stream.dashboard.drawing.heat import HeatMap
from mmgat.stream.dashboard.state.history import MAX_INTERVALS, SourceHistory, advance_history
from mmgat.stream.dashboard.state.score_track import MAX_SECONDS, UNKNOWN, ScoreTrack
from tests.stream.dashboard.builders import estimate, event

SECONDS = st.floats(0, 8000)
MESSAGES = st.lists(
    st.builds(
        lambda t, label: estimate(t, (label,), time=5000 + t), SECONDS, st.sampled_from(LABELS)
    )
    | st.builds(
        lambda kind, label, t, held: event(kind, label, t, max(0.0, t - held), time=5000 + t),
        st.sampled_from(["on", "off"]),
        st.sampled_from(LABELS),
        SECONDS,
        st.floats(0, 100),
    ),
    max_size=40,
)
SESSIONS = st.lists(st.tuples(st.sampled_from("ab"), MESSAGES), max_size=4)


def after(messages: list[Estimate | Event], session: str = "a") -> SourceHistory:
    history = SourceHistory()
    for message in messages:
        history = advance_history(history, message, session)
    return history


@given(SESSIONS)
def test_history_is_bounded_and_in_order_whatever_comes(
    runs: list[tuple[str, list[Estimate | Event]]],
) -> None:
    history = SourceHistory()
    for session, messages in runs:
        for message in messages:
            end_s = history.end_s
            history = advance_history(history, message, session)
            assert history.end_s >= end_s
    assert len(history.track.rows) <= MAX_SECONDS
    assert len(history.closed) <= MAX_INTERVALS
    assert all(one.end_s is not None and one.onset_s <= one.end_s for one in history.closed)
    assert all(a <= b for a, b in pairwise(history.moments()))
    assert all(a.begin_s <= b.begin_s for a, b in pairwise(history.runs))
    heat = HeatMap(history, 60, 30, history.end_s)
    assert all(
        sum(len(s.text) for s in heat.row(label, heat.values(), 3)) == 30 for label in LABELS
    )


@given(st.lists(st.tuples(st.integers(0, 9000), st.binary(min_size=2, max_size=2)), max_size=60))
def test_a_row_is_the_highest_of_its_second(rows: list[tuple[int, bytes]]) -> None:
    track, wanted = ScoreTrack(), dict[int, bytes]()
    for second, row in rows:
        if track.rows and second - track.end >= MAX_SECONDS:
            wanted.clear()
        if not track.rows or second >= track.first:
            before = wanted.get(second, b"\0\0")
            wanted[second] = bytes(map(max, before, row))
        track = track.with_row(second, row)
    for second in range(track.first, track.end):
        assert track.row(second) == wanted.get(second, UNKNOWN)


def test_an_instrument_is_on_from_its_onset_until_it_ends() -> None:
    history = after([event("on", "piano", 3.0, 2.5)])
    assert [(one.onset_s, one.end_s) for one in history.intervals] == [(2.5, None)]
    history = advance_history(history, event("off", "piano", 9.0, 2.5), "a")
    assert [(one.onset_s, one.end_s) for one in history.intervals] == [(2.5, 9.0)]
    assert history.heard_s() == {"piano": 6.5}


def test_what_was_heard_is_of_the_newest_run_alone() -> None:
    history = after([event("on", "piano", 3.0, 2.5), event("off", "piano", 9.0, 2.5)])
    history = advance_history(history, event("on", "piano", 1.0, 0.5), "b")
    history = advance_history(history, event("off", "piano", 4.0, 0.5), "b")
    assert history.heard_s() == {"piano": 3.5}


def test_a_late_joiner_knows_what_began_before() -> None:
    history = after([event("off", "piano", 100.0, 60.0), estimate(130.0, ())])
    assert [(one.label, one.onset_s, one.end_s) for one in history.closed] == [("piano", 60, 100)]


def test_a_replay_that_comes_late_neither_lights_nor_darkens_an_instrument() -> None:
    old = [event("on", "piano", 3.0, 2.5, replayed=True),
           event("off", "piano", 5.0, 2.5, replayed=True),
           event("on", "piano", 8.0, 7.5, replayed=True)]  # fmt: skip
    still_on = after([event("on", "piano", 20.0, 19.0), *old])
    assert still_on.sounding["piano"].onset_s == 19.0
    over = after([event("off", "piano", 9.0, 7.5), *old])
    assert not over.sounding
    assert [(one.onset_s, one.end_s) for one in over.closed] == [(7.5, 9.0), (2.5, 5.0)]


def test_an_estimate_ends_an_instrument_whose_end_was_lost_until_it_comes() -> None:
    history = after([event("on", "piano", 3.0, 2.5), estimate(3.0, ()), estimate(6.0, ("piano",))])
    assert "piano" in history.sounding
    history = advance_history(history, estimate(7.0, ()), "a")
    assert not history.sounding
    assert history.closed[-1].end_s == 7.0
    history = advance_history(history, event("off", "piano", 6.5, 2.5), "a")
    assert [(one.onset_s, one.end_s) for one in history.closed] == [(2.5, 6.5)]


def test_a_restart_ends_what_sounded_and_goes_on_behind_it() -> None:
    history = after([event("on", "piano", 3.0, 2.5, time=1003.0), estimate(10.0, time=1010.0)])
    history = advance_history(history, estimate(1.0, session="b", time=1040.0), "b")
    assert history.closed[-1].end_s == 10.0
    assert history.offset_s == 39.0
    assert history.stream_s(40.0) == 1.0


def test_missing_seconds_are_known_as_missing() -> None:
    history = after([estimate(1.0), estimate(5.0)])
    assert [bool(history.track.row(second)) for second in range(5)] == [
        True, False, False, False, True,
    ]  # fmt: skip


def test_a_moment_has_its_time_of_day() -> None:
    history = after([estimate(10.0, time=1010.5, latency_ms=500.0)])
    assert history.unix_time(4.0) == 1004.0


def test_a_heat_map_reads_as_text() -> None:
    history = after(
        [
            estimate(1.0),
            event("on", "piano", 2.0, 1.0),
            *(estimate(float(t), ("piano",)) for t in range(2, 6)),
            event("off", "piano", 5.0, 5.0 - 4),
            *(estimate(float(t)) for t in range(6, 9)),
        ]
    )
    heat = HeatMap(history, 10, 10, 8.0)
    row = "".join(span.text for span in heat.row("piano", heat.values(), None))
    assert row == "  ·[██]···"


def test_strokes_are_gaps_and_blanks_are_before_the_first_estimate() -> None:
    history = after(
        [
            event("off", "piano", 2.0, 1.0),
            *(estimate(float(t)) for t in (5, 6, 9, 10)),
            event("on", "piano", 9.2, 9.0),
            event("off", "piano", 9.4, 9.0),
            event("on", "piano", 9.6, 9.4),
            estimate(10.5, ("piano",)),
        ]
    )
    heat = HeatMap(history, 11, 11, 11.0)
    row = "".join(span.text for span in heat.row("piano", heat.values(), None))
    assert row == " ▮  ··╱╱·│█"
