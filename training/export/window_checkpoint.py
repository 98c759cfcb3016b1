"""A finished run of a window network as a checkpoint for ``mmgat-stream --model``, with its graphs."""

from __future__ import annotations

from pathlib import Path

from mmgat.model.card import Card
from mmgat.model.checkpoint import save_checkpoint
from mmgat.training.comparators.live import EMBEDDERS, VARIANT, WindowEmbedder, silent_mmgat
from mmgat.training.comparators.registry import SYSTEMS
from mmgat.training.data.registry import dataset_named
from mmgat.training.errors import TrainingDataError
from mmgat.training.export.onnx_graphs import export
from mmgat.training.fitting.run_folder import load_run


def publish_system(run: Path, out: Path, graphs: bool = True) -> Path:
    """Writes a run's network with its card and graphs, and returns the checkpoint's path.

    Args:
        run: folder of a finished run.
        out: folder; the files are named like the recipe.
        graphs: write the ONNX graphs too, where its features are not computed by librosa; without
            them live recognition needs torch.

    Raises:
        TrainingDataError: there is no such run, or its scores do not come a window at a time.
    """
    found = load_run(run)
    recipe = found.recipe
    live = [name for name, system in SYSTEMS.items() if system.live]
    if recipe.network not in live or recipe.embeddings not in EMBEDDERS:
        raise TrainingDataError(
            f"expected a run of {', '.join(live)}, on {', '.join(EMBEDDERS)}, found "
            f"{recipe.network} on {recipe.embeddings}: it hears more than a second at once"
        )
    embedder = WindowEmbedder(recipe.network, recipe.system, recipe.embeddings)
    embedder.network.load_state_dict(found.network.state_dict())
    dataset = dataset_named(recipe.data)
    card = Card(
        name=found.name,
        version="1",
        embedder=EMBEDDERS[recipe.embeddings],
        variant=VARIANT,
        mmgat={},
        thresholds=found.result["thresholds"],
        training_data=tuple({"source": s.source, "licence": s.licence} for s in dataset.sources),
        notes=(f"{SYSTEMS[recipe.network].title}, a system that MMGAT is compared with.",),
    )
    path = out / f"{found.name}.safetensors"
    save_checkpoint(path, card, silent_mmgat(), embedder.state_dict())
    if graphs and embedder.of_seconds is None:
        export(path)
    return path
