"""Embeddings of sound files, one a second, on one machine or many: what MMGAT is fitted to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import soundfile
import soxr

from mmgat.model.backends.base import Graphs
from mmgat.model.backends.loading import LoadedModel, load_model
from mmgat.model.remote_files import on_disk
from mmgat.model.threads import limit_threads
from mmgat.training.embedders.registry import loaded, waveform_embedder
from mmgat.training.errors import TrainingDataError

SUFFIXES: Final = frozenset((".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff"))
WINDOWS_A_BATCH: Final = 16
N_NODES: Final = 5
"""Of graphs in which a window is alone: the fewest that exported graphs take."""

SCHEMA: Final = pa.schema(
    [
        ("file", pa.string()),
        ("error", pa.string()),
        ("embeddings", pa.list_(pa.list_(pa.float32()))),
        ("model", pa.string()),
        ("variant", pa.string()),
    ]
)
"""A row a file: float32 [seconds, D]; null, and an error, where it could not be read."""


def read_mono(path: Path) -> tuple[npt.NDArray[np.float32], int]:
    """Reads a sound file as the mean of its channels, float32 [T], with its rate in Hz.

    Raises:
        TrainingDataError: it is no sound file, or has no sound.
    """
    try:
        audio, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise TrainingDataError(f"expected a sound file at {str(path)!r}, found {error}") from None
    if not len(audio):
        raise TrainingDataError(f"expected sound in {str(path)!r}, found zero samples")
    return audio.mean(axis=1), rate_hz


def embed_file(path: Path, model: LoadedModel) -> npt.NDArray[np.float32]:
    """The embedding of every second of a file, as live recognition makes them at hop 1.

    Returns:
        float32 [n, D]; the last second counts if it is whole, or the only one.

    Raises:
        TrainingDataError: it is no sound file, or has no sound.
    """
    audio, rate_hz = read_mono(path)
    front_end, embedder = model.embedder.front_end, model.embedder
    mono = soxr.resample(audio, rate_hz, embedder.sample_rate_hz, "HQ")
    lead, size, second = front_end.lead_samples, front_end.window_samples, embedder.sample_rate_hz
    n_windows = max(1, len(mono) // second)
    padded = np.zeros(lead + n_windows * second, np.float32)
    padded[lead : lead + len(mono)] = mono[: n_windows * second]
    rows = []
    for first in range(0, n_windows, WINDOWS_A_BATCH):
        starts = range(first * second, min(first + WINDOWS_A_BATCH, n_windows) * second, second)
        log_mel = front_end.compute(np.stack([padded[i : i + size] for i in starts]))
        rows.append(
            model.backend(log_mel, _alone(len(log_mel), embedder.embedding_size)).embeddings
        )
    return np.concatenate(rows)


class EmbeddingActor:
    """Loads the model once, then embeds tables of files; see ``mmgat.model.cluster.map_files``.

    Args:
        model, compute: as for ``load_model``.
        embedder: in place of the model's, one of others, see ``mmgat.training.embedders.registry``.
        weights: its file; downloaded ones if not given.

    Raises:
        TrainingDataError: there is no such embedder, or its weights are not to be had.
    """

    def __init__(
        self, model: str = "compact", compute: str = "auto", embedder: str = "", weights: str = ""
    ) -> None:
        self._embed: Callable[[Path], npt.NDArray[np.float32]]
        if embedder:
            kind = waveform_embedder(embedder)
            embed = loaded(embedder, Path(weights) if weights else None)
            self._about = {"model": kind.published.title, "variant": embedder}
            self._embed = lambda path: kind.seconds(*read_mono(path), embed)
            return
        found = load_model(model, compute)
        limit_threads(found.embedder)
        card = found.card
        self._about = {"model": f"{card.name} {card.version}", "variant": card.variant}
        self._embed = lambda path: embed_file(path, found)

    def __call__(self, files: pa.Table) -> pa.Table:
        """A row of ``SCHEMA`` for each of the column ``file``."""
        rows = []
        with on_disk(files) as found:
            for name, path, fault in found:
                row: dict[str, object] = {"file": name, **self._about}
                try:
                    if fault:
                        raise TrainingDataError(fault)
                    row["embeddings"] = self._embed(path).tolist()
                except Exception as error:  # whatever a file holds, the others are done
                    row["error"] = str(error).replace(str(path), name)
                rows.append(row)
        return pa.Table.from_pylist(rows, schema=SCHEMA)


def _alone(n: int, size: int) -> Graphs:
    """n graphs of one node, the new one."""
    mask = np.zeros((n, N_NODES), bool)
    mask[:, 0] = True
    return Graphs(
        nodes=np.zeros((n, N_NODES, size), np.float32),
        mask=mask,
        steps=np.zeros((n, N_NODES), np.int64),
        newest=mask.copy(),
        similarity=np.zeros((n, N_NODES, N_NODES), np.float32),
    )
