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
    assert [w.start for w in parts] == [w.start for w in whole] == [hop * w.index for w in whole]
    seen = np.zeros(n_samples, bool)
    for window, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(window.samples, other.samples)
        np.testing.assert_array_equal(
            window.second, RAMP[window.start : window.start + window.n_valid]
        )
        before = RAMP[max(0, window.start - window.lead) : window.start]
        assert window.lead == max(0, heard - 16_000)
        np.testing.assert_array_equal(
            window.samples[window.lead - len(before) : window.lead], before
        )
        assert not window.samples[: window.lead - len(before)].any()
        assert not window.samples[window.lead + window.n_valid :].any()
        assert window.continues == (window.index > 0)
        assert window.n_missing == max(0, window.lead - window.start)
        assert window.samples.dtype == np.float32
        seen[window.start : window.end] = True
    assert seen.all()
    assert not any(window.partial for window in whole[:-1])


def test_six_seconds_at_half_a_second_are_eleven_windows_without_a_tail() -> None:
    windows = cut(100_000 - 100_000 % 16_000, 8_000, [])
    assert len(windows) == 11
    assert not windows[-1].partial


def test_a_short_stream_is_one_padded_window() -> None:
    (window,) = cut(300, 8_000, [])
    assert (window.start, window.n_valid, window.partial) == (0, 300, True)
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


def test_what_an_embedder_hears_before_a_second_is_never_from_before_a_gap() -> None:
    assembler = assembler_of(16_000, 31_000)
    assembler.push(RAMP[:40_000])
    assembler.restart(50_000)
    first, second = assembler.push(RAMP[:32_000])
    assert not first.samples[:15_000].any()
    assert (first.continues, second.continues) == (False, True)
    assert (first.n_missing, second.n_missing) == (15_000, 0)
    np.testing.assert_array_equal(second.samples, RAMP[1_000:32_000])


def test_a_window_is_released_with_the_last_sample_that_is_heard() -> None:
    assembler = assembler_of(16_000)
    assert assembler.push(RAMP[:15_599]) == []
    (window,) = assembler.push(RAMP[15_599:15_600])
    assert (window.start, window.end, window.partial) == (0, 16_000, False)
    assert assembler.push(RAMP[15_600:16_000]) == assembler.flush() == []
