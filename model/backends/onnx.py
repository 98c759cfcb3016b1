"""The network in ONNX Runtime: small, quick to start, and no torch (ours).

``mmgat-train export`` writes graphs beside a checkpoint. Two say the same: NAME.dense.onnx
computes all pairs of nodes at once, which is quicker for few, NAME.sparse.onnx lists of neighbours.
They begin with log-mel where the checkpoint carries its embedder, else with the windows' rows.
NAME.whole.onnx is MMGAT alone, for many windows of a file at once, and NAME.embedder.onnx the embedder
alone, where the checkpoint carries it in floats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mmgat.model.backends.base import Floats, Graphs, Prediction, WholeGraphs
from mmgat.model.card import Card, check_hash
from mmgat.model.errors import CheckpointError, ComputeError

try:
    import onnxruntime
except (ImportError, OSError) as fault:
    raise ComputeError(
        f"expected ONNX Runtime, found none that loads ({fault}): install it with "
        "'pip install --force-reinstall onnxruntime'"
    ) from None

CUDA: Final = "CUDAExecutionProvider"

FEWEST_NODES: Final = 5
"""The graphs were exported for at least so many; fewer are padded."""

FEW: Final = 16
"""Up to so many nodes, of all streams together, all pairs at once are quicker."""


KINDS: Final = ("dense.onnx", "sparse.onnx", "whole.onnx")
"""Graphs for few nodes and for many, which windows join one at a time; for whole graphs."""


EMBEDDER: Final = "embedder.onnx"
"""The graph of the embedder alone. ONNX Runtime computes all of a graph, whatever is fetched."""


def graph_paths(weights: Path) -> tuple[Path, ...]:
    """Where the graphs of a safetensors file stand, in the order of ``KINDS``."""
    return tuple(weights.with_suffix(f".{kind}") for kind in KINDS)


def embedder_path(weights: Path) -> Path:
    """Where the graph of a carried embedder stands, if there is one."""
    return weights.with_suffix(f".{EMBEDDER}")


def graph_kind(path: Path) -> str:
    """One of ``KINDS``, or ``EMBEDDER``, under which a card has the hash of a graph's file."""
    return ".".join(path.name.split(".")[-2:])


def has_graphs(weights: Path) -> bool:
    """Whether a checkpoint was exported."""
    return all(path.is_file() for path in graph_paths(weights))


def has_cuda_provider() -> bool:
    """Whether this ONNX Runtime can compute on CUDA devices (``pip install 'mmgat-stream[gpu]'``)."""
    return CUDA in onnxruntime.get_available_providers()


class OnnxBackend:
    """An ``InferenceBackend`` on one thread of the CPU, or on a CUDA device.

    Args:
        weights: the checkpoint's safetensors file, with the graphs beside it.
        card: of that checkpoint.
        embedder: log-mel [B, n_frames, n_bands] -> embeddings [B, D], where the checkpoint does
            not carry it.
        cuda_index: number of a CUDA device to compute on.

    Attributes:
        device: where it computes.

    Raises:
        ComputeError: ONNX Runtime cannot use that CUDA device.
        CheckpointError: a graph is damaged, not the card's, or belongs to other weights.
    """

    def __init__(
        self,
        weights: Path,
        card: Card,
        embedder: Callable[[Floats], Floats] | None = None,
        cuda_index: int | None = None,
    ) -> None:
        self.device = "cpu" if cuda_index is None else f"cuda:{cuda_index}"
        self._card = card
        self._providers: list[Any] = ["CPUExecutionProvider"]
        if cuda_index is not None:
            self._providers.insert(0, (CUDA, {"device_id": cuda_index}))
        self._paths = graph_paths(weights)
        alone = embedder_path(weights)
        self._embedder_path = alone if EMBEDDER in card.graphs and alone.is_file() else None
        for path in (*self._paths, *filter(None, [self._embedder_path])):
            check_hash(path, card.graphs.get(graph_kind(path), ""))
        self._dense = _session(self._paths[0], card, self._providers, Graphs._fields)
        if cuda_index is not None and self._dense.get_providers()[0] != CUDA:
            raise ComputeError(
                f"expected CUDA device {cuda_index} in ONNX Runtime, found none it can use: check "
                "the driver with nvidia-smi and that CUDA's and cuDNN's libraries are installed, or "
                "use --compute cpu"
            )
        self._first_input = self._dense.get_inputs()[0].name
        self._embedder = embedder

    @cached_property
    def _sparse(self) -> onnxruntime.InferenceSession:
        """Made when it is needed, as is the next: each takes memory, and time at the start."""
        return _session(self._paths[1], self._card, self._providers, Graphs._fields)

    @cached_property
    def _whole(self) -> onnxruntime.InferenceSession:
        return _session(self._paths[2], self._card, self._providers, WholeGraphs._fields)

    @cached_property
    def _alone(self) -> onnxruntime.InferenceSession | None:
        if self._embedder_path is None:
            return None
        return _session(self._embedder_path, self._card, self._providers, [self._first_input])

    def __call__(self, log_mel: Floats, graphs: Graphs) -> Prediction:
        """Computes a batch in the graph that is faster for its size."""
        n_nodes = graphs.nodes.shape[1]
        arrays = graphs._asdict()
        if n_nodes < FEWEST_NODES:
            arrays = {name: _padded(name, array) for name, array in arrays.items()}
        windows = self._embedder(log_mel) if self._embedder else log_mel
        session = self._dense if graphs.mask.size <= FEW else self._sparse
        embeddings, scores, evidence, row = session.run(
            None, {self._first_input: windows, **arrays}
        )
        return Prediction(embeddings, scores, evidence[:, :n_nodes], row[:, :n_nodes])

    def embed(self, log_mel: Floats) -> Floats:
        """Computes the embedder alone; without its own graph, as a part of another."""
        if self._embedder:
            return self._embedder(log_mel)
        embeddings: Floats
        if self._alone:
            embeddings = self._alone.run(None, {self._first_input: log_mel})[0]
            return embeddings
        unused = {
            part.name: _zeros(part, len(log_mel))
            for part in self._dense.get_inputs()
            if part.name != self._first_input
        }
        embeddings = self._dense.run(["embeddings"], {self._first_input: log_mel, **unused})[0]
        return embeddings

    def read(self, graphs: WholeGraphs) -> tuple[Floats, Floats]:
        """Reads graphs whose nodes are all there."""
        arrays = graphs._asdict()
        if graphs.nodes.shape[1] < FEWEST_NODES:
            arrays = {name: _padded(name, array) for name, array in arrays.items()}
        scores, bag_scores = self._whole.run(None, arrays)
        return scores, bag_scores


class OnnxEmbedder:
    """An embedder of its own graph on the CPU.

    Args:
        path: of the graph, float32 [B, n_frames, n_bands] -> float32 [B, D].
        n_threads: that it may use.
    """

    def __init__(self, path: Path, n_threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = n_threads, 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3  # errors
        self._session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name

    def __call__(self, log_mel: Floats) -> Floats:
        """Log-mel float32 [B, n_frames, n_bands] -> embeddings float32 [B, D]."""
        embeddings: Floats = self._session.run(None, {self._input: log_mel})[0]
        return embeddings


def _session(
    path: Path, card: Card, providers: list[Any], names: Sequence[str]
) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors
    try:
        session = onnxruntime.InferenceSession(path, options, providers=providers)
    except Exception as error:  # onnxruntime's own exceptions share no other base
        raise CheckpointError(
            f"expected the ONNX graph of {card.name!r} in {path}, found {error}: "
            "fetch it again, or delete it to run in torch"
        ) from None
    found = [part.name for part in session.get_inputs()][-len(names) :]
    if sorted(found) != sorted(names):
        raise CheckpointError(
            f"expected an ONNX graph with inputs {', '.join(names)} in {path}, found "
            f"{', '.join(found) or 'none'}: it is of another version; mmgat-train export {card.name} "
            "writes it anew"
        )
    return session


def _zeros(part: Any, n_windows: int) -> npt.NDArray[np.generic]:
    """What a graph's input has to be given where nothing comes of it."""
    kinds = {"tensor(bool)": np.bool_, "tensor(int64)": np.int64}
    shape = [size if isinstance(size, int) else FEWEST_NODES for size in part.shape[1:]]
    return np.zeros((n_windows, *shape), kinds.get(part.type, np.float32))


def _padded(name: str, array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """Adds nodes that are not there, up to the fewest; a similarity has two axes of nodes."""
    missing = (0, FEWEST_NODES - array.shape[1])
    others = missing if name == "similarity" else (0, 0)
    return np.pad(array, [(0, 0), missing, others][: array.ndim])
