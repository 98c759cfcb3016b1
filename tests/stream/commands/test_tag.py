"""``mmgat-tag`` as a process: bad files among good ones, several processes, runs that are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import numpy as np
import pytest
import soundfile

from tests.conftest import melody

TAG = [sys.executable, "-c", "from mmgat.stream.commands.entry import tag; tag()"]


def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TAG, *map(str, arguments)], capture_output=True, text=True, check=False, **options
    )  # type: ignore[call-overload, no-any-return]


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 files of half a second to a second in two folders."""
    folder = tmp_path_factory.mktemp("collection")
    for i in range(40):
        path = folder / f"{i % 2}" / f"{i}.flac"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, melody(0.5 + i % 3 / 4, 16_000, seed=i), 16_000)
    return folder


@pytest.fixture(scope="module")
def expected(collection: Path) -> dict[str, dict[str, float]]:
    """file -> its scores, by one process in one go."""
    done = run("-r", collection)
    assert (done.returncode, done.stderr) == (0, "")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {row["file"]: row["scores"] for row in rows}


def test_each_bad_file_is_told_and_the_rest_is_done(
    wav: Callable[..., Path], tmp_path: Path
) -> None:
    good = [wav(melody(2.0, 16_000, seed=i), 16_000, f"{i}.wav") for i in range(2)]
    raw = tmp_path / "take1.raw"
    raw.write_bytes(bytes(2000))
    text = tmp_path / "notes\x1b[2J.wav"
    text.write_text("no sound")
    cut = tmp_path / "cut.wav"
    cut.write_bytes(good[0].read_bytes()[:80_000])
    secret = wav(melody(1.0, 16_000), 16_000, "secret.wav")
    secret.chmod(0)
    bad = [raw, text, tmp_path / "missing.wav", tmp_path, cut]
    if os.access(secret, os.R_OK) is False:  # root reads everything
        bad.append(secret)
    done = run(good[0], *bad, good[1])
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr
    assert len(done.stderr.splitlines()) == len(bad)
    results = {Path(r["file"]).name: r for r in map(json.loads, done.stdout.splitlines())}
    assert sorted(results) == ["0.wav", "1.wav", "cut.wav"]
    assert [results[name]["complete"] for name in sorted(results)] == [True, True, False]
    assert 1 < results["cut.wav"]["seconds"] < 1.3


def test_several_processes_say_what_one_says(
    collection: Path, expected: dict[str, dict[str, float]], tmp_path: Path
) -> None:
    done = run("-r", collection, "--jobs", 2, "--format", "parquet", "--out", tmp_path / "out")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    found = duckdb.sql(f"select file, scores from '{tmp_path}/out/*.parquet'").fetchall()
    assert len(found) == len(expected) == 40
    for file, scores in found:
        assert scores == pytest.approx(expected[file], abs=2e-5)


@pytest.mark.parametrize("form", ["jsonl", "srt"])
def test_a_run_that_was_killed_goes_on(
    form: str,
    collection: Path,
    expected: dict[str, dict[str, float]],
    wav: Callable[..., Path],
    tmp_path: Path,
) -> None:
    long = wav(np.tile(melody(10.0, 8_000), (360, 1)), 8_000, "long.wav")
    out = tmp_path / ("out.jsonl" if form == "jsonl" else "out")
    journal = out / "mmgat-tag.journal" if form == "srt" else tmp_path / "out.jsonl.journal"
    command = ["-r", str(collection), str(long), "--format", form, "--out", str(out)]
    process = subprocess.Popen([*TAG, *command])
    while process.poll() is None and not (journal.exists() and b"0.flac" in journal.read_bytes()):
        pass
    process.kill()
    assert process.wait() == -signal.SIGKILL
    refused = run(*command)
    assert refused.returncode == 1
    assert "--resume goes on with them" in refused.stderr
    n_before = len(journal.read_bytes().splitlines()) - 1
    long.unlink()  # it would take its time
    done = run(*command, "--resume")
    assert done.stderr == f"mmgat-tag: expected an audio file, found nothing at {str(long)!r}\n"
    n_named = len(journal.read_bytes().splitlines()) - 1
    assert (n_before > 0, n_named) == (True, 40)
    if form == "srt":
        assert len(list(out.rglob("*.srt"))) == 40
    else:
        files = [json.loads(line)["file"] for line in out.read_text().splitlines()]
        assert sorted(files) == sorted(expected)


@pytest.fixture
def running(
    wav: Callable[..., Path], tmp_path: Path
) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A short file and one of 20 minutes, of which the short one is done."""
    short = wav(melody(1.0, 16_000), 16_000, "short.wav")
    long = wav(np.tile(melody(10.0, 8_000), (120, 1)), 8_000, "long.wav")
    process = subprocess.Popen(
        [*TAG, str(short), str(long)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    yield process, short
    process.kill()
    process.communicate()


def test_ctrl_c_keeps_what_is_done_and_exits_130(
    running: tuple[subprocess.Popen[str], Path],
) -> None:
    process, short = running
    assert process.stdout is not None
    first = process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to the workers too
    rest, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(first)["file"] == str(short)
    assert (rest, said) == ("", "")


def test_results_that_a_full_disk_does_not_take_are_no_success(wav: Callable[..., Path]) -> None:
    short = str(wav(melody(1.0, 16_000), 16_000))
    for form in ("jsonl", "csv"):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [*TAG, "--format", form, short],
                stdout=full, stderr=subprocess.PIPE, text=True, check=False,
            )  # fmt: skip
        assert done.returncode == 1, form
        assert done.stderr.endswith("No space left on device\n")
        assert "Traceback" not in done.stderr


def test_a_place_that_takes_no_results_is_named(wav: Callable[..., Path]) -> None:
    short = wav(melody(1.0, 16_000), 16_000)
    place = short / "results.jsonl"
    done = subprocess.run(
        [*TAG, short, "--out", place], stderr=subprocess.PIPE, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("mmgat-tag: expected an output that can be written, found ")
    assert str(short) in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_a_standard_output_results_need_another_place() -> None:
    command = ["sh", "-c", 'exec "$@" >&-', "sh", *TAG, "any.wav"]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.endswith(
        ": expected a standard output for results, found it closed: give --out\n"
    )
    assert done.stderr.count("\n") == 1


def test_the_sound_of_a_video_is_annotated(wav: Callable[..., Path], tmp_path: Path) -> None:
    clip = wav(melody(2.0, 44_100, channels=2), 44_100)
    video = tmp_path / "film.mp4"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "color=size=64x64:duration=2", "-i",
         str(clip), "-c:a", "aac", str(video)],
        check=True,
    )  # fmt: skip
    silent = tmp_path / "silent.mp4"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(video), "-an", "-c:v", "copy", str(silent)], check=True
    )
    done = run(video, silent)
    row = json.loads(done.stdout)
    assert row["seconds"] == pytest.approx(2.0, abs=0.1)
    assert (row["complete"], row["warning"]) == (True, "")
    assert (
        done.stderr == f"mmgat-tag: expected sound in {str(silent)!r}, found a file without any\n"
    )
