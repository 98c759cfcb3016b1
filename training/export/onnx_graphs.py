"""The ONNX graphs of a checkpoint: what live recognition runs on the CPU."""

from __future__ import annotations

import json
import logging
import struct
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import onnx
import onnx_ir
import onnxscript.optimizer
import torch
from torch import nn

from mmgat.model.backends.base import Graphs, Prediction, WholeGraphs
from mmgat.model.backends.onnx import FEWEST_NODES, embedder_path, graph_kind, graph_paths
from mmgat.model.card import checkpoint_path, sha256_of, write_card
from mmgat.model.checkpoint import load_checkpoint
from mmgat.model.embedders.convnet import ConvNetEmbedder
from mmgat.model.embedders.registry import spec_of
from mmgat.model.graph.instance_graph import GraphLayout
from mmgat.model.streaming_model import StreamingModel, WholeGraphModel
from mmgat.training.errors import TrainingDataError
from mmgat.training.export.eight_bit import calibration_clips, in_eight_bits

MOST_NODES: Final = 64
MOST_STREAMS: Final = 4096
SMALL_BYTES: Final = 1024
"""Smaller tensors are stored in the graph itself."""


def export(model: str | Path, data: Path | None = None) -> tuple[Path, ...]:
    """Writes the graphs beside a checkpoint and returns their paths.

    The dense and the sparse one have the inputs and outputs of ``StreamingModel``, the third one those
    of ``WholeGraphModel``, for any number of windows and 5 to 64 nodes; a fourth is an embedder in
    floats alone.
    A ``ConvNetEmbedder`` computes in 8 bits, and its graphs contain their weights. All others refer
    to the weights in the safetensors file; those of a checkpoint without its embedder take the
    windows' embeddings in place of their log-mel.

    Args:
        model: name or path of the checkpoint.
        data: the local data folder; its recordings give the ranges of activations in 8 bits.

    Raises:
        CheckpointError: there is no such checkpoint.
        TrainingDataError: data are needed and missing, or the graph's weights differ from the file's.
    """
    path, checkpoint = checkpoint_path(model), load_checkpoint(model)
    embedder: nn.Module = nn.Identity()
    clips = None
    if checkpoint.embedder_state:
        embedder = checkpoint.embedder()
    if isinstance(embedder, ConvNetEmbedder):
        if data is None:
            raise TrainingDataError(
                f"expected a data folder to export {checkpoint.card.name!r}, found none: its embedder "
                "computes in 8 bits, whose range recordings decide: --data"
            )
        clips = calibration_clips(data / "audio")
    front_end = spec_of(checkpoint.card).front_end
    window = (front_end.n_frames, front_end.n_bands)
    layouts = (GraphLayout.DENSE, GraphLayout.SPARSE)
    *streaming, whole = graph_paths(path)
    for written, layout in zip(streaming, layouts, strict=True):
        graph = traced(StreamingModel(embedder, checkpoint.mmgat, layout), window)
        if clips is None:
            _refer(graph, path)
        else:
            graph = in_eight_bits(graph, clips)
        onnx.save(graph, written)
    graph = traced_whole(WholeGraphModel(checkpoint.mmgat, GraphLayout.SPARSE))
    _refer(graph, path)
    onnx.save(graph, whole)
    paths = graph_paths(path)
    if checkpoint.embedder_state and clips is None:
        graph = traced_embedder(embedder, window)
        _refer(graph, path)
        onnx.save(graph, embedder_path(path))
        paths = (*paths, embedder_path(path))
    hashes = {graph_kind(written): sha256_of(written) for written in paths}
    write_card(path, msgspec.structs.replace(checkpoint.card, graphs=hashes))
    return paths


def traced(network: StreamingModel, window: tuple[int, int] = (96, 64)) -> onnx.ModelProto:
    """Traces a network with a given layout; its graph contains the weights under their names.

    Args:
        network: embedder and MMGAT; the embedder may be the identity.
        window: frames and bands of what the embedder reads.
    """
    n_bags, n_nodes = 2, 2 * FEWEST_NODES + 1
    steps = torch.arange(n_nodes).repeat(n_bags, 1)
    embeds = not isinstance(network.embedder, nn.Identity)
    size = network.mmgat.config.input_size
    example = (
        torch.zeros(n_bags, *window) if embeds else torch.zeros(n_bags, size),
        torch.zeros(n_bags, n_nodes, size),
        torch.ones(n_bags, n_nodes, dtype=torch.bool),
        steps,
        steps == 0,
        torch.zeros(n_bags, n_nodes, n_nodes),
    )
    bags, nodes = _sizes()
    of_graph = {0: bags, 1: nodes}
    return _traced(
        network,
        example,
        ({0: bags}, *[of_graph] * 4, {0: bags, 1: nodes, 2: nodes}),
        ["log_mel" if embeds else "embeddings", *Graphs._fields],
        list(Prediction._fields),
    )


def traced_whole(network: WholeGraphModel) -> onnx.ModelProto:
    """Traces a network for whole graphs, with a given layout."""
    n_bags, n_nodes = 2, 2 * FEWEST_NODES + 1
    steps = torch.arange(n_nodes).repeat(n_bags, 1)
    example = (
        torch.zeros(n_bags, n_nodes, network.mmgat.config.input_size),
        torch.ones(n_bags, n_nodes, dtype=torch.bool),
        steps,
        steps == 0,
    )
    bags, nodes = _sizes()
    shapes = ({0: bags, 1: nodes},) * len(example)
    return _traced(network, example, shapes, list(WholeGraphs._fields), ["scores", "bag_scores"])


def traced_embedder(embedder: nn.Module, window: tuple[int, int]) -> onnx.ModelProto:
    """Traces an embedder alone, its weights under the names that they have in ``StreamingModel``."""
    named = nn.Sequential(OrderedDict(embedder=embedder)).eval()
    shapes = ({0: _sizes()[0]},)
    return _traced(named, (torch.zeros(2, *window),), shapes, ["log_mel"], ["embeddings"])


def _sizes() -> tuple[Any, Any]:
    """The sizes that are left open, of batches and of graphs."""
    return (
        torch.export.Dim("B", min=1, max=MOST_STREAMS),
        torch.export.Dim("N", min=FEWEST_NODES, max=MOST_NODES),
    )


def _traced(
    network: nn.Module,
    example: tuple[torch.Tensor, ...],
    dynamic_shapes: tuple[dict[int, Any], ...],
    input_names: list[str],
    output_names: list[str],
) -> onnx.ModelProto:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "# The axis name"
        )  # one name for an axis of several inputs
        program = torch.onnx.export(
            network,
            example,
            dynamo=True,
            optimize=False,
            verbose=False,
            dynamic_shapes=dynamic_shapes,
            input_names=input_names,
            output_names=output_names,
        )
    assert program is not None
    # Weights keep their names and bytes: only what is smaller is computed in advance.
    onnxscript.optimizer.inline(program.model)
    onnxscript.optimizer.fold_constants(program.model, should_fold=_spares_weights)
    onnxscript.optimizer.remove_unused_nodes(program.model)
    model = program.model_proto
    graph = model.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("metadata_props")  # torch's traces of source code
    graph.ClearField("value_info")
    return model


def _spares_weights(node: onnx_ir.Node) -> bool | None:
    """Returns False if a constant would replace a large weight; otherwise the optimizer decides."""
    weights = (value.const_value for value in node.inputs if value and value.is_initializer())
    return False if any(w and w.nbytes >= SMALL_BYTES for w in weights) else None


def _refer(model: onnx.ModelProto, weights: Path) -> None:
    """Removes large tensors from the graph and refers to their places in the weights' file."""
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
    """Reads a safetensors file's header and the offset of its data."""
    with weights.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        return json.loads(file.read(length)), 8 + length
