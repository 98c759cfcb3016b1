from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from mmgat.model.checkpoint import save_checkpoint
from mmgat.model.embedders.convnet import ConvNetEmbedder
from mmgat.model.errors import CheckpointError
from mmgat.stream.audio.windows import Window
from mmgat.stream.recognition.recognizer import Recognition, Recognizer, load_recognizer
from mmgat.stream.settings import StreamSettings
from tests.conftest import melody, untrained_card, untrained_mmgat, untrained_model

SHAPE = StreamSettings(hop_s=0.5, nodes=3)


def recognise(device: str) -> list[Recognition]:
    recognizer = Recognizer(untrained_model(device), SHAPE)
    samples = melody(6.0, 16_000)[:, 0]
    state = recognizer.new_state()
    return [
        recognition
        for window in windows_of(samples, 10)
        for recognition in recognizer([(state, window)])
    ]


def windows_of(samples: np.ndarray, n_windows: int) -> list[Window]:
    starts = range(0, 8_000 * n_windows, 8_000)
    return [
        Window(i, start, samples[start : start + 15_600], 16_000, 0, 15_600, i, continues=i > 0)
        for i, start in enumerate(starts)
    ]


def test_streams_recognised_together_get_the_numbers_that_each_gets_alone(
    make_recognizer: Callable[[StreamSettings], Recognizer],
) -> None:
    recognizer = make_recognizer(SHAPE)
    sounds = [windows_of(melody(5.0, 16_000, seed=seed)[:, 0], 8) for seed in range(3)]
    alone = []
    for windows in sounds:
        state = recognizer.new_state()
        alone.append([recognizer([(state, window)])[0] for window in windows])
    states = [recognizer.new_state() for _ in sounds]
    together = [
        recognizer(list(zip(states, windows, strict=True))) for windows in zip(*sounds, strict=True)
    ]
    for stream, expected in enumerate(alone):
        for found, one in zip(together, expected, strict=True):
            np.testing.assert_allclose(found[stream].scores, one.scores, atol=2e-6)
            np.testing.assert_allclose(found[stream].evidence, one.evidence, atol=2e-6)
            assert found[stream].node_starts == one.node_starts


def test_graphs_grow_to_their_nodes_and_phases_take_turns() -> None:
    starts = [recognition.node_starts for recognition in recognise("cpu")]
    assert starts[:4] == [[0], [8_000], [0, 16_000], [8_000, 24_000]]
    assert starts[8] == [32_000, 48_000, 64_000]
    assert starts[9] == [40_000, 56_000, 72_000]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_the_numbers_of_the_cpu() -> None:
    for ours, theirs in zip(recognise("cuda"), recognise("cpu"), strict=True):
        np.testing.assert_allclose(ours.scores, theirs.scores, atol=1e-3)
        np.testing.assert_allclose(ours.evidence, theirs.evidence, atol=1e-3)


def test_a_checkpoint_without_its_embedder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bare.safetensors"
    save_checkpoint(path, untrained_card(), untrained_mmgat())
    with pytest.raises(CheckpointError, match="the embedder in the checkpoint does not fit"):
        load_recognizer(str(path))


def test_an_embedder_nobody_knows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_checkpoint(path, untrained_card(embedder="yamnet"), untrained_mmgat())
    with pytest.raises(CheckpointError, match=r"convnet, vggish, .*found 'yamnet'"):
        load_recognizer(str(path))


def test_another_version_of_the_embedder_is_refused_with_both_names(tmp_path: Path) -> None:
    path = tmp_path / "newer.safetensors"
    state = ConvNetEmbedder().state_dict()
    save_checkpoint(path, untrained_card(variant="compact-9"), untrained_mmgat(), state)
    with pytest.raises(CheckpointError, match=r"convnet \(compact-9\), found .*\(convnet-2\)"):
        load_recognizer(str(path))
