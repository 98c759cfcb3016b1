from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmgat.model.labels import LABELS
from mmgat.stream.dashboard.export import (
    FORMATS,
    Sounded,
    sounded,
    to_audacity,
    to_csv,
    to_jams,
    to_jsonl,
    to_midi,
    write_new,
)
from mmgat.stream.dashboard.state.dashboard import DashboardState, advance
from mmgat.stream.errors import StreamError
from tests.stream.dashboard.builders import MIC, estimate, event

ROWS = [
    Sounded(MIC, "piano", 1.0, 3.5, 1_790_000_000.0, 0.8, False),
    Sounded(MIC, "drums", 2.0, 4.0, None, 0.6, True),
]
ANY_ROWS = st.lists(
    st.builds(
        lambda source, label, begin, lasted, score: Sounded(
            source, label, begin, begin + lasted, None, score, False
        ),
        st.text(max_size=5),
        st.sampled_from(LABELS),
        st.floats(0, 1e5),
        st.floats(0, 1e3),
        st.floats(0, 1),
    ),
    max_size=8,
)


def test_what_sounded_comes_from_the_history() -> None:
    state = DashboardState(address="")
    for message in (event("on", "piano", 3.0, 2.5), estimate(10.0, ("piano",))):
        state = advance(state, message, 0.0)
    (row,) = sounded(state.sources.values())
    assert (row.label, row.begin_s, row.end_s, row.is_on) == ("piano", 2.5, 10.0, True)


def test_csv_reads_as_a_table() -> None:
    first, _ = csv.DictReader(io.StringIO(to_csv(ROWS)))
    assert (first["instrument"], first["begin_s"], first["duration_s"]) == (
        "piano",
        "1.000",
        "2.500",
    )
    assert first["time"] == "2026-09-21T14:13:20+0000"


def test_json_lines_are_objects() -> None:
    assert [json.loads(line)["instrument"] for line in to_jsonl(ROWS).splitlines()] == [
        "piano", "drums",
    ]  # fmt: skip


def test_audacity_labels_have_begin_end_and_text() -> None:
    assert to_audacity(ROWS).splitlines()[0] == "1.000000\t3.500000\tpiano"


def test_jams_validates() -> None:
    jams = pytest.importorskip("jams")
    found = jams.load(io.StringIO(to_jams(ROWS)), strict=True, fmt="jams")
    assert found.annotations[0].data[0].value == "piano"
    assert found.validate()


def test_midi_has_a_track_for_each_instrument() -> None:
    file = mido.MidiFile(file=io.BytesIO(to_midi(ROWS)))
    names = [track.name for track in file.tracks]
    assert names == [f"{MIC}: piano", f"{MIC}: drums"]
    notes = [message.type for message in file.tracks[0] if not message.is_meta]
    assert notes == ["program_change", "note_on", "note_off"]
    assert file.length == pytest.approx(4.0)


@given(ANY_ROWS)
def test_every_format_takes_any_rows(rows: list[Sounded]) -> None:
    for _, _, make in FORMATS.values():
        assert make(rows) or not rows


def test_no_file_is_overwritten(tmp_path: Path) -> None:
    first, second = (write_new(tmp_path, "events", ".csv", text) for text in "ab")
    assert (first.read_text(), second.name) == ("a", "events-2.csv")


def test_a_folder_that_takes_no_file_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(StreamError, match="expected a folder that can be written"):
        write_new(tmp_path / "none", "events", ".csv", "")
