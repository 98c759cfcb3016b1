"""What ``mmgat-find`` finds, and cuts out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from click.testing import CliRunner

from mmgat.stream.archive.formats.parquet import error_row, result_row, table
from mmgat.stream.archive.result import FileResult, Origin, Segment
from mmgat.stream.archive.search.cutting import cut
from mmgat.stream.archive.search.query import QueryError, parse_query
from mmgat.stream.archive.search.stretches import Found, search
from mmgat.stream.commands.find import main
from mmgat.stream.errors import OutputError
from tests.conftest import melody


@pytest.fixture
def results(result: FileResult, origin: Origin, tmp_path: Path) -> str:
    """a.wav, 10 s: piano 0 to 4 and 4 to 9, voice 2 to 3. b.wav: drums. c.wav: unreadable."""
    a = [("piano", 0, 4, 0.9), ("voice", 2, 3, 0.5), ("piano", 4, 9, 0.7)]
    b = [("drums", 1, 2, 0.8)]
    rows = [
        result_row(replace(result, file=file, seconds=10.0, segments=[Segment(*s) for s in found]),
                   origin)
        for file, found in (("a.wav", a), ("b.wav", b))
    ]  # fmt: skip
    (tmp_path / "run=1").mkdir()
    pq.write_table(table([*rows, error_row("c.wav", "bad")]), tmp_path / "run=1" / "part.parquet")
    return str(tmp_path)


@pytest.mark.parametrize(
    ("query", "longer", "expected"),
    [
        ("piano", 0, [("a.wav", 0, 9)]),
        ("piano and not voice", 0, [("a.wav", 0, 2), ("a.wav", 3, 9)]),
        ("piano and not voice", 5, [("a.wav", 3, 9)]),
        ("piano >= 0.8", 0, [("a.wav", 0, 4)]),
        ("Piano and voice or drums", 0, [("a.wav", 2, 3), ("b.wav", 1, 2)]),
        ("not (piano or drums)", 0, [("a.wav", 9, 10), ("b.wav", 0, 1), ("b.wav", 2, 10)]),
        ("flute", 0, []),
    ],
)
def test_a_query_holds_between_its_edges(
    results: str, query: str, longer: float, expected: list[tuple[str, float, float]]
) -> None:
    assert list(search(results, query, longer)) == [Found(*row) for row in expected]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("piano and", "expected a query such as"),
        ("pianos", "expected a label of accordion, "),
        ("piano + voice", "found 'piano + voice'"),
        ("__import__('os')", "found \"__import__('os')\""),
        ("voice < 0.5", "found 'voice < 0.5'"),
    ],
)
def test_what_is_no_query_is_told(query: str, said: str) -> None:
    with pytest.raises(QueryError) as told:
        parse_query(query)
    assert said in str(told.value)


def test_results_that_are_not_there_are_told(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "absent.parquet"):
        with pytest.raises(QueryError, match="expected Parquet files"):
            list(search(str(place), "piano"))


def test_a_folder_may_have_signs_of_patterns_in_its_name(results: str, tmp_path: Path) -> None:
    folder = tmp_path / "live" / "Festival [2026] *"
    folder.mkdir(parents=True)
    part = Path(results, "run=1", "part.parquet").rename(folder / "part [1].parquet")
    for place in (folder, part):
        assert [found.file for found in search(str(place), "drums")] == ["b.wav"]


def test_the_command_prints_times_and_files(results: str) -> None:
    found = CliRunner().invoke(main, [results, "piano and not voice", "--longer", "5"])
    assert (found.exit_code, found.output) == (0, "0:00:03.00 to 0:00:09.00     6.00 s  a.wav\n")
    nothing = CliRunner().invoke(main, [results, "flute"])
    assert (nothing.exit_code, nothing.output) == (1, "")
    names = CliRunner().invoke(main, [results, "piano or drums", "--files"])
    assert names.output == "a.wav\nb.wav\n"


def test_stretches_are_cut_out_sample_by_sample(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    sound = melody(4.0, 8_000, channels=2)
    soundfile.write(path, sound, 8_000, subtype="PCM_24")
    stretches = [Found(str(path), 0.25, 1.75), Found(str(path), 1.8, 4.0)]
    first, second = cut(stretches, tmp_path / "cuts")
    assert first.name == "take 0.25-1.75.flac"
    for file, begin, end in ((first, 2_000, 14_000), (second, 14_400, 32_000)):
        heard, rate_hz = soundfile.read(file, dtype="float32")
        assert rate_hz == 8_000
        np.testing.assert_allclose(heard, sound[begin:end], atol=2**-22)


@pytest.mark.parametrize(("rate_hz", "channels"), [(8_000, 9), (192_001, 1)])
def test_what_flac_does_not_hold_is_not_cut(tmp_path: Path, rate_hz: int, channels: int) -> None:
    path = tmp_path / "take.wav"
    soundfile.write(path, np.ones((rate_hz, channels)), rate_hz)
    with pytest.raises(OutputError, match="that FLAC holds, found"):
        cut([Found(str(path), 0.0, 0.5)], tmp_path / "cuts")
