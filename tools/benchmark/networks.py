"""What the networks cost: MMGAT by the length of its graph, VGGish, and a window beside YAMNet."""

from __future__ import annotations

import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from tools.benchmark.live import random_vggish
from tools.benchmark.parts import window_of
from tools.benchmark.timing import side_by_side, sound

if TYPE_CHECKING:
    from mmgat.stream.audio.windows import Window
    from mmgat.stream.recognition.recognizer import Recognizer, StreamState

STRETCH = 20
"""Windows one after another, as of a file or of many inputs: the weights stay in the caches."""


def graph() -> Iterator[str]:
    """The edges and the network by the nodes of a graph, 10 to 60, in processor time of one thread."""
    import torch

    from mmgat.model.backends.base import Graphs
    from mmgat.model.backends.onnx import OnnxBackend
    from mmgat.model.backends.torch import TorchBackend
    from mmgat.model.card import checked_card
    from mmgat.model.checkpoint import load_checkpoint

    torch.set_num_threads(1)
    path, card = checked_card("vggish")
    network = load_checkpoint("vggish").mmgat
    live = OnnxBackend(path, card, lambda rows: rows)
    in_torch = TorchBackend(torch.nn.Identity(), network)
    rng = np.random.default_rng(0)
    for n_nodes in range(10, 61, 10):
        rows = rng.normal(size=(1, n_nodes, 128)).astype(np.float32)
        nodes, steps = torch.from_numpy(rows), np.arange(n_nodes)[None]
        similarity = network.graph(nodes).similarity.numpy()
        mask = np.ones((1, n_nodes), bool)
        graphs = Graphs(rows, mask, steps, steps == n_nodes - 1, similarity)
        row, matrix = side_by_side(
            partial(_row, similarity[0].copy(), rows[0]),
            partial(_matrix, rows[0]),
            clock=time.thread_time,
            repeats=3000,
        )
        ours, theirs = side_by_side(
            partial(live, rows[:, -1], graphs),
            partial(in_torch, rows[:, -1], graphs),
            clock=time.thread_time,
        )
        yield (
            f"{n_nodes} nodes: a new row and column {1000 * row:.1f} us, the whole matrix "
            f"{1000 * matrix:.1f} us; MMGAT {ours:.2f} ms, in torch {theirs:.2f}"
        )


def _row(matrix: np.ndarray, rows: np.ndarray) -> None:
    """What a new node adds: N d products."""
    row = rows @ rows[-1] / (np.linalg.norm(rows, axis=1) * np.linalg.norm(rows[-1]))
    matrix[-1] = row
    matrix[:, -1] = row


def _matrix(rows: np.ndarray) -> np.ndarray:
    """All of them anew: N N d products."""
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    matrix: np.ndarray = units @ units.T
    return matrix


def vggish() -> Iterator[str]:
    """VGGish with 8-bit layers in ONNX Runtime beside the same weights in torch, random ones."""
    import torch

    from mmgat.model.backends.onnx import OnnxEmbedder
    from mmgat.model.embedders.vggish.cache import converted
    from mmgat.model.embedders.vggish.network import VARIANTS, load_vggish
    from mmgat.model.threads import most_threads

    log_mel = np.random.default_rng(0).normal(-2, 1, (1, 96, 64)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        weights = random_vggish(Path(folder))
        network, graph = load_vggish(weights=weights), converted(VARIANTS[0], weights)
        one = torch.from_numpy(log_mel)
        for n_threads in sorted({1, most_threads()}):
            torch.set_num_threads(n_threads)
            embed = OnnxEmbedder(graph, n_threads)
            clock: Callable[[], float] = time.thread_time if n_threads == 1 else time.perf_counter
            with torch.inference_mode():
                ours, theirs = side_by_side(
                    partial(embed, log_mel), partial(network, one), clock=clock, repeats=60
                )
                a, b = embed(log_mel)[0], network(one)[0].numpy()
            cosine = float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
            yield (
                f"a window through VGGish, {n_threads} threads: {ours:.1f} ms in 8 bits, in torch "
                f"{theirs:.1f}: {ours / theirs:.2f} of its time, cosine {cosine:.5f}"
            )


def yamnet() -> Iterator[str]:
    """One window through front end, embedder and MMGAT beside YAMNet's TensorFlow Lite."""
    from ai_edge_litert.interpreter import Interpreter

    from mmgat.model.threads import limit_threads
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
        window = window_of(embedder.window_samples, rate)
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
