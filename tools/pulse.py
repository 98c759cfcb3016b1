"""A PulseAudio server of our own with a null sink: a device without hardware."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Final

READY_S: Final = 15.0


def environment_of(folder: Path) -> dict[str, str]:
    """What leads PulseAudio's clients, PortAudio among them, to the server in that folder."""
    return os.environ | {
        "PULSE_RUNTIME_PATH": str(folder),
        "PULSE_SERVER": f"unix:{folder}/native",
        "PULSE_SOURCE": "lab.monitor",
        "PULSE_SINK": "lab",
        "HOME": str(folder),
    }


def start_server(folder: Path, rate_hz: int = 48_000) -> subprocess.Popen[bytes]:
    """Starts the server in a folder, with a sink of floats, and waits until it answers.

    Raises:
        TimeoutError: it does not.
    """
    environment = environment_of(folder)
    server = subprocess.Popen(
        ["pulseaudio", "-n", "--exit-idle-time=-1", "--daemonize=no", "--use-pid-file=no",
         "-L", f"module-null-sink sink_name=lab format=float32le rate={rate_hz}",
         "-L", f"module-native-protocol-unix socket={folder}/native auth-anonymous=1"],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        ready = subprocess.run(["pactl", "info"], env=environment, capture_output=True, check=False)
        if ready.returncode == 0:
            return server
        time.sleep(0.1)
    server.kill()
    raise TimeoutError("PulseAudio did not come up")
