"""YAMNet (Google, Apache-2.0), a TensorFlow Lite file that the user has."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mmgat.training.embedders.weights import Published
from mmgat.training.errors import TrainingDataError

Samples = npt.NDArray[np.float32]

YAMNET: Final = Published(
    title="YAMNet",
    file="yamnet.tflite",
    licence="Apache-2.0",
    source="https://www.kaggle.com/models/google/yamnet/tfLite",
)

YAMNET_RATE_HZ: Final = 16_000
YAMNET_SAMPLES: Final = 15_600
N_YAMNET: Final = 521
YAMNET_FEATURES: Final = 1024


def _interpreter(path: Path, keep_all: bool = False) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    try:
        if not path.is_file():
            raise OSError("no file")
        with warnings.catch_warnings():  # that keeping all tensors takes memory
            warnings.simplefilter("ignore")
            interpreter = Interpreter(
                str(path), num_threads=1, experimental_preserve_all_tensors=keep_all
            )
        interpreter.allocate_tensors()
    except (OSError, ValueError, RuntimeError) as error:
        raise TrainingDataError(
            f"expected YAMNet's TensorFlow Lite file at {path}, found {error}"
        ) from None
    return interpreter


class Yamnet:
    """YAMNet's classes, on one thread.

    Args:
        path: TensorFlow Lite file.

    Raises:
        TrainingDataError: the file is missing or damaged.
    """

    def __init__(self, path: Path) -> None:
        self._interpreter = _interpreter(path)
        self._output = self._interpreter.get_output_details()[0]["index"]

    def __call__(self, clip: Samples) -> Samples:
        """Computes probabilities [n, 521] of a clip [T] at 16 kHz, one row a second."""
        clip = np.pad(clip, (0, max(0, YAMNET_SAMPLES - len(clip))))
        starts = range(0, len(clip) - YAMNET_SAMPLES + 1, YAMNET_RATE_HZ)
        windows = np.stack([clip[start : start + YAMNET_SAMPLES] for start in starts])
        return _run(self._interpreter, windows, self._output)


class YamnetEmbedder:
    """YAMNet's 1,024 features before the classes, on one thread.

    Args:
        path: TensorFlow Lite file.

    Raises:
        TrainingDataError: the file is missing, damaged, or has no such features.
    """

    def __init__(self, path: Path) -> None:
        self._interpreter = _interpreter(path, keep_all=True)
        found = [
            tensor["index"]
            for tensor in self._interpreter.get_tensor_details()
            if tuple(tensor["shape"]) == (1, YAMNET_FEATURES) and tensor["dtype"] is np.float32
        ]
        if not found:
            raise TrainingDataError(
                f"expected YAMNet's TensorFlow Lite file at {path}, found no tensor of "
                f"{YAMNET_FEATURES} features"
            )
        self._features = found[-1]

    def __call__(self, windows: Samples) -> Samples:
        """Computes features [n, 1024] of windows [n, 15600] at 16 kHz."""
        return _run(self._interpreter, windows, self._features)


def _run(interpreter: Any, windows: Samples, output: int) -> Samples:
    rows = []
    for window in windows.astype(np.float32):
        interpreter.set_tensor(0, window[None])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(output)[0].copy())
    return np.stack(rows)
