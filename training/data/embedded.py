"""A user's own sound files, embedded by ``mmgat-train embed``, with a table of their labels.

    FOLDER/*.parquet       what embed wrote, of one embedder
    FOLDER/labels.csv      file,labels,part

``file`` is as the Parquet has it, or the end of it; ``labels`` are joined by +, and what is not named
is absent; a label with a question mark, such as ``violin?``, is unknown. ``part`` is train or
evaluation. Embeddings are standardised by those of training.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from mmgat.model.labels import INDEX, N_LABELS
from mmgat.training.data.bags import Bags
from mmgat.training.data.dataset import Dataset, Source
from mmgat.training.errors import TrainingDataError

LABELS_FILE: Final = "labels.csv"
COLUMNS: Final = ("file", "labels", "part")
TRAIN, EVALUATION = "train", "evaluation"
LIMIT: Final = 5.0
"""Standard deviations within which embeddings are kept."""

Rows = dict[str, npt.NDArray[np.float32]]


class Embedded(Dataset):
    """A folder of embeddings of any embedder, and labels of whole files."""

    name = "embedded"
    sources = (Source("files of the user", "see the data"),)
    evaluated_on = "the files of part evaluation"

    def training(self, data: Path, embeddings: str) -> Bags:
        """Reads the files of part train."""
        return _bags(data, embeddings, TRAIN)

    def evaluation(self, data: Path, embeddings: str) -> Bags:
        """Reads the files of part evaluation."""
        return _bags(data, embeddings, EVALUATION)


def _bags(folder: Path, variant: str, part: str) -> Bags:
    labelled = _labels(folder / LABELS_FILE)
    found = _embeddings(folder, variant)
    heard = np.concatenate([found[_file(name, found)] for name, _, p in labelled if p == TRAIN])
    mean, spread = heard.mean(0), heard.std(0) + 1e-6
    rows, targets = [], []
    for name, labels, of in labelled:
        if of == part:
            rows.append(((found[_file(name, found)] - mean) / spread).clip(-LIMIT, LIMIT))
            targets.append(_targets(name, labels))
    if not rows:
        raise TrainingDataError(f"expected files of part {part} in {LABELS_FILE}, found none")
    lengths = np.array([len(row) for row in rows])
    embeddings = np.zeros((len(rows), lengths.max(), rows[0].shape[1]), np.float32)
    for bag, row in zip(embeddings, rows, strict=True):
        bag[: len(row)] = row
    bag, weight = (torch.from_numpy(np.stack(each)) for each in zip(*targets, strict=True))
    unknown = torch.zeros(*embeddings.shape[:2], N_LABELS)
    return Bags(
        torch.from_numpy(embeddings),
        torch.from_numpy(lengths),
        bag,
        weight,
        unknown,
        unknown.clone(),
        torch.zeros(len(rows), 0),
    )


def _labels(path: Path) -> list[tuple[str, str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            if set(COLUMNS) - set(rows.fieldnames or ()):
                raise ValueError(f"columns {', '.join(rows.fieldnames or ())}")
            found = [(row["file"], row["labels"], row["part"]) for row in rows]
    except (OSError, ValueError) as error:
        raise TrainingDataError(
            f"expected {path} with columns {', '.join(COLUMNS)}, found {error}"
        ) from None
    if not any(part == TRAIN for _, _, part in found):
        raise TrainingDataError(f"expected files of part {TRAIN} in {path}, found none")
    return found


def _embeddings(folder: Path, variant: str) -> Rows:
    """File -> embeddings float32 [n, D], of all that could be read."""
    import pyarrow as pa
    import pyarrow.dataset

    files = sorted(folder.glob("**/*.parquet"))
    try:
        table = pyarrow.dataset.dataset(files, format="parquet").to_table(
            columns=["file", "embeddings", "variant"]
        )
    except (OSError, pa.ArrowException) as error:
        raise TrainingDataError(
            f"expected Parquet files of mmgat-train embed in {folder}, found {error}"
        ) from None
    variants = set(table["variant"].to_pylist())
    if variants != {variant}:
        found = ", ".join(sorted(map(str, variants))) or "no file"
        raise TrainingDataError(
            f"expected embeddings of {variant!r} in {folder}, found {found}: embed the files with "
            f"--embedder {variant}, or name another one in the recipe's embeddings"
        )
    return {
        row["file"]: np.array(row["embeddings"], np.float32)
        for row in table.to_pylist()
        if row["embeddings"]
    }


def _file(name: str, found: Rows) -> str:
    if name in found:
        return name
    matching = [file for file in found if file.endswith(f"/{name}")]
    if len(matching) != 1:
        raise TrainingDataError(
            f"expected one embedded file that ends with {name!r}, found {len(matching)}: embed it, "
            f"or write more of its path into {LABELS_FILE}"
        )
    return matching[0]


def _targets(name: str, labels: str) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    bag, weight = np.zeros(N_LABELS, np.float32), np.ones(N_LABELS, np.float32)
    for label in filter(None, labels.split("+")):
        known = label.removesuffix("?")
        if known not in INDEX:
            raise TrainingDataError(
                f"expected labels of {', '.join(INDEX)} for {name!r}, found {label!r}"
            )
        if label.endswith("?"):
            weight[INDEX[known]] = 0
        else:
            bag[INDEX[known]] = 1
    return bag, weight
