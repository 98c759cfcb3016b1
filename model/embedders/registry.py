"""The embedders there are. A new one is a file with its network and an entry in ``BUILT_IN``.

Packages of others add theirs under the entry point group ``mmgat.embedders``: an entry point's
name is the embedder's, and it loads an ``EmbedderSpec``.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Final

from mmgat.model.card import Card, check_embedding_space
from mmgat.model.embedders.base import EMBEDDING_SIZE, EmbedderSpec
from mmgat.model.embedders.kaldi_mel import KALDI_LOG_MEL
from mmgat.model.embedders.log_mel import VGGISH_LOG_MEL
from mmgat.model.embedders.slaney_mel import RAW_WAVEFORM, SLANEY_LOG_MEL
from mmgat.model.embedders.tags import NODE_SIZE
from mmgat.model.errors import CheckpointError
from mmgat.model.labels import N_LABELS

ENTRY_POINTS: Final = "mmgat.embedders"

BUILT_IN: Final = (
    EmbedderSpec(
        name="compact",
        variants=("compact-3",),
        front_end=KALDI_LOG_MEL,
        embedding_size=NODE_SIZE,
        carried=True,
        loader="mmgat.model.embedders.tagger:load_tagger",
    ),
    EmbedderSpec(
        name="convnet",
        variants=("convnet-2",),
        front_end=VGGISH_LOG_MEL,
        embedding_size=EMBEDDING_SIZE,
        carried=True,
        loader="mmgat.model.embedders.convnet:load_convnet",
    ),
    EmbedderSpec(
        name="windows-log-mel",
        variants=("logits-1",),
        front_end=SLANEY_LOG_MEL,
        embedding_size=2 * N_LABELS,
        carried=True,
        loader="mmgat.training.comparators.live:load_windows",
    ),
    EmbedderSpec(
        name="windows-raw",
        variants=("logits-1",),
        front_end=RAW_WAVEFORM,
        embedding_size=2 * N_LABELS,
        carried=True,
        loader="mmgat.training.comparators.live:load_windows",
    ),
    EmbedderSpec(
        name="vggish",
        variants=("pre-activation+pca+8bit", "relu+pca+8bit"),
        front_end=VGGISH_LOG_MEL,
        embedding_size=EMBEDDING_SIZE,
        carried=False,
        loader="mmgat.model.embedders.vggish.network:load_published",
        cpu_graph="mmgat.model.embedders.vggish.cache:converted",
    ),
)


def embedder_spec(name: str) -> EmbedderSpec:
    """The embedder of that name, of this package or of an installed plug-in.

    Raises:
        CheckpointError: there is none; the message lists those there are.
    """
    for spec in BUILT_IN:
        if spec.name == name:
            return spec
    plug_ins = entry_points(group=ENTRY_POINTS)
    for entry_point in plug_ins.select(name=name):
        spec = entry_point.load()
        if isinstance(spec, EmbedderSpec):
            return spec
        raise CheckpointError(
            f"expected an EmbedderSpec from the plug-in {entry_point.value!r}, "
            f"found {type(spec).__name__}: upgrade or uninstall that package"
        )
    known = ", ".join(sorted({spec.name for spec in BUILT_IN} | plug_ins.names))
    raise CheckpointError(
        f"expected an embedder of {known}, found {name!r}: install the package that brings it"
    )


def spec_of(card: Card) -> EmbedderSpec:
    """The embedder that made the embeddings a checkpoint's MMGAT reads.

    Raises:
        CheckpointError: it is not there, or makes no embeddings of the card's variant.
    """
    spec = embedder_spec(card.embedder)
    if card.variant not in spec.variants:
        check_embedding_space(card, spec.name, " or ".join(spec.variants))
    return spec
