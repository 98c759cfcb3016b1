"""What is analysed is heard: the engine plays into a real PulseAudio sink, which is recorded."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.conftest import melody
from tests.stream.audio.devices.test_devices import needs_pulseaudio, pulse  # noqa: F401


@needs_pulseaudio
def test_the_file_that_is_analysed_is_heard_at_the_output(
    pulse: dict[str, str],  # noqa: F811
    untrained_checkpoint: Path,
    wav: Callable[..., Path],
    tmp_path: Path,
) -> None:
    sound = melody(4.0, 48_000)
    recorded = tmp_path / "heard.raw"
    with recorded.open("wb") as file:
        recorder = subprocess.Popen(
            ["parec", "--device", "lab.monitor", "--format=float32le", "--rate=48000",
             "--channels=1"],
            env=pulse, stdout=file,
        )  # fmt: skip
        engine = subprocess.run(
            [sys.executable, "-m", "mmgat.stream", "--file", str(wav(sound, 48_000)), "--monitor",
             "--no-dashboard", "--publish", "off", "--model", str(untrained_checkpoint)],
            env=pulse, capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
        recorder.send_signal(signal.SIGTERM)
        recorder.wait(20)
    assert engine.returncode == 0, engine.stderr
    assert "--monitor" not in engine.stderr
    heard = np.fromfile(recorded, np.float32)
    part = sound[48_000:96_000, 0]  # the second second of the file
    size = len(heard) + len(part)
    match = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(part, size)))
    assert match.max() > 0.8 * float(part @ part)


@needs_pulseaudio
def test_without_an_output_there_is_one_warning_and_recognition_goes_on(
    wav: Callable[..., Path], untrained_checkpoint: Path, tmp_path: Path
) -> None:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PULSE_SERVER": "unix:/nowhere"}
    sound = melody(2.0, 48_000)
    engine = subprocess.run(
        [sys.executable, "-m", "mmgat.stream", "--file", str(wav(sound, 48_000)), "--monitor",
         "--no-dashboard", "--publish", "off", "--model", str(untrained_checkpoint)],
        env=environment | {"PYTHONPATH": ":".join(sys.path)}, capture_output=True, text=True,
        timeout=100, check=False,
    )  # fmt: skip
    assert engine.returncode == 0, engine.stderr
    assert engine.stderr.count("--monitor plays nothing") == 1
    assert "2.0 s captured, 2.0 analysed" in engine.stderr
