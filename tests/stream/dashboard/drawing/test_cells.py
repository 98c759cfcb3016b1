from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from mmgat.model.labels import LABELS
from mmgat.stream.dashboard.drawing.ascii import to_ascii
from mmgat.stream.dashboard.drawing.bars import bar, columns, meter, shade, sparkline, tick_cell
from mmgat.stream.dashboard.drawing.cells import (
    QUIET,
    SOUNDING,
    Span,
    cut,
    fit,
    flow,
    heading,
    line_len,
    spread,
    wrapped,
)
from mmgat.stream.dashboard.drawing.letters import can_write, height_of, large, width_of
from mmgat.stream.dashboard.drawing.matrix import matrices
from mmgat.stream.dashboard.drawing.words import short_instrument
from mmgat.stream.dashboard.state.graph import GraphView

TEXTS = st.text("aä エ…", max_size=30)
NUMBERS = st.floats(-2, 3) | st.just(float("nan"))


def text_of(line: list[Span]) -> str:
    return "".join(span.text for span in line)


@given(TEXTS, st.integers(0, 40))
def test_fit_is_exact_in_cells(text: str, width: int) -> None:
    assert cell_len(fit(text, width)) == width


@given(TEXTS, TEXTS, st.integers(1, 60))
def test_a_line_is_never_wider_than_its_room(left: str, right: str, width: int) -> None:
    parts = [Span(left, QUIET)], [Span(right, SOUNDING)]
    assert line_len(cut(parts[0], width)) <= width
    assert line_len(spread(*parts, width)) <= max(width, cell_len(right))
    assert line_len(heading(left, right, width)) <= width
    assert all(line_len(line) <= width for line in flow(parts[0] + parts[1], width, 2))
    assert all(line_len(line) <= width for line in wrapped(left, QUIET, width))


@given(NUMBERS, NUMBERS, NUMBERS, st.integers(0, 80))
def test_bar_is_as_wide_as_asked_whatever_the_numbers(
    score: float, peak: float, threshold: float, width: int
) -> None:
    tick = None if threshold != threshold else threshold
    assert line_len(bar(score, peak, tick, width, SOUNDING)) == width
    assert line_len(meter(-60 * score, width)) == width


def test_bar_reads_as_text() -> None:
    assert text_of(bar(0.5, 0.8, 0.25, 10, SOUNDING)) == "▆▆┃▆▆───╸─"


@pytest.mark.parametrize(("threshold", "cell"), [(0.0, 0), (0.5, 5), (1.0, 9)])
def test_tick_stands_at_the_threshold(threshold: float, cell: int) -> None:
    assert tick_cell(threshold, 10) == cell


def test_shades_grow_with_the_value_and_a_gap_has_its_own() -> None:
    assert [shade(value) for value in (0.0, 0.3, 0.5, 0.7, 1.0, None)] == list(" ░▒▓█╱")


@given(st.lists(st.none() | st.floats(0, 1), max_size=200), st.integers(1, 40))
def test_sparkline_has_its_width(values: list[float | None], width: int) -> None:
    assert line_len(sparkline(values, 0, 1, width, QUIET)) == width


def test_sparkline_keeps_the_highest_of_a_cell() -> None:
    assert text_of(sparkline([0.0, 1.0, 0.0, 0.0], 0, 1, 2, QUIET)) == "█▁"


def test_columns_stand_on_the_last_line() -> None:
    assert [text_of(line) for line in columns([1.0, 0.25, 0.0], 2, 2, "sounding")] == [
        "█     ", "█ ▄ ▁ ",
    ]  # fmt: skip


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_large_letters_have_the_size_they_tell(scale: int) -> None:
    for label in LABELS:
        name = short_instrument(label)
        assert can_write(name)
        lines = large(name, scale)
        assert len(lines) == height_of(scale)
        assert {len(line) for line in lines} == {width_of(name, scale)}


@given(st.text(max_size=50))
def test_ascii_has_as_many_characters(text: str) -> None:
    shown = to_ascii(text)
    assert shown.isascii()
    assert len(shown) == len(text)


def test_matrices_show_the_neighbours_of_each_scale() -> None:
    graph = GraphView((0.0, 1.0), ((1.0, 0.9), (0.9, 1.0)), {"near": ((1,), ()), "far": ((), ())})
    lines = [text_of(line) for line in matrices(graph, 40, 10)]
    assert [line.split() for line in lines[1:]] == [["╲", "██", "╲", "·"], ["·", "╲", "·", "╲"]]


def test_a_graph_whose_parts_disagree_is_not_drawn() -> None:
    assert matrices(GraphView((0.0,), ((1.0, 2.0),), {}), 40, 10) == []
