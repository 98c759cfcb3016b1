"""A traced network in 8 bits: three quarters of the time a window, a third of the file (ours).

Convolutions and large products multiply integers: activations in 8 bits, weights in 7, so that no
processor's sums of two products overflow, with one scale a channel. Ranges of activations are
measured once, on recordings: if they followed the data, as in ONNX Runtime's dynamic quantisation,
the scores of one stream would depend on the others of its batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import soundfile
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from mmgat.model.backends.base import Floats
from mmgat.model.embedders.base import EMBEDDING_SIZE
from mmgat.model.embedders.log_mel import SAMPLE_RATE_HZ
from mmgat.training.distillation.shards import log_mel_seconds
from mmgat.training.synthesis.arrangement import CLIP_S
from mmgat.training.synthesis.augment import augment
from mmgat.training.synthesis.packages import to_mono
from mmgat.training.synthesis.sample_bank import recordings_for

N_CLIPS: Final = 100
MAX_PARTS: Final = 3
MIN_WEIGHTS: Final = 16_384
"""Products with fewer weights are no quicker in integers."""


def calibration_clips(audio_folder: Path, n_clips: int = N_CLIPS, seed: int = 0) -> Floats:
    """Makes clips of training recordings, up to three at once, in random rooms and noise.

    Shapes: float32 [n_clips, 10, 96, 64], log-mel examples of every second.

    Raises:
        TrainingDataError: the folder has no manifest.
    """
    paths = [audio_folder / row["path"] for row in recordings_for("train", audio_folder)]
    rng, clips = np.random.default_rng(seed), []
    for _ in range(n_clips):
        parts = [_concatenated(paths, rng) for _ in range(rng.integers(1, MAX_PARTS + 1))]
        clips.append(log_mel_seconds(augment(np.sum(parts, axis=0), rng)))
    return np.array(clips, np.float32)


def _concatenated(paths: list[Path], rng: np.random.Generator) -> Floats:
    """Concatenates recordings at random levels, float32 [160000] at 16 kHz."""
    clip = np.zeros(CLIP_S * SAMPLE_RATE_HZ, np.float32)
    start = 0
    while start < len(clip):
        audio, rate_hz = soundfile.read(paths[rng.integers(len(paths))], dtype="float32")
        sound = to_mono(audio, rate_hz, SAMPLE_RATE_HZ)[: len(clip) - start]
        clip[start : start + len(sound)] = sound * 10 ** (rng.uniform(-20, 0) / 20)
        start += len(sound)
    return clip


def in_eight_bits(traced: onnx.ModelProto, clips: Floats) -> onnx.ModelProto:
    """Quantises a network to 8 bits.

    The first convolution, of one channel, and the last, before the pooling, stay in floats: both are
    slower in integers.

    Args:
        traced: a graph that takes log-mel, from ``mmgat.training.export.onnx_graphs.traced``.
        clips: float32 [n, 10, 96, 64], see ``calibration_clips``.
    """
    with TemporaryDirectory() as folder:
        exact, plain, small = (Path(folder) / f"{n}.onnx" for n in ("exact", "plain", "small"))
        onnx.save(traced, exact)
        # afterwards normalisation is within the convolutions
        quant_pre_process(exact, plain, skip_symbolic_shape=True)
        quantize_static(
            plain,
            small,
            _CalibrationWindows(plain, clips),
            nodes_to_quantize=_worthwhile(onnx.load(plain).graph),
            op_types_to_quantize=["Conv", "Relu", "MatMul", "Gemm"],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            extra_options={"OpTypesToExcludeOutputQuantization": ["MatMul", "Gemm"]},
        )
        return onnx.load(small)


def _worthwhile(graph: onnx.GraphProto) -> list[str]:
    """Finds the names of the nodes that are quicker in integers."""
    sizes = {tensor.name: int(np.prod(tensor.dims)) for tensor in graph.initializer}
    products = [
        node.name
        for node in graph.node
        if node.op_type in ("MatMul", "Gemm") and sizes.get(node.input[1], 0) >= MIN_WEIGHTS
    ]
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    inner = {node.output[0] for node in convolutions[:-1]}
    relus = [node.name for node in graph.node if node.op_type == "Relu" and node.input[0] in inner]
    return [*products, *(node.name for node in convolutions[1:-1]), *relus]


class _CalibrationWindows(CalibrationDataReader):  # type: ignore[misc]
    """Feeds every second of the clips, as the newest node of its clip's graph."""

    def __init__(self, model: Path, clips: Floats) -> None:
        n_clips, n_seconds = clips.shape[:2]
        steps = np.tile(np.arange(n_seconds), (n_clips, 1))
        self._clips = clips
        self._graphs: dict[str, npt.NDArray[Any]] = {
            "nodes": np.zeros((n_clips, n_seconds, EMBEDDING_SIZE), np.float32),
            "mask": np.ones((n_clips, n_seconds), bool),
            "steps": steps,
            "similarity": np.zeros((n_clips, n_seconds, n_seconds), np.float32),
        }
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        for name, output in (("nodes", "embeddings"), ("similarity", "row")):
            parts = [session.run([output], feed)[0] for feed in self._feeds()]
            self._graphs[name] = np.stack(parts, axis=1)
        self._left = self._feeds()

    def _feeds(self) -> Iterator[dict[str, npt.NDArray[Any]]]:
        steps = self._graphs["steps"]
        for second in range(self._clips.shape[1]):
            yield {"log_mel": self._clips[:, second], "newest": steps == second, **self._graphs}

    def get_next(self) -> dict[str, npt.NDArray[Any]] | None:
        """Returns the next input, or None after the last."""
        return next(self._left, None)
