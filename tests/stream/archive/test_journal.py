"""A killed run goes on: what is named is there once, what is not is done again."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mmgat.stream.archive.formats.names import get_format
from mmgat.stream.archive.inputs import find_inputs
from mmgat.stream.archive.output.journal import Journal
from mmgat.stream.archive.output.parquet import ParquetParts
from mmgat.stream.archive.output.target import Target
from mmgat.stream.archive.result import FileResult, Origin
from mmgat.stream.errors import OutputError


def test_a_line_that_was_cut_off_is_forgotten(tmp_path: Path, origin: Origin) -> None:
    path = tmp_path / "journal"
    journal = Journal(path, "jsonl", origin, resume=False)
    journal.add([("a.wav", 10), ("b\udcff.wav", 20)])
    journal.close()
    whole = path.read_bytes()
    for n_bytes in range(len(whole) - 5, len(whole)):
        path.write_bytes(whole[:n_bytes])
        again = Journal(path, "jsonl", origin, resume=True)
        assert (again.done, again.end) == ({"a.wav"}, 10)
        again.add([("b\udcff.wav", 20)])
        again.close()
        assert path.read_bytes() == whole


@pytest.mark.parametrize("change", [{"hop_s": 1.0}, {"sha256": "0" * 64}, {"nodes": 5}])
def test_other_settings_do_not_go_on(
    tmp_path: Path, origin: Origin, change: dict[str, object]
) -> None:
    Journal(tmp_path / "journal", "jsonl", origin, resume=False).close()
    with pytest.raises(OutputError, match=f"expected a run with {next(iter(change))}"):
        Journal(tmp_path / "journal", "jsonl", replace(origin, **change), resume=True)  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["jsonl", "csv", "scores"])
def test_results_behind_the_last_named_one_are_cut_off(
    tmp_path: Path, origin: Origin, result: FileResult, form: str
) -> None:
    out = tmp_path / f"out.{form}"
    target = Target(get_format(form), out)
    plain = replace(result, windows=None)
    first = target.open(find_inputs([]), origin)
    first.add(replace(plain, file="a.wav"))
    first.flush()
    whole = out.read_bytes()
    first.add(replace(plain, file="b.wav"))  # killed before it is flushed
    out.write_bytes(whole + b'{"file": "b.w')
    second = replace(target, resume=True).open(find_inputs([]), origin)
    assert second.done == {"a.wav"}
    second.close()
    assert out.read_bytes() == whole


def test_results_that_are_there_are_not_written_over_by_chance(
    tmp_path: Path, origin: Origin
) -> None:
    target = Target(get_format("jsonl"), tmp_path / "out.jsonl")
    target.check(1)
    target.open(find_inputs([]), origin).close()
    with pytest.raises(OutputError, match="--resume goes on with them, --overwrite begins anew"):
        target.check(1)
    replace(target, resume=True).check(1)
    replace(target, overwrite=True).check(1)


@pytest.mark.parametrize("change", [{}, {"resume": True}, {"overwrite": True}])
@pytest.mark.parametrize(
    ("name", "head"), [("take.wav", b"any"), ("take.txt", b"fLaC"), ("a.jsonl", b"RIFF")]
)
def test_a_recording_is_never_written_over(
    tmp_path: Path, change: dict[str, bool], name: str, head: bytes
) -> None:
    out = tmp_path / name
    out.write_bytes(head)
    with pytest.raises(OutputError, match="found sound in .*, which is never written over"):
        replace(Target(get_format("jsonl"), out), **change).check(1)


def test_a_part_that_the_journal_does_not_name_is_replaced(
    tmp_path: Path, origin: Origin, result: FileResult
) -> None:
    def opened(resume: bool, seconds_a_look: float) -> ParquetParts:
        journal = Journal(tmp_path / "journal", "parquet", origin, resume)
        return ParquetParts(tmp_path, origin, journal, itertools.count(0, seconds_a_look).__next__)

    parts = opened(resume=False, seconds_a_look=61)
    for name in ("a.wav", "b.wav"):
        parts.add(replace(result, file=name))
        parts.flush()
    lines = (tmp_path / "journal").read_bytes().splitlines(keepends=True)
    assert len(lines) == 3
    (tmp_path / "journal").write_bytes(b"".join(lines[:2]))  # killed before it named the second
    again = opened(resume=True, seconds_a_look=0)
    assert again.done == {"a.wav"}
    for name in ("b.wav", "c.wav"):
        again.add(replace(result, file=name))
    again.flush()  # too early for a part
    again.add_error("d.wav", "expected audio")
    again.close()
    assert len(list(tmp_path.glob("*.parquet"))) == 2
    rows = pq.read_table(sorted(tmp_path.glob("*.parquet"))).to_pylist()
    found = [(row["file"], row["error"]) for row in rows]
    assert found == [(f"{n}.wav", None) for n in "abc"] + [("d.wav", "expected audio")]


@pytest.mark.parametrize(
    ("form", "out", "resume", "said"),
    [
        ("jsonl", None, True, "expected --out with --resume"),
        ("srt", None, False, "expected a folder for 2 files"),
        ("srt", "a.srt", False, "expected a folder for 2 files"),
        ("parquet", None, False, "expected --out FOLDER or"),
        ("parquet", "a.parquet", True, "cannot be added to"),
    ],
)
def test_a_place_that_cannot_be_is_told_before_anything_is_done(
    tmp_path: Path, form: str, out: str | None, resume: bool, said: str
) -> None:
    path = tmp_path / out if out else None
    with pytest.raises(OutputError, match=said):
        Target(get_format(form), path, resume=resume).check(2)
