"""A GPU against the CPU: the demo's windows through both, in torch and in ONNX Runtime.

python -m tools.gpu.equality cuda        or cuda:1, mps; cpu rehearses it where there is no GPU
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import soundfile
import soxr

from mmgat.model.backends.base import InferenceBackend, split_device
from mmgat.model.backends.loading import LoadedModel, load_model
from mmgat.model.backends.onnx import OnnxBackend, has_cuda_provider
from mmgat.model.card import checked_card
from mmgat.stream.audio.windows import WindowAssembler
from mmgat.stream.commands.live.inputs import demo_clip
from mmgat.stream.recognition.recognizer import Recognizer
from mmgat.stream.settings import StreamSettings

WITHIN = 1e-3
N_STREAMS = 3
SECONDS = 14
DEMO_HZ = 44_100
SHAPE = StreamSettings(hop_s=0.5)


def scores(model: LoadedModel, seconds: int) -> np.ndarray:
    """float32 [windows, streams, 20] of the demo, which every stream hears a second later."""
    recognizer, rate = Recognizer(model, SHAPE), model.embedder.sample_rate_hz
    recognizer.warm_up(N_STREAMS)
    samples, rate_hz = soundfile.read(
        demo_clip(), seconds * DEMO_HZ, dtype="float32", always_2d=True
    )
    mono = soxr.resample(samples.mean(axis=1), rate_hz, rate).astype(np.float32)
    states = [recognizer.new_state() for _ in range(N_STREAMS)]
    streams = [
        list(WindowAssembler(rate // 2, model.embedder.window_samples, rate).push(mono[n * rate :]))
        for n in range(N_STREAMS)
    ]
    turns = zip(*streams, strict=False)
    found = [
        [r.scores for r in recognizer(list(zip(states, windows, strict=True)))] for windows in turns
    ]
    if recognizer.warning:
        raise SystemExit(recognizer.warning)
    return np.array(found)


def lines(device: str, seconds: int = SECONDS) -> Iterator[tuple[str, float]]:
    """What is compared, and the largest difference."""
    card = load_model("compact", "cpu")
    expected = scores(card, seconds)
    others = {
        f"torch, spectrograms {where}": replace(
            card, backend=_on_device(device, hears), computes=device
        )
        for where, hears in (("of the CPU", False), ("on the device", True))
        if device != "mps" or not hears
    }
    if device.startswith("cuda") and has_cuda_provider():
        path, about = checked_card("compact")
        backend = OnnxBackend(path, about, cuda_index=split_device(device)[1])
        others["ONNX Runtime"] = replace(card, backend=backend, computes=device)
    for name, model in others.items():
        yield (
            f"compact, {name}, {model.computes}",
            float(np.abs(scores(model, seconds) - expected).max()),
        )


def _on_device(device: str, hears: bool) -> InferenceBackend:
    """Graphs on the device, which is the CPU in a rehearsal."""
    from mmgat.model.backends.compute import compute_device
    from mmgat.model.backends.torch import DeviceBackend
    from mmgat.model.checkpoint import load_checkpoint
    from mmgat.model.embedders.registry import spec_of

    checkpoint = load_checkpoint("compact")
    front_end = spec_of(checkpoint.card).front_end
    place = compute_device(device)[0]
    return DeviceBackend(checkpoint.embedder(), checkpoint.mmgat, place, front_end, hears)


def main(device: str = "cuda") -> int:
    good = True
    for name, difference in lines(device):
        good &= difference <= WITHIN
        print(f"{name}: scores differ by {difference:.1e} at most (bar {WITHIN:g})")
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:2]))
