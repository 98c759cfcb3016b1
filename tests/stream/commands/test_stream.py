"""The commands as a user runs them, in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import zmq
from click.testing import CliRunner

from mmgat.model.labels import LABELS
from mmgat.stream.commands.stream import main
from tests.conftest import melody

Write = Callable[..., Path]


def run(
    module: str, *arguments: object, data: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.run(command, input=data or b"", capture_output=True, timeout=100, check=False)


def stream(*arguments: object, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    return run("mmgat.stream", "--publish", "off", *arguments, data=data)


def lines(result: subprocess.CompletedProcess[bytes]) -> list[dict]:
    assert result.returncode == 0, result.stderr.decode()
    return [json.loads(line) for line in result.stdout.splitlines()]


def estimates(result: subprocess.CompletedProcess[bytes]) -> list[dict]:
    return [line for line in lines(result) if line["type"] == "estimate"]


def test_json_lines_have_what_the_readme_says(wav: Write, untrained_checkpoint: Path) -> None:
    clip = wav(melody(3.0, 44_100, 2), 44_100)
    model = untrained_checkpoint
    found = estimates(stream("--file", clip, "--speed", "max", "--jsonl", "-", "--model", model))
    ends = [0.5 + i / 4 for i in range(11)]
    assert [e["t1"] for e in found] == pytest.approx(ends, abs=1e-4)
    assert [e["t0"] for e in found] == pytest.approx([max(0, t - 1) for t in ends], abs=1e-4)
    first = found[0]
    assert set(first["scores"]) == set(first["bag_scores"]) == set(first["evidence"]) == set(LABELS)
    assert first["source"] == "clip.wav"
    assert isinstance(first["active"], list)
    assert len(found[4]["evidence"]["piano"]) == len(found[4]["evidence_t0"]) == 2


def test_a_pipe_gives_what_the_file_gives(wav: Write, untrained_checkpoint: Path) -> None:
    samples = melody(2.0, 48_000, 2)
    common = ("--jsonl", "-", "--model", untrained_checkpoint)
    clip = wav(samples, 48_000)
    from_file = estimates(stream("--file", clip, "--speed", "max", *common))
    pipe = ("--stdin", "--rate", 48_000, "--channels", 2, "--format", "f32le")
    from_pipe = estimates(stream(*pipe, *common, data=samples.tobytes()))
    for a, b in zip(from_file, from_pipe, strict=True):
        np.testing.assert_allclose(
            list(a["scores"].values()), list(b["scores"].values()), atol=2e-6
        )


def test_a_live_pace_gives_the_numbers_of_full_speed(
    wav: Write, untrained_checkpoint: Path
) -> None:
    common = ("--file", wav(melody(1.6, 16_000), 16_000), "--jsonl", "-")
    model = ("--model", untrained_checkpoint)
    fast = estimates(stream(*common, *model, "--speed", "max"))
    live = estimates(stream(*common, *model))
    assert [e["scores"] for e in live] == [e["scores"] for e in fast]


def test_several_files_and_their_channels_are_recognised_side_by_side(
    wav: Write, untrained_checkpoint: Path
) -> None:
    left, right = melody(2.0, 16_000, seed=1), melody(2.0, 16_000, seed=2)
    stereo = wav(np.hstack([left, right]), 16_000, "stereo.wav")
    mono = [wav(side, 16_000, f"{i}.wav") for i, side in enumerate((left, right))]
    common = ("--speed", "max", "--jsonl", "-", "--model", untrained_checkpoint)
    split = estimates(stream("--file", stereo, "--split", "1,2", *common))
    apart = estimates(stream("--file", mono[0], "--file", mono[1], *common))
    names = {"stereo.wav 1": "0.wav", "stereo.wav 2": "1.wav"}
    assert {e["source"] for e in split} == set(names)
    for name, alone in names.items():
        of_split = [list(e["scores"].values()) for e in split if e["source"] == name]
        of_apart = [list(e["scores"].values()) for e in apart if e["source"] == alone]
        assert len(of_split) == 7
        np.testing.assert_allclose(of_split, of_apart, atol=2e-6)


def test_without_a_terminal_events_are_printed_and_a_summary(
    wav: Write, untrained_checkpoint: Path
) -> None:
    clip = wav(melody(3.0, 16_000), 16_000)
    result = stream("--file", clip, "--speed", "max", "--model", untrained_checkpoint)
    assert result.returncode == 0
    assert b" on" in result.stdout
    assert b"3.0 s captured, 3.0 analysed, 0.0 dropped, 0.0 discarded; heard" in result.stderr


def test_a_file_shorter_than_a_window_says_so_and_is_flagged(
    wav: Write, untrained_checkpoint: Path
) -> None:
    clip = wav(melody(0.2, 16_000), 16_000)
    model = ("--model", untrained_checkpoint)
    (estimate,) = estimates(stream("--file", clip, "--speed", "max", "--jsonl", "-", *model))
    assert estimate["partial"]
    said = stream("--file", clip, "--speed", "max", *model).stderr
    assert b"shorter than one window" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--file", "nosuch.wav"], "expected an audio file, found nothing at 'nosuch.wav'"),
        (["--file", __file__], "expected an audio file that libsndfile"),
        (["--demo", "--stdin"], "expected either --device, --file and --source, or --stdin, or"),
        (["--demo", "--channels", "1", "--split", "1"], "--channels (mixed) or --split (each"),
        (["--demo", "--split", "1,5"], "expected channels up to 1 of 'demo.ogg', found 5"),
        (["--demo", "--split", "left"], "or channels such as 1,3, found 'left'"),
        (["--stdin", "--rate", "8000", "--channels", "1,2"], "a number of --channels with --stdin"),
        (["--stdin"], "expected --rate and a number of --channels with --stdin"),
        (["--file", ""], "expected a name with --file, found an empty text"),
        (["--speed", "max"], "expected --speed max with --file"),
        (["--device", "x", "--speed", "max"], "expected --speed max with --file"),
        (["--demo", "--rate", "8000"], "--rate describes a device or --stdin, not a file"),
        (["--demo", "--publish", "off", "--model", "nosuch"], "expected a model of compact, "),
        (
            ["--demo", "--publish", "nowhere"],
            "expected an address such as tcp://127.0.0.1:5550, found",
        ),
        (["--demo", "--jsonl", "/nosuch/folder/x"], "expected a file to write JSON lines to"),
        (["--demo", "--publish", "off", "--model", "."], "found no file '.'"),
        (
            ["--demo", "--publish", "off", "--model", "vggish", "--weights", "/nosuch"],
            "vggish_pca_params-970ea276.pth",
        ),
    ],
)
def test_a_users_mistake_is_one_plain_message(arguments: list[str], message: str) -> None:
    result = run("mmgat.stream", *arguments)
    said = result.stderr.decode()
    assert result.returncode == 1
    assert message in said
    assert "Traceback" not in said


def test_a_pipe_that_ends_before_any_sound_is_a_fault(untrained_checkpoint: Path) -> None:
    pipe = ("--stdin", "--rate", 8000, "--channels", 1, "--model", untrained_checkpoint)
    result = stream(*pipe, data=b"")
    assert result.returncode == 1
    assert b"expected sound on the standard input, found its end at once" in result.stderr


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--hop", "0.3", "found '0.3': change it, or leave it out for 0.25"),
        ("--hop", "nan", "expected one of 0.25, 0.5, 1, found 'nan'"),
        ("--nodes", "61", "expected a whole number from 1 to 60, found '61'"),
        ("--format", "mp3", "expected one of s16le, s24le, s32le, f32le, found 'mp3'"),
        ("--blocksize", "-5", "expected a whole number from 0 to 1048576, found '-5'"),
        ("--rate", "-5", "expected a whole number from 4000 to 768000, found '-5'"),
        ("--rate", "2147483648", "expected a whole number from 4000 to 768000, found"),
        ("--record-limit", "inf", "expected a number above 0 and up to 1000000, found 'inf'"),
        ("--latency", "nan", "expected low or high or a number above 0 and up to 60, found 'nan'"),
        ("--latency", "soon", "expected low or high or a number above 0 and up to 60, found"),
        ("--model", "", "expected a text that is not empty, found ''"),
        ("--set", "decision.off_ratio=2", "expected a number above 0 and up to 1, found '2'"),
        ("--set", "off_ratio=0.5", "expected NAME=VALUE such as decision.off_ratio=0.7, found"),
        ("--set", "off_ratio=0.5", "found 'off_ratio=0.5': did you mean decision.off_ratio"),
        ("--set", "hop", "found 'hop': add a value"),
    ],
)
def test_an_option_outside_what_is_allowed_is_told(option: str, value: str, message: str) -> None:
    done = CliRunner().invoke(main, ["--demo", option, value])
    assert done.exit_code == 2
    assert f"Error: {option}" in done.stderr
    assert message in done.stderr
    assert done.stdout == ""


def test_an_address_in_use_is_said_before_anything_is_captured(wav: Write) -> None:
    with zmq.Context() as context, context.socket(zmq.XPUB) as other:
        port = other.bind_to_random_port("tcp://127.0.0.1")
        clip = wav(melody(1.0, 16_000), 16_000)
        result = run(
            "mmgat.stream.commands.stream", "--file", clip, "--publish", f"tcp://127.0.0.1:{port}"
        )
    assert result.returncode == 1
    assert b"in use" in result.stderr
    assert result.stdout == b""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_cleanly_with_everything_published(
    wav: Write, untrained_checkpoint: Path, number: signal.Signals
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "mmgat.stream", "--file", str(wav(melody(30.0, 8_000), 8_000)),
         "--jsonl", "-", "--publish", "off", "--model", str(untrained_checkpoint)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(number)
    rest, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert said == b""
    found = [json.loads(line) for line in [first, *rest.splitlines()]]
    assert {e["id"] for e in found if e.get("event") == "on"} == {
        e["id"] for e in found if e.get("event") == "off"
    }


def test_a_reader_that_leaves_ends_the_stream_quietly(
    wav: Write, untrained_checkpoint: Path
) -> None:
    clip = wav(melody(20.0, 16_000), 16_000)
    command = (
        f"{sys.executable} -m mmgat.stream --file {clip} --speed max --jsonl - --publish off "
        f"--model {untrained_checkpoint} | head -1"
    )
    result = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, timeout=100, check=False
    )
    assert result.returncode == 0
    assert result.stderr == b""


def test_tag_runs_a_checkpoint_in_torch(wav: Write, untrained_checkpoint: Path) -> None:
    clip = wav(melody(2.0, 16_000), 16_000)
    result = run("mmgat.stream.commands.tag", clip, "--model", untrained_checkpoint)
    found = json.loads(result.stdout)
    assert found["seconds"] == 2.0
    assert found["model"]["name"] == "untrained"
    assert set(found["scores"]) == set(LABELS)


def test_listen_prints_what_is_published(
    wav: Write, untrained_checkpoint: Path, tmp_path: Path
) -> None:
    address = f"ipc://{tmp_path}/bus"
    listener = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "mmgat.stream.commands.listen",
            "--connect",
            address,
            "--count",
            "60",
        ],
        stdout=subprocess.PIPE,
    )
    engine = subprocess.Popen(
        [sys.executable, "-m", "mmgat.stream", "--file", str(wav(melody(30.0, 8_000), 8_000)),
         "--publish", address, "--model", str(untrained_checkpoint)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    out, _ = listener.communicate(timeout=100)
    engine.send_signal(signal.SIGINT)
    assert engine.wait(60) == 0
    found = [json.loads(line) for line in out.splitlines()]
    assert len(found) == 60
    assert len({message["session"] for message in found}) == 1
    assert {"hello", "estimate", "status"} <= {message["type"] for message in found}


def test_recording_keeps_the_sound_around_events_and_a_log(
    wav: Write, untrained_checkpoint: Path, tmp_path: Path
) -> None:
    samples = melody(6.0, 16_000, 2)
    clip, folder = wav(samples, 16_000), tmp_path / "kept"
    common = ("--file", clip, "--speed", "max", "--model", untrained_checkpoint)
    result = stream(*common, "--record", folder)
    assert result.returncode == 0, result.stderr.decode()
    (recording,) = folder.glob("*.flac")
    assert recording.name.startswith("000000.000s_clip.wav_")
    kept, rate_hz = soundfile.read(recording, always_2d=True)
    assert rate_hz == 16_000
    np.testing.assert_allclose(kept, samples[: len(kept)], atol=1 / 32768)
    (log,) = folder.glob("*.session.jsonl")
    kinds = [json.loads(line)["type"] for line in log.read_text().splitlines()]
    assert kinds[0] == "hello"
    assert {"event", "status", "recording"} <= set(kinds)


def test_a_folder_that_cannot_be_recorded_into_is_refused_before_anything_is_heard(
    wav: Write, untrained_checkpoint: Path, tmp_path: Path
) -> None:
    taken = tmp_path / "file"
    taken.write_text("")
    common = ("--file", wav(melody(1.0, 16_000), 16_000), "--model", untrained_checkpoint)
    result = stream(*common, "--record", taken)
    assert result.returncode == 1
    assert b"expected a folder to record into" in result.stderr
    assert b"Traceback" not in result.stderr


def test_json_lines_are_added_to_those_of_runs_before(
    wav: Write, untrained_checkpoint: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log.jsonl"
    common = ("--file", wav(melody(1.0, 16_000), 16_000), "--speed", "max", "--jsonl", log)
    for n_lines in (1, 2):
        assert stream(*common, "--model", untrained_checkpoint).returncode == 0
        kinds = [json.loads(line)["type"] for line in log.read_text().splitlines()]
        assert kinds.count("estimate") == 3 * n_lines


def test_a_signal_while_the_model_loads_is_a_normal_end(
    wav: Write, untrained_checkpoint: Path, tmp_path: Path
) -> None:
    address = f"ipc://{tmp_path}/bus"
    process = subprocess.Popen(
        [sys.executable, "-m", "mmgat.stream", "--file", wav(melody(60.0, 8_000), 8_000),
         "--model", untrained_checkpoint, "--publish", address],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    with zmq.Context() as context, context.socket(zmq.SUB) as subscriber:
        events = subscriber.get_monitor_socket(zmq.EVENT_CONNECTED)
        subscriber.connect(address)
        assert events.poll(60_000)  # it listens, so signals are heeded soon; the model is not there
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said.decode()
    assert b"Traceback" not in said


def test_a_supervisor_hears_of_the_start_of_life_and_of_the_end(
    wav: Write, untrained_checkpoint: Path, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(60)
        process = subprocess.Popen(
            [sys.executable, "-m", "mmgat.stream", "--file", wav(melody(60.0, 8_000), 8_000),
             "--model", untrained_checkpoint, "--publish", "off"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=os.environ
            | {"NOTIFY_SOCKET": systemd.getsockname(), "WATCHDOG_USEC": "600000"},
        )  # fmt: skip
        assert systemd.recv(100) == b"READY=1\nSTATUS=clip.wav"
        assert [systemd.recv(100) for _ in range(2)] == [b"WATCHDOG=1"] * 2
        process.send_signal(signal.SIGTERM)
        while (word := systemd.recv(100)) == b"WATCHDOG=1":
            pass
        assert word == b"STOPPING=1"
        assert process.wait(60) == 0
        process.communicate()


@pytest.mark.parametrize("command", ["mmgat.stream", "mmgat.stream.commands.tag"])
@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("onnxruntime", "expected ONNX Runtime, found none that loads (lib.so: no such file)"),
        ("soundfile", "expected libsndfile for audio files, found none that loads (lib.so: no"),
    ],
)
def test_a_library_that_does_not_load_is_one_line_that_says_what_to_do(
    tmp_path: Path, wav: Callable[..., Path], module: str, words: str, command: str
) -> None:
    (tmp_path / f"{module}.py").write_text("raise OSError('lib.so: no such file')")
    clip = str(wav(melody(0.5, 16_000), 16_000))
    live = ["--no-dashboard", "--publish", "off", "--file"] if command == "mmgat.stream" else []
    done = subprocess.run(
        [sys.executable, "-m", command, *live, clip],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert words in line
    assert "pip install --force-reinstall" in line


@pytest.mark.parametrize("missing", ["onnxruntime", "soundfile", "soxr", "sounddevice"])
def test_a_library_that_does_not_load_is_a_line_of_the_diagnosis(missing: str) -> None:
    code = (
        f"import sys; sys.modules[{missing!r}] = None; sys.argv[1:] = ['--diagnose']; "
        "from mmgat.stream.commands.entry import stream; stream()"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False
    )
    assert "Traceback" not in found.stderr
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith("mmgat-stream ")
    assert len(found.stdout.splitlines()) >= 5
