from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mmgat.model.labels import LABELS
from mmgat.stream.audio.meter import level_dbfs
from mmgat.stream.audio.resampler import EDGE_SAMPLES
from mmgat.stream.audio.source import Block
from mmgat.stream.bus.protocol import Estimate, Event
from mmgat.stream.errors import SettingsError
from mmgat.stream.recognition.pipeline import Pipeline
from mmgat.stream.recognition.recognizer import Recognizer
from mmgat.stream.settings import DecisionSettings, StreamSettings
from tests.conftest import Samples, melody

MakeRecognizer = Callable[[StreamSettings], Recognizer]
HOP = StreamSettings(hop_s=0.5, nodes=4)


def run(
    make: MakeRecognizer,
    samples: Samples,
    rate_hz: int,
    sizes: list[int],
    shape: StreamSettings = HOP,
    live: bool = False,
) -> tuple[list[Estimate], list[Event], Pipeline]:
    pipeline = Pipeline(make(shape), "lab", rate_hz, shape, live)
    messages, position, turn = [], 0, 0
    while position < len(samples):
        block = samples[position : position + sizes[turn % len(sizes)]]
        messages += pipeline.process(Block(position, block, 0.0))
        position, turn = position + len(block), turn + 1
    messages += pipeline.finish()
    estimates = [m for m in messages if isinstance(m, Estimate)]
    return estimates, [m for m in messages if isinstance(m, Event)], pipeline


def numbers(estimates: list[Estimate]) -> np.ndarray:
    return np.array(
        [[*e.scores.values(), *e.bag_scores.values(), e.level_dbfs, e.t0, e.t1] for e in estimates]
    )


@settings(
    deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    sizes=st.lists(st.integers(50, 30_000), min_size=1, max_size=5),
    hop_s=st.sampled_from([0.25, 0.5, 1.0]),
    rate_hz=st.sampled_from([16_000, 44_100]),
    live=st.booleans(),
)
def test_a_file_gives_what_its_samples_give_in_blocks_of_any_size_also_live(
    make_recognizer: MakeRecognizer, sizes: list[int], hop_s: float, rate_hz: int, live: bool
) -> None:
    shape = StreamSettings(hop_s=hop_s, nodes=3)
    samples = melody(4.3, rate_hz, channels=2)
    whole, events, _ = run(make_recognizer, samples, rate_hz, [len(samples)], shape)
    parts, part_events, _ = run(make_recognizer, samples, rate_hz, sizes, shape, live)
    np.testing.assert_allclose(numbers(parts), numbers(whole), atol=2e-6)
    assert [(e.event, e.label, e.time_s) for e in part_events] == [
        (e.event, e.label, e.time_s) for e in events
    ]


def broken(
    make: MakeRecognizer, samples: Samples, cuts: set[int], jumps: dict[int, int], live: bool
) -> list[Estimate | Event]:
    """Messages of a stream in blocks, with a gap behind some frames, or an interruption (0)."""
    pipeline = Pipeline(make(HOP), "lab", 16_000, HOP, live)
    messages, position, lost = [], 0, 0
    for end in sorted({*cuts, *jumps, len(samples)}):
        messages += pipeline.process(Block(position + lost, samples[position:end], 0.0))
        position = end
        if jumps.get(end) == 0:
            messages += pipeline.process(Block(end + lost, samples[:0], 0.0, interrupted=True))
        lost += jumps.get(end, 0)
    return messages + pipeline.finish()


@settings(
    deadline=None, max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    pause=st.integers(0, 40_000),
    cuts=st.sets(st.integers(1, 60_000), max_size=30),
    jumps=st.dictionaries(
        st.integers(1, 60_000), st.sampled_from([0, 1, 8_000, 21_345]), max_size=3
    ),
    live=st.booleans(),
)
def test_gaps_and_interruptions_give_the_same_whatever_the_blocks(
    make_recognizer: MakeRecognizer,
    pause: int,
    cuts: set[int],
    jumps: dict[int, int],
    live: bool,
) -> None:
    silence = np.zeros((pause, 1), np.float32)
    samples = np.concatenate([melody(2.0, 16_000), silence, melody(2.0, 16_000)])
    whole = broken(make_recognizer, samples, set(), jumps, False)
    parts = broken(make_recognizer, samples, cuts, jumps, live)
    estimates = [[m for m in found if isinstance(m, Estimate)] for found in (whole, parts)]
    np.testing.assert_allclose(numbers(estimates[1]), numbers(estimates[0]), atol=2e-6)
    events = [[m for m in found if isinstance(m, Event)] for found in (whole, parts)]
    assert [(e.id, e.event, e.time_s) for e in events[1]] == [
        (e.id, e.event, e.time_s) for e in events[0]
    ]
    ids = [e.id for e in events[0]]
    assert all(ids.count(one) == 2 for one in ids)


def test_phases_at_a_short_hop_give_what_a_stream_of_one_second_hops_gives(
    make_recognizer: MakeRecognizer,
) -> None:
    samples = melody(6.0, 16_000)
    slow, _, _ = run(make_recognizer, samples, 16_000, [16_000], replace(HOP, hop_s=1.0))
    fast, _, _ = run(make_recognizer, samples, 16_000, [16_000], replace(HOP, hop_s=0.25))
    np.testing.assert_allclose(numbers(fast[2::4]), numbers(slow), atol=1e-6)


def test_every_second_has_its_evidence_and_it_sums_to_the_recent_score(
    make_recognizer: MakeRecognizer,
) -> None:
    estimates, _, _ = run(make_recognizer, melody(7.0, 16_000), 16_000, [4_000])
    last = estimates[-1]
    assert last.evidence_t0 == [3.0, 4.0, 5.0, 6.0]
    for label in LABELS:
        assert sum(last.evidence[label]) == pytest.approx(last.bag_scores[label], abs=1e-5)


def test_silence_names_no_instrument(make_recognizer: MakeRecognizer) -> None:
    estimates, events, _ = run(make_recognizer, np.zeros((48_000, 1), np.float32), 16_000, [1600])
    assert events == []
    assert all(e.silent and not any(e.scores.values()) and e.level_dbfs == -200 for e in estimates)


def test_the_gate_opens_at_its_level(make_recognizer: MakeRecognizer) -> None:
    tone = 10 ** (-61 / 20) * 2**0.5 * np.sin(np.arange(16_000) / 5)
    below, _, _ = run(make_recognizer, tone[:, None].astype(np.float32), 16_000, [16_000])
    above, _, _ = run(make_recognizer, 1.3 * tone[:, None].astype(np.float32), 16_000, [16_000])
    assert below[1].silent
    assert below[1].level_dbfs == pytest.approx(-61, abs=0.1)
    assert not above[1].silent


def test_less_than_a_window_is_one_partial_estimate(make_recognizer: MakeRecognizer) -> None:
    (estimate,), _, _ = run(make_recognizer, melody(0.3, 44_100), 44_100, [1000])
    assert estimate.partial
    assert (estimate.t0, estimate.t1) == (0.0, pytest.approx(0.3, abs=1e-3))


def test_nan_and_infinity_are_counted_and_heard_as_zero(make_recognizer: MakeRecognizer) -> None:
    clean = melody(2.0, 16_000, channels=2)
    clean[500:600] = 0
    dirty = clean.copy()
    dirty[500:550] = np.nan
    dirty[550:600, 0] = -np.inf
    expected, _, _ = run(make_recognizer, clean, 16_000, [700])
    found, _, pipeline = run(make_recognizer, dirty, 16_000, [700])
    np.testing.assert_array_equal(numbers(found), numbers(expected))
    assert pipeline.meter.nonfinite == 50 * 2 + 50


def test_clipped_samples_are_counted(make_recognizer: MakeRecognizer) -> None:
    loud = np.clip(5 * melody(1.0, 16_000), -1, 1)
    _, _, pipeline = run(make_recognizer, loud, 16_000, [500])
    assert pipeline.meter.clipped == int((np.abs(loud) >= 0.999).sum()) > 0


@pytest.mark.parametrize(
    ("rate_hz", "channels"), [(8_000, 1), (11_025, 3), (44_100, 32), (96_000, 2), (192_000, 1)]
)
def test_odd_rates_and_many_channels_are_recognised(
    make_recognizer: MakeRecognizer, rate_hz: int, channels: int
) -> None:
    estimates, _, _ = run(make_recognizer, melody(2.0, rate_hz, channels), rate_hz, [rate_hz // 7])
    assert [(e.t0, e.t1) for e in estimates[:3]] == [
        pytest.approx(times, abs=0.001) for times in ((0.0, 0.5), (0.0, 1.0), (0.5, 1.5))
    ]
    assert np.isfinite(numbers(estimates)).all()


def test_behind_a_gap_times_go_on_and_all_that_was_on_has_ended(
    make_recognizer: MakeRecognizer,
) -> None:
    samples = melody(8.0, 16_000)
    pipeline = Pipeline(make_recognizer(HOP), "lab", 16_000, HOP)
    before = pipeline.process(Block(0, samples[:40_000], 0.0))
    after = pipeline.process(Block(47_000, samples[47_000:], 0.0))
    estimates = [m for m in (*before, *after) if isinstance(m, Estimate)]
    assert [(e.t1, e.partial) for e in estimates[:8]] == [
        (0.5, False),
        (1.0, False),
        (1.5, False),
        (2.0, False),
        (2.5, False),
        (55_000 / 16_000, False),
        (63_000 / 16_000, False),
        (71_000 / 16_000, False),
    ]
    on_before = {m.id for m in before if isinstance(m, Event)}
    ended = {m.id for m in after if isinstance(m, Event) and m.event == "off" and m.time_s <= 2.5}
    assert on_before
    assert on_before == ended


def test_a_live_window_is_due_with_its_last_sample_and_half_the_filter(
    make_recognizer: MakeRecognizer,
) -> None:
    pipeline = Pipeline(make_recognizer(HOP), "lab", 48_000, HOP, live=True)
    position = 0
    while (window := pipeline.window()) is None:
        pipeline.push(Block(position, np.zeros((48, 1), np.float32), 0.0))
        position += 48
    filter_s = EDGE_SAMPLES / window.rate_hz
    assert 0 <= position / 48_000 - (window.heard_until_s + filter_s) <= 0.001


def test_a_live_estimate_reports_the_age_of_its_last_sample(
    make_recognizer: MakeRecognizer,
) -> None:
    pipeline = Pipeline(make_recognizer(HOP), "lab", 16_000, HOP, live=True, clock=lambda: 102.0)
    messages = pipeline.process(Block(0, melody(1.25, 16_000), captured_at=101.9))
    *_, estimate = [m for m in messages if isinstance(m, Estimate)]
    assert estimate.latency_ms == pytest.approx(100 + 250 + 25)


def test_the_age_is_split_into_waiting_and_recognition(make_recognizer: MakeRecognizer) -> None:
    times = iter([101.5, 101.6, 102.0, 102.5])
    pipeline = Pipeline(
        make_recognizer(HOP), "lab", 16_000, HOP, live=True, clock=lambda: next(times)
    )
    sound = melody(1.0, 16_000)
    pipeline.process(Block(0, sound[:8_000], captured_at=101.4))
    pipeline.process(Block(8_000, sound[8_000:], captured_at=101.9))
    assert (pipeline.queue_ms, pipeline.compute_ms) == pytest.approx((100 + 25, 500))
    assert pipeline.latency_ms == pytest.approx(100 + 25 + 500)


def test_a_quiet_estimate_without_warm_up_can_be_configured(
    make_recognizer: MakeRecognizer,
) -> None:
    shape = StreamSettings(nodes=4, decision=DecisionSettings(warm_up_windows=3))
    estimates, _, _ = run(make_recognizer, melody(3.0, 16_000), 16_000, [16_000], shape)
    assert [e.warming_up for e in estimates] == [True, True, False, False, False, False]


def test_level_of_a_full_scale_sine_is_minus_three_dbfs() -> None:
    sine = np.sin(2 * np.pi * 100 * np.arange(16_000) / 16_000).astype(np.float32)
    assert level_dbfs(sine) == pytest.approx(-3.01, abs=0.01)
    assert level_dbfs(np.zeros(0, np.float32)) == -200


def test_when_audio_stops_coming_all_that_is_on_ends_with_its_onset_and_the_stream_can_go_on(
    make_recognizer: MakeRecognizer,
) -> None:
    samples = melody(8.0, 16_000)
    pipeline = Pipeline(make_recognizer(HOP), "lab", 16_000, HOP)
    before = pipeline.process(Block(0, samples[:40_000], 0.0))
    ended = pipeline.process(Block(40_000, samples[:0], 3.0, interrupted=True))
    on = {m.id: m.time_s for m in before if isinstance(m, Event) and m.event == "on"}
    off = {m.id: m.onset_s for m in (*before, *ended) if isinstance(m, Event) and m.event == "off"}
    assert on
    assert on == off
    assert all(m.time_s <= 2.5 for m in ended if isinstance(m, Event))
    after = pipeline.process(Block(40_000, samples[40_000:], 20.0)) + pipeline.finish()
    estimates = [m for m in after if isinstance(m, Estimate)]
    assert estimates[0].t1 == 3.0
    assert estimates[-1].t1 == 8.0


def test_what_follows_silence_is_heard_as_at_the_start_of_a_stream(
    make_recognizer: MakeRecognizer,
) -> None:
    sound, shape = melody(3.0, 16_000), replace(HOP, hop_s=1.0)
    silence = np.zeros((4 * 16_000, 1), np.float32)
    late, _, _ = run(make_recognizer, np.concatenate([silence, sound]), 16_000, [16_000], shape)
    alone, _, _ = run(make_recognizer, sound, 16_000, [16_000], shape)
    for after, fresh in zip(late[4:], alone, strict=True):
        assert after.scores == fresh.scores
        assert [start - 4 for start in after.evidence_t0] == fresh.evidence_t0


def test_a_recognizer_of_another_hop_is_refused(make_recognizer: MakeRecognizer) -> None:
    with pytest.raises(
        SettingsError, match="expected a stream of the recogniser's hop, 0.5 s, found 1"
    ):
        Pipeline(make_recognizer(HOP), "lab", 16_000, replace(HOP, hop_s=1.0))
