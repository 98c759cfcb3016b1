"""Which files in a folder of recordings are ours, and what is never done to those of others."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mmgat.stream.sinks import own_files
from mmgat.stream.sinks.own_files import (
    STALE_S,
    OwnFiles,
    is_abandoned,
    listing,
    part_stem,
    stem_of,
)

LOG = "20270115T075958Z-1.session.jsonl"
CLIP = "000001.000s_mic_drums.flac"


def listed(folder: Path, *names: str) -> None:
    (folder / LOG).write_text("".join(f"{listing(name)}\n" for name in names))


def finished(folder: Path) -> list[str]:
    return [file.path.name for file in OwnFiles(folder).finished()]


def test_a_clip_is_ours_if_its_name_has_our_form_and_a_log_names_it(tmp_path: Path) -> None:
    for name in (CLIP, "000002.000s_mic_drums.flac", "80s_disco_mix.flac", "no_log.session.jsonl"):
        (tmp_path / name).write_bytes(b"x")
    listed(tmp_path, CLIP, "80s_disco_mix.flac", "000003.000s_gone_drums.flac")
    os.utime(tmp_path / CLIP, (9, 9))
    os.utime(tmp_path / LOG, (8, 8))
    assert finished(tmp_path) == [LOG, CLIP]  # oldest first
    _, clip = OwnFiles(tmp_path).finished()
    assert (clip.size, clip.changed_at) == (1, 9.0)
    os.utime(tmp_path / CLIP, (8, 8))
    assert finished(tmp_path) == [CLIP, LOG]  # of one time by their names


def test_names_are_learnt_as_the_logs_grow_and_a_line_once_it_is_whole(tmp_path: Path) -> None:
    files = OwnFiles(tmp_path)
    for name in (CLIP, "000002.000s_mic_drums.flac"):
        (tmp_path / name).write_bytes(b"x")
    first, second = (f"{listing(path.name)}\n" for path in sorted(tmp_path.glob("*.flac")))
    (tmp_path / LOG).write_text(first + second[:30])
    assert [file.path.name for file in files.finished()][:1] == [CLIP]
    assert len(files.finished()) == 2
    (tmp_path / LOG).write_text(first + second)
    assert len(files.finished()) == 3


@pytest.mark.parametrize(
    "line",
    [
        "{",
        '{"type": "recording", "file": "' + CLIP,
        '{"type": "recording", "file": 3}',
        '{"type": "recording", "files": "' + CLIP + '"}',
        '{"type": "recording", "file": ' + "[" * 100_000,
        f'{{"type": "event", "file": "{CLIP}"}}',
    ],
    ids=["cut", "cut within", "no text", "no name", "deep", "another type"],
)
def test_a_damaged_line_makes_nothing_ours_and_ends_nothing(tmp_path: Path, line: str) -> None:
    (tmp_path / CLIP).write_bytes(b"x")
    (tmp_path / "000002.000s_mic_drums.flac").write_bytes(b"x")
    good = listing("000002.000s_mic_drums.flac")
    (tmp_path / LOG).write_text(f"{line}\n{good}\n")
    assert sorted(finished(tmp_path)) == ["000002.000s_mic_drums.flac", LOG]


def test_a_line_says_what_it_was_given_beside_the_name() -> None:
    line = listing("é.flac", seconds=1.5)
    assert line == '{"type": "recording", "file": "é.flac", "seconds": 1.5}'


def test_a_link_is_not_removed(tmp_path: Path) -> None:
    files, kept = OwnFiles(tmp_path), tmp_path / "kept"
    kept.write_bytes(b"x")
    link = tmp_path / CLIP
    link.symlink_to(kept)
    files.remove(link)
    assert link.is_symlink()
    files.remove(kept)
    assert not kept.exists()
    files.remove(kept)  # it is gone already


def test_a_file_that_is_made_is_new_private_and_locked(tmp_path: Path) -> None:
    files = OwnFiles(tmp_path / "a" / "b")
    made = [files.create("clip", ".part") for _ in range(3)]
    assert [path.name for _, path in made] == ["clip.part", "clip-2.part", "clip-3.part"]
    for descriptor, path in made:
        assert path.stat().st_mode & 0o777 == 0o600
        assert not os.get_inheritable(descriptor)
        os.write(descriptor, b"sound")
        os.lseek(descriptor, 0, os.SEEK_SET)
        assert os.read(descriptor, 9) == b"sound"
        assert not is_abandoned(path)
        os.close(descriptor)
        assert is_abandoned(path)
    with pytest.raises(FileExistsError):
        files.create_exactly(made[0][1])
    assert not is_abandoned(tmp_path / "none")


def test_the_names_of_an_unfinished_clip_lead_back_to_what_it_is_to_be_called(
    tmp_path: Path,
) -> None:
    name = part_stem("000001.000s_mic", tmp_path / LOG) + ".part"
    assert name == ".000001.000s_mic.20270115T075958Z-1.part"
    assert stem_of(tmp_path / name) == "000001.000s_mic"
    assert stem_of(tmp_path / ".another.part") == "another"


def test_an_unfinished_clip_is_ours_if_its_log_is_there(tmp_path: Path) -> None:
    files = OwnFiles(tmp_path)
    names = [
        f".00000{n}.000s_mic.20270115T075958Z-{log}.{kind}"
        for n, log, kind in ((2, 1, "part"), (1, 1, "rescue"), (3, 2, "part"))
    ]
    for age, name in enumerate([*names, ".film.mkv.part"]):
        (tmp_path / name).write_bytes(b"xy")
        os.utime(tmp_path / name, (100 - age, 100 - age))
    (tmp_path / ".000009.000s_mic.20270115T075958Z-1.part").mkdir()
    assert files.unfinished() == []
    listed(tmp_path)
    found = files.unfinished()
    assert [file.path.name for file in found] == [names[1], names[0]]  # oldest first
    assert [(file.size, file.changed_at) for file in found] == [(2, 99.0), (2, 100.0)]


def test_a_finished_clip_is_named_and_numbered_and_keeps_its_second_name(tmp_path: Path) -> None:
    files, part = OwnFiles(tmp_path), tmp_path / "part"
    part.write_bytes(b"new")
    (tmp_path / "clip.flac").write_bytes(b"old")
    (tmp_path / "clip-2.flac").symlink_to("nowhere")
    path = files.publish(part, "clip", ".flac")
    assert (path.name, path.read_bytes(), part.exists()) == ("clip-3.flac", b"new", True)
    assert (tmp_path / "clip.flac").read_bytes() == b"old"


def no_links(*_: object, **__: object) -> None:
    raise OSError(errno.EPERM, "no hard links here")


def test_without_hard_links_a_clip_is_renamed_and_nothing_is_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", no_links)
    files, part = OwnFiles(tmp_path), tmp_path / "part"
    part.write_bytes(b"new")
    (tmp_path / "clip.flac").write_bytes(b"old")
    (tmp_path / "clip-2.flac").symlink_to("nowhere")
    path = files.publish(part, "clip", ".flac")
    assert (path.name, path.read_bytes(), part.exists()) == ("clip-3.flac", b"new", False)
    assert (tmp_path / "clip.flac").read_bytes() == b"old"
    with pytest.raises(OSError, match="no hard links"):
        files.publish(part, "clip", ".flac")


@pytest.mark.parametrize("do", ["create", "publish"])
def test_names_come_to_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, do: str) -> None:
    monkeypatch.setattr(own_files, "MAX_NAMES", 4)
    files, part = OwnFiles(tmp_path), tmp_path / "part"
    part.write_bytes(b"new")
    for name in ("clip.flac", "clip-2.flac", "clip-3.flac"):
        (tmp_path / name).touch()
    call: Callable[[], object] = (
        (lambda: files.publish(part, "clip", ".flac"))
        if do == "publish"
        else (lambda: files.create("clip", ".flac"))
    )
    with pytest.raises(FileExistsError, match="expected a free name for 'clip.flac', found none"):
        call()


def test_without_locks_a_clip_is_abandoned_a_minute_after_it_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks here")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    descriptor, path = OwnFiles(tmp_path).create("clip", ".part")
    os.close(descriptor)
    changed_at = path.stat().st_mtime
    for age_s, expected in ((STALE_S - 1, False), (STALE_S + 1, True)):
        monkeypatch.setattr(own_files.time, "time", lambda age=age_s: changed_at + age)
        assert is_abandoned(path) is expected
