"""Embeddings of files are those of the live path; a table has a row for each file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mmgat.model.backends.loading import load_model
from mmgat.stream.audio.file import FileSource
from mmgat.stream.recognition.pipeline import Pipeline
from mmgat.stream.recognition.recognizer import Recognizer
from mmgat.stream.settings import StreamSettings
from mmgat.training.data.file_embeddings import EmbeddingActor, embed_file
from mmgat.training.errors import TrainingDataError
from tests.conftest import melody


@pytest.mark.parametrize("seconds", [0.6, 1.0, 7.3])
def test_each_second_has_the_embedding_of_the_live_path(
    wav: Callable[..., Path], seconds: float
) -> None:
    path, model = wav(melody(seconds, 44_100, channels=2), 44_100), load_model("compact")
    settings = StreamSettings(hop_s=1.0)
    with FileSource(path) as source:
        pipeline = Pipeline(Recognizer(model, settings), "lab", source.sample_rate_hz, settings)
        nodes = []
        while (block := source.read()) is not None:
            pipeline.push(block)
        pipeline.end()
        while (window := pipeline.window()) is not None:
            (recognition,) = pipeline._recognize([(pipeline.state, window)])
            graph = pipeline.state.graph_of(window)
            nodes.append(graph.nodes[graph.slots[-1]].copy())
            pipeline.complete(recognition)
    found = embed_file(path, model)
    assert len(found) == max(1, int(seconds))
    np.testing.assert_allclose(found, nodes[: len(found)], atol=2e-3)


def test_what_cannot_be_read_is_a_row_with_an_error(
    wav: Callable[..., Path], tmp_path: Path
) -> None:
    good, bad = wav(melody(2.0, 16_000), 16_000), tmp_path / "bad.wav"
    bad.write_text("no sound")
    files = [f"file://{good}", str(bad), f"file://{tmp_path}/absent.wav"]
    rows = EmbeddingActor()(pa.table({"file": files})).to_pylist()
    assert [row["file"] for row in rows] == files
    assert np.shape(rows[0]["embeddings"]) == (2, load_model("compact").embedder.embedding_size)
    assert rows[0]["error"] is None
    assert "expected a sound file" in rows[1]["error"]
    assert "expected a file at" in rows[2]["error"]
    with pytest.raises(TrainingDataError, match="expected a sound file"):
        embed_file(bad, load_model("compact"))
