"""What the parts of the live path cost, beside others that do the same."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from tools.benchmark.timing import RATE_HZ, side_by_side, sound

if TYPE_CHECKING:
    from mmgat.stream.audio.windows import Window
    from mmgat.stream.recognition.front_end import IncrementalFrontEnd
    from mmgat.stream.recognition.recognizer import Recognizer, StreamState

STRETCH = 20
"""Windows one after another, as of a file or of many inputs: the weights stay in the caches."""


def stages() -> Iterator[str]:
    """Front end against torchvggish, resampler against resampy."""
    import resampy
    from torchvggish.vggish_input import waveform_to_examples

    from mmgat.model.embedders.log_mel import VGGISH_LOG_MEL
    from mmgat.stream.audio.resampler import MonoResampler
    from mmgat.stream.recognition.front_end import IncrementalFrontEnd

    window = _window(VGGISH_LOG_MEL.window_samples, 16_000)
    second = window.samples
    for hop_s in (0.25, 0.5, 1.0):
        front_end, starts = (
            IncrementalFrontEnd(VGGISH_LOG_MEL),
            itertools.count(0, round(16_000 * hop_s)),
        )
        ours, theirs = side_by_side(
            partial(_front_end_step, front_end, starts, window),
            lambda: waveform_to_examples(second.astype(np.float64), 16_000),
        )
        yield (
            f"front end, a window at hop {hop_s:g}: {ours:.2f} ms, torchvggish {theirs:.2f}: "
            f"x{theirs / ours:.1f}"
        )
    samples, resample = sound(1.0)[:, None], MonoResampler(RATE_HZ, 16_000)
    ours, theirs = side_by_side(
        lambda: resample(samples), lambda: resampy.resample(samples[:, 0], RATE_HZ, 16_000)
    )
    yield f"1 s from 48 to 16 kHz: {ours:.2f} ms, resampy {theirs:.2f}: x{theirs / ours:.1f}"


def _window(n_samples: int, rate_hz: int) -> Window:
    """A window of noise and tones, as in the middle of a stream."""
    from mmgat.stream.audio.windows import Window

    lead = max(0, n_samples - rate_hz)
    samples = sound(n_samples / rate_hz, rate_hz)[:n_samples]
    return Window(0, 0, samples, rate_hz, lead, n_samples - lead, continues=True)


def _front_end_step(front_end: IncrementalFrontEnd, starts: Iterator[int], window: Window) -> None:
    front_end(replace(window, start=next(starts)))


def graph() -> Iterator[str]:
    """One graph of 10 and of 60 seconds through MMGAT, on one thread, in ONNX Runtime and torch."""
    import torch

    from mmgat.model.backends.base import Graphs
    from mmgat.model.backends.onnx import OnnxBackend
    from mmgat.model.backends.torch import TorchBackend
    from mmgat.model.card import checked_card
    from mmgat.model.checkpoint import load_checkpoint

    torch.set_num_threads(1)
    path, card = checked_card("vggish")
    live = OnnxBackend(path, card, lambda rows: rows)
    in_torch = TorchBackend(torch.nn.Identity(), load_checkpoint("vggish").mmgat)
    rng = np.random.default_rng(0)
    for n_nodes in (10, 60):
        rows = rng.normal(size=(1, n_nodes, 128)).astype(np.float32)
        steps = np.arange(n_nodes)[None]
        units = rows / np.linalg.norm(rows, axis=-1, keepdims=True)
        similarity = units @ units.transpose(0, 2, 1)
        mask = np.ones((1, n_nodes), bool)
        graphs = Graphs(rows, mask, steps, steps == n_nodes - 1, similarity)
        ours, theirs = side_by_side(
            partial(live, rows[:, -1], graphs), partial(in_torch, rows[:, -1], graphs)
        )
        yield (
            f"MMGAT, {n_nodes} nodes: {ours:.2f} ms, in torch {theirs:.2f}: x{theirs / ours:.1f}"
        )


def yamnet() -> Iterator[str]:
    """One window through front end, embedder and MMGAT beside YAMNet's TensorFlow Lite."""
    from ai_edge_litert.interpreter import Interpreter

    from mmgat.model.backends.threads import limit_threads
    from mmgat.stream.recognition.recognizer import load_recognizer
    from mmgat.stream.settings import StreamSettings

    path = os.environ.get("YAMNET_TFLITE", "yamnet.tflite")
    if not Path(path).is_file():
        raise click.ClickException(f"expected YAMNet in $YAMNET_TFLITE, found no file {path!r}")
    net = Interpreter(path, num_threads=1)
    net.allocate_tensors()
    into, out = net.get_input_details()[0]["index"], net.get_output_details()[0]["index"]
    second = sound(1.0, 16_000)[:15_600]

    def theirs() -> np.ndarray:
        net.set_tensor(into, second[None])
        net.invoke()
        return net.get_tensor(out).copy()

    for hop_s in (0.5, 1.0):
        recognizer = load_recognizer("compact", StreamSettings(hop_s))
        embedder = recognizer.model.embedder
        limit_threads(embedder)
        rate = embedder.sample_rate_hz
        state, starts = recognizer.new_state(), itertools.count(0, round(rate * hop_s))
        window = _window(embedder.window_samples, rate)
        ours = partial(_recognition, recognizer, state, starts, window)
        for _ in range(24):  # until all graphs are full
            ours()
        for stretch, turns in (
            (1, "a window each in turns"),
            (STRETCH, f"{STRETCH} each in turns"),
        ):
            ours_ms, theirs_ms = side_by_side(ours, theirs, stretch)
            yield (
                f"a window through compact at hop {hop_s:g}, 10 nodes: {ours_ms:.2f} ms, YAMNet "
                f"{theirs_ms:.2f}: x{theirs_ms / ours_ms:.2f} ({turns})"
            )


def _recognition(
    recognizer: Recognizer, state: StreamState, starts: Iterator[int], window: Window
) -> None:
    recognizer([(state, replace(window, start=next(starts)))])
