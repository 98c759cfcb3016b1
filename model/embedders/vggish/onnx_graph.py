"""VGGish as an ONNX graph whose fully connected layers have 8-bit weights: half of torch's time (ours).

Nearly all of VGGish's 72 million weights are in two layers, and reading them is most of a window's
time on a CPU. Their weights are stored in 8 bits with one scale a block of 128 inputs; activations
are rounded to 8 bits block by block too, so a row does not depend on others of its batch.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from mmgat.model.embedders.vggish.network import QUANTIZE_LIMIT, VGGishEmbedder

BLOCK: Final = 128
"""Inputs that share a scale."""

INT8_PRODUCTS: Final = 4
"""``accuracy_level`` of MatMulNBits with products of 8-bit integers."""

OPSET: Final = 20
IR_VERSION: Final = 10

Array = npt.NDArray[Any]


def write_graph(
    embedder: VGGishEmbedder, path: Path, progress: Callable[[int], object] = lambda done: None
) -> None:
    """Writes the graph: ``log_mel`` float32 [B, 96, 64] -> ``rows`` float32 [B, 128].

    Args:
        embedder: with published weights.
        path: of the file.
        progress: told how many layers were added, one by one.
    """
    graph = _Graph()
    value = graph.node("Unsqueeze", "log_mel", graph.constant(np.array([1])))
    for layer in embedder.features:
        if isinstance(layer, nn.Conv2d):
            weight, bias = _array(layer.weight), _array(layer.bias)
            value = graph.node(
                "Conv", value, graph.constant(weight), graph.constant(bias), pads=[1, 1, 1, 1]
            )
            progress(1)
        elif isinstance(layer, nn.ReLU):
            value = graph.node("Relu", value)
        else:
            value = graph.node("MaxPool", value, kernel_shape=[2, 2], strides=[2, 2])
    value = graph.node("Flatten", graph.node("Transpose", value, perm=[0, 2, 3, 1]), axis=1)
    for layer in embedder.embeddings:
        if isinstance(layer, nn.Linear):
            value = graph.linear(value, _array(layer.weight), _array(layer.bias))
            progress(1)
        elif isinstance(layer, nn.ReLU):
            value = graph.node("Relu", value)
    means, vectors = _array(embedder.pca_means).T, _array(embedder.pca_eigen_vectors).T
    value = graph.node("Sub", value, graph.constant(means))
    value = graph.node("MatMul", value, graph.constant(np.ascontiguousarray(vectors)))
    limits = [graph.scalar(-QUANTIZE_LIMIT), graph.scalar(QUANTIZE_LIMIT)]
    value = graph.node("Clip", value, *limits)
    step = 2 * QUANTIZE_LIMIT / 255
    value = graph.node("Mul", graph.node("Add", value, limits[1]), graph.scalar(1 / step))
    value = graph.node("Mul", graph.node("Floor", value), graph.scalar(step))
    graph.node("Sub", value, limits[1], output="rows")
    onnx.save(graph.model(), path)


def quantized(weight: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.uint8], Array]:
    """8-bit weights around 128 and a scale a block, as MatMulNBits reads them.

    Shapes: float32 [n_out, n_in] -> uint8 [n_out, n_blocks, BLOCK], float32 [n_out n_blocks].
    """
    blocks = weight.reshape(len(weight), -1, BLOCK)
    scales = np.maximum(np.abs(blocks).max(axis=-1) / 127, np.finfo(np.float32).tiny)
    whole = np.rint(blocks / scales[..., None]) + 128
    return whole.astype(np.uint8), scales.astype(np.float32).ravel()


class _Graph:
    """Collects nodes and constants, and names them."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def constant(self, value: Array) -> str:
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(value, name))
        return name

    def scalar(self, value: float) -> str:
        return self.constant(np.array(value, np.float32))

    def node(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        output = output or f"value_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def linear(self, value: str, weight: Array, bias: Array) -> str:
        n_out, n_in = weight.shape
        whole, scales = quantized(weight)
        product = self.node(
            "MatMulNBits", value, self.constant(whole), self.constant(scales),
            domain="com.microsoft", K=n_in, N=n_out, bits=8, block_size=BLOCK,
            accuracy_level=INT8_PRODUCTS,
        )  # fmt: skip
        return self.node("Add", product, self.constant(bias))

    def model(self) -> onnx.ModelProto:
        reads = helper.make_tensor_value_info("log_mel", TensorProto.FLOAT, ["B", 96, 64])
        gives = helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["B", 128])
        graph = helper.make_graph(self._nodes, "vggish", [reads], [gives], self._constants)
        sets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=sets, producer_name="mmgat-stream")
        model.ir_version = IR_VERSION
        return model


def _array(tensor: Any) -> Array:
    array: Array = tensor.detach().numpy()
    return array
