"""Data sets fetched and checked through mirdata."""

from __future__ import annotations

from pathlib import Path

from mmgat.training.errors import TrainingDataError


def download(dataset: str, folder: Path) -> None:
    """Fetches a data set by mirdata's name into a folder, checks and unpacks it.

    Raises:
        TrainingDataError: it cannot be fetched, or is damaged.
    """
    import mirdata

    folder.mkdir(parents=True, exist_ok=True)
    try:
        mirdata.initialize(dataset, data_home=str(folder)).download()
    except Exception as error:  # mirdata passes on whatever its many helpers raise
        raise TrainingDataError(
            f"expected to download {dataset} into {folder}, found {error}: check the connection "
            "and the space there, or fetch it from Zenodo and unpack it there"
        ) from error
