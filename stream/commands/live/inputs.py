"""From the settings to the inputs: which sources, which of their channels, and what excludes what."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from mmgat.stream.audio.inputs import Input, parse_channels
from mmgat.stream.audio.source import AudioSource
from mmgat.stream.errors import SettingsError
from mmgat.stream.settings import InputSettings, LivenessSettings


def inputs_of(settings: InputSettings, liveness: LivenessSettings) -> list[Input]:
    """The inputs that the settings name; the system's default device if they name none.

    Raises:
        SettingsError: settings exclude each other, or one of them needs another.
    """
    _check(settings)
    channels, split = settings.channels, settings.split
    mixdown_channels = parse_channels(channels) if channels and not split else ()
    split_channels = parse_channels(split) if split else ()
    highest = max((*mixdown_channels, *split_channels), default=None)
    return [
        Input(source, mixdown_channels, split_channels)
        for source in _sources(settings, liveness, highest)
    ]


def demo_clip() -> Path:
    """The bundled clip."""
    from importlib.resources import files

    return Path(str(files("mmgat.stream") / "demo" / "demo.ogg"))


def _check(settings: InputSettings) -> None:
    named = bool(settings.device or settings.file or settings.source)
    if named + settings.stdin + settings.demo > 1:
        raise SettingsError(
            "expected either --device, --file and --source, or --stdin, or --demo; found several"
        )
    for option in ("device", "file", "source"):
        if "" in getattr(settings, option):
            raise SettingsError(f"expected a name with --{option}, found an empty text: give one")
    is_file = bool(settings.file or settings.demo)
    if settings.rate and is_file:
        raise SettingsError("--rate describes a device or --stdin, not a file: leave it out")
    if settings.speed == "max" and (settings.device or settings.source or not is_file):
        raise SettingsError(
            "expected --speed max with --file or --demo: a device or pipe gives its own pace"
        )
    if settings.channels and settings.split and not settings.stdin:
        raise SettingsError("expected --channels (mixed) or --split (each on its own), found both")


def _sources(
    settings: InputSettings, liveness: LivenessSettings, highest_channel: int | None
) -> Iterator[AudioSource]:
    if settings.stdin:
        from mmgat.stream.audio.reconnect import ReconnectingSource

        yield ReconnectingSource(_standard_input(settings), liveness)
        return
    for path in (str(demo_clip()),) if settings.demo else settings.file:
        from mmgat.stream.audio.sound_file import sound_source

        yield sound_source(Path(path), paced=settings.speed != "max")
    for text in settings.source:
        from mmgat.stream.plugins import load_source

        yield load_source(text)
    devices = settings.device
    if devices or not (settings.demo or settings.file or settings.source):
        from mmgat.stream.audio.devices.device import DeviceSource
        from mmgat.stream.audio.reconnect import ReconnectingSource

        for device in devices or (None,):
            inner = DeviceSource(
                device, settings.rate, highest_channel, settings.blocksize, settings.latency
            )
            yield ReconnectingSource(inner, liveness)


def _standard_input(settings: InputSettings) -> AudioSource:
    from mmgat.stream.audio.stdin import StdinSource

    if settings.rate is None or not settings.channels.isdecimal():
        raise SettingsError(
            "expected --rate and a number of --channels with --stdin: raw PCM has no header"
        )
    if sys.stdin is None:
        raise SettingsError("expected sound on the standard input, found it closed")
    return StdinSource(settings.rate, int(settings.channels), settings.format, sys.stdin.fileno())
