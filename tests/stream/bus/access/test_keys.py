"""Key files: made once, never replaced, for their user alone."""

from __future__ import annotations

import stat
import tempfile
from pathlib import Path

import pytest

from mmgat.stream.bus.access.keys import ClientKeys, ServerKeys, make_pair, read_pair, read_public
from mmgat.stream.errors import SettingsError


def test_a_pair_is_for_its_user_alone_and_reads_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))  # it is made where it stays
    public, secret = make_pair(tmp_path / "all" / "new", "studio")
    assert [stat.S_IMODE(path.stat().st_mode) for path in (public, secret)] == [0o600, 0o600]
    assert read_pair(secret).public == read_public(public)
    assert sorted(path.name for path in public.parent.iterdir()) == [public.name, secret.name]
    assert read_pair(secret).secret.decode() not in repr(read_pair(secret))


@pytest.mark.parametrize("there", ["studio.key", "studio.key_secret"])
def test_a_file_that_is_there_is_never_replaced(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine")
    with pytest.raises(SettingsError, match=r"is kept: choose another name") as told:
        make_pair(tmp_path, "studio")
    assert repr(str(tmp_path / there)) in str(told.value)
    assert (tmp_path / there).read_text() == "mine"


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "a\n", "/tmp/a"])
def test_a_name_is_a_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="expected a name such as studio"):
        make_pair(tmp_path, name)


def test_a_folder_that_refuses(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="expected a folder to write keys into"):
        make_pair(tmp_path / "file" / "folder", "studio")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "No public key"),
        ("public-key", "mmgat-keys writes it"),
        ('    public-key = "short"', "a key of 5 characters, not 40"),
        (f'    public-key = "{" " * 3}{"~" * 40}"', "mmgat-keys writes it"),
        ("\x1b[2J" * 50, "No public key"),
    ],
)
def test_a_file_that_is_no_key_is_told_in_words(tmp_path: Path, content: str, fault: str) -> None:
    path = tmp_path / "bad.key"
    path.write_text(content)
    with pytest.raises(SettingsError, match=fault) as found:
        read_public(path)
    assert str(found.value).isprintable()


def test_a_missing_file_and_a_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such file"):
        read_public(tmp_path / "none.key")
    with pytest.raises(SettingsError, match="no file of keys"):
        read_public(tmp_path)
    _, secret = make_pair(tmp_path, "engine")
    with pytest.raises(SettingsError, match="expected a folder with the public keys"):
        ServerKeys.read(secret, tmp_path / "none")


def test_a_public_key_is_no_secret_key(tmp_path: Path) -> None:
    public, _ = make_pair(tmp_path, "laptop")
    with pytest.raises(SettingsError, match="expected a secret key, found only a public one"):
        ClientKeys.read(public, public)


def test_a_secret_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    _, secret = make_pair(tmp_path, "laptop")
    secret.chmod(0o640)
    with pytest.raises(SettingsError, match="open to others: chmod 600"):
        read_pair(secret)


def test_keys_come_and_go_in_the_folder_and_a_damaged_one_lets_nobody_in(tmp_path: Path) -> None:
    _, secret = make_pair(tmp_path, "engine")
    clients = tmp_path / "clients"
    clients.mkdir()
    (clients / "a.key").write_text("damaged")
    keys = ServerKeys.read(secret, clients)
    public, _ = make_pair(tmp_path, "laptop")
    key = read_public(public)
    assert keys.name_of(key) == ""
    public.rename(clients / "laptop.key")
    assert keys.name_of(key) == "laptop"
    (clients / "laptop.key").unlink()
    assert keys.name_of(key) == ""
