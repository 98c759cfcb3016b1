"""BEATs (Chen et al., "BEATs: Audio Pre-Training with Acoustic Tokenizers", ICML 2023).

Patches of 16 x 16 of a Kaldi filter bank, projected; a convolution over them as position; 12 layers of
attention with gated relative positions and deep norm, as the published files describe them in their
``cfg``. The embedding is the mean of the patches. Source: microsoft/unilm, beats (MIT), whose
network this one must equal.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

import msgspec
import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention
from torch.nn.utils.parametrizations import weight_norm

from mmgat.training.embedders.kaldi import filter_bank
from mmgat.training.embedders.weights import Published, fill, find_weights, load_tensors
from mmgat.training.errors import TrainingDataError

BEATS: Final = Published(
    title="BEATs iter3+ (AS2M)",
    file="BEATs_iter3_plus_AS2M.pt",
    licence="MIT",
    source="https://github.com/microsoft/unilm/tree/master/beats",
    url="https://huggingface.co/lpepino/beats_ckpts/resolve/main/BEATs_iter3_plus_AS2M.pt",
    megabytes=361,
    sha256="d43cbfad4d7b56381c061d7a24774f908d4d94c72961f6eb1d9090ff18cd8d34",
    note="a mirror, for Microsoft's own links need a browser; Microsoft publishes no hash: this one is "
    "what public projects that use the file record, and it could not be checked here",
)

MEAN: Final = 15.41663
SPREAD: Final = 6.55582
"""Of the filter bank over AudioSet."""


class BEATsConfig(msgspec.Struct, frozen=True):
    """What a file's ``cfg`` says; entries that only training needs are not read."""

    input_patch_size: int = 16
    embed_dim: int = 512
    encoder_layers: int = 12
    encoder_embed_dim: int = 768
    encoder_ffn_embed_dim: int = 3072
    encoder_attention_heads: int = 12
    deep_norm: bool = False
    layer_norm_first: bool = False
    conv_pos: int = 128
    conv_pos_groups: int = 16
    relative_position_embedding: bool = False
    num_buckets: int = 320
    max_distance: int = 1280
    gru_rel_pos: bool = False


class Attention(nn.Module):
    """Attention with a bias by distance, which every query lets in by a gate of its own.

    Args:
        config: of the network.
        has_bias: whether it owns the table of biases; one layer's serves all.
    """

    def __init__(self, config: BEATsConfig, has_bias: bool) -> None:
        super().__init__()
        size, self.n_heads = config.encoder_embed_dim, config.encoder_attention_heads
        self.k_proj, self.v_proj = nn.Linear(size, size), nn.Linear(size, size)
        self.q_proj, self.out_proj = nn.Linear(size, size), nn.Linear(size, size)
        if has_bias:
            self.relative_attention_bias = nn.Embedding(config.num_buckets, self.n_heads)
        if config.gru_rel_pos:
            self.grep_linear = nn.Linear(size // self.n_heads, 8)
            self.grep_a = nn.Parameter(torch.ones(1, self.n_heads, 1, 1))
        self.is_gated = config.gru_rel_pos

    def forward(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """Tokens [B, T, size], bias [heads, T, T] -> [B, T, size]."""
        q, k, v = (
            project(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        if bias is not None and self.is_gated:
            gates = self.grep_linear(q).unflatten(-1, (2, 4)).sum(-1).sigmoid()
            first, second = gates.chunk(2, dim=-1)
            bias = (first * (second * self.grep_a - 1.0) + 2.0) * bias
        heard = scaled_dot_product_attention(q, k, v, bias)
        mixed: Tensor = self.out_proj(heard.transpose(1, 2).flatten(2))
        return mixed


class Layer(nn.Module):
    """Attention and two linear layers, each added to its input, which deep norm makes louder."""

    def __init__(self, config: BEATsConfig, has_bias: bool) -> None:
        super().__init__()
        size = config.encoder_embed_dim
        self.self_attn = Attention(config, has_bias)
        self.self_attn_layer_norm = nn.LayerNorm(size)
        self.fc1 = nn.Linear(size, config.encoder_ffn_embed_dim)
        self.fc2 = nn.Linear(config.encoder_ffn_embed_dim, size)
        self.final_layer_norm = nn.LayerNorm(size)
        self.alpha = (2 * config.encoder_layers) ** 0.25 if config.deep_norm else 1.0
        self.norm_first = config.layer_norm_first

    def forward(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """Tokens [B, T, size] -> the same."""
        if self.norm_first:
            x = x + self.self_attn(self.self_attn_layer_norm(x), bias)
            return torch.add(x, self.fc2(gelu(self.fc1(self.final_layer_norm(x)))))
        x = self.self_attn_layer_norm(self.alpha * x + self.self_attn(x, bias))
        y: Tensor = self.final_layer_norm(self.alpha * x + self.fc2(gelu(self.fc1(x))))
        return y


class Encoder(nn.Module):
    """Position by convolution, then the layers."""

    def __init__(self, config: BEATsConfig) -> None:
        super().__init__()
        size = config.encoder_embed_dim
        self.config = config
        convolution = nn.Conv1d(
            size, size, config.conv_pos, padding=config.conv_pos // 2, groups=config.conv_pos_groups
        )
        self.pos_conv = nn.ModuleList([weight_norm(convolution, dim=2)])
        has_bias = config.relative_position_embedding
        self.layers = nn.ModuleList(
            Layer(config, has_bias and index == 0) for index in range(config.encoder_layers)
        )
        self.layer_norm = nn.LayerNorm(size)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [B, T, size] -> the same."""
        positions = self.pos_conv[0](x.transpose(1, 2))[..., : x.shape[1]]
        x = x + gelu(positions).transpose(1, 2)
        if not self.config.layer_norm_first:
            x = self.layer_norm(x)
        bias = self.bias(x.shape[1]) if self.config.relative_position_embedding else None
        for layer in self.layers:
            x = layer(x, bias)
        return self.layer_norm(x) if self.config.layer_norm_first else x

    def bias(self, n_tokens: int) -> Tensor:
        """Computes the biases [heads, T, T]: near distances each, far ones in logarithmic buckets."""
        half = self.config.num_buckets // 2
        exact = half // 2
        at = torch.arange(n_tokens)
        distance = at[None, :] - at[:, None]
        far = distance.abs().clamp(min=1).float()
        growth = (far / exact).log() / math.log(self.config.max_distance / exact)
        far_bucket = (exact + (growth * (half - exact)).long()).clamp(max=half - 1)
        bucket = torch.where(distance.abs() < exact, distance.abs(), far_bucket)
        table: Any = self.layers[0].self_attn
        biases: Tensor = table.relative_attention_bias(bucket + half * (distance > 0))
        return biases.permute(2, 0, 1)


class BEATs(nn.Module):
    """Sound float32 [B, T] at 16 kHz -> the mean of the patches' features, float32 [B, size]."""

    def __init__(self, config: BEATsConfig) -> None:
        super().__init__()
        self.size, patch = config.encoder_embed_dim, config.input_patch_size
        self.patch_embedding = nn.Conv2d(1, config.embed_dim, patch, patch, bias=False)
        self.layer_norm = nn.LayerNorm(config.embed_dim)
        self.post_extract_proj = (
            nn.Linear(config.embed_dim, self.size)
            if config.embed_dim != self.size
            else nn.Identity()
        )
        self.encoder = Encoder(config)

    def patches(self, log_mel: Tensor) -> Tensor:
        """Computes features [B, patches, size] of a filter bank [B, frames, 128]."""
        scaled = (log_mel - MEAN) / (2 * SPREAD)
        tokens = self.patch_embedding(scaled.unsqueeze(1)).flatten(2).transpose(1, 2)
        found: Tensor = self.encoder(self.post_extract_proj(self.layer_norm(tokens)))
        return found

    def forward(self, sound: Tensor) -> Tensor:
        """Computes the embeddings."""
        return self.patches(filter_bank(sound)).mean(1)


def load_beats(weights: Path | None = None) -> BEATs:
    """Loads BEATs from a file of its authors, pre-trained or fine-tuned: ``cfg`` and ``model``.

    Args:
        weights: the file; ``BEATS`` from the user's cache, or downloaded, if not given.

    Raises:
        TrainingDataError: it is not there, cannot be fetched, or is of another network.
    """
    path = find_weights(BEATS, weights)
    content = load_tensors(path, BEATS)
    if not {"cfg", "model"} <= content.keys():
        raise TrainingDataError(
            f"expected cfg and model of {BEATS.title} in {path}, found {', '.join(content)[:100]}"
        )
    network = BEATs(msgspec.convert(content["cfg"], BEATsConfig))
    renames = {
        f"weight_{part}": f"parametrizations.weight.original{i}" for i, part in enumerate("gv")
    }
    state = {}
    for name, tensor in content["model"].items():
        room, _, last = name.rpartition(".")
        state[f"{room}.{renames.get(last, last)}"] = tensor
    fill(network, state, path, BEATS.title)
    return network
