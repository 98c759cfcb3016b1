"""The score of a whole file, and files side by side in one batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmgat.model.labels import LABELS
from mmgat.stream.archive.annotator import Annotator, FileScores, annotate_file
from mmgat.stream.archive.result import FileResult
from mmgat.stream.audio.file import FileSource
from mmgat.stream.bus.protocol import Estimate
from mmgat.stream.errors import SourceError
from mmgat.stream.recognition.pipeline import Pipeline
from mmgat.stream.recognition.recognizer import Recognizer
from mmgat.stream.settings import StreamSettings


def estimates(piano: list[float]) -> list[Estimate]:
    """One estimate a window with that much piano in the graph."""
    nothing = dict.fromkeys(LABELS, 0.0)
    return [
        Estimate(
            source="lab", index=i, t0=i, t1=i + 1, scores=nothing,
            bag_scores=nothing | {"piano": score},
            active=[], evidence={}, evidence_t0=[], level_dbfs=-20,
        )
        for i, score in enumerate(piano)
    ]  # fmt: skip


def file_scores(estimates: list[Estimate], settings: StreamSettings) -> dict[str, float]:
    scores = FileScores(settings)
    for estimate in estimates:
        scores.add(estimate)
    return scores.mean()


def test_a_short_file_is_one_bag_of_all_its_phases() -> None:
    scores = file_scores(estimates([0, 0, 0.2, 0.4]), StreamSettings(hop_s=0.5, nodes=10))
    assert scores["piano"] == pytest.approx(0.3)
    assert scores["flute"] == 0


def test_a_long_file_is_the_mean_of_its_stretches_by_their_length() -> None:
    scores = file_scores(estimates([0, 0, 0, 0.9, 0, 0.3]), StreamSettings(hop_s=1.0, nodes=4))
    assert scores["piano"] == pytest.approx((4 * 0.9 + 2 * 0.3) / 6)


def test_no_windows_give_zeros() -> None:
    assert set(file_scores([], StreamSettings()).values()) == {0.0}


def live_scores(path: Path, recognizer: Recognizer) -> list[list[float]]:
    """What the live path says of a file, block by block."""
    messages = []
    with FileSource(path) as source:
        pipeline = Pipeline(recognizer, "lab", source.sample_rate_hz, StreamSettings())
        while (block := source.read()) is not None:
            messages += pipeline.process(block)
        messages += pipeline.finish()
    return [list(m.scores.values()) for m in messages if isinstance(m, Estimate)]


def test_files_side_by_side_have_the_scores_of_the_live_path(
    clips: list[Path], recognizer: Recognizer
) -> None:
    found = dict(Annotator(recognizer, StreamSettings(), keep_windows=True)(clips))
    assert set(found) == set(clips)
    for path, result in found.items():
        assert isinstance(result, FileResult)
        assert result.windows is not None
        expected = live_scores(path, recognizer)
        np.testing.assert_allclose(result.windows[:, 2:], expected, atol=2e-5)
        assert [row[0] for row in list(result.window_rows())[:3]] == [0, 0.5, 1]
    assert any(result.segments for result in found.values() if isinstance(result, FileResult))


def test_a_bad_file_among_others_is_a_fault_in_words(
    clips: list[Path], recognizer: Recognizer, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.wav"
    empty.touch()
    found = dict(Annotator(recognizer, StreamSettings())([empty, clips[0]]))
    assert found[empty] == f"expected audio in {str(empty)!r}, found an empty file"
    assert isinstance(found[clips[0]], FileResult)
    with pytest.raises(SourceError, match="found an empty file"):
        annotate_file(empty, recognizer, StreamSettings())
