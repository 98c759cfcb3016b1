"""Sound files on this machine and in object stores, by path or address."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.fs

from mmgat.model.errors import ClusterError


def is_address(file: str) -> bool:
    """Whether it is an address such as ``s3://bucket/song.flac``, not a path."""
    return "://" in file


def place_of(file: str) -> tuple[pa.fs.FileSystem, str]:
    """The file system of a path or address, and the path in it.

    pyarrow's own file systems (local, S3, Google Cloud, HDFS) are taken where they know the address,
    else those of fsspec that are installed.

    Raises:
        ClusterError: none knows it.
    """
    if not is_address(file):
        return pa.fs.LocalFileSystem(), str(Path(file).absolute())
    try:
        return pa.fs.FileSystem.from_uri(file)  # type: ignore[no-any-return]
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        pass
    try:
        import fsspec

        system, path = fsspec.core.url_to_fs(file)
    except (ImportError, ValueError) as error:
        raise ClusterError(
            f"expected an address that pyarrow or fsspec knows, found {file!r} ({error})"
        ) from None
    return pa.fs.PyFileSystem(pa.fs.FSSpecHandler(system)), path


def list_files(folder: str, suffixes: frozenset[str]) -> Iterator[str]:
    """The files with such suffixes in a folder and below; paths, or addresses if it is one.

    Raises:
        ClusterError: no file system knows it.
    """
    filesystem, path = place_of(folder)
    scheme = folder.partition("://")[0] + "://" if is_address(folder) else ""
    info = filesystem.get_file_info(path)
    if info.type != pa.fs.FileType.Directory:
        yield folder
        return
    for found in filesystem.get_file_info(pa.fs.FileSelector(path, recursive=True)):
        if found.type == pa.fs.FileType.File and f".{found.extension}".casefold() in suffixes:
            yield scheme + found.path


@contextlib.contextmanager
def on_disk(files: pa.Table) -> Iterator[list[tuple[str, Path, str]]]:
    """The files of a table's column ``file``, those of object stores as copies that last as long.

    Returns:
        Of each its name, where it is on this machine, and what is wrong, in words, or "".
    """
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for number, name in enumerate(files["file"].to_pylist()):
            path, fault = Path(name), ""
            if is_address(name):
                path = Path(folder) / f"{number}{path.suffix}"
                try:
                    filesystem, place = place_of(name)
                    pa.fs.copy_files(place, str(path), filesystem, pa.fs.LocalFileSystem())
                except (OSError, ClusterError) as error:
                    fault = f"expected a file at {name!r}, found {error}"
            found.append((name, path, fault))
        yield found
