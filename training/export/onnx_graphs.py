"""The ONNX graphs of a checkpoint: what live recognition runs on the CPU."""

from __future__ import annotations

import json
import logging
import struct
import sys
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import onnx
import onnx_ir
import onnxscript.optimizer
import torch
from torch import nn

from mmgat.model.backends.onnx import FEWEST_NODES, graph_kind, graph_paths
from mmgat.model.card import checkpoint_path, sha256_of, write_card
from mmgat.model.checkpoint import load_checkpoint
from mmgat.model.embedders.base import EMBEDDING_SIZE
from mmgat.model.embedders.compact import CompactEmbedder
from mmgat.model.streaming_model import StreamingModel
from mmgat.training.errors import TrainingDataError
from mmgat.training.export.eight_bit import calibration_clips, in_eight_bits

MOST_NODES: Final = 64
MOST_STREAMS: Final = 4096
SMALL_BYTES: Final = 1024
"""Smaller tensors stand in the graph itself."""


def export(model: str | Path, data: Path | None = None) -> tuple[Path, Path]:
    """Writes the graphs beside a checkpoint, for few nodes and for many; returns their paths.

    Both take and give what ``StreamingModel`` does, for any number of streams and 5 to 64 nodes. Those
    of a checkpoint with its embedder compute in 8 bits and hold their weights themselves. Those of
    one without it take the windows' rows in place of their log-mel, and their weights stay in the
    safetensors file: they name their places there.

    Args:
        model: name or path of the checkpoint.
        data: the local data folder; its recordings say which values 8 bits must hold.

    Raises:
        CheckpointError: no checkpoint there.
        TrainingDataError: no data where they are needed; or weights do not stand in the graph as in
            the file.
    """
    path, checkpoint = checkpoint_path(model), load_checkpoint(model)
    embedder: nn.Module = nn.Identity()
    clips = None
    if checkpoint.embedder_state:
        if data is None:
            raise TrainingDataError(
                f"expected a data folder to export {checkpoint.card.name!r}, found none: its embedder "
                "computes in 8 bits, whose range recordings decide: --data"
            )
        clips = calibration_clips(data / "audio")
        embedder = CompactEmbedder()
        embedder.load_state_dict(checkpoint.embedder_state)
    network = StreamingModel(embedder, checkpoint.mmgat)
    for written, small in zip(graph_paths(path), (sys.maxsize, 0), strict=True):
        checkpoint.mmgat.small = small
        graph = traced(network)
        if clips is None:
            _refer(graph, path)
        else:
            graph = in_eight_bits(graph, clips)
        onnx.save(graph, written)
    hashes = {graph_kind(written): sha256_of(written) for written in graph_paths(path)}
    write_card(path, msgspec.structs.replace(checkpoint.card, graphs=hashes))
    return graph_paths(path)


def traced(network: StreamingModel) -> onnx.ModelProto:
    """The network's graph, weights in it, under their names.

    What ``mmgat.small`` says decides whether it computes graphs as wholes or from lists.
    """
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    n_bags, n_nodes = 2, 2 * FEWEST_NODES + 1
    steps = torch.arange(n_nodes).repeat(n_bags, 1)
    embeds = not isinstance(network.embedder, nn.Identity)
    example = (
        torch.zeros(n_bags, 96, 64) if embeds else torch.zeros(n_bags, EMBEDDING_SIZE),
        torch.zeros(n_bags, n_nodes, network.mmgat.config.input_size),
        torch.ones(n_bags, n_nodes, dtype=torch.bool),
        steps,
        steps == 0,
    )
    bags = torch.export.Dim("B", min=1, max=MOST_STREAMS)
    nodes = torch.export.Dim("N", min=FEWEST_NODES, max=MOST_NODES)
    of_graph = {0: bags, 1: nodes}
    program = torch.onnx.export(
        network,
        example,
        dynamo=True,
        optimize=False,
        verbose=False,
        dynamic_shapes=({0: bags}, of_graph, of_graph, of_graph, of_graph),
        input_names=["log_mel" if embeds else "rows", "nodes", "mask", "steps", "newest"],
        output_names=["rows", "scores", "evidence"],
    )
    assert program is not None
    # Weights keep their names and bytes: only what is smaller is computed in advance.
    onnxscript.optimizer.inline(program.model)
    onnxscript.optimizer.fold_constants(program.model, should_fold=_spares_weights)
    onnxscript.optimizer.remove_unused_nodes(program.model)
    model = program.model_proto
    graph = model.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("metadata_props")  # where torch's tracing came by
    graph.ClearField("value_info")
    return model


def _spares_weights(node: onnx_ir.Node) -> bool | None:
    """False where a constant would take a large weight's place; else as the optimizer likes."""
    weights = (value.const_value for value in node.inputs if value and value.is_initializer())
    return False if any(w and w.nbytes >= SMALL_BYTES for w in weights) else None


def _refer(model: onnx.ModelProto, weights: Path) -> None:
    """Large tensors are left out of the graph, which says where they lie in the weights' file."""
    places, start = _places(weights)
    stored = np.memmap(weights, np.uint8, "r")
    for tensor in model.graph.initializer:
        if tensor.name not in places or tensor.ByteSize() < SMALL_BYTES:
            continue
        begin, end = (start + offset for offset in places[tensor.name]["data_offsets"])
        if onnx.numpy_helper.to_array(tensor).tobytes() != stored[begin:end].tobytes():
            raise TrainingDataError(f"expected {tensor.name} of {weights} in the graph unchanged")
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (
            ("location", weights.name), ("offset", str(begin)), ("length", str(end - begin)),
        ):  # fmt: skip
            tensor.external_data.add(key=key, value=value)


def _places(weights: Path) -> tuple[dict[str, Any], int]:
    """A safetensors file's header, and where its data begins."""
    with weights.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        return json.loads(file.read(length)), 8 + length
