"""Settings from programs, files, the environment and flags: one set of ranges, one precedence."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from mmgat.stream.audio.stdin import PCM_FORMATS
from mmgat.stream.errors import SettingsError
from mmgat.stream.setting_types import choices_of, description
from mmgat.stream.settings import (
    DecisionSettings,
    InputSettings,
    ProgramSettings,
    RecordSettings,
    StreamSettings,
)
from mmgat.stream.settings_layers import FIELDS, SHORT_NAMES, read_settings


def write(folder: Path, text: str) -> Path:
    path = folder / "studio.toml"
    path.write_text(text)
    return path


def test_without_anything_said_all_is_default() -> None:
    assert read_settings({}) == ProgramSettings()


def test_a_flag_wins_over_the_environment_that_over_the_file_and_that_over_the_default(
    tmp_path: Path,
) -> None:
    file = write(tmp_path, "[decision]\noff_ratio = 0.1\nn_windows = 3\nsilence_dbfs = -50\n")
    environment = {
        "MMGAT_STREAM_DECISION__OFF_RATIO": "0.2",
        "MMGAT_STREAM_DECISION__N_WINDOWS": "4",
    }
    found = read_settings({}, ["decision.off_ratio=0.3"], file, environment).stream.decision
    assert found == DecisionSettings(
        off_ratio=0.3, n_windows=4, silence_dbfs=-50.0, warm_up_windows=1
    )


@pytest.mark.parametrize("key", sorted(FIELDS))
def test_every_setting_has_words_and_is_reached_from_file_environment_and_flag(
    tmp_path: Path, key: str
) -> None:
    field = FIELDS[key]
    assert description(field).endswith(".")
    section, name = key.split(".")
    value = {bool: True, str: "high", tuple: ["x"]}.get(type(field.default), field.default)
    if value is None:
        value = 48_000 if name == "rate" else "folder"
    elif choices := choices_of(field):
        value = choices[-1]
    text = value[0] if isinstance(value, list) else str(value)
    toml = repr(value).lower() if isinstance(value, bool | int | float) else repr(value)
    from_file = read_settings({}, file=write(tmp_path, f"[{section}]\n{name} = {toml}\n"))
    variable = f"MMGAT_STREAM_{section.upper()}__{name.upper()}"
    assert from_file == read_settings({}, environment={variable: text})
    assert from_file == read_settings({}, [f"{key}={text}"])


def test_short_names_are_names_of_settings() -> None:
    assert set(SHORT_NAMES.values()) <= FIELDS.keys()
    assert choices_of(FIELDS["input.format"]) == tuple(PCM_FORMATS)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: StreamSettings(hop_s=0.3), "hop_s: expected one of 0.25, 0.5, 1, found 0.3"),
        (lambda: StreamSettings(nodes=0), "nodes: expected a whole number from 1 to 60, found 0"),
        (lambda: DecisionSettings(off_ratio=float("nan")), "off_ratio: expected a number above 0"),
        (lambda: RecordSettings(limit_gb=float("inf")), "limit_gb: expected a number above 0"),
        (lambda: InputSettings(latency="soon"), "latency: expected low or high or a number"),
        (
            lambda: StreamSettings(decision=0.5),  # type: ignore[arg-type]
            "decision: expected DecisionSettings, found 0.5",
        ),
    ],
)
def test_a_program_meets_the_same_ranges(make: object, message: str) -> None:
    with pytest.raises(SettingsError, match=message.replace(".", r"\.")):
        make()  # type: ignore[operator]


def test_an_unknown_variable_is_told_with_those_that_are_most_like_it() -> None:
    with pytest.raises(SettingsError, match=r"MMGAT_STREAM_HOPP: no such .*: did you mean .*_HOP "):
        read_settings({}, environment={"MMGAT_STREAM_HOPP": "1"})


def test_the_same_setting_under_two_variables_is_refused() -> None:
    twice = {"MMGAT_STREAM_HOP": "1", "MMGAT_STREAM_STREAM__HOP_S": "0.5"}
    with pytest.raises(
        SettingsError, match=r"stream\.hop_s is also set by MMGAT_STREAM_HOP: unset"
    ):
        read_settings({}, environment=twice)


def test_an_input_on_the_command_line_replaces_that_of_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, "device = 'Scarlett'\nrate = 48000\nchannels = 2\nhop = 1\n")
    found = read_settings({"demo": True}, file=file)
    assert found.input == InputSettings(demo=True)
    assert found.stream.hop_s == 1
    assert read_settings({"rate": "44100"}, file=file).input == InputSettings(
        device=("Scarlett",), rate=44_100, channels="2"
    )


def test_a_file_without_an_input_describes_the_one_on_the_command_line(tmp_path: Path) -> None:
    file = write(tmp_path, "rate = 44100\nchannels = 2\n")
    assert read_settings({"stdin": True}, file=file).input == InputSettings(
        stdin=True, rate=44_100, channels="2"
    )


def test_settings_are_values() -> None:
    settings = StreamSettings(nodes=20)
    assert msgspec.structs.replace(settings, nodes=10) == StreamSettings()
    with pytest.raises(AttributeError):
        settings.nodes = 3  # type: ignore[misc]
