"""A real capture: PulseAudio's null sink, paplay, PortAudio, the engine and a plain subscriber."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgpack
import numpy as np
import pytest
import soundfile
import zmq

from mmgat.stream.audio.devices.listing import is_loopback
from tests.conftest import melody
from tools.pulse import environment_of, start_server

needs_pulseaudio = pytest.mark.skipif(
    shutil.which("pulseaudio") is None or shutil.which("paplay") is None,
    reason="needs pulseaudio and paplay (apt install pulseaudio pulseaudio-utils)",
)


@pytest.fixture(scope="module")
def pulse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment that leads to a PulseAudio of our own."""
    folder = tmp_path_factory.mktemp("pulse")
    server = start_server(folder)
    yield environment_of(folder)
    server.send_signal(signal.SIGTERM)
    server.wait(20)


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mmgat.stream", *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=100, check=False
    )


@needs_pulseaudio
def test_what_is_played_into_the_sink_is_captured_recognised_and_published(
    pulse: dict[str, str], untrained_checkpoint: Path, tmp_path: Path
) -> None:
    clip = tmp_path / "clip.wav"
    soundfile.write(clip, np.tile(melody(5.0, 48_000), (8, 1)), 48_000)
    engine = subprocess.Popen(
        [sys.executable, "-m", "mmgat.stream", "--device", "pulse", "--no-dashboard",
         "--model", str(untrained_checkpoint), "--publish", f"ipc://{tmp_path}/bus"],
        env=pulse, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    player = subprocess.Popen(["paplay", str(clip)], env=pulse)
    heard, status = [], {}
    try:
        with zmq.Context() as context, context.socket(zmq.SUB) as subscriber:
            subscriber.setsockopt(zmq.RCVTIMEO, 60_000)
            subscriber.setsockopt(zmq.SUBSCRIBE, b"mmgat/v2/")
            subscriber.connect(f"ipc://{tmp_path}/bus")
            while len(heard) < 6:
                topic, payload = subscriber.recv_multipart()
                message = msgpack.unpackb(payload)
                if topic.startswith(b"mmgat/v2/estimate/") and message["level_dbfs"] > -50:
                    heard.append(message)
                if topic == b"mmgat/v2/status/" and message["windows"]:
                    status = message
    finally:
        player.kill()
        player.wait()
        engine.send_signal(signal.SIGINT)
        _, said = engine.communicate(timeout=60)
    assert engine.returncode == 0, said
    assert "Traceback" not in said
    assert [m["index"] for m in heard] == list(range(heard[0]["index"], heard[0]["index"] + 6))
    assert np.diff([m["t1"] for m in heard]) == pytest.approx(0.25)
    assert len(heard[-1]["scores"]) == 20
    account = status["analysed"] + status["dropped"] + status["discarded"] + status["queued"]
    assert status["captured"] == account > 0
    assert status["dropped"] == 0


@needs_pulseaudio
def test_a_server_that_dies_and_comes_back_is_heard_again(
    tmp_path: Path, untrained_checkpoint: Path
) -> None:
    server = start_server(tmp_path)
    engine = subprocess.Popen(
        [sys.executable, "-m", "mmgat.stream", "--device", "pulse", "--no-dashboard",
         "--model", str(untrained_checkpoint), "--publish", f"ipc://{tmp_path}/bus"],
        env=environment_of(tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        with zmq.Context() as context, context.socket(zmq.SUB) as subscriber:
            subscriber.setsockopt(zmq.RCVTIMEO, 60_000)
            subscriber.setsockopt(zmq.SUBSCRIBE, b"mmgat/v2/status/")
            subscriber.connect(f"ipc://{tmp_path}/bus")

            def status(liveness: str) -> dict:
                while True:
                    message: dict = msgpack.unpackb(subscriber.recv_multipart()[1])
                    if message["liveness"] == liveness and message["windows"] > 2:
                        return message

            before = status("healthy")
            server.kill()
            server.wait()
            lost = status("recovering")
            assert "no audio for" in lost["message"]
            server = start_server(tmp_path)
            after = status("healthy")
    finally:
        engine.send_signal(signal.SIGINT)
        _, said = engine.communicate(timeout=60)
        server.terminate()
        server.wait(20)
    assert engine.returncode == 0, said
    assert "Traceback" not in said
    assert (before["outages"], after["outages"]) == (0, 1)
    assert after["message"] == "" or "dropped" in after["message"]
    account = sum(after[name] for name in ("analysed", "dropped", "discarded", "queued"))
    assert after["captured"] == account > lost["captured"]


MOVES = """
import subprocess, sys, time
from mmgat.stream.audio.devices.device import DeviceSource
from mmgat.stream.audio.reconnect import ReconnectingSource
from mmgat.stream.settings import LivenessSettings

def pactl(*arguments):
    done = subprocess.run(["pactl", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()

def recorded():
    sources = dict(line.split()[:2] for line in pactl("list", "short", "sources").splitlines())
    lines = pactl("list", "short", "source-outputs").splitlines()
    return [sources[line.split()[1]] for line in lines]

def read_until(outages):
    while source.health.outages < outages or source.health.liveness.value != "healthy":
        said.add(source.health.warning)
        source.read()

said = set()
source = ReconnectingSource(DeviceSource("pulse, ALSA", channels=1), LivenessSettings())
with source:
    read_until(0)
    print(recorded())
    {0}
    print(*sorted(said))
"""


@pytest.fixture
def two_sinks(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A server with two sources, where nothing says which of them is wanted."""
    server = start_server(tmp_path)
    environment = environment_of(tmp_path)
    del environment["PULSE_SOURCE"], environment["PULSE_SINK"]
    load = ["pactl", "load-module", "module-null-sink", "sink_name=other"]
    subprocess.run(load, env=environment, capture_output=True, check=True)
    subprocess.run(["pactl", "set-default-source", "lab.monitor"], env=environment, check=True)
    yield environment
    server.terminate()
    server.wait(20)


def heard_while(environment: dict[str, str], what_happens: str) -> list[str]:
    script = MOVES.replace("{0}", what_happens.replace("\n", "\n    "))
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@needs_pulseaudio
def test_a_recording_that_the_server_moves_is_an_alarm_and_goes_back(
    two_sinks: dict[str, str],
) -> None:
    before, after, said = heard_while(
        two_sinks,
        """
number = pactl("list", "short", "source-outputs").split()[0]
pactl("move-source-output", number, "other.monitor")
read_until(1)
print(recorded())
""",
    )
    assert before == after == "['lab.monitor']"
    assert "the audio server moved it from 'lab.monitor' to 'other.monitor'" in said


@needs_pulseaudio
def test_while_a_source_is_away_no_other_is_recorded_in_its_place(
    two_sinks: dict[str, str],
) -> None:
    before, meanwhile, after, said = heard_while(
        two_sinks,
        """
modules = pactl("list", "short", "modules").splitlines()
pactl("unload-module", next(line.split()[0] for line in modules if "sink_name=lab" in line))
while "in its place" not in source.health.warning:
    assert not len(source.read().samples) or not source.health.outages
    said.add(source.health.warning)
print([name for name in recorded() if name != "other.monitor"])
pactl("load-module", "module-null-sink", "sink_name=lab", "rate=48000")
read_until(1)
print(recorded())
""",
    )
    assert before == after == "['lab.monitor']"
    assert meanwhile == "[]"
    assert "expected the source 'lab.monitor', found 'other.monitor' in its place" in said


@needs_pulseaudio
def test_a_lost_device_ends_a_run_that_asks_for_it(
    tmp_path: Path, untrained_checkpoint: Path
) -> None:
    server = start_server(tmp_path)
    engine = subprocess.Popen(
        [sys.executable, "-m", "mmgat.stream", "--device", "pulse", "--jsonl", "-",
         "--exit-on-loss", "--model", str(untrained_checkpoint), "--publish", "off"],
        env=environment_of(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert engine.stdout is not None
    assert engine.stdout.readline()  # the hello, and then what is heard
    assert engine.stdout.readline()
    server.kill()
    server.wait()
    _, said = engine.communicate(timeout=60)
    assert engine.returncode == 1
    assert "is lost" in said
    assert "Traceback" not in said


@needs_pulseaudio
def test_the_sinks_monitor_is_listed_and_an_ambiguous_name_lists_its_matches(
    pulse: dict[str, str],
) -> None:
    listed = run(pulse, "--list-devices")
    assert listed.returncode == 0
    assert "pulse" in listed.stdout
    exact = [line for line in listed.stdout.splitlines() if "pulse, ALSA" in line]
    assert len(exact) == 1
    assert "sources of --device pulse, which PULSE_SOURCE=NAME chooses:" in listed.stdout
    assert "   lab.monitor  (Monitor of " in listed.stdout
    if sum("alsa" in line.lower() for line in listed.stdout.splitlines()) > 1:
        ambiguous = run(pulse, "--device", "alsa")
        assert ambiguous.returncode == 1
        assert "expected one input device" in ambiguous.stderr
        assert "pulse" in ambiguous.stderr


@needs_pulseaudio
def test_an_unknown_device_lists_the_inputs(pulse: dict[str, str]) -> None:
    refused = run(pulse, "--device", "nosuch")
    assert refused.returncode == 1
    assert "expected an input device 'nosuch', found none" in refused.stderr
    assert "pulse" in refused.stderr


@needs_pulseaudio
def test_more_channels_than_a_device_has_are_refused(pulse: dict[str, str]) -> None:
    refused = run(pulse, "--device", "pulse", "--channels", "9999")
    assert refused.returncode == 1
    assert "found 9999" in refused.stderr
    assert "Traceback" not in refused.stderr


@needs_pulseaudio
def test_opening_and_closing_a_device_a_hundred_times_leaves_no_thread_and_no_file(
    pulse: dict[str, str],
) -> None:
    script = """
import os, threading
from mmgat.stream.audio.devices.device import DeviceSource

def held():
    return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))

for number in range(100):
    with DeviceSource("pulse, ALSA", channels=1) as source:
        if number % 20 == 0:
            source.read()
    if number == 4:
        early = held()
assert early == held(), f"{early} files and threads became {held()}"
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=pulse, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@needs_pulseaudio
def test_an_open_device_pauses_while_another_finds_a_changed_list_and_goes_on_behind_a_gap(
    pulse: dict[str, str],
) -> None:
    script = """
import mmgat.stream.audio.devices.device as devices
from mmgat.stream.audio.devices.device import DeviceSource

def hear(source, n_frames):
    blocks, frames = [], 0
    while frames < n_frames:
        block = source.read()
        blocks.append(block)
        frames += len(block.samples)
    return blocks

staying, returning = (DeviceSource("pulse, ALSA", channels=1) for _ in range(2))
with staying, returning:
    before = hear(staying, 4800)[-1].end
    returning.reopen()
    kept = [before, *(b.position for b in hear(staying, 4800))]
    unchanged = staying._missed
    devices.listed_elsewhere = lambda: "another list"
    returning.reopen()
    hear(returning, 4800)
    blocks = hear(staying, 48000)
jumps = [b.position - a.end for a, b in zip(blocks, blocks[1:]) if b.position != a.end]
assert unchanged == 0, unchanged
assert len(jumps) <= 1 and staying._missed > 0, (jumps, staying._missed)
assert blocks[-1].end == staying._read + staying._missed
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=pulse, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@needs_pulseaudio
def test_a_stopped_audio_server_is_named_and_ends_nothing_in_a_hang(tmp_path: Path) -> None:
    server = start_server(tmp_path)
    script = """
import sys
import mmgat.stream.audio.devices.deadline as deadline
from mmgat.stream.audio.devices.device import DeviceSource
from mmgat.stream.errors import DeviceError

deadline.with_deadline.__defaults__ = (0.1, 2.0)
source = DeviceSource("pulse")
try:
    source.probe()
    source.open()
except DeviceError as error:
    source.close()
    print(error, file=sys.stderr, flush=True)
import os
os._exit(0)
"""
    server.send_signal(signal.SIGSTOP)
    try:
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment_of(tmp_path),
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    finally:
        server.send_signal(signal.SIGCONT)
        server.terminate()
        server.wait(20)
    assert done.returncode == 0, done.stderr
    assert "expected an answer of the audio system, found none within 2 s" in done.stderr
    assert "waiting for the audio system" in done.stderr


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Monitor of Built-in Audio", True), ("BlackHole 2ch", True), ("Scarlett 2i2 USB", False)],
)
def test_what_gives_the_machines_own_sound_is_known_by_its_name(name: str, expected: bool) -> None:
    assert is_loopback(name) is expected
