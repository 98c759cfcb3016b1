import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mmgat.stream.audio.windows import Window, WindowAssembler

RAMP = np.arange(1, 100_001, dtype=np.float32)
HEARD = 15_600


def assembler_of(hop: int, size: int = HEARD) -> WindowAssembler:
    return WindowAssembler(hop, size, 16_000)


def cut(n_samples: int, hop: int, sizes: list[int], size: int = HEARD) -> list[Window]:
    assembler = assembler_of(hop, size)
    windows, position = [], 0
    while position < n_samples:
        step = max(1, sizes[len(windows) % len(sizes)] if sizes else n_samples)
        end = min(position + step, n_samples)
        windows += assembler.push(RAMP[position:end])
        position = end
    return windows + assembler.flush()


@settings(deadline=None)
@given(
    n_samples=st.integers(1, 60_000),
    hop=st.sampled_from([4_000, 8_000, 16_000]),
    sizes=st.lists(st.integers(500, 30_000), min_size=1, max_size=4),
    heard=st.sampled_from([HEARD, 16_000, 31_000]),
)
def test_any_blocks_give_the_same_windows_and_every_sample_is_in_one(
    n_samples: int, hop: int, sizes: list[int], heard: int
) -> None:
    whole, parts = cut(n_samples, hop, [], heard), cut(n_samples, hop, sizes, heard)
    first = max(hop, 8_000) - 16_000
    assert [w.start for w in parts] == [w.start for w in whole]
    assert [w.start for w in whole] == [first + hop * w.index for w in whole]
    assert [w.tick for w in whole] == [w.index for w in whole]
    seen = np.zeros(n_samples, bool)
    heard_from = np.concatenate([np.zeros(48_000, np.float32), RAMP])
    for window, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(window.samples, other.samples)
        begin, end = window.start - window.lead, window.start + window.n_valid
        assert window.lead == max(0, heard - 16_000)
        np.testing.assert_array_equal(
            window.samples[: window.lead + window.n_valid],
            heard_from[48_000 + begin : 48_000 + end],
        )
        np.testing.assert_array_equal(
            window.second, window.samples[window.lead :][: window.n_valid]
        )
        assert not window.samples[window.lead + window.n_valid :].any()
        assert window.continues == (window.index > 0)
        assert window.samples.dtype == np.float32
        seen[max(0, window.start) : window.end] = True
    assert seen.all()
    assert not any(window.partial for window in whole[:-1])


def test_six_seconds_at_half_a_second_are_twelve_windows_without_a_tail() -> None:
    windows = cut(100_000 - 100_000 % 16_000, 8_000, [])
    assert len(windows) == 12
    assert not windows[-1].partial
    assert (windows[0].start_s, windows[0].end_s) == (0.0, 0.5)


def test_a_short_stream_is_one_padded_window() -> None:
    (window,) = cut(300, 8_000, [])
    assert (window.start, window.end, window.partial) == (-8_000, 300, True)
    assert len(window.samples) == HEARD


def test_after_a_restart_positions_go_on_behind_the_gap_and_indices_count_on() -> None:
    assembler = assembler_of(16_000)
    first = assembler.push(RAMP[:20_000]) + assembler.flush()
    assembler.restart(50_000)
    second = assembler.push(RAMP[:16_000])
    assert [(w.index, w.start, w.end) for w in first + second] == [
        (0, 0, 16_000),
        (1, 16_000, 20_000),
        (2, 50_000, 66_000),
    ]
    assert [w.tick for w in first + second] == [0, 1, 3]


def test_what_an_embedder_hears_before_a_second_is_never_from_before_a_gap() -> None:
    assembler = assembler_of(16_000, 31_000)
    assembler.push(RAMP[:40_000])
    assembler.restart(50_000)
    first, second = assembler.push(RAMP[:32_000])
    assert not first.samples[:15_000].any()
    assert (first.continues, second.continues) == (False, True)
    np.testing.assert_array_equal(second.samples, RAMP[1_000:32_000])


def test_a_window_is_released_with_the_last_sample_that_is_heard() -> None:
    assembler = assembler_of(16_000)
    assert assembler.push(RAMP[:15_599]) == []
    (window,) = assembler.push(RAMP[15_599:15_600])
    assert (window.start, window.end, window.partial) == (0, 16_000, False)
    assert assembler.push(RAMP[15_600:16_000]) == assembler.flush() == []


@given(
    pauses=st.lists(st.integers(0, 40_000), min_size=1, max_size=3),
    wait=st.integers(0, 30_000),
    hop=st.sampled_from([4_000, 8_000, 16_000]),
)
def test_sound_is_cut_alike_however_long_a_recording_waits_before_it(
    pauses: list[int], wait: int, hop: int
) -> None:
    """Whatever pauses follow, and with a whisper in them that counts as silence."""

    def sounding(before: int) -> list[tuple[int, int, bytes]]:
        rng = np.random.default_rng(1)
        parts = [np.zeros(before)]
        for pause in pauses:
            parts += [rng.uniform(-0.009, 0.009, pause), np.full(20_000, 0.5)]
        assembler = WindowAssembler(hop, 31_000, 16_000, silence=0.01)
        windows = assembler.push(np.concatenate(parts).astype(np.float32))
        sounds = [w for w in windows if np.abs(w.second).max() > 0.01]
        first = sounds[0].tick
        assert first % (16_000 // hop) == 0
        assert isinstance(first, int)
        return [(w.start - before, w.tick - first, w.second.tobytes()) for w in sounds]

    assert sounding(wait) == sounding(0)


def test_after_a_second_of_silence_the_first_window_ends_half_a_second_after_the_onset() -> None:
    assembler = WindowAssembler(4_000, 16_000, 16_000)
    samples = np.zeros(64_000, np.float32)
    samples[:8_000] = samples[30_123:] = 1.0
    ends = [window.end for window in assembler.push(samples)]
    assert ends[:2] == [8_000, 12_000]
    assert ends[ends.index(28_000) + 1 :][:3] == [38_123, 42_123, 46_123]


def test_a_shorter_pause_leaves_the_windows_where_they_are() -> None:
    assembler = WindowAssembler(8_000, 16_000, 16_000)
    samples = np.ones(64_000, np.float32)
    samples[20_000:35_999] = 0.0
    assert [window.end for window in assembler.push(samples)] == list(range(8_000, 64_001, 8_000))


def test_a_windows_place_in_seconds() -> None:
    first, second = cut(12_000, 8_000, [])
    assert (first.start, first.start_s, first.end_s, first.heard_until_s) == (-8_000, 0, 0.5, 0.475)
    assert (second.start_s, second.end_s, second.heard_until_s) == (0.0, 0.75, 0.75)
    assert (first.partial, second.partial) == (False, True)
    (quiet,) = cut(8_000, 8_000, [])
    assert quiet.index == quiet.tick == 0
