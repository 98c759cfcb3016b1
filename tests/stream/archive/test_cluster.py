"""A collection on a local Ray of two workers: one session, some twenty seconds."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pytest
import ray
from click.testing import CliRunner

from mmgat.model.backends.loading import load_model
from mmgat.model.cluster import Cluster, map_files, n_failed, written_files
from mmgat.model.errors import ClusterError
from mmgat.model.remote_files import list_files, place_of
from mmgat.stream.archive.annotator import Annotator
from mmgat.stream.archive.distributed import AnnotatingActor
from mmgat.stream.archive.formats.parquet import result_row
from mmgat.stream.archive.result import FileResult, Origin
from mmgat.stream.archive.workers import Job
from mmgat.stream.audio.sound_names import SUFFIXES
from mmgat.stream.recognition.recognizer import Recognizer
from mmgat.stream.settings import ModelSettings, StreamSettings
from mmgat.training.commands.train import main as train
from mmgat.training.data.file_embeddings import embed_file

pytestmark = pytest.mark.timeout(600)  # Ray starts a dozen processes, on a busy machine slowly

CLUSTER = Cluster(n_actors=2, files_a_task=2)
JOB = Job(ModelSettings(), StreamSettings())


@pytest.fixture(scope="module", autouse=True)
def session() -> Iterator[None]:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False,
             object_store_memory=100 << 20, logging_level="error")  # fmt: skip
    yield
    ray.shutdown()


def rows_of(out: str) -> list[dict[str, Any]]:
    filesystem, folder = place_of(out)
    found = pa.dataset.dataset(folder, filesystem=filesystem, format="parquet")
    return sorted(found.to_table().to_pylist(), key=lambda row: row["file"])


def test_a_killed_worker_loses_nothing_and_a_restart_does_the_rest(
    clips: list[Path], recognizer: Recognizer, tmp_path: Path
) -> None:
    marker = tmp_path / "killed"

    class MortalActor(AnnotatingActor):
        """Dies once, over its second task, with one of its files done."""

        n_tasks = 0

        def __call__(self, files: pa.Table) -> pa.Table:
            self.n_tasks += 1
            if self.n_tasks == 2 and not marker.exists():
                super().__call__(files.slice(0, 1))
                marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return super().__call__(files)

    music = tmp_path / "music"
    music.mkdir()
    for i in range(5):
        shutil.copy(clips[i % 2], music / f"{i}.flac")
    bad = music / "bad.wav"
    bad.write_text("no sound")
    files = sorted(list_files(f"file://{music}", SUFFIXES))
    out = str(tmp_path / "results")

    assert map_files(files, MortalActor, {"job": JOB}, out, CLUSTER) == (6, 0)
    assert marker.exists()
    rows = rows_of(out)
    assert [row["file"] for row in rows] == files  # all there, none twice
    assert n_failed(out, files) == 1
    error = next(row["error"] for row in rows if row["error"])
    assert f"found 'file://{bad}'" in error

    origin = Origin.of(recognizer.model.card, JOB.stream)
    expected = dict(Annotator(recognizer, JOB.stream)(clips[:2]))
    for row in rows:
        if row["error"] is None:
            of_clip = expected[clips[int(Path(row["file"]).stem) % 2]]
            assert isinstance(of_clip, FileResult)
            same = result_row(of_clip, origin)
            assert row["scores"] == pytest.approx(same["scores"], abs=2e-5)
            assert row["segments"] == [s | {"score": pytest.approx(s["score"], abs=2e-4)}
                                       for s in same["segments"]]  # fmt: skip
            assert row["model"] == same["model"]

    assert map_files(files, MortalActor, {"job": JOB}, out, CLUSTER) == (0, 6)
    shutil.copy(clips[0], music / "10.flac")
    shutil.copy(clips[0].with_suffix(".flac"), bad)
    files.append(f"file://{music}/10.flac")
    one = replace(CLUSTER, n_actors=1)
    assert map_files(files, AnnotatingActor, {"job": JOB}, out, one, again=True) == (2, 5)
    assert written_files(out, with_errors=False) == set(files)
    assert len(list(Path(out).iterdir())) == 2  # runs


def test_embeddings_of_a_cluster_are_those_of_one_machine(
    clips: list[Path], tmp_path: Path
) -> None:
    model = load_model("compact")
    arguments = ["embed", str(clips[0].parent), "--out", str(tmp_path / "out"), "--actors", "1"]
    done = CliRunner().invoke(train, arguments)
    assert done.exit_code == 0
    assert done.output.endswith("4 files embedded, 0 were already\n")  # behind Ray's log
    rows = rows_of(str(tmp_path / "out"))
    assert [row["file"] for row in rows] == [str(path) for path in clips]
    for row, path in zip(rows, clips, strict=True):
        np.testing.assert_allclose(row["embeddings"], embed_file(path, model), atol=1e-4)


def test_places_that_are_none_are_told(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="expected an address that pyarrow or fsspec knows"):
        place_of("carrier-pigeon://loft/song.flac")
    with pytest.raises(ClusterError, match="with room for one actor of 0.5 GPUs"):
        map_files(["a"], AnnotatingActor, {"job": JOB}, str(tmp_path), Cluster(gpus=0.5))


class FailedActor(ray.exceptions.RayError):
    """As Ray tells it: with the tracebacks of all processes."""

    def __str__(self) -> str:
        return (
            "The actor died because of an error raised in its creation task\n  File ...\n"
            "mmgat.model.errors.WeightsError: expected weights, found none.\n\n"
            "The above exception was the direct cause of the following exception:\n\nray::MapWorker()"
        )


def test_an_actor_that_fails_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(_: ray.data.Dataset) -> None:
        raise FailedActor

    monkeypatch.setattr(ray.data.Dataset, "materialize", fail)
    with pytest.raises(ClusterError, match="WeightsError: expected weights, found none: mend it"):
        map_files(["a"], AnnotatingActor, {"job": JOB}, str(tmp_path / "out"), CLUSTER)


def test_an_actor_that_cannot_begin_is_told_without_a_traceback(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "vggish.pth").touch()
    model = ModelSettings("vggish", weights=tmp_path / "vggish.pth")
    out = str(tmp_path / "out")
    with pytest.raises(ClusterError, match=r"one that cannot: VGGish's weights are not there"):
        map_files(["a"], AnnotatingActor, {"job": Job(model, StreamSettings())}, out, CLUSTER)
    assert written_files(out) == set()
    assert "Traceback" not in "".join(capfd.readouterr())


def test_a_ray_that_starts_too_slowly_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def start(*_: object, **__: object) -> None:
        raise Exception("The current node timed out during startup. This could happen")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", start)
    with pytest.raises(ClusterError, match="timed out during startup.*when the machine is less"):
        map_files(["a"], AnnotatingActor, {"job": JOB}, str(tmp_path / "out"), Cluster())
