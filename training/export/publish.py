"""A finished run of MMGAT on VGGish's rows as a checkpoint with its card."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from mmgat.model.card import Card
from mmgat.model.checkpoint import save_checkpoint
from mmgat.model.embedders.vggish import VARIANTS
from mmgat.model.mmgat import MMGAT
from mmgat.training.data.registry import sources, training_bags
from mmgat.training.errors import TrainingDataError
from mmgat.training.fitting.run_folder import load_run

VERSION: Final = "3"
ROWS: Final = {
    "audioset": (VARIANTS[0], "music clips of validation.npz (AudioSet evaluation set)"),
    "openmic": (VARIANTS[1], "clips of OpenMIC-2018's test split"),
    "openmic+irmas": (VARIANTS[1], "clips of the test sets of OpenMIC-2018 and IRMAS"),
}
"""data of a recipe -> variant of VGGish, and what its figures are of."""

NOTES: Final = {
    "audioset": (
        "Trained on weak labels of 10-s clips: what sounds now is known less well than what "
        "sounded in the last seconds.",
        "AudioSet labels are incomplete and its rows come from web video; scores are low for what "
        "is rare there.",
    ),
    "openmic": ("Trained on about two known labels a clip, of 10 s.",),
    "openmic+irmas": ("Trained on a few known labels a clip, of 10 to 13 s.",),
}


def publish(folder: Path, name: str, data: Path, out: Path) -> Card:
    """Writes ``out``/NAME.safetensors and its card, without the tags, which only training needs.

    Args:
        folder: the finished run.
        data: what it was trained on, to say how many clips.

    Raises:
        TrainingDataError: no such run or data, or not of MMGAT on VGGish's rows.
    """
    run = load_run(folder)
    if not isinstance(run.network, MMGAT) or run.recipe.data not in ROWS:
        raise TrainingDataError(
            f"expected a run of mmgat on {', '.join(ROWS)} in {folder}, "
            f"found {run.recipe.network} on {run.recipe.data}"
        )
    labels = run.network.labels
    mmgat = MMGAT(
        msgspec.structs.replace(run.network.config, n_tags=0), labels.text if labels else None
    )
    state = run.network.state_dict()
    mmgat.load_state_dict({k: v for k, v in state.items() if not k.startswith("tags.")})
    variant, of = ROWS[run.recipe.data]
    f1 = run.result["f1_at_calibrated_thresholds"]
    figures = {"mAP": run.result["map"], "micro F1": f1["micro"], "macro F1": f1["macro"]}
    train, held_out = training_bags(run.recipe, data)
    n_clips = len(train) + (len(held_out) if run.recipe.refit else 0)
    card = Card(
        name=name,
        version=VERSION,
        embedder="vggish",
        variant=variant,
        mmgat=mmgat.config.to_dict(),
        thresholds=run.result["thresholds"],
        text_encoder=run.recipe.text().encoder if labels else "",
        training_data=tuple(row | {"clips": n_clips} for row in sources(run.recipe)),
        metrics=tuple(
            {
                "name": key,
                "value": round(value, 4),
                "on": f"{run.result['evaluation_clips']} {of}",
                "command": f"mmgat-evaluate --checkpoint {name} --rows FILE.npz",
            }
            for key, value in figures.items()
        ),
        notes=NOTES[run.recipe.data],
    )
    return save_checkpoint(out / f"{name}.safetensors", card, mmgat)
