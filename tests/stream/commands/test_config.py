"""Settings from a file and the environment, through the command as a user runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from mmgat.stream.commands.stream import main
from tests.conftest import melody

Write = Callable[..., Path]


@pytest.fixture
def settings(wav: Write, untrained_checkpoint: Path, tmp_path: Path) -> Path:
    """A file that says all of a run: a clip of 3 s at hop 1."""
    path = tmp_path / "studio.toml"
    clip = wav(melody(3.0, 16_000), 16_000)
    path.write_text(
        f"file = '{clip}'\nmodel = '{untrained_checkpoint}'\nspeed = 'max'\nhop = 1\n"
        "publish = 'off'\njsonl = '-'\nno-dashboard = true\n"
    )
    return path


def starts(*arguments: object, **environment: str) -> list[float]:
    """Beginnings of the windows that were recognised."""
    done = CliRunner().invoke(main, [*map(str, arguments)], env=environment)
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return [line["t0"] for line in lines if line["type"] == "estimate"]


def test_a_file_says_what_options_would(settings: Path) -> None:
    assert starts("--config", settings) == [0, 1, 2]


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(settings: Path) -> None:
    half = [0.0, *(0.5 * i for i in range(5))]
    assert starts("--config", settings, MMGAT_STREAM_HOP="0.5") == half
    found = starts("--config", settings, "--hop", "1", MMGAT_STREAM_HOP="0.5")
    assert found == [0, 1, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hop = 0.3", "studio.toml: hop: expected one of 0.25, 0.5, 1, found 0.3: change it, or"),
        ("nodes = 61", "studio.toml: nodes: expected a whole number from 1 to 60, found 61"),
        ("nodes = true", "nodes: expected a whole number from 1 to 60, found True"),
        ("demo = 1", "demo: expected true or false, found 1"),
        ("compute = 'gpu'", "compute: expected one of auto, cpu, cuda, mps, found 'gpu'"),
        ("record = 5", "record: expected a path, found 5"),
        ("latency = nan", "latency: expected low or high or a number above 0 and up to 60, found"),
        ("device = 3", "device: expected a text, or a list of texts, found 3: numbers change"),
        ("hopp = 1", "hopp: no such setting: remove it or mend its name: did you mean hop"),
        ("[decision]\noff_ratio = 2", "[decision] off_ratio: expected a number above 0 and up to"),
        ("[decision]\noff_ration = 2", "[decision] off_ration: no such setting"),
        ("[decision]\noff_ration = 2", "did you mean decision.off_ratio"),
        ("decision = 3", "decision: expected a table [decision], found 3: begin one"),
        ("[threshold]\npiano = 0.4", "expected a text, or a list of texts, found a table: write"),
        (
            "channels = [1, 2]",
            "channels: expected a text, found [1, 2]: change it, or leave it out",
        ),
        ("qqq = 1", "qqq: no such setting: remove it or mend its name: there are blocksize"),
        ("hop = 1\n[stream]\nhop_s = 1", "[stream] hop_s: stream.hop_s is also set by"),
        ("hop = ", "expected TOML in"),
    ],
)
def test_a_setting_that_cannot_be_is_told_with_file_and_key(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "studio.toml"
    path.write_text(text + "\n")
    done = CliRunner().invoke(main, ["--config", str(path)])
    assert done.exit_code == 2
    words = " ".join(done.output.split())
    assert "studio.toml" in words
    assert message in words


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["--config", str(tmp_path / "nosuch.toml")])
    assert done.exit_code == 2
    assert "expected a TOML file at" in done.output


def test_a_wrong_value_in_the_environment_is_told() -> None:
    done = CliRunner().invoke(main, ["--demo"], env={"MMGAT_STREAM_HOP": "0.3"})
    assert done.exit_code == 2
    assert "MMGAT_STREAM_HOP: expected one of 0.25, 0.5, 1, found '0.3'" in done.output


def test_several_files_are_a_list_in_the_file_and_parted_by_semicolons_in_the_environment(
    wav: Write, settings: Path, tmp_path: Path
) -> None:
    clips = [str(wav(melody(1.0, 16_000), 16_000, f"take {i}.wav")) for i in (1, 2)]
    rest = settings.read_text().split("\n", 1)[1]
    listed = tmp_path / "listed.toml"
    listed.write_text(f"file = {clips}\n{rest}")
    assert starts("--config", listed) == [0, 0]
    bare = tmp_path / "bare.toml"
    bare.write_text(rest)
    assert starts("--config", bare, MMGAT_STREAM_FILE=";".join(clips)) == [0, 0]
