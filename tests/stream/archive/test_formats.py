"""Each format is read back by the library of those who use it."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import duckdb
import jams
import mido
import mir_eval
import numpy as np
import pyarrow.parquet as pq
import pysubs2
import pytest

from mmgat.model.labels import LABELS
from mmgat.stream.archive.formats.names import NAMES, get_format
from mmgat.stream.archive.inputs import find_inputs
from mmgat.stream.archive.output.target import Target
from mmgat.stream.archive.result import FileResult, Origin


def written(
    form: str, result: FileResult, origin: Origin, out: Path, windows: bool = False
) -> Path:
    """The file of one result."""
    if not windows:
        result = replace(result, windows=None)
    output = Target(get_format(form), out, windows).open(find_inputs([result.file]), origin)
    output.add(result)
    output.close()
    return out


def test_json_lines_have_everything(result: FileResult, origin: Origin, tmp_path: Path) -> None:
    path = written("jsonl", result, origin, tmp_path / "out.jsonl", windows=True)
    row = json.loads(path.read_text("utf-8"))
    assert row["file"] == result.file
    assert row["segments"][0] == {"label": "piano", "t0": 0.0, "t1": 3.25, "score": 0.9312}
    assert row["windows"][2]["scores"]["piano"] == 0.9
    assert row["model"]["version"] == "7"
    assert row["thresholds"]["piano"] == 0.3


def test_csv_has_a_row_a_segment_or_window(
    result: FileResult, origin: Origin, tmp_path: Path
) -> None:
    segments = written("csv", result, origin, tmp_path / "segments.csv")
    rows = duckdb.sql(f"select file, label, t0, t1, threshold, model from '{segments}'").fetchall()
    assert rows[1] == (result.file, "voice", 1.75, 4.5, 0.3, "compact 7")
    windows = written("csv", result, origin, tmp_path / "windows.csv", windows=True)
    rows = duckdb.sql(f"select t0, piano, voice, hop_s from '{windows}'").fetchall()
    assert rows == [(0, 0.5, 0, 0.5), (0.5, 0.7, 0, 0.5), (1, 0.9, 0, 0.5)]


def test_scores_have_a_row_a_file(result: FileResult, origin: Origin, tmp_path: Path) -> None:
    path = written("scores", result, origin, tmp_path / "scores.csv")
    thresholds, row = csv.DictReader(io.StringIO(path.read_text("utf-8")))
    assert (row["file"], row["piano"], row["model"]) == (result.file, "0.8", "compact 7")
    assert (thresholds["piano"], thresholds["ukulele"]) == ("0.3", "1.0")


def test_parquet_is_a_row_a_file(result: FileResult, origin: Origin, tmp_path: Path) -> None:
    path = written("parquet", result, origin, tmp_path / "out.parquet", windows=True)
    (row,) = pq.read_table(path).to_pylist()
    assert row["file"] == result.file
    assert [s["label"] for s in row["segments"]] == ["piano", "voice"]
    assert (row["error"], row["thresholds"]["ukulele"]) == (None, None)
    found = duckdb.sql(
        f"select s.label, s.t0 from (select unnest(segments) as s from '{path}') order by 2"
    ).fetchall()
    assert found == [("piano", 0.0), ("voice", 1.75)]


def test_audacity_labels_have_scores_and_thresholds(
    result: FileResult, origin: Origin, tmp_path: Path
) -> None:
    path = written("audacity", result, origin, tmp_path / "song.txt")
    intervals, labels = mir_eval.io.load_labeled_intervals(str(path), delimiter="\t")
    assert labels == [
        "compact 7, normal sensitivity, hop 0.5 s, 10 nodes",
        "piano 0.93 (0.30)",
        "voice 0.61 (0.30)",
    ]
    np.testing.assert_allclose(intervals, [(0, 0), (0, 3.25), (1.75, 4.5)])


def test_sonic_visualiser_reads_begin_value_duration_and_label(
    result: FileResult, origin: Origin, tmp_path: Path
) -> None:
    path = written("sonic-visualiser", result, origin, tmp_path / "song.csv")
    comments = [line for line in path.read_text("utf-8").splitlines() if line[0] == "#"]
    assert comments[0] == "# compact 7, normal sensitivity, hop 0.5 s, 10 nodes"
    assert "piano 0.3" in comments[2]
    columns = mir_eval.io.load_delimited(str(path), [float, float, float, str], ",", comment="#")
    assert list(map(list, columns)) == [
        [0.0, 1.75], [0.9312, 0.61], [3.25, 2.75], ["piano", "voice"],
    ]  # fmt: skip


def test_jams_are_valid(result: FileResult, origin: Origin, tmp_path: Path) -> None:
    path = written("jams", result, origin, tmp_path / "song.jams")
    jam = jams.load(str(path), validate=True, strict=True)
    (annotation,) = jam.search(namespace="tag_open")
    intervals, values = annotation.to_interval_values()
    assert values == ["piano", "voice"]
    np.testing.assert_allclose(intervals, [(0, 3.25), (1.75, 4.5)])
    assert [observation.confidence for observation in annotation.data] == [0.9312, 0.61]
    assert annotation.annotation_metadata.version == "7"
    assert annotation.sandbox.thresholds["piano"] == 0.3


def test_midi_markers_stand_where_instruments_begin_and_end(
    result: FileResult, origin: Origin, tmp_path: Path
) -> None:
    file = mido.MidiFile(written("midi", result, origin, tmp_path / "song.mid"))
    now, markers = 0.0, []
    for message in file:
        now += message.time
        if message.type == "marker":
            markers.append((round(now, 6), message.text))
    assert markers[0][1].startswith("thresholds: accordion 0.3, ")
    assert markers[1:] == [
        (0.0, "piano 0.93 (0.30)"), (1.75, "voice 0.61 (0.30)"),
        (3.25, "piano off"), (4.5, "voice off"),
    ]  # fmt: skip
    assert now == pytest.approx(result.seconds)
    assert file.tracks[0].name == origin.title


def test_midi_names_a_model_in_any_letters(
    result: FileResult, origin: Origin, tmp_path: Path
) -> None:
    path = written("midi", result, replace(origin, model="слух"), tmp_path / "song.mid")
    assert "слух" in mido.MidiFile(path, charset="utf-8").tracks[0].name


def test_reaper_regions_are_numbered(result: FileResult, origin: Origin, tmp_path: Path) -> None:
    path = written("reaper", result, origin, tmp_path / "song.csv")
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8"))))
    assert [row["#"] for row in rows] == ["M1", "R1", "R2"]
    assert rows[0]["Name"] == origin.title
    assert (rows[2]["Start"], rows[2]["End"], rows[2]["Length"]) == ("1.750", "4.500", "2.750")


def test_subtitles_show_what_sounds_together(
    result: FileResult, origin: Origin, tmp_path: Path
) -> None:
    subtitles = pysubs2.load(str(written("srt", result, origin, tmp_path / "song.srt")))
    assert [(e.start, e.end, e.plaintext) for e in subtitles] == [
        (0, 1000, origin.title),
        (0, 1750, "piano 0.93 (0.30)"),
        (1750, 3250, "piano 0.93 (0.30)\nvoice 0.61 (0.30)"),
        (3250, 4500, "voice 0.61 (0.30)"),
    ]


@pytest.mark.parametrize("form", [name for name in NAMES if name != "parquet"])
def test_a_folder_has_a_file_for_every_sound_file(
    form: str, result: FileResult, origin: Origin, tmp_path: Path
) -> None:
    files = ["a/x.wav", "a/y.wav", "a/y.flac"]
    target = Target(get_format(form), tmp_path / "out")
    output = target.open(find_inputs(files), origin)
    for file in files:
        output.add(replace(result, file=file, windows=None))
    output.close()
    suffix = get_format(form).suffix
    found = sorted(path.name for path in (tmp_path / "out").iterdir())
    expected = [f"x{suffix}", f"y.flac{suffix}", f"y.wav{suffix}", "mmgat-tag.journal"]
    assert found == sorted(expected)


def test_a_name_that_is_not_unicode_is_written_in_every_format(
    result: FileResult, origin: Origin, tmp_path: Path
) -> None:
    strange = replace(result, file="b\udcff.wav")
    for form in NAMES:
        path = tmp_path / f"out.{form}"
        assert b"\xff" not in written(form, strange, origin, path).read_bytes() or form == "midi"
    row = json.loads((tmp_path / "out.jsonl").read_bytes())
    assert row["file"] == "b\udcff.wav"
    assert LABELS[0] in row["scores"]
