"""The folder of recordings beside files of others, under faults of the disk, and after kills."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mmgat.stream.settings import RecordSettings
from mmgat.stream.sinks.own_files import OwnFiles
from mmgat.stream.sinks.recording_folder import RecordingFolder, holds_rate
from mmgat.stream.sinks.session_log import SessionLog
from tools.power_cuts import FOREIGN, Trial, put_foreign

RATE_HZ = 8000


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def settings(folder: Path, **values: float) -> RecordSettings:
    return RecordSettings(folder=folder, **values)


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (round(seconds * RATE_HZ), 1)).astype(np.float32)


def record(folder: RecordingFolder, stem: str, seconds: float = 1.0, seed: int = 0) -> None:
    clip = folder.begin(RATE_HZ, 1, stem)
    for start in range(round(10 * seconds)):
        folder.write(clip, noise(seconds, seed)[start * RATE_HZ // 10 :][: RATE_HZ // 10])
    folder.finish(clip, ["drums"], {"source": "mic", "t0": 5.0, "t1": 5.0 + seconds})


def logged(folder: Path, kind: str) -> list[dict]:
    lines = [
        json.loads(line)
        for path in sorted(folder.glob("*.session.jsonl"))
        for line in path.read_text().splitlines()
    ]
    return [line for line in lines if line["type"] == kind]


def assert_foreign_untouched(folder: Path) -> None:
    assert {name: (folder / name).read_bytes() for name in FOREIGN} == FOREIGN


def test_clips_of_the_same_name_are_numbered_and_none_is_overwritten(tmp_path: Path) -> None:
    first, second = RecordingFolder(settings(tmp_path)), RecordingFolder(settings(tmp_path))
    for seed, folder in enumerate((first, second, first)):
        record(folder, "000001.000s_mic", seed=seed)
    first.close()
    second.close()
    names = ["000001.000s_mic_drums.flac", *(f"000001.000s_mic_drums-{n}.flac" for n in (2, 3))]
    assert sorted(path.name for path in tmp_path.glob("*.flac")) == sorted(names)
    for seed, name in enumerate(names):
        samples, _ = soundfile.read(tmp_path / name, dtype="float32", always_2d=True)
        np.testing.assert_allclose(samples, noise(1.0, seed), atol=1e-4)
    assert sorted(line["file"] for line in logged(tmp_path, "recording")) == sorted(names)


def test_names_that_are_cut_or_reduced_to_the_same_are_numbered(tmp_path: Path) -> None:
    folder = RecordingFolder(settings(tmp_path))
    for stem in ("000001.000s_a b", "000001.000s_a/b", "000001.000s_" + "ü" * 300):
        record(folder, stem, 0.1)
    folder.close()
    names = sorted(path.name for path in tmp_path.glob("*.flac"))
    assert names[:2] == ["000001.000s_a-b_drums-2.flac", "000001.000s_a-b_drums.flac"]
    assert len(names) == 3
    assert max(len(name.encode()) for name in names) < 255


def test_files_of_others_are_neither_removed_nor_renamed_nor_overwritten(tmp_path: Path) -> None:
    put_foreign(tmp_path)
    folder = RecordingFolder(settings(tmp_path, limit_gb=0.0001))
    for number in range(4):
        record(folder, f"00000{number}.000s_mic", 3.0)
    record(folder, "20270115T075958.000Z_mic", 0.1)
    folder.close()
    assert_foreign_untouched(tmp_path)
    ours = list(tmp_path.glob("00*drums*.flac"))
    assert 1 <= len(ours) < 4


def test_the_oldest_of_ours_go_first_and_a_new_run_knows_those_of_the_last(tmp_path: Path) -> None:
    folder = RecordingFolder(settings(tmp_path))
    for number in range(4):
        record(folder, f"00000{number}.000s_mic", 2.0)
        path = tmp_path / f"00000{number}.000s_mic_drums.flac"
        os.utime(path, (1000 - number, 1000 - number))  # the last is the oldest
    folder.close()
    again = RecordingFolder(settings(tmp_path, limit_gb=0.00017))  # all are 192 kB and logs
    record(again, "000009.000s_mic", 4.0)
    again.close()
    kept = sorted(path.name[:6] for path in tmp_path.glob("*.flac"))
    assert kept[-1] == "000009"
    assert kept[:-1] == ["000000", "000001", "000002"][: len(kept) - 1]
    assert 2 <= len(kept) < 5


def test_links_are_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"x" * 300_000)
    inside = tmp_path / "recordings"
    inside.mkdir()
    for name in (".000001.000s_mic.20270115T075958Z-1.part", "000001.000s_mic_drums.flac"):
        (inside / name).symlink_to(precious)
    (inside / ".000002.000s_mic.20270115T075958Z-1.part").mkdir()
    (inside / "000002.000s_mic_drums.flac").mkdir()
    names = [*(path.name for path in inside.iterdir())]
    lines = [json.dumps({"type": "recording", "file": name}) for name in names]
    (inside / "20270115T075958Z-1.session.jsonl").write_text("".join(f"{x}\n" for x in lines))
    folder = RecordingFolder(settings(inside, limit_gb=0.0001))
    record(folder, "000001.000s_mic", 0.5)
    record(folder, "000002.000s_mic", 0.5)
    folder.close()
    assert precious.read_bytes() == b"x" * 300_000
    assert all((inside / name).exists() for name in names)
    assert (inside / "000001.000s_mic_drums-2.flac").is_file()
    assert (inside / "000002.000s_mic_drums-2.flac").is_file()


def test_all_files_are_for_their_owner_only(tmp_path: Path) -> None:
    inside = tmp_path / "a" / "recordings"
    folder = RecordingFolder(settings(inside))
    record(folder, "000001.000s_mic")
    folder.close()
    assert stat.S_IMODE(inside.stat().st_mode) == 0o700
    modes = {stat.S_IMODE(path.stat().st_mode) for path in inside.iterdir()}
    assert modes == {0o600}


def test_an_unfinished_clip_counts_in_the_limit_and_what_fits_is_kept(tmp_path: Path) -> None:
    limit = 200_000
    folder = RecordingFolder(settings(tmp_path, limit_gb=limit / 1e9))
    clip = folder.begin(RATE_HZ, 1, "000001.000s_mic")
    for second in range(30):  # 480 kB
        folder.write(clip, noise(1.0, second))
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= limit
    folder.finish(clip, ["drums"], {"t0": 1.0, "t1": 31.0})
    folder.close()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= limit
    (path,) = tmp_path.glob("*.flac")
    assert soundfile.info(path).duration > 8
    assert "does not fit into --record-limit 0.0002 GB" in folder.take_refusal()
    (lost,) = logged(tmp_path, "recording_lost")
    (kept,) = logged(tmp_path, "recording")
    assert lost["seconds"] + kept["t1"] - kept["t0"] == pytest.approx(30.0)


def test_a_disk_that_is_full_for_a_while_costs_that_while_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    folder = RecordingFolder(settings(tmp_path), clock)
    clip = folder.begin(RATE_HZ, 1, "000001.000s_mic")

    def play(seconds: int) -> None:
        for _ in range(seconds):
            folder.write(clip, noise(1.0, round(clock.now)))
            clock.now += 1

    play(4)
    assert folder.take_refusal() == ""
    usage = shutil.disk_usage(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(soundfile.SoundFile, "write", _refuse)
        patch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=0))
        play(3)
        assert "the disk of" in folder.take_refusal()
    play(5)
    assert folder.take_refusal() == ""
    folder.finish(clip, ["drums"], {"t0": 1.0, "t1": 13.0})
    folder.close()
    assert folder.lost == 1
    whole = [noise(1.0, second) for second in range(100, 112)]
    before, after = (soundfile.read(path)[0] for path in sorted(tmp_path.glob("*.flac"), key=_age))
    np.testing.assert_allclose(before, np.concatenate(whole[:4])[:, 0], atol=1e-4)
    np.testing.assert_allclose(after, np.concatenate(whole[7:])[:, 0], atol=1e-4)
    spans = sorted((line["t0"], line["t1"]) for line in logged(tmp_path, "recording"))
    assert spans == [(1.0, 5.0), (8.0, 13.0)]
    assert [line["seconds"] for line in logged(tmp_path, "recording_lost")] == [3.0]


def test_each_time_that_the_disk_begins_to_refuse_is_counted_and_what_is_lost_to_the_millisecond(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    folder = RecordingFolder(settings(tmp_path), clock)
    clip = folder.begin(RATE_HZ, 1, "000001.000s_mic")
    for refuses in (False, True, False, True):
        with monkeypatch.context() as patch:
            if refuses:
                patch.setattr(soundfile.SoundFile, "write", _refuse)
            folder.write(clip, noise(0.25, 0))
        clock.now += 2.0
    folder.finish(clip, ["drums"], {"t0": 0.0, "t1": 1.0})
    folder.close()
    assert folder.lost == 2
    assert [line["seconds"] for line in logged(tmp_path, "recording_lost")] == [0.5]


def _refuse(*_: object) -> None:
    raise soundfile.LibsndfileError(2)


def _age(path: Path) -> int:
    return path.stat().st_mtime_ns


def test_a_folder_that_is_removed_and_made_again_is_recorded_into_again(tmp_path: Path) -> None:
    clock, inside = Clock(), tmp_path / "recordings"
    folder = RecordingFolder(settings(inside), clock)
    clip = folder.begin(RATE_HZ, 1, "000001.000s_mic")
    for second in range(6):
        if second == 2:
            shutil.rmtree(inside)
        if second == 4:
            inside.mkdir()
        folder.write(clip, noise(1.0))
        clock.now += 1
    folder.finish(clip, ["drums"], {"t0": 1.0, "t1": 7.0})
    folder.close()
    assert folder.lost == 1
    (path,) = inside.glob("*.flac")
    assert soundfile.info(path).frames == 2 * RATE_HZ
    assert logged(inside, "recording_lost")[0]["seconds"] == 4.0


def test_nan_is_written_as_silence(tmp_path: Path) -> None:
    folder = RecordingFolder(settings(tmp_path))
    clip = folder.begin(RATE_HZ, 1, "000001.000s_mic")
    folder.write(clip, np.full((RATE_HZ, 1), np.nan, np.float32))
    folder.finish(clip, ["drums"], {})
    folder.close()
    samples, _ = soundfile.read(next(tmp_path.glob("*.flac")))
    np.testing.assert_array_equal(samples, 0)


def test_a_log_goes_on_in_another_file_and_old_parts_can_go(tmp_path: Path) -> None:
    files = OwnFiles(tmp_path)
    log = SessionLog(files, part_bytes=100)
    for number in range(20):
        log.add(f"line {number:02d} of some length")
    log.close()
    parts = sorted(tmp_path.glob("*.session.jsonl"), key=lambda p: int(p.name.split("-")[1][:-14]))
    assert len(parts) > 3
    assert max(path.stat().st_size for path in parts) <= 100 + len("line 00 of some length\n")
    lines = "".join(path.read_text() for path in parts).splitlines()
    assert lines == [f"line {number:02d} of some length" for number in range(20)]
    assert {file.path for file in files.finished()} == set(parts)


def test_two_runs_of_one_second_have_a_log_each(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    noon = datetime(2027, 1, 15, 12, tzinfo=UTC)
    logs = [SessionLog(OwnFiles(tmp_path), now=lambda: noon) for _ in range(2)]
    for log in logs:
        log.add("hello")
        log.close()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["hello\n", "hello\n"]


def test_after_a_kill_at_any_moment_finished_clips_are_readable_and_unfinished_ones_rescued(
    tmp_path: Path,
) -> None:
    """``python -m tools.power_cuts`` does it a thousand times."""
    command = [sys.executable, "-m", "tools.power_cuts", "--cuts", "12"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert "12 cuts" in done.stdout
    assert " 0 of them rescued" not in done.stdout


@pytest.mark.parametrize(
    ("harm", "fact"),
    [
        (lambda folder: (folder / "80s_disco_mix.flac").unlink(), "a file of others"),
        (lambda folder: (folder / "1_mic.flac").write_bytes(b"fLaC"), "not readable"),
    ],
    ids=["a file of others is gone", "a clip is damaged"],
)
def test_the_trial_of_power_cuts_finds(
    tmp_path: Path, harm: Callable[[Path], object], fact: str
) -> None:
    trial = Trial(tmp_path)
    assert not list(trial.broken())
    harm(tmp_path)
    (found,) = trial.broken()
    assert fact in found


def test_the_clip_of_a_killed_run_is_encoded_anew_under_a_name_that_says_so(tmp_path: Path) -> None:
    folder = RecordingFolder(settings(tmp_path))
    clip = folder.begin(RATE_HZ, 1, "20261125T101500.000Z_mic")
    folder.write(clip, noise(3.0))
    (left,) = tmp_path.glob(".20261125T101500.000Z_mic.*.part")
    content = left.read_bytes()  # as a kill would leave it
    folder.close()
    left.unlink()
    left.write_bytes(content)
    assert soundfile.info(left).frames > 1e15  # a length that readers refuse
    RecordingFolder(settings(tmp_path)).close()
    whole = tmp_path / "20261125T101500.000Z_mic_interrupted.flac"
    samples, _ = soundfile.read(whole)
    assert soundfile.info(whole).frames == len(samples) > 2 * RATE_HZ
    np.testing.assert_allclose(samples, noise(3.0)[: len(samples), 0], atol=1e-4)
    assert not left.exists()
    assert whole.name in {line["file"] for line in logged(tmp_path, "recording")}


def test_the_clip_that_another_running_program_writes_is_left_alone(tmp_path: Path) -> None:
    first = RecordingFolder(settings(tmp_path))
    clip = first.begin(RATE_HZ, 1, "000001.000s_mic")
    first.write(clip, noise(1.0))
    RecordingFolder(settings(tmp_path)).close()
    first.write(clip, noise(1.0))
    first.finish(clip, ["drums"], {})
    first.close()
    (path,) = tmp_path.glob("*.flac")
    assert soundfile.info(path).frames == 2 * RATE_HZ


def test_the_log_of_this_session_is_never_removed(tmp_path: Path) -> None:
    folder = RecordingFolder(settings(tmp_path, limit_gb=0.0001))
    for number in range(6):
        record(folder, f"00000{number}.000s_mic", 3.0)
        for log in tmp_path.glob("*.session.jsonl"):
            os.utime(log, (1, 1))  # the oldest of all
    folder.close()
    assert len(logged(tmp_path, "recording")) == 6


def test_some_of_the_disk_is_left_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=199_000_000))
    folder = RecordingFolder(settings(tmp_path))
    record(folder, "000001.000s_mic")
    assert "expected 200 MB left for others" in folder.take_refusal()
    folder.close()
    assert list(tmp_path.glob("*.flac")) == []


@pytest.mark.parametrize(
    ("rate_hz", "held"),
    [(4_000, True), (65_537, False), (192_000, True), (192_001, False), (655_360, False)],
)
def test_what_a_rate_is_recorded_at_is_read_again(tmp_path: Path, rate_hz: int, held: bool) -> None:
    path = tmp_path / "clip.flac"
    try:
        soundfile.write(path, np.ones(5_000), rate_hz)
        read, _ = soundfile.read(path)
    except soundfile.SoundFileError:
        read = np.zeros(0)
    assert (len(read) == 5_000) is holds_rate(rate_hz) is held
