from functools import partial
from pathlib import Path

import numpy as np
import pytest

from mmgat.model.backends.loading import load_model
from mmgat.model.backends.onnx import OnnxBackend, graph_paths
from mmgat.model.backends.torch import load_torch_backend
from mmgat.model.card import checked_card
from mmgat.model.checkpoint import save_checkpoint
from mmgat.model.embedders.convnet import ConvNetEmbedder
from mmgat.training.errors import TrainingDataError
from mmgat.training.export.eight_bit import calibration_clips
from mmgat.training.export.onnx_graphs import export
from tests.conftest import log_mel_of, random_graphs, untrained_card, untrained_mmgat


def test_calibration_clips_are_training_recordings_heard_in_many_ways(data: Path) -> None:
    clips = calibration_clips(data / "audio", n_clips=3)
    assert (clips.shape, clips.dtype) == ((3, 10, 96, 64), np.float32)
    np.testing.assert_array_equal(clips, calibration_clips(data / "audio", n_clips=3))
    assert not np.array_equal(clips[0], clips[1])
    for path in (data / "audio").glob("*/validation-*"):
        path.unlink()
    np.testing.assert_array_equal(clips, calibration_clips(data / "audio", n_clips=3))
    with pytest.raises(TrainingDataError, match="expected manifest.csv in .*, found none"):
        calibration_clips(data)


@pytest.mark.timeout(300)
def test_in_8_bits_any_checkpoint_with_its_embedder_says_nearly_the_same(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few_clips = partial(calibration_clips, n_clips=8)
    monkeypatch.setattr("mmgat.training.export.onnx_graphs.calibration_clips", few_clips)
    path = tmp_path / "new.safetensors"
    mmgat = untrained_mmgat(similarity="pearson", scales=("temporal-2", "wide-0"))
    save_checkpoint(path, untrained_card(), mmgat, ConvNetEmbedder().state_dict())
    with pytest.raises(TrainingDataError, match="expected a data folder.*--data"):
        export(path)
    assert export(path, data) == graph_paths(path)
    for written in graph_paths(path):
        assert written.stat().st_size < path.stat().st_size / 2
        assert str(Path(__file__).parents[3]).encode() not in written.read_bytes()
    network, expected = (
        load_model(str(path)).backend,
        load_torch_backend(*checked_card(path), "cpu")[0],
    )
    assert isinstance(network, OnnxBackend)
    for n_nodes in (7, 20):
        graphs, log_mel = random_graphs(2, n_nodes), log_mel_of(2)
        for ours, theirs in zip(network(log_mel, graphs), expected(log_mel, graphs), strict=True):
            assert 0 < np.linalg.norm(ours - theirs) < 0.1 * np.linalg.norm(theirs)
