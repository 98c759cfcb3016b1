"""Archives of published data sets: downloaded by pooch, checked by their hash, unpacked."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from mmgat.training.errors import TrainingDataError


class Archive(NamedTuple):
    """A published archive.

    Attributes:
        name: what ``mmgat-train download`` calls its data set.
        folder: where it is unpacked, in the data folder.
        gigabytes: its size.
        url: its address; the file name is its last part.
        md5: hash of the file, as Zenodo publishes it.
    """

    name: str
    folder: str
    gigabytes: float
    url: str
    md5: str


def download(archive: Archive, data: Path) -> None:
    """Downloads an archive into a data folder, checks its hash and unpacks it there.

    An archive that is already there is not downloaded again.

    Raises:
        TrainingDataError: it cannot be fetched, is damaged or cannot be unpacked.
    """
    import pooch

    folder = data / archive.folder
    file_name = archive.url.rpartition("/")[2]
    unpack = (pooch.Untar if file_name.endswith(".tgz") else pooch.Unzip)(extract_dir=str(folder))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        pooch.retrieve(
            archive.url,
            known_hash=f"md5:{archive.md5}",
            fname=file_name,
            path=folder,
            processor=unpack,
            progressbar=True,
        )
    except Exception as error:  # pooch passes on what requests, tarfile and zipfile raise
        raise TrainingDataError(
            f"expected to download {archive.url} into {folder}, found {error}: check the connection "
            "and the space there, or fetch it from Zenodo and unpack it there"
        ) from error
