from __future__ import annotations

import pytest
from rich.cells import cell_len

from mmgat.stream.dashboard.drawing import (
    ColorRole,
    EvidenceColumns,
    band,
    bar,
    fit,
    flow,
    heading,
    mix,
)
from mmgat.stream.dashboard.formatting import StatusItem
from tests.stream.dashboard.builders import estimate


def names(roles: list[ColorRole]) -> list[str]:
    return [role.name for role in roles]


def test_bar_covers_its_share_of_the_cells() -> None:
    roles = bar(0.5, 0.0, None, 10, "sounding")
    assert names(roles) == ["sounding"] * 5 + ["track"] * 5


def test_cell_in_part_covered_is_mixed() -> None:
    assert bar(0.25, 0.0, None, 2, "sounding")[0] == mix("track", "sounding", 0.5)


def test_shadow_shows_behind_a_shorter_bar() -> None:
    roles = bar(0.2, 0.6, None, 10, "quiet")
    assert names(roles) == ["quiet"] * 2 + ["shadow"] * 4 + ["track"] * 4


@pytest.mark.parametrize(("threshold", "cell"), [(0.0, 0), (0.5, 5), (1.0, 9)])
def test_tick_stands_at_the_threshold(threshold: float, cell: int) -> None:
    assert names(bar(1.0, 0.0, threshold, 10, "sounding")).index("tick") == cell


def test_scores_outside_0_to_1_or_not_a_number_stay_inside() -> None:
    assert names(bar(float("nan"), float("nan"), None, 3, "quiet")) == ["track"] * 3
    assert names(bar(7.0, -7.0, None, 3, "quiet")) == ["quiet"] * 3


def test_band_is_as_wide_as_its_roles_and_ends_with_a_gap() -> None:
    roles = [ColorRole("track"), ColorRole("tick"), ColorRole("track")]
    rows = ["".join(span.text for span in band(roles, row, 3)) for row in range(3)]
    assert rows == ["█│█", "█│█", "▀╵▀"]


@pytest.mark.parametrize("text", ["piano", "a very long name", "エレキギター"])
@pytest.mark.parametrize("width", [0, 1, 6, 30])
def test_fit_is_exact_in_cells(text: str, width: int) -> None:
    assert cell_len(fit(text, width)) == width


@pytest.mark.parametrize("right", ["", "a remark"])
def test_heading_fills_the_line(right: str) -> None:
    assert sum(cell_len(span.text) for span in heading("title", right, 40)) == 40


def test_flow_breaks_lines_and_leaves_out_the_rest() -> None:
    lines = flow(
        [StatusItem("one"), StatusItem("two"), StatusItem("three"), StatusItem("four")], 9, 2
    )
    assert ["".join(span.text for span in line) for line in lines] == ["one · two", "three"]


def test_even_evidence_of_a_certain_score_is_full_brightness() -> None:
    certain = estimate(evidence={"piano": [0.1] * 10})
    assert EvidenceColumns([certain], 10, 20).strip("piano") == [ColorRole("sounding")] * 20


def test_newest_second_is_at_the_right_edge() -> None:
    newest = estimate(evidence={"piano": [0.0] * 9 + [0.1]})
    strip = EvidenceColumns([newest], 10, 20).strip("piano")
    assert strip == [ColorRole("dark")] * 18 + [ColorRole("sounding")] * 2


def test_first_seconds_fill_from_the_right() -> None:
    first = estimate(t1=1.0, evidence={"piano": [1.0]}, evidence_t0=[0.0])
    strip = EvidenceColumns([first], 10, 10).strip("piano")
    assert strip == [ColorRole("dark")] * 9 + [ColorRole("sounding")]


def test_phases_are_woven_together() -> None:
    even = estimate(t1=10.0, evidence={"piano": [0.1] * 10})
    odd = estimate(t1=10.5, evidence={"piano": [0.0] * 10})
    strip = EvidenceColumns([even, odd], 10, 20).strip("piano")
    # Half-second cells from 0.5 to 10.5: odd windows begin at whole seconds and a half.
    assert strip == [ColorRole("dark"), ColorRole("sounding")] * 9 + [ColorRole("dark")] * 2


def test_strongest_window_stands_for_a_narrow_cell() -> None:
    one = estimate(evidence={"piano": [0.0] * 4 + [0.1] + [0.0] * 5})
    assert EvidenceColumns([one], 10, 5).strip("piano")[2] == ColorRole("sounding")


def test_no_estimates_no_light() -> None:
    assert EvidenceColumns([], 10, 3).strip("piano") == [ColorRole("dark")] * 3
