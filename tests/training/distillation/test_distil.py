import json
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mmgat.model.checkpoint import load_checkpoint
from mmgat.model.embedders.convnet import ConvNetEmbedder
from mmgat.model.labels import LABELS
from mmgat.training.distillation import distil, embeddings, targets
from mmgat.training.distillation.checkpoint import recalibrate
from mmgat.training.distillation.shards import write_shard
from mmgat.training.distillation.student import jitter
from mmgat.training.embedders.mn04 import N_MN04
from mmgat.training.embedders.yamnet import N_YAMNET
from mmgat.training.errors import TrainingDataError
from mmgat.training.fitting import thresholds
from mmgat.training.synthesis.clip_kinds import KINDS

ONE_EPOCH = msgspec.structs.replace(distil.SETTINGS, epochs=1)


def fill(cache: Path, split: str, n_clips: int) -> None:
    rng = np.random.default_rng(n_clips)
    (cache / "shards").mkdir(exist_ok=True)
    labels = rng.random((n_clips, 10, 20)) < 0.3
    kinds = np.array([KINDS[number % 2] for number in range(n_clips)])
    write_shard(
        cache / "shards" / f"{split}-0000.npz",
        {
            "log_mel": rng.normal(-2, 1, (n_clips, 2, 10, 96, 64)).astype(np.float16),
            "labels": labels,
            "known": np.broadcast_to((kinds != "music")[:, None, None], labels.shape),
            "mn04": rng.random((n_clips, N_MN04)).astype(np.float16),
            "mn04_embedding": rng.random((n_clips, 384)).astype(np.float16),
            "yamnet": rng.random((n_clips, 10, N_YAMNET)).astype(np.float16),
            "kind": kinds,
            "sources": np.where(np.arange(n_clips) % 3 == 1, " flutist ", "  "),
        },
    )


@pytest.fixture
def shards(cache: Path) -> Path:
    fill(cache, "train", 6)
    fill(cache, "validation", 4)
    return cache


def test_training_resumes_after_the_last_epoch_and_embeddings_follow(
    data: Path, yamnet_classes: Path, shards: Path
) -> None:
    settings = msgspec.structs.replace(distil.SETTINGS, epochs=2, batch=3)
    embedder = distil.run(data, yamnet_classes, shards, settings, stop_after=1)
    distil.run(data, yamnet_classes, shards, settings)
    log = (shards / "distil" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in log] == [1, 2]

    written = embeddings.run(data, yamnet_classes, shards, embedder=embedder)
    with np.load(written["train"]) as file:
        assert file["embeddings"].shape == (12, 10, 128)
        assert file["instance"].shape == file["instance_weight"].shape == (12, 10, 20)
        assert file["bag"].shape == file["bag_weight"].shape == (12, 20)
        assert sorted(file["clip"]) == sorted([0, 1, 2, 3, 4, 5] * 2)


def test_a_run_that_was_stopped_gives_the_weights_of_one_that_was_not(
    data: Path, yamnet_classes: Path, shards: Path, tmp_path: Path
) -> None:
    settings = msgspec.structs.replace(distil.SETTINGS, epochs=2, batch=3)
    other = shutil.copytree(shards, tmp_path / "other")
    distil.run(data, yamnet_classes, shards, settings, stop_after=1)
    resumed = load_file(distil.run(data, yamnet_classes, shards, settings))
    whole = load_file(distil.run(data, yamnet_classes, other, settings))
    assert all(torch.equal(resumed[name], tensor) for name, tensor in whole.items())


def test_a_run_without_a_source_keeps_its_results_apart(
    data: Path, yamnet_classes: Path, shards: Path
) -> None:
    distil.run(data, yamnet_classes, shards, ONE_EPOCH, without="flutist")
    written = embeddings.run(data, yamnet_classes, shards, without="flutist")
    assert not (shards / "distil").exists()
    assert written["train"] == shards / "without-flutist" / "embeddings-train.npz"
    with np.load(written["train"]) as file:
        assert file["embeddings"].shape == (8, 10, 128)


def test_music_has_the_teachers_probabilities_and_mixtures_the_exact_labels():
    rng = np.random.default_rng(0)
    plays = rng.random((300, 10, 20)) < 0.05
    timid = np.where(plays, 0.05, 0.01).astype(np.float32)
    synthetic = targets.Shard(
        np.full(300, "rendered"),
        np.full(300, " "),
        plays,
        np.ones_like(plays),
        timid.max(axis=1),
        timid,
    )
    clips = targets.Shard(
        kind=np.array(["music", "sequenced"]),
        sources=np.array([" ", " "]),
        labels=np.zeros((2, 10, 20), bool),
        known=np.stack([np.zeros((10, 20), bool), np.ones((10, 20), bool)]),
        mn04=np.full((2, 20), 0.01, np.float32),
        yamnet=np.full((2, 10, 20), 0.01, np.float32),
    )
    clips.mn04[0, 7] = clips.yamnet[0, 2, 7] = 0.05
    clips.labels[1, 3, 5] = True
    clips.known[1, 4, 6] = False
    found = targets.ClipTargets(synthetic)(clips)
    assert found["instance"][0, 2, 7] > 0.9 > 0.1 > found["instance"][0, 2, 8]
    assert found["bag"][0, 7] > 0.9 > found["bag"][0, 8]
    assert (found["bag_weight"][0] == 1).all()
    assert (found["instance_weight"][0] == 0.5).all()
    assert found["instance"][1].sum() == found["bag"][1].sum() == 1
    assert found["bag"][1, 5] == 1
    assert found["instance_weight"][1, 4, 6] == found["bag_weight"][1, 6] == 0


def test_jitter_leaves_silence_silent():
    silence = torch.full((2, 3, 96, 64), float(np.log(0.01)))
    changed = jitter(silence, torch.Generator().manual_seed(0))
    torch.testing.assert_close(changed, silence, rtol=0, atol=1e-4)


def test_without_an_embedder_the_message_says_what_to_run(tmp_path: Path):
    with pytest.raises(TrainingDataError, match="run distil first"):
        embeddings.load_embedder(tmp_path / "absent.safetensors")


def test_thresholds_rise_on_sounds_in_which_nothing_plays(
    data: Path,
    yamnet_classes: Path,
    shards: Path,
    untrained_checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(
        thresholds, "MIN_RECALL_KEPT", 0.0
    )  # all scores of an untrained network are alike
    embedder = tmp_path / "embedder.safetensors"
    distil.save_weights(ConvNetEmbedder().eval(), embedder)
    fill(shards, "validation", 30)
    path = shards / "shards" / "validation-0000.npz"
    with np.load(path) as file:
        arrays = dict(file)
    arrays["kind"] = np.repeat(["rendered", "sounds"], 15)
    arrays["labels"][15:] = False
    card = untrained_checkpoint.with_suffix(".json")
    found = []
    for is_known in (False, True):
        arrays["known"] = np.broadcast_to(
            (arrays["kind"] == "rendered")[:, None, None] | is_known, arrays["labels"].shape
        )
        write_shard(path, arrays)
        embeddings.run(data, yamnet_classes, shards, embedder=embedder)
        found.append(recalibrate(shards, card))
    assert json.loads(card.read_text())["thresholds"] == found[1]
    assert all(found[1][label] >= found[0][label] for label in LABELS)
    assert any(found[1][label] > found[0][label] for label in LABELS)


def test_a_warm_start_begins_with_the_embedder_of_a_checkpoint(
    data: Path, yamnet_classes: Path, shards: Path, untrained_checkpoint: Path
) -> None:
    settings = msgspec.structs.replace(ONE_EPOCH, learning_rate=0.0)
    path = distil.run(data, yamnet_classes, shards, settings, init=str(untrained_checkpoint))
    begun = load_checkpoint(str(untrained_checkpoint)).embedder_state
    weights = load_file(path)
    assert torch.equal(weights["blocks.0.0.weight"], begun["blocks.0.0.weight"])
