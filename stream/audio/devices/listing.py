"""The input devices of PortAudio (through python-sounddevice), and how one is chosen by name."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from mmgat.stream.audio.devices.deadline import with_deadline
from mmgat.stream.audio.devices.server import server_sources
from mmgat.stream.errors import DeviceError

LOOPBACK_WORDS = ("monitor of", ".monitor", "loopback", "stereo mix", "what u hear", "blackhole")

LIST_TIMEOUT_S = 10.0

SERVER_DEVICE = "pulse"
"""PortAudio's door to PulseAudio, or to PipeWire in its place."""


def portaudio() -> ModuleType:
    """Imports the sounddevice module, which is done only where a device is used.

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
    """Returns a table of the input devices; the default is marked, and so are loopbacks.

    Raises:
        DeviceError: PortAudio is not installed, or the audio system does not answer.
    """
    return with_deadline(_table, "listing the audio inputs")


def list_sources() -> str:
    """Returns a table of what a sound server records, of which PortAudio shows one device; or "".

    Raises:
        DeviceError: PortAudio is not installed, or the audio system does not answer.
    """

    def look() -> str:
        if not any(device["name"] == SERVER_DEVICE for device in _inputs(portaudio())):
            return ""
        lines = [
            f"   {name}  ({text}{', loopback: what this machine plays' if is_loopback(name) else ''})"
            for name, text in server_sources()
        ]
        head = f"sources of --device {SERVER_DEVICE}, which PULSE_SOURCE=NAME chooses:"
        return "\n".join([head, *lines]) if lines else ""

    return with_deadline(look, "listing the sound server's sources")


@dataclass(frozen=True)
class InputDevice:
    """One input of the audio system.

    Attributes:
        name: in full, as ``find_device`` takes it.
        channels: that it offers.
        sample_rate_hz: its own.
        loopback: it records what the machine itself plays.
    """

    name: str
    channels: int
    sample_rate_hz: int
    loopback: bool


def input_devices() -> list[InputDevice]:
    """The input devices, as PortAudio knew them when it began or last looked.

    Raises:
        DeviceError: PortAudio is not installed, or the audio system does not answer.
    """

    def look() -> list[InputDevice]:
        sd = portaudio()
        return [
            InputDevice(
                full_name(sd, device),
                device["max_input_channels"],
                round(device["default_samplerate"]),
                is_loopback(device["name"]),
            )
            for device in _inputs(sd)
        ]

    return with_deadline(look, "listing the audio inputs")


def _table() -> str:
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
    """Returns the table of input devices that a new process sees; "" if it fails or hangs."""
    command = [sys.executable, "-P", "-m", "mmgat.stream.audio.devices.listing"]
    try:
        listed = subprocess.run(
            command, capture_output=True, text=True, timeout=LIST_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return listed.stdout.rstrip("\n")


def is_loopback(name: str) -> bool:
    """Whether a device of this name records what the machine itself plays."""
    return any(word in name.casefold() for word in LOOPBACK_WORDS)


def find_device(wanted: str | None) -> dict[str, Any]:
    """Finds the input device of that index, name, part of a name, or ``name, host API``.

    Case does not matter and an exact match wins. None means the system's default.

    Returns:
        PortAudio's description of the device.

    Raises:
        DeviceError: no device matches, or several do; the message lists them.
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
        raise DeviceError(f"expected {asked}, found none; the inputs are:\n{_table()}")
    lines = "\n".join(f"  {d['index']}  {full_name(sd, d)}" for d in matches)
    raise DeviceError(
        f"expected one input device, found {len(matches)} for {wanted!r}:\n{lines}\n"
        "name it in full, as 'name, host API', or by number"
    )


def check_channels(device: dict[str, Any], n_channels: int) -> None:
    """Raises ``DeviceError`` where a device has fewer channels."""
    if n_channels > device["max_input_channels"]:
        raise DeviceError(
            f"expected at most {device['max_input_channels']} channels for {device['name']!r}, found "
            f"{n_channels}"
        )


def refused(
    device: dict[str, Any], n_channels: int, sample_rate_hz: int, error: Exception
) -> DeviceError:
    """What is said of a device that does not open, and what it offers."""
    return DeviceError(
        f"{device['name']!r} does not open with {n_channels} channels at {sample_rate_hz} Hz "
        f"({error}): it offers up to {device['max_input_channels']} channels, "
        f"{device['default_samplerate']:.0f} Hz"
    )


def _inputs(sd: ModuleType) -> list[dict[str, Any]]:
    return [dict(d) for d in sd.query_devices() if d["max_input_channels"] > 0]


def full_name(sd: ModuleType, device: dict[str, Any]) -> str:
    """Returns the unambiguous name of a device: ``name, host API``."""
    return f"{device['name']}, {sd.query_hostapis(device['hostapi'])['name']}"


if __name__ == "__main__":
    print(_table())
