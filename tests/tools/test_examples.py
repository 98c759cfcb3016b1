"""The example programs, run as they are."""

from __future__ import annotations

import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from mmgat.stream.bus.protocol import Event
from mmgat.stream.bus.publisher import Publisher
from mmgat.stream.commands.live.inputs import demo_clip
from tests.stream.audio.devices.test_devices import needs_pulseaudio
from tools.pulse import environment_of, start_server

FOLDER = Path(__file__).parents[2] / "tools" / "examples"


def run(name: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, FOLDER / name, *map(str, arguments)],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_examples_are_whole_programs_under_100_lines() -> None:
    programs = sorted(FOLDER.glob("*.py"))
    assert len(programs) >= 6
    for program in programs:
        assert len(program.read_text().splitlines()) < 100, program.name


def test_an_array() -> None:
    lines = run("recognise_array.py").splitlines()
    assert [line.split(" s: ")[0] for line in lines] == [
        "0.0 to 0.5", "0.0 to 1.0", "0.5 to 1.5", "1.0 to 2.0",
    ]  # fmt: skip


def test_a_file() -> None:
    found = run("recognise_file.py", demo_clip())
    assert "piano" in found
    assert found.splitlines()[-1] == "43.3 s analysed"


def test_a_sink_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "song.srt"
    run("own_sink.py", demo_clip(), path)
    first, second = path.read_text().split("\n\n")[:2]
    assert first.splitlines()[0] == "1"
    assert " --> " in first
    assert second.splitlines()[0] == "2"


@pytest.mark.parametrize("program", ["subscribe.py", "plain_subscriber.py"])
def test_a_subscriber(program: str) -> None:
    publisher = Publisher("tcp://127.0.0.1:*")
    process = subprocess.Popen(
        [sys.executable, FOLDER / program, publisher.address], stdout=subprocess.PIPE, text=True
    )
    event = Event(
        source="desk", event="on", id="piano-1", label="piano", time_s=2, onset_s=2, score=0.9
    )
    try:
        assert process.stdout is not None
        line = ""
        while not line:  # it is given events until it has subscribed
            assert process.poll() is None
            publisher(event)
            if select.select([process.stdout], [], [], 0.1)[0]:
                line = process.stdout.readline()
        assert "piano on" in line
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.communicate()
        publisher.close()


@needs_pulseaudio
def test_a_microphone(tmp_path: Path) -> None:
    server = start_server(tmp_path)
    samples, rate_hz = soundfile.read(demo_clip())
    clip = tmp_path / "clip.wav"
    soundfile.write(clip, samples, rate_hz)
    process = subprocess.Popen(
        [sys.executable, FOLDER / "recognise_microphone.py", "pulse"],
        env=environment_of(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    player = None
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "listening to pulse\n"
        player = subprocess.Popen(["paplay", clip], env=environment_of(tmp_path))
        assert process.stdout.readline().rstrip().endswith(" on")
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
        assert rest.splitlines()[-1].endswith("0 outages")
    finally:
        for started in (process, player, server):
            if started is not None:
                started.kill()
                started.wait()
