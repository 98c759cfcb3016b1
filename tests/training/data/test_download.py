import hashlib
import http.server
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from mmgat.training.data.download import Archive, download
from mmgat.training.data.registry import archives
from mmgat.training.errors import TrainingDataError


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address of a local web server that publishes it."""
    folder = tmp_path / "published"
    folder.mkdir()
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{web.server_port}"
        web.shutdown()


def write_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("set/labels.txt", "piano")


def write_tgz(path: Path) -> None:
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo("set/labels.txt")
        member.size = 5
        archive.addfile(member, io.BytesIO(b"piano"))


@pytest.mark.parametrize(("name", "write"), [("set.zip", write_zip), ("set.tgz", write_tgz)])
def test_an_archive_is_unpacked_in_its_folder(
    server: tuple[Path, str], tmp_path: Path, name: str, write
) -> None:
    folder, address = server
    write(folder / name)
    md5 = hashlib.md5((folder / name).read_bytes()).hexdigest()
    download(Archive("set", "own", 0.0, f"{address}/{name}", md5), tmp_path / "data")
    assert (tmp_path / "data/own/set/labels.txt").read_text() == "piano"


def test_a_file_with_another_hash_is_refused(server: tuple[Path, str], tmp_path: Path) -> None:
    folder, address = server
    write_zip(folder / "set.zip")
    archive = Archive("set", "own", 0.0, f"{address}/set.zip", "0" * 32)
    with pytest.raises(TrainingDataError, match="expected to download .*hash"):
        download(archive, tmp_path / "data")
    assert not (tmp_path / "data/own/set").exists()


@pytest.mark.parametrize("name", ["openmic", "irmas"])
def test_a_download_that_fails_says_what_else_to_do(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(TrainingDataError, match="fetch it from Zenodo"):
        download(archives()[name][0], tmp_path / "new")
