"""What the arguments of ``mmgat-tag`` stand for."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from mmgat.stream.archive.inputs import find_inputs


@pytest.fixture
def music(tmp_path: Path) -> Path:
    for name in ("a.flac", "b.MP3", "notes.txt", ".hidden.wav", "sub/c.wav", ".git/d.wav"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


def names(*arguments: object, recursive: bool = False) -> list[str]:
    return [Path(file).name for file in find_inputs(map(str, arguments), recursive).files]


def test_a_folder_gives_its_visible_sound_files_once(music: Path) -> None:
    assert names(music, music / "a.flac", recursive=True) == ["a.flac", "b.MP3", "c.wav"]


def test_names_below_the_working_folder_are_short(
    music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(music)
    assert find_inputs([".", "./a.flac"], True).files == ["a.flac", "b.MP3", "sub/c.wav"]


def test_a_folder_without_r_is_a_fault_that_says_so(music: Path) -> None:
    found = find_inputs([str(music)])
    assert found.files == []
    assert "-r takes the files in it" in found.faults[0]


def test_a_folder_without_sound_is_a_fault(tmp_path: Path) -> None:
    found = find_inputs([str(tmp_path)], recursive=True)
    assert found.faults == [f"expected sound files in the folder {str(tmp_path)!r}, found none"]


def test_a_pattern_is_expanded_unless_it_is_a_file(music: Path) -> None:
    assert names(f"{music}/**/*.wav") == ["c.wav"]
    strange = music / "take[1].wav"
    strange.touch()
    assert names(strange) == ["take[1].wav"]
    assert "found none" in find_inputs([f"{music}/*.opus"]).faults[0]


def test_a_playlist_gives_files_beside_it_and_names_what_is_none(music: Path) -> None:
    playlist = music / "list.m3u8"
    lines = ["#EXTM3U", "a.flac", "", f"file://{music}/sub/c.wav", "http://radio/stream"]
    playlist.write_text("\ufeff" + "\r\n".join(lines), "utf-8")
    found = find_inputs([str(playlist)])
    assert found.files == [f"{music}/a.flac", f"{music}/sub/c.wav"]
    assert "http://radio/stream" in found.faults[0]
    old = music / "old.m3u"
    old.write_bytes("Bl\xe4ser.wav\n".encode("latin-1"))
    assert names(old) == ["Bläser.wav"]


@pytest.mark.parametrize("separator", [b"\n", b"\0"], ids=["lines", "NUL"])
def test_a_list_on_standard_input_may_hold_any_name(
    separator: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = separator.join([b"a b.wav", b"\xff.wav", b""])
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert [os.fsencode(path) for path in find_inputs(["-"]).files] == [b"a b.wav", b"\xff.wav"]


def test_places_are_relative_to_what_all_arguments_have_in_common(music: Path) -> None:
    found = find_inputs([str(music / "sub"), str(music / "a.flac")], recursive=True)
    assert [found.relative(path).as_posix() for path in found.files] == ["sub/c.wav", "a.flac"]


def test_sound_in_place_of_a_list_on_standard_input_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sound = SimpleNamespace(buffer=io.BytesIO(b"RIFF\0\0\0\0WAVEfmt \n\xff\xfe\n"))
    for stdin, told in ((sound, "found sound: give"), (None, "found it closed")):
        monkeypatch.setattr(sys, "stdin", stdin)
        found = find_inputs(["-"])
        assert found.files == []
        (fault,) = found.faults
        assert told in fault


def test_a_pipe_of_the_shell_is_named_as_one_and_an_open_file_by_its_name(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    path = tmp_path / "a.wav"
    with path.open("wb") as file:
        found = find_inputs([f"/dev/fd/{reading}", f"/dev/fd/{file.fileno()}"])
    os.close(reading)
    os.close(writing)
    assert found.files == [str(path)]
    (fault,) = found.faults
    assert "found a pipe or device at '/dev/fd/" in fault
