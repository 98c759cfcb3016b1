"""Publishing: a finished run of MMGAT on VGGish's embeddings becomes a checkpoint with its card."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from mmgat.model.card import Card
from mmgat.model.checkpoint import save_checkpoint
from mmgat.model.mmgat import MMGAT
from mmgat.training.data.registry import DATASETS, dataset_named
from mmgat.training.errors import TrainingDataError
from mmgat.training.fitting.run_folder import load_run

VERSION: Final = "3"


def publish(folder: Path, name: str, data: Path, out: Path) -> Card:
    """Writes ``out``/NAME.safetensors and its card, without the tags, which only training needs.

    Args:
        folder: of the finished run.
        name: of the checkpoint.
        data: the local data folder, whose training clips the card counts.
        out: folder of the checkpoint.

    Raises:
        TrainingDataError: the run or its data are missing, or it is not of MMGAT on VGGish's
            embeddings.
    """
    run = load_run(folder)
    dataset = dataset_named(run.recipe.data)
    if not isinstance(run.network, MMGAT) or not dataset.variant:
        usable = [name for name, other in DATASETS.items() if other.variant]
        raise TrainingDataError(
            f"expected a run of mmgat on {', '.join(usable)} in {folder}, "
            f"found {run.recipe.network} on {run.recipe.data}"
        )
    labels = run.network.labels
    mmgat = MMGAT(
        msgspec.structs.replace(run.network.config, n_tags=0), labels.text if labels else None
    )
    state = run.network.state_dict()
    mmgat.load_state_dict({k: v for k, v in state.items() if not k.startswith("tags.")})
    f1 = run.result["f1_at_calibrated_thresholds"]
    figures = {"mAP": run.result["map"], "micro F1": f1["micro"], "macro F1": f1["macro"]}
    train, held_out = run.recipe.training_bags(data)
    n_clips = len(train) + (len(held_out) if run.recipe.refit else 0)
    card = Card(
        name=name,
        version=VERSION,
        embedder="vggish",
        variant=dataset.variant,
        mmgat=mmgat.config.to_dict(),
        thresholds=run.result["thresholds"],
        text_encoder=run.recipe.text().encoder if labels else "",
        training_data=tuple(source._asdict() | {"clips": n_clips} for source in dataset.sources),
        metrics=tuple(
            {
                "name": key,
                "value": round(value, 4),
                "on": f"{run.result['evaluation_clips']} {dataset.evaluated_on}",
                "command": f"mmgat-evaluate --checkpoint {name} --embeddings FILE.npz",
            }
            for key, value in figures.items()
        ),
        notes=dataset.notes,
    )
    return save_checkpoint(out / f"{name}.safetensors", card, mmgat)
