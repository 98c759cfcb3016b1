import json
from pathlib import Path

import open_clip
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file
from torch.nn.functional import cosine_similarity

from mmgat.model.labels import INDEX, LABELS
from mmgat.training.commands.train import main
from mmgat.training.data.label_text import (
    LabelText,
    clip_embeddings,
    label_prompts,
    minilm_embeddings,
)
from mmgat.training.errors import TrainingDataError

TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of a tiny CLIP in open_clip's published form."""
    folder = tmp_path_factory.mktemp("clip")
    (folder / "tiny-clip.json").write_text(json.dumps(TINY))
    open_clip.add_model_config(folder / "tiny-clip.json")
    torch.manual_seed(0)
    path = folder / "weights.pt"
    torch.save(open_clip.create_model("tiny-clip").state_dict(), path)
    return path


def test_clips_embeddings_are_those_of_its_text_tower(tiny_clip: Path) -> None:
    text = clip_embeddings("tiny-clip", str(tiny_clip), "a photo of a {}")
    network = open_clip.create_model("tiny-clip", str(tiny_clip)).eval()
    tokens = open_clip.get_tokenizer("tiny-clip")(["a photo of a mallet percussion"])
    expected = network.encode_text(tokens, normalize=True)[0]
    assert text.embeddings.shape == (20, 16)
    assert torch.allclose(text.embeddings[INDEX["mallet_percussion"]], expected, atol=1e-6)


def test_the_prompt_changes_clips_embeddings(tiny_clip: Path) -> None:
    one, other = (
        clip_embeddings("tiny-clip", str(tiny_clip), prompt) for prompt in ("{}", "a {} solo")
    )
    assert not torch.allclose(one.embeddings, other.embeddings)


def test_what_open_clip_does_not_know_is_told_with_what_to_do() -> None:
    with pytest.raises(TrainingDataError, match="--encoder minilm, which needs no download"):
        clip_embeddings("no-such-model", "no-such-weights")


def test_minilm_finds_a_violin_nearer_to_a_cello_than_to_drums() -> None:
    text = minilm_embeddings()
    violin, cello, drums = (text.embeddings[INDEX[name]] for name in ("violin", "cello", "drums"))
    assert text.embeddings.shape == (20, 384)
    assert cosine_similarity(violin, cello, 0) > cosine_similarity(violin, drums, 0)


def test_names_of_two_words_are_written_as_words() -> None:
    assert label_prompts("hear a {}")[INDEX["mallet_percussion"]] == "hear a mallet percussion"


@pytest.mark.parametrize("prompt", ["an instrument", "{} and {}"])
def test_a_prompt_without_one_place_for_the_name_is_refused(prompt: str) -> None:
    with pytest.raises(TrainingDataError, match="expected one {} in the prompt"):
        label_prompts(prompt)


def test_a_file_gives_back_what_was_saved(tmp_path: Path) -> None:
    text = LabelText(torch.randn(20, 8), "an encoder", "a {}")
    text.save(tmp_path / "sub" / "labels.safetensors")
    again = LabelText.load(tmp_path / "sub" / "labels.safetensors")
    assert torch.equal(again.embeddings, text.embeddings)
    assert (again.encoder, again.prompt) == (text.encoder, text.prompt)


def test_embeddings_of_other_labels_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"embeddings": torch.zeros(20, 8)}, path, {"labels": ",".join(reversed(LABELS))})
    with pytest.raises(TrainingDataError, match="expected embeddings of the labels accordion"):
        LabelText.load(path)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(b"no tensors here")
    with pytest.raises(TrainingDataError, match="mmgat-train label-embeddings"):
        LabelText.load(path)


def test_the_command_writes_a_file_that_a_recipe_can_name(tiny_clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.safetensors"
    arguments = ["label-embeddings", "--model", "tiny-clip", "--pretrained", str(tiny_clip)]
    result = CliRunner().invoke(main, [*arguments, "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert LabelText.load(out).encoder == "CLIP tiny-clip weights.pt (open_clip)"


def test_a_fault_of_the_command_is_one_line(tmp_path: Path) -> None:
    out = str(tmp_path / "labels.safetensors")
    result = CliRunner().invoke(main, ["label-embeddings", "--prompt", "no place", "--out", out])
    assert result.exit_code == 1
    assert result.output.startswith("Error: expected one {} in the prompt")
