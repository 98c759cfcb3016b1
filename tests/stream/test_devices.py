"""A real capture: PulseAudio's null sink, paplay, PortAudio, the engine and a plain subscriber."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgpack
import numpy as np
import pytest
import soundfile
import zmq

from tests.conftest import melody

needs_pulseaudio = pytest.mark.skipif(
    shutil.which("pulseaudio") is None or shutil.which("paplay") is None,
    reason="needs pulseaudio and paplay (apt install pulseaudio pulseaudio-utils)",
)


@pytest.fixture(scope="module")
def pulse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A PulseAudio of our own with a null sink; the environment that leads to it."""
    folder = tmp_path_factory.mktemp("pulse")
    environment = os.environ | {
        "PULSE_RUNTIME_PATH": str(folder),
        "PULSE_SERVER": f"unix:{folder}/native",
        "PULSE_SOURCE": "lab.monitor",
        "PULSE_SINK": "lab",
        "HOME": str(folder),
    }
    server = subprocess.Popen(
        ["pulseaudio", "-n", "--exit-idle-time=-1", "--daemonize=no", "--use-pid-file=no",
         "-L", "module-null-sink sink_name=lab rate=48000",
         "-L", f"module-native-protocol-unix socket={folder}/native auth-anonymous=1"],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    for _ in range(100):
        ready = subprocess.run(["pactl", "info"], env=environment, capture_output=True, check=False)
        if ready.returncode == 0:
            break
        threading.Event().wait(0.1)
    else:
        pytest.fail("PulseAudio did not come up")
    yield environment
    server.send_signal(signal.SIGTERM)
    server.wait(20)


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stream.cli", *arguments]
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
        [sys.executable, "-m", "stream.cli", "--device", "pulse", "--no-dashboard",
         "--model", str(untrained_checkpoint), "--publish", f"ipc://{tmp_path}/bus"],
        env=pulse, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    player = subprocess.Popen(["paplay", str(clip)], env=pulse)
    heard, status = [], {}
    try:
        with zmq.Context() as context, context.socket(zmq.SUB) as subscriber:
            subscriber.setsockopt(zmq.RCVTIMEO, 60_000)
            subscriber.setsockopt(zmq.SUBSCRIBE, b"mmgat/v1/")
            subscriber.connect(f"ipc://{tmp_path}/bus")
            while len(heard) < 6:
                topic, payload = subscriber.recv_multipart()
                message = msgpack.unpackb(payload)
                if topic.startswith(b"mmgat/v1/estimate/") and message["level_dbfs"] > -50:
                    heard.append(message)
                if topic == b"mmgat/v1/status/" and message["windows"]:
                    status = message
    finally:
        player.kill()
        player.wait()
        engine.send_signal(signal.SIGINT)
        _, said = engine.communicate(timeout=60)
    assert engine.returncode == 0, said
    assert "Traceback" not in said
    assert [m["index"] for m in heard] == list(range(heard[0]["index"], heard[0]["index"] + 6))
    assert np.diff([m["t0"] for m in heard]).tolist() == [0.5] * 5
    assert len(heard[-1]["scores"]) == 20
    account = status["analysed"] + status["dropped"] + status["discarded"] + status["queued"]
    assert status["captured"] == account > 0
    assert status["dropped"] == 0


@needs_pulseaudio
def test_the_sinks_monitor_is_listed_and_an_ambiguous_name_lists_its_matches(
    pulse: dict[str, str],
) -> None:
    listed = run(pulse, "--list-devices")
    assert listed.returncode == 0
    assert "pulse" in listed.stdout
    exact = [line for line in listed.stdout.splitlines() if "pulse, ALSA" in line]
    assert len(exact) == 1
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
