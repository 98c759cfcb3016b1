"""Embedders of others, loaded from random weights in the published formats."""

from pathlib import Path
from typing import Any

import numpy as np
import pooch
import pytest
import requests
import torch

from mmgat.training.embedders import weights as weights_module
from mmgat.training.embedders.beats import BEATS, BEATsConfig, load_beats
from mmgat.training.embedders.kaldi import centred_log_mel, filter_bank
from mmgat.training.embedders.passt import PASST, load_passt
from mmgat.training.embedders.registry import WAVEFORM_EMBEDDERS, waveform_embedder
from mmgat.training.embedders.weights import find_weights
from mmgat.training.embedders.yamnet import YAMNET
from mmgat.training.errors import TrainingDataError
from tests.training.embedders.published_formats import beats_content, passt_state, spectrogram


@pytest.fixture
def passt(tmp_path: Path) -> Path:
    path = tmp_path / "passt.pt"
    torch.save(passt_state(), path)
    return path


@pytest.fixture
def beats(tmp_path: Path) -> Path:
    path = tmp_path / "beats.pt"
    torch.save(beats_content(), path)
    return path


def test_passt_gives_the_numbers_of_its_authors_code(passt: Path) -> None:
    # hear21passt 0.0.26, models.passt.PaSST, with the same tensors and spectrogram.
    expected = [0.50971109, 0.11080116, 0.06396899, -0.05583072, -0.03793608, -0.22751638,
                0.06783146, 0.06552922]  # fmt: skip
    found = load_passt(passt).features(spectrogram(200, 0.0, 0.7).T[None, None])
    np.testing.assert_allclose(found[0, ::16], expected, atol=1e-5)


def test_beats_gives_the_numbers_of_its_authors_code(beats: Path) -> None:
    # openbeats 0.1.1, beats_encoder.BeatsEncoder (Microsoft's), with the same tensors.
    expected = [-0.32185832, 0.21742477, -0.37765613, -0.0880649, -0.1489752, 0.08289742, 0.16269169,
                -0.23728545]  # fmt: skip
    found = load_beats(beats).patches(spectrogram(198, 15.4, 6.5)[None]).mean(1)
    np.testing.assert_allclose(found[0, ::8], expected, atol=1e-5)


def test_published_sizes_are_those_of_the_papers() -> None:
    state = {name: tensor.shape for name, tensor in passt_state(128, 1).items()}
    assert state["time_new_pos_embed"][-1] == (998 - 16) // 10 + 1
    assert BEATsConfig().encoder_embed_dim == waveform_embedder("beats").size
    assert BEATsConfig().encoder_layers == 12


def test_the_filter_bank_is_kaldis() -> None:
    from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

    sound = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    bands = mel_filter_bank(
        257, 128, 20, 8_000, 16_000, None, "kaldi", triangularize_in_mel_space=True
    )
    expected = spectrogram(
        sound * 2**15, window_function(400, "povey", periodic=False), 400, 160, 512, power=2.0,
        center=False, preemphasis=0.97, mel_filters=bands, log_mel="log",
        mel_floor=float(np.finfo(np.float32).eps), remove_dc_offset=True,
    ).T  # fmt: skip
    found = filter_bank(torch.from_numpy(sound)[None])[0]
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_two_seconds_of_32_khz_are_200_frames() -> None:
    assert centred_log_mel(torch.zeros(1, 64_000)).shape == (1, 1, 128, 200)


@pytest.mark.parametrize("name", ["passt", "beats"])
def test_each_second_gets_a_row_that_ends_with_it(name: str, passt: Path, beats: Path) -> None:
    embedder = waveform_embedder(name)
    embed = embedder.load({"passt": passt, "beats": beats}[name])
    sound = np.random.default_rng(0).normal(0, 0.1, 3 * 16_000 + 5_000).astype(np.float32)
    rows = embedder.seconds(sound, 16_000, embed)
    later = sound.copy()
    later[2 * 16_000 + 100 :] = 0
    changed = embedder.seconds(later, 16_000, embed)
    assert rows.shape == (3, 128 if name == "passt" else 64)
    np.testing.assert_allclose(changed[:2], rows[:2], atol=2e-3)
    assert np.abs(changed[2] - rows[2]).max() > 1e-2
    assert len(embedder.seconds(sound[:4_000], 16_000, embed)) == 1


@pytest.mark.parametrize("load", [load_passt, load_beats])
def test_a_damaged_file_is_told(load: Any, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(b"no weights")
    with pytest.raises(TrainingDataError, match=r"expected the weights of .* in .*weights\.pt"):
        load(path)
    torch.save({"something": torch.zeros(1)}, path)
    with pytest.raises(TrainingDataError, match=r"expected .* in .*weights\.pt, found"):
        load(path)


def test_weights_with_a_missing_tensor_are_told(passt: Path) -> None:
    state = passt_state()
    del state["blocks.1.mlp.fc1.bias"]
    torch.save(state, passt)
    with pytest.raises(TrainingDataError, match=r"PaSST-S in .*passt\.pt, found others.*fc1\.bias"):
        load_passt(passt)


def test_offline_the_message_says_what_to_fetch_and_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(url: str, **_: object) -> None:
        raise requests.ConnectionError("Max retries exceeded")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(pooch, "retrieve", no_network)
    for published in (PASST, BEATS):
        with pytest.raises(TrainingDataError, match="found no connection to") as caught:
            find_weights(published)
        assert published.file in str(caught.value)
        assert published.source in str(caught.value)
        assert "--weights" in str(caught.value)
    with pytest.raises(TrainingDataError, match=r"expected --weights with yamnet\.tflite"):
        find_weights(YAMNET)
    with pytest.raises(TrainingDataError, match=r"at .*mine\.pt, found no file"):
        find_weights(PASST, tmp_path / "mine.pt")


def test_a_download_is_checked_by_its_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def fetch(url: str, known_hash: object, fname: str, path: Path, progressbar: bool) -> None:
        asked.append(known_hash)
        (path / fname).write_bytes(b"weights")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(pooch, "retrieve", fetch)
    with pytest.raises(TrainingDataError, match=rf"expected .* with sha256 {BEATS.sha256}"):
        find_weights(BEATS)
    path = find_weights(PASST)
    assert asked == [f"sha256:{BEATS.sha256}", None]
    assert path.parent == weights_module.weights_folder()
    path.write_bytes(b"other weights")
    with pytest.raises(TrainingDataError, match="found another file: delete it"):
        find_weights(PASST)


def test_every_embedder_says_where_its_weights_are_and_what_is_known_of_their_hash() -> None:
    for name, embedder in WAVEFORM_EMBEDDERS.items():
        published = embedder.published
        assert published.licence
        assert published.source.startswith("mmgat-train " if name == "convnet" else "https://")
        assert not published.url or published.note
