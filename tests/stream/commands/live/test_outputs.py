"""Outputs that fail, fill up or stall, through the command with real pipes and devices."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile

from mmgat.model.labels import LABELS
from mmgat.stream.audio.inputs import Input, streams_of
from mmgat.stream.audio.stdin import StdinSource
from mmgat.stream.bus.protocol import Status
from mmgat.stream.bus.subscriber import Subscriber
from mmgat.stream.commands.live.outputs import Outputs
from mmgat.stream.errors import SettingsError
from mmgat.stream.settings import ProgramSettings, RecordSettings
from tests.conftest import melody

COMMAND = [sys.executable, "-m", "mmgat.stream", "--no-dashboard"]
FAST = [*COMMAND, "--speed", "max", "--publish", "off"]
WAIT_S = 60


def run(
    *arguments: str, stdout: int | None = subprocess.PIPE, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*FAST, *arguments], stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE,
        env=os.environ | environment, timeout=WAIT_S, check=False,
    )  # fmt: skip


def unstamped(lines: bytes) -> list[dict[str, Any]]:
    """JSON lines without what is different in every run."""
    return [
        {name: value for name, value in json.loads(line).items() if name not in ("session", "time")}
        for line in lines.splitlines()
    ]


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    processes = []

    def start(*command: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)  # one estimate
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def short(tmp_path: Path) -> Callable[[str], str]:
    """Makes a file of 2 s with a name."""

    def write(name: str) -> str:
        path = tmp_path / name
        soundfile.write(path, melody(2.0, 16_000), 16_000, format="WAV")
        return str(path)

    return write


def test_a_file_at_full_speed_loses_no_line_to_a_reader_that_is_slower(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    piped = run("--demo", "--jsonl", "-", "--set", "output.queue_messages=1")
    filed = run("--demo", "--jsonl", str(log))
    assert (piped.returncode, filed.returncode) == (0, 0)
    assert unstamped(piped.stdout) == unstamped(log.read_bytes())
    assert len(piped.stdout.splitlines()) > 70


def test_a_file_of_json_lines_is_readable_alone_and_tells_its_runs_apart(
    short: Callable[[str], str], tmp_path: Path
) -> None:
    log = tmp_path / "log.jsonl"
    for _ in range(2):
        assert run("--file", short("a.wav"), "--jsonl", str(log)).returncode == 0
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    hellos = [line for line in lines if line["type"] == "hello"]
    assert lines[0] == hellos[0]
    assert hellos[0]["labels"] == hellos[1]["labels"] == list(LABELS)
    assert set(hellos[0]["model"]["thresholds"]) == set(LABELS)
    sessions = [hello["session"] for hello in hellos]
    assert sessions[0] != sessions[1]
    assert [line["session"] for line in lines] == sorted(
        (line["session"] for line in lines), key=sessions.index
    )
    assert all(line["time"] > 1e9 for line in lines)


def test_recognition_goes_on_while_nobody_reads_and_drops_are_counted(
    start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    address = f"ipc://{tmp_path}/bus"
    with Subscriber(address) as subscriber:
        process = start(
            *COMMAND, "--demo", "--jsonl", "-", "--publish", address,
            "--set", "output.queue_messages=1",
        )  # fmt: skip

        def status_with(n_dropped: int) -> Status:
            while message := subscriber.receive(WAIT_S):
                if (
                    isinstance(message, Status)
                    and message.sinks_dropped.get("jsonl", 0) >= n_dropped
                ):
                    return message
            raise AssertionError("no such status came")

        before = status_with(1)
        after = status_with(before.sinks_dropped["jsonl"] + 2)
        assert after.windows >= before.windows + 2
        assert after.dropped == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stalled_reader_does_not_keep_a_signal_from_ending_the_run(
    start: Callable[..., subprocess.Popen[bytes]], number: signal.Signals
) -> None:
    process = start(*FAST, "--demo", "--jsonl", "-")
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(number)
    assert process.wait(10) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "failing"),
    [
        (["--jsonl", "-", "--publish", "off"], 1, ["jsonl"]),
        (["--jsonl", "/dev/full", "--publish", "off"], 0, ["console", "jsonl"]),
        (["--publish", "off"], 0, ["console"]),
        (["--jsonl", "-", "--publish", "ipc://FOLDER/bus"], 0, ["jsonl"]),
    ],
)
def test_a_full_disk_is_one_warning_an_output_and_no_traceback(
    tmp_path: Path, arguments: list[str], code: int, failing: list[str]
) -> None:
    arguments = [text.replace("FOLDER", str(tmp_path)) for text in arguments]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, "--demo", "--speed", "max", *arguments],
            stdout=full, stderr=subprocess.PIPE, timeout=WAIT_S, check=False, text=True,
        )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    warned = re.findall(r"WARNING output (\w+) fails: No space left on device", done.stderr)
    assert sorted(warned) == failing
    assert done.stderr.count("WARNING") == len(failing)


def test_help_that_cannot_be_written_is_no_traceback() -> None:
    with Path("/dev/full").open("wb") as full:
        done = run("--help", stdout=full.fileno())
    assert done.returncode == 1
    told = b"mmgat-stream: expected an output that can be written, found No space left on device\n"
    assert done.stderr == told


def test_closed_standard_streams_are_no_fault_unless_they_are_the_output(
    short: Callable[[str], str],
) -> None:
    command = " ".join([*FAST, "--file", short("a.wav")])
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        done = subprocess.run(
            ["bash", "-c", f"{command} {closed}"], capture_output=True, timeout=WAIT_S, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        assert b"Traceback" not in done.stderr
    done = subprocess.run(
        ["bash", "-c", f"{command} --jsonl - >&-"], capture_output=True, timeout=WAIT_S, check=False
    )
    assert done.returncode == 1
    assert b"expected a standard output to write JSON lines to, found it closed" in done.stderr


def test_names_beyond_the_outputs_encoding_are_escaped_and_json_lines_are_utf_8(
    short: Callable[[str], str],
) -> None:
    clips = ("--file", short("ピアノ.wav"), "--file", short("b.wav"))
    done = run(*clips, PYTHONIOENCODING="latin-1")
    assert done.returncode == 0
    assert "\\u30d4" in done.stderr.decode("latin-1")
    lines = run(*clips, "--jsonl", "-", PYTHONIOENCODING="latin-1")
    hello, *results = map(json.loads, lines.stdout.splitlines())
    assert [source["name"] for source in hello["sources"]] == ["ピアノ.wav", "b.wav"]
    assert {line["source"] for line in results} == {
        "ピアノ.wav",
        "b.wav",
    }


def test_escape_sequences_in_a_files_name_do_not_reach_the_terminal(
    short: Callable[[str], str], tmp_path: Path
) -> None:
    done = run("--file", short("a\x1b[2Jb.wav"))
    assert done.returncode == 0
    bad = tmp_path / "c\x1b[2Jd.wav"
    bad.write_bytes(b"no sound")
    refused = run("--file", str(bad))
    assert refused.returncode == 1
    for text in (done.stdout, done.stderr, refused.stderr):
        assert b"\x1b" not in text


def test_a_closed_terminal_ends_the_run_with_its_clips_finished(
    start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    folder = tmp_path / "kept"
    process = start(*COMMAND, "--demo", "--publish", "off", "--record", str(folder))
    assert process.stdout is not None
    process.stdout.readline()  # something is on
    process.send_signal(signal.SIGHUP)
    assert process.wait(WAIT_S) == 0
    assert not list(folder.glob(".*.part"))
    (clip,) = folder.glob("*.flac")
    assert soundfile.info(clip).duration > 0.5
    (log,) = folder.glob("*.session.jsonl")
    events = [json.loads(line) for line in log.read_text().splitlines()]
    on, off = ({e["id"] for e in events if e.get("event") == kind} for kind in ("on", "off"))
    assert on == off != set()


def test_one_bad_file_does_not_end_the_work_on_the_others(
    short: Callable[[str], str], tmp_path: Path
) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"no sound")
    good = short("good.wav")
    done = run("--file", str(bad), "--file", good, "--file", str(tmp_path / "missing.wav"))
    assert done.returncode == 1
    said = done.stderr.decode()
    assert "bad.wav" in said
    assert "found nothing at" in said
    assert "good.wav: 2.0 s captured, 2.0 analysed" in said
    none = run("--file", str(bad), "--file", str(tmp_path / "missing.wav"))
    assert none.returncode == 1
    assert re.search(r"bad\.wav.*\n.*missing\.wav", none.stderr.decode())


@pytest.mark.parametrize(
    ("rate_hz", "channels", "fault"),
    [(192_001, 1, "expected a rate to record"), (48_000, 9, "expected at most 8 channels")],
)
def test_what_no_recording_holds_is_refused_before_anything_is_captured(
    tmp_path: Path, rate_hz: int, channels: int, fault: str
) -> None:
    settings = ProgramSettings(record=RecordSettings(folder=tmp_path))
    streams = streams_of([Input(StdinSource(rate_hz, channels))])
    with pytest.raises(SettingsError, match=fault):
        Outputs(settings, streams)
    assert list(tmp_path.iterdir()) == []
