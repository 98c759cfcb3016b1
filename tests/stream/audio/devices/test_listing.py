"""What is said of input devices, on a list made here; test_devices has a real audio server."""

from __future__ import annotations

import re
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from mmgat.stream.audio.devices import device as devices
from mmgat.stream.audio.devices import listing
from mmgat.stream.audio.devices.device import DeviceSource
from mmgat.stream.audio.devices.listing import (
    InputDevice,
    check_channels,
    find_device,
    input_devices,
    list_devices,
    list_sources,
    listed_elsewhere,
    refused,
)
from mmgat.stream.audio.source import AudioSource
from mmgat.stream.errors import DeviceError

HOSTS = [{"name": "ALSA"}, {"name": "JACK"}]
DEVICES = [
    ("Scarlett 2i2", 0, 2, 48_000.0),
    ("Speakers", 0, 0, 44_100.0),
    ("Scarlett 2i2", 1, 2, 96_000.0),
    ("Monitor of Speakers", 0, 1, 44_100.4),
    ("Scarlett", 0, 8, 8_000.0),
]


@pytest.fixture
def portaudio(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A list of devices, of which number 3 is the default, in place of PortAudio's."""
    sd = SimpleNamespace(
        default=SimpleNamespace(device=(3, 1)),
        query_hostapis=lambda index: HOSTS[index],
        query_devices=lambda: [
            {
                "index": index, "name": name, "hostapi": host, "max_input_channels": channels,
                "default_samplerate": rate_hz,
            }
            for index, (name, host, channels, rate_hz) in enumerate(DEVICES)
        ],
        calls=[],
    )  # fmt: skip
    sd._terminate = lambda: sd.calls.append("end")
    sd._initialize = lambda: sd.calls.append("begin")
    for module in (listing, devices):
        monkeypatch.setattr(module, "portaudio", lambda: sd)
    return sd


@pytest.mark.usefixtures("portaudio")
def test_the_table_has_every_input_with_what_it_offers_and_marks_the_default() -> None:
    assert list_devices().splitlines() == [
        "   0  Scarlett 2i2, ALSA  (2 in, 48000 Hz)",
        "   2  Scarlett 2i2, JACK  (2 in, 96000 Hz)",
        ">  3  Monitor of Speakers, ALSA  (1 in, 44100 Hz, loopback: what this machine plays)",
        "   4  Scarlett, ALSA  (8 in, 8000 Hz)",
    ]


def test_the_sources_of_a_sound_server_are_named_where_portaudio_shows_its_door(
    portaudio: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [("mic", "Headset"), ("out.monitor", "Monitor of Speakers")]
    monkeypatch.setattr(listing, "server_sources", lambda: found)
    assert list_sources() == ""
    door = {**portaudio.query_devices()[0], "name": "pulse"}
    portaudio.query_devices = lambda: [door]
    assert list_sources().splitlines() == [
        "sources of --device pulse, which PULSE_SOURCE=NAME chooses:",
        "   mic  (Headset)",
        "   out.monitor  (Monitor of Speakers, loopback: what this machine plays)",
    ]
    monkeypatch.setattr(listing, "server_sources", list)
    assert list_sources() == ""


def test_without_inputs_the_table_says_so(portaudio: SimpleNamespace) -> None:
    portaudio.query_devices = list
    assert list_devices() == "no input devices found"
    with pytest.raises(
        DeviceError, match="a default input device, found none; the inputs are:\nno"
    ):
        find_device(None)


@pytest.mark.usefixtures("portaudio")
def test_the_inputs_as_a_program_reads_them() -> None:
    found = input_devices()
    assert found[0] == InputDevice("Scarlett 2i2, ALSA", 2, 48_000, loopback=False)
    assert found[2] == InputDevice("Monitor of Speakers, ALSA", 1, 44_100, loopback=True)
    assert len(found) == 4


@pytest.mark.usefixtures("portaudio")
@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (None, 3),
        ("2", 2),
        (" 0 ", 0),
        ("monitor", 3),
        ("SCARLETT", 4),  # an exact match wins
        ("scarlett 2i2, jack", 2),
        ("jack", 2),
    ],
)
def test_a_device_is_found_by_number_name_part_or_host(wanted: str | None, index: int) -> None:
    assert find_device(wanted)["index"] == index


def test_without_a_default_the_first_input_is_taken(portaudio: SimpleNamespace) -> None:
    portaudio.default.device = (-1, -1)
    assert find_device(None)["index"] == 0


@pytest.mark.usefixtures("portaudio")
@pytest.mark.parametrize("wanted", ["1", "9", "Speakers, ALSA?", "nothing"])
def test_what_is_no_input_is_told_with_the_inputs_that_there_are(wanted: str) -> None:
    with pytest.raises(
        DeviceError, match=re.escape(f"an input device {wanted!r}, found none; the")
    ):
        find_device(wanted)


@pytest.mark.usefixtures("portaudio")
def test_a_name_of_several_is_told_with_all_of_them() -> None:
    with pytest.raises(DeviceError, match="found 2 for 'Scarlett 2i2'") as told:
        find_device("Scarlett 2i2")
    assert str(told.value).splitlines()[1:3] == [
        "  0  Scarlett 2i2, ALSA",
        "  2  Scarlett 2i2, JACK",
    ]


@pytest.mark.usefixtures("portaudio")
def test_what_a_device_does_not_offer_is_refused_with_what_it_does() -> None:
    device = find_device("0")
    check_channels(device, 2)
    with pytest.raises(DeviceError, match="at most 2 channels for 'Scarlett 2i2', found 3"):
        check_channels(device, 3)
    assert str(refused(device, 2, 8000, ValueError("no"))) == (
        "'Scarlett 2i2' does not open with 2 channels at 8000 Hz (no): it offers up to 2 channels, "
        "48000 Hz"
    )


@pytest.mark.usefixtures("portaudio")
def test_what_is_waited_for_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    def call(function: Any, doing: str) -> Any:
        told.append(doing)
        return function()

    for module in (listing, devices):
        monkeypatch.setattr(module, "with_deadline", call)
    list_devices()
    input_devices()
    source = DeviceSource("0")
    source.probe()
    with pytest.raises(AttributeError):  # this PortAudio opens nothing
        source.open()
    listed = "listing the audio inputs"
    assert told == [listed, listed, "looking for the input '0'", "opening 'Scarlett 2i2'"]
    assert (source.sample_rate_hz, source.channels) == (48_000, 2)


@pytest.mark.usefixtures("portaudio")
def test_a_device_that_is_chosen_has_at_most_two_channels_if_nobody_says_more() -> None:
    source = DeviceSource("4")
    source.probe()
    assert (source.device, source.channels) == ("Scarlett, ALSA", 2)
    more = DeviceSource("4", channels=8)
    more.probe()
    assert more.channels == 8
    assert source._latency == "low"


def test_another_process_is_asked_and_its_faults_are_an_empty_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, scripts = subprocess.run, [""]

    def another(command: list[str], **how: Any) -> Any:
        assert command[1] == "-P"  # what lies in the folder at hand is not imported
        return run([sys.executable, "-c", scripts[0]], **how)

    monkeypatch.setattr(subprocess, "run", another)
    for script, limit_s, expected in (
        ("print('>  3  Monitor')", 20.0, ">  3  Monitor"),
        ("raise SystemExit(1)", 20.0, ""),
        ("import time; time.sleep(60)", 0.3, ""),
    ):
        scripts[0] = script
        monkeypatch.setattr(listing, "LIST_TIMEOUT_S", limit_s)
        assert listed_elsewhere() == expected


class Other(AudioSource):
    """A device that is open while the list is looked at."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def pause(self) -> None:
        self.calls.append("pause")

    def resume(self) -> None:
        self.calls.append("resume")

    def probe(self) -> None: ...
    def open(self) -> None: ...
    def read(self) -> None: ...
    def stop(self) -> None: ...
    def close(self) -> None: ...


@pytest.mark.parametrize("news", [True, False])
def test_open_devices_pause_only_if_there_is_news(
    portaudio: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, news: bool
) -> None:
    other = Other()
    monkeypatch.setattr(devices, "_open", {other})
    monkeypatch.setattr(devices, "listed_elsewhere", lambda: "new" if news else list_devices())
    devices._refresh()
    assert other.calls == (["pause", "resume"] if news else [])
    assert portaudio.calls == (["end", "begin"] if news else [])
    monkeypatch.setattr(devices, "_open", set())
    devices._refresh()
    assert portaudio.calls[-2:] == ["end", "begin"]
