"""Which inputs PortAudio (python-sounddevice, imported only when used) has, and which is meant."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType
from typing import Any

from mmgat.stream.errors import DeviceError

LOOPBACK_WORDS = ("monitor of", ".monitor", "loopback", "stereo mix", "what u hear", "blackhole")

LIST_PATIENCE_S = 10.0


def portaudio() -> ModuleType:
    """The sounddevice module.

    Raises:
        DeviceError: PortAudio is not installed; the message names the package.
    """
    try:
        import sounddevice
    except OSError:
        raise DeviceError(
            "expected PortAudio for audio devices, found none: install it with "
            "'apt install libportaudio2' (Debian, Ubuntu), 'dnf install portaudio' (Fedora) or "
            "'brew install portaudio' (macOS); --file, --stdin and --demo work without it"
        ) from None
    module: ModuleType = sounddevice
    return module


def list_devices() -> str:
    """A table of the input devices; the default is marked, and what hears the machine itself."""
    sd = portaudio()
    default = sd.default.device[0]
    lines = []
    for device in _inputs(sd):
        mark = ">" if device["index"] == default else " "
        loopback = ", loopback: what this machine plays" if is_loopback(device["name"]) else ""
        lines.append(
            f"{mark}{device['index']:3d}  {full_name(sd, device)}  "
            f"({device['max_input_channels']} in, {device['default_samplerate']:.0f} Hz{loopback})"
        )
    return "\n".join(lines) if lines else "no input devices found"


def listed_elsewhere() -> str:
    """The table of the input devices as a new process sees it; "" if it cannot say."""
    command = [sys.executable, "-P", "-m", "mmgat.stream.audio.device_list"]
    try:
        told = subprocess.run(
            command, capture_output=True, text=True, timeout=LIST_PATIENCE_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return told.stdout.rstrip("\n")


def is_loopback(name: str) -> bool:
    """Whether a device of this name gives what the machine plays, by what systems call these."""
    return any(word in name.casefold() for word in LOOPBACK_WORDS)


def find_device(wanted: str | None) -> dict[str, Any]:
    """The input device of that index, name, part of a name, or ``name, host API``.

    Case does not matter and an exact match wins. None is the system's default.

    Raises:
        DeviceError: none or several match; the message lists them.
    """
    sd = portaudio()
    inputs = _inputs(sd)
    if wanted is None:
        matches = [d for d in inputs if d["index"] == sd.default.device[0]] or inputs[:1]
    elif wanted.strip().isdigit():
        matches = [d for d in inputs if d["index"] == int(wanted)]
    else:
        text = wanted.casefold().strip()
        names = [(d, d["name"].casefold(), full_name(sd, d).casefold()) for d in inputs]
        matches = [d for d, name, full in names if text in (name, full)]
        matches = matches or [d for d, _, full in names if text in full]
    if len(matches) == 1:
        return matches[0]
    if not matches:
        asked = "a default input device" if wanted is None else f"an input device {wanted!r}"
        raise DeviceError(f"expected {asked}, found none; the inputs are:\n{list_devices()}")
    lines = "\n".join(f"  {d['index']}  {full_name(sd, d)}" for d in matches)
    raise DeviceError(
        f"expected one input device, found {len(matches)} for {wanted!r}:\n{lines}\n"
        "name it in full, as 'name, host API', or by number"
    )


def _inputs(sd: ModuleType) -> list[dict[str, Any]]:
    return [dict(d) for d in sd.query_devices() if d["max_input_channels"] > 0]


def full_name(sd: ModuleType, device: dict[str, Any]) -> str:
    """The form that says which device is meant: ``name, host API``."""
    return f"{device['name']}, {sd.query_hostapis(device['hostapi'])['name']}"


if __name__ == "__main__":
    print(list_devices())
