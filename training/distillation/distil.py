"""Training of the compact embedder on the shards: resumable after every epoch, seeded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from mmgat.model.checkpoint import load_checkpoint
from mmgat.model.embedders.compact import CompactEmbedder
from mmgat.training.data.audioset_names import to_labels
from mmgat.training.distillation.shards import Arrays, class_tables, read_shards
from mmgat.training.distillation.student import (
    N_MN04,
    N_YAMNET,
    Batch,
    Student,
    class_weights,
    jitter,
    losses,
)
from mmgat.training.distillation.workspace import workspace
from mmgat.training.errors import TrainingDataError
from mmgat.training.evaluation.metrics import average_precisions
from mmgat.training.synthesis.arrangement import CLIP_S

BATCH_CLIPS: Final = 32
WINDOWS_A_STEP: Final = 5
"""Seconds of a clip are much alike: half of them, drawn anew at every step, cost half."""

PEAK_RATE: Final = 3e-3
PEAK_RATE_WARM: Final = 1.5e-3
"""Of a run that begins with a trained embedder; more would undo what it has learned."""

WEIGHT_DECAY: Final = 0.02
EMA_DECAY: Final = 0.998
TEACHER_SAYS_YES: Final = 0.3


def batch_of(
    arrays: Arrays,
    chosen: npt.NDArray[np.int64],
    hearings: npt.NDArray[np.int64],
    windows: npt.NDArray[np.int64],
) -> tuple[Tensor, Batch]:
    """One hearing of each chosen clip, float32 [B, T, 96, 64], and its targets."""
    log_mel = arrays["log_mel"][chosen[:, None], hearings[:, None], windows[None]]
    picked = np.ix_(chosen, windows)
    found = {key: arrays[key][picked] for key in ("labels", "known", "yamnet")}
    found |= {key: arrays[key][chosen] for key in ("mn04", "mn04_embedding")}
    targets = {key: torch.from_numpy(array.astype(np.float32)) for key, array in found.items()}
    return torch.from_numpy(log_mel.astype(np.float32)), targets


@torch.inference_mode()
def validate(student: Student, arrays: Arrays, mn04_columns: list[list[int]]) -> dict[str, Any]:
    """Masked mAP over labels a second, and agreement with mn04 on held-out music clips."""
    student.eval()
    by_second, by_clip = [], []
    for start in range(0, len(arrays["kind"]), 64):
        chosen = np.arange(start, min(start + 64, len(arrays["kind"])))
        out = student(batch_of(arrays, chosen, np.zeros_like(chosen), np.arange(CLIP_S))[0])
        by_second.append(out["labels"].numpy())
        by_clip.append(out["mn04"].numpy())
    labels = average_precisions(arrays["labels"], np.concatenate(by_second), arrays["known"])
    music = arrays["kind"] == "music"
    says = to_labels(arrays["mn04"][music].astype(np.float32), mn04_columns) >= TEACHER_SAYS_YES
    agreement = average_precisions(
        says, to_labels(np.concatenate(by_clip)[music], mn04_columns), np.ones_like(says)
    )
    return {
        "map": round(float(np.mean(list(labels.values()))), 4) if labels else None,
        "music_map": round(float(np.mean(list(agreement.values()))), 4) if agreement else None,
        "per_label": {label: round(value, 3) for label, value in labels.items()},
    }


def embedder_state(checkpoint: str) -> dict[str, Tensor]:
    """The compact embedder's tensors in a checkpoint.

    Raises:
        CheckpointError: no checkpoint there.
        TrainingDataError: it is one of another embedder.
    """
    loaded = load_checkpoint(checkpoint)
    if loaded.card.embedder != CompactEmbedder.name:
        raise TrainingDataError(
            f"expected a checkpoint with a compact embedder to begin with, "
            f"found {loaded.card.name!r} with {loaded.card.embedder}"
        )
    return loaded.embedder_state


def save_weights(module: nn.Module, path: Path) -> None:
    """A module's weights as safetensors, which wants plain memory order."""
    save_file({key: value.contiguous() for key, value in module.state_dict().items()}, path)


def run(
    data: Path,
    teachers: Path,
    cache: Path,
    *,
    init: str | None = None,
    epochs: int = 16,
    stop_after: int | None = None,
    seed: int = 0,
    threads: int = 2,
    without: str | None = None,
) -> Path:
    """Train for ``epochs`` in all, going on after the last finished one.

    ``stop_after`` ends this run after so many epochs of the plan; the next run goes on. ``init`` is
    a checkpoint, by name or path, whose embedder is where a new run begins. ``without`` leaves out
    the clips with recordings of a source.

    Writes into ``distil`` in the run's workspace after every epoch: ``embedder.safetensors``
    (averaged weights of the embedder alone), ``student.safetensors`` (with heads), ``state.pt``
    (to go on from) and a line of ``log.jsonl``. Returns the embedder's path.

    Raises:
        TrainingDataError: shards or class tables are missing.
        CheckpointError: ``init`` is no checkpoint.
    """
    torch.set_num_threads(threads)
    yamnet_columns, mn04_columns = class_tables(data, teachers)
    yamnet_weights = class_weights(N_YAMNET, yamnet_columns)
    mn04_weights = class_weights(N_MN04, mn04_columns)
    train, held_out = (read_shards(cache, split, without) for split in ("train", "validation"))
    n_clips, n_hearings = train["log_mel"].shape[:2]
    n_steps = -(-n_clips // BATCH_CLIPS)

    torch.manual_seed(seed)
    student = Student()
    if init is not None:
        student.embedder.load_state_dict(embedder_state(init))
    peak_rate = PEAK_RATE if init is None else PEAK_RATE_WARM
    average = get_ema_multi_avg_fn(EMA_DECAY)  # type: ignore[no-untyped-call]
    averaged = AveragedModel(student, multi_avg_fn=average, use_buffers=True)
    optimizer = torch.optim.AdamW(student.parameters(), peak_rate, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, peak_rate, total_steps=epochs * n_steps, pct_start=0.15
    )
    folder = workspace(cache, without) / "distil"
    folder.mkdir(parents=True, exist_ok=True)
    state_file = folder / "state.pt"
    parts: dict[str, Any] = {
        "student": student, "averaged": averaged, "optimizer": optimizer, "schedule": schedule
    }  # fmt: skip
    first = 0
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        first = state["epoch"] + 1
        for name, part in parts.items():
            part.load_state_dict(state[name])

    for epoch in range(first, min(epochs, stop_after or epochs)):
        rng = np.random.default_rng((seed, epoch))
        generator = torch.Generator().manual_seed(seed * 1000 + epoch)
        order = rng.permutation(n_clips)
        totals: dict[str, float] = {}
        student.train()
        for step in tqdm(range(n_steps), f"epoch {epoch + 1}/{epochs}", mininterval=10):
            chosen = order[step * BATCH_CLIPS : (step + 1) * BATCH_CLIPS]
            windows = rng.choice(CLIP_S, WINDOWS_A_STEP, replace=False)
            hearings = rng.integers(n_hearings, size=len(chosen))
            log_mel, batch = batch_of(train, chosen, hearings, windows)
            parts_of_loss = losses(
                student(jitter(log_mel, generator)), batch, yamnet_weights, mn04_weights
            )
            optimizer.zero_grad(set_to_none=True)
            torch.stack(list(parts_of_loss.values())).sum().backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(student.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            averaged.update_parameters(student)
            for name, value in parts_of_loss.items():
                totals[name] = totals.get(name, 0.0) + value.item() / n_steps
        best = averaged.module
        assert isinstance(best, Student)
        line = {"epoch": epoch + 1, "of": epochs, "clips": n_clips}
        line |= {name: round(value, 4) for name, value in totals.items()}
        line |= validate(best, held_out, mn04_columns)
        tqdm.write(json.dumps(line))
        save_weights(best, folder / "student.safetensors")
        save_weights(best.embedder, folder / "embedder.safetensors")
        partial = state_file.with_suffix(".partial")
        torch.save({"epoch": epoch} | {k: p.state_dict() for k, p in parts.items()}, partial)
        partial.rename(state_file)
        with (folder / "log.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")
    return folder / "embedder.safetensors"
