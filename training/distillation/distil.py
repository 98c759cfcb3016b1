"""Training of the compact embedder on the shards, in the training loop of all networks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmgat.model.checkpoint import load_checkpoint, save_tensors
from mmgat.model.embedders.convnet import ConvNetEmbedder
from mmgat.training.data.published.audioset_names import to_labels
from mmgat.training.distillation.shards import Arrays, Columns, class_tables, read_shards
from mmgat.training.distillation.student import Batch, Student, class_weights, jitter, losses
from mmgat.training.distillation.workspace import workspace
from mmgat.training.embedders.mn04 import N_MN04
from mmgat.training.embedders.yamnet import N_YAMNET
from mmgat.training.errors import TrainingDataError
from mmgat.training.fitting.loop import Fitting, LoopSettings, train
from mmgat.training.metrics import average_precisions
from mmgat.training.synthesis.arrangement import CLIP_S

WINDOWS_A_STEP: Final = 5
"""Seconds of a clip are similar, so that half of them, drawn at random at every step, are enough."""

PEAK_RATE: Final = 3e-3
PEAK_RATE_WARM: Final = 1.5e-3
"""Of a run that begins with a trained embedder; a higher rate would undo what it has learned."""

MIN_TEACHER_SCORE: Final = 0.3
"""Above this mn04's score counts as a positive when music is validated."""

SETTINGS: Final = LoopSettings(
    epochs=16, batch=32, learning_rate=PEAK_RATE, weight_decay=0.02, ema=0.998, gradient_norm=5.0
)


def batch_of(
    arrays: Arrays,
    clips: npt.NDArray[np.int64],
    views: npt.NDArray[np.int64],
    windows: npt.NDArray[np.int64],
) -> tuple[Tensor, Batch]:
    """Takes one augmented view of each clip, float32 [B, T, 96, 64], and its targets."""
    log_mel = arrays["log_mel"][clips[:, None], views[:, None], windows[None]]
    picked = np.ix_(clips, windows)
    found = {key: arrays[key][picked] for key in ("labels", "known", "yamnet")}
    found |= {key: arrays[key][clips] for key in ("mn04", "mn04_embedding")}
    targets = {key: torch.from_numpy(array.astype(np.float32)) for key, array in found.items()}
    return torch.from_numpy(log_mel.astype(np.float32)), targets


class Distillation(Fitting):
    """The student with its losses and its clips, which lie in memory.

    Args:
        student: is trained in place.
        clips: training shards.
        held_out: validation shards.
        columns: of the 20 labels in YAMNet's and in AudioSet's classes.
        settings: of the training.
        log: file that gets a JSON line an epoch.
    """

    yamnet_weights: Tensor
    mn04_weights: Tensor

    def __init__(
        self,
        student: Student,
        clips: Arrays,
        held_out: Arrays,
        columns: tuple[Columns, Columns],
        settings: LoopSettings,
        log: Path,
    ) -> None:
        super().__init__(settings)
        self.student, self._clips, self._held_out, self._log = student, clips, held_out, log
        self._mn04_columns = columns[1]
        weights = class_weights(N_YAMNET, columns[0]), class_weights(N_MN04, columns[1])
        self.register_buffer("yamnet_weights", weights[0], persistent=False)
        self.register_buffer("mn04_weights", weights[1], persistent=False)
        self._losses: list[Batch] = []
        self._outputs: list[Batch] = []

    def train_dataloader(self) -> DataLoader[int]:
        """Loads the clips in random order."""
        return self.shuffled(len(self._clips["kind"]), self._batch, drop_last=False)

    def val_dataloader(self) -> DataLoader[int]:
        """Loads the first view of all seconds of the held-out clips, in order."""

        def collate(index: list[int]) -> tuple[Tensor, Batch]:
            first = np.zeros(len(index), np.int64)
            return batch_of(self._held_out, np.array(index), first, np.arange(CLIP_S))

        return self.in_order(len(self._held_out["kind"]), collate, batch=64)

    def _batch(self, index: list[int]) -> tuple[Tensor, Batch]:
        """A view of each clip and some seconds of it, changed at random."""
        seed = hash((self.settings.seed, *index))
        rng = np.random.default_rng(seed % 2**63)
        windows = rng.choice(CLIP_S, WINDOWS_A_STEP, replace=False)
        views = rng.integers(self._clips["log_mel"].shape[1], size=len(index))
        log_mel, targets = batch_of(self._clips, np.array(index), views, windows)
        return jitter(log_mel, torch.Generator().manual_seed(seed)), targets

    def training_step(self, batch: tuple[Tensor, Batch], _: int) -> Tensor:
        """Computes the sum of the losses of a batch."""
        log_mel, targets = batch
        parts = losses(self.student(log_mel), targets, self.yamnet_weights, self.mn04_weights)
        self._losses.append({name: value.detach() for name, value in parts.items()})
        return torch.stack(list(parts.values())).sum()

    def validation_step(self, batch: tuple[Tensor, Batch], _: int) -> None:
        """Keeps the labels of seconds and the classes of clips."""
        output = self.student(batch[0])
        self._outputs.append({name: output[name].cpu() for name in ("labels", "mn04")})

    def on_validation_epoch_end(self) -> None:
        """Writes losses and mean average precision of the epoch into the log."""
        seconds, clips = (
            torch.cat([output[name] for output in self._outputs]).numpy()
            for name in ("labels", "mn04")
        )
        line: dict[str, Any] = {"epoch": self.current_epoch + 1, "of": self.settings.epochs}
        line |= {
            name: round(float(torch.stack([parts[name] for parts in self._losses]).mean()), 4)
            for name in self._losses[0]
        }
        line |= validate(self._held_out, seconds, clips, self._mn04_columns)
        self._losses.clear()
        self._outputs.clear()
        with self._log.open("a") as log:
            log.write(json.dumps(line) + "\n")


def validate(
    arrays: Arrays,
    seconds: npt.NDArray[np.float32],
    clips: npt.NDArray[np.float32],
    mn04_columns: Columns,
) -> dict[str, Any]:
    """Computes masked mAP over labels of seconds, and agreement with mn04 on clips of music.

    Args:
        arrays: held-out shards.
        seconds: logits [n, 10, 20] of labels.
        clips: logits [n, 527] of mn04's classes.
        mn04_columns: of the 20 labels in these classes.
    """
    labels = average_precisions(arrays["labels"], seconds, arrays["known"])
    music = arrays["kind"] == "music"
    teacher = to_labels(arrays["mn04"][music].astype(np.float32), mn04_columns)
    positive = teacher >= MIN_TEACHER_SCORE
    student = to_labels(clips[music], mn04_columns)
    agreement = average_precisions(positive, student, np.ones_like(positive))
    return {
        "map": round(float(np.mean(list(labels.values()))), 4) if labels else None,
        "music_map": round(float(np.mean(list(agreement.values()))), 4) if agreement else None,
        "per_label": {label: round(value, 3) for label, value in labels.items()},
    }


def embedder_state(checkpoint: str) -> dict[str, Tensor]:
    """Reads the compact embedder's tensors from a checkpoint.

    Raises:
        CheckpointError: there is no such checkpoint.
        TrainingDataError: it has another embedder.
    """
    loaded = load_checkpoint(checkpoint)
    if loaded.card.embedder != ConvNetEmbedder.name:
        raise TrainingDataError(
            f"expected a checkpoint with a compact embedder to begin with, "
            f"found {loaded.card.name!r} with {loaded.card.embedder}"
        )
    return loaded.embedder_state


def save_weights(module: nn.Module, path: Path) -> None:
    """Writes a module's weights as safetensors."""
    save_tensors(module.state_dict(), path)


def run(
    data: Path,
    yamnet_classes: Path,
    cache: Path,
    settings: LoopSettings = SETTINGS,
    *,
    init: str | None = None,
    stop_after: int | None = None,
    without: str | None = None,
) -> Path:
    """Trains the embedder, or resumes where training stopped, and returns the path of its weights.

    Writes into ``distil`` in the run's workspace: ``embedder.safetensors`` (averaged weights of the
    embedder), ``student.safetensors`` (with heads), Lightning's state and a line an epoch of
    ``log.jsonl``.

    Args:
        data: the local data folder, with AudioSet's class table.
        yamnet_classes: YAMNet's class table.
        cache: has the shards.
        settings: of the training.
        init: name or path of a checkpoint with whose embedder a new run begins.
        stop_after: end after this epoch of the plan, to be resumed.
        without: a source; clips with its recordings are left out.

    Raises:
        TrainingDataError: shards or class tables are missing.
        CheckpointError: ``init`` is no checkpoint.
    """
    columns = class_tables(data, yamnet_classes)
    clips, held_out = (read_shards(cache, split, without) for split in ("train", "validation"))
    torch.manual_seed(settings.seed)
    student = Student()
    if init is not None:
        student.embedder.load_state_dict(embedder_state(init))
    folder = workspace(cache, without) / "distil"
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "log.jsonl"
    module = Distillation(student, clips, held_out, columns, settings, log)
    train(module, folder, select_best=False, devices=1, stop_after=stop_after)
    save_weights(student, folder / "student.safetensors")
    save_weights(student.embedder, folder / "embedder.safetensors")
    return folder / "embedder.safetensors"
