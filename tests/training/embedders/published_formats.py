"""Random weights under the names and shapes in which PaSST and BEATs are published, small."""

import math

import numpy as np
import torch

State = dict[str, torch.Tensor]


def _drawn(shapes: dict[str, tuple[int, ...]], spread: float) -> State:
    """Tensors from numpy's generator, which gives the same numbers everywhere."""
    rng = np.random.default_rng(7)
    return {
        name: torch.from_numpy(rng.normal(0, spread, shape).astype(np.float32))
        for name, shape in shapes.items()
    }


def passt_state(size: int = 128, depth: int = 2, n_classes: int = 20) -> State:
    """As ``passt-s-f128-p16-s10-ap.476-swa.pt``: stride 10, 12 x 99 patches."""
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, size),
        "dist_token": (1, 1, size),
        "new_pos_embed": (1, 2, size),
        "freq_new_pos_embed": (1, size, 12, 1),
        "time_new_pos_embed": (1, size, 1, 99),
        "patch_embed.proj.weight": (size, 1, 16, 16),
        "patch_embed.proj.bias": (size,),
    }
    for block in range(depth):
        for name, n_out, n_in in (
            ("attn.qkv", 3 * size, size),
            ("attn.proj", size, size),
            ("mlp.fc1", 4 * size, size),
            ("mlp.fc2", size, 4 * size),
        ):
            shapes[f"blocks.{block}.{name}.weight"] = (n_out, n_in)
            shapes[f"blocks.{block}.{name}.bias"] = (n_out,)
        for name in ("norm1", "norm2"):
            shapes |= {f"blocks.{block}.{name}.{part}": (size,) for part in ("weight", "bias")}
    shapes |= {"norm.weight": (size,), "norm.bias": (size,)}
    shapes |= {"head.0.weight": (size,), "head.0.bias": (size,)}
    shapes |= {"head.1.weight": (n_classes, size), "head.1.bias": (n_classes,)}
    shapes |= {"head_dist.weight": (n_classes, size), "head_dist.bias": (n_classes,)}
    return _drawn(shapes, 0.1)


BEATS_CONFIG = {
    "input_patch_size": 16,
    "embed_dim": 32,
    "conv_bias": False,
    "encoder_layers": 2,
    "encoder_embed_dim": 64,
    "encoder_ffn_embed_dim": 128,
    "encoder_attention_heads": 4,
    "activation_fn": "gelu",
    "layer_norm_first": False,
    "deep_norm": True,
    "dropout": 0.1,
    "conv_pos": 16,
    "conv_pos_groups": 4,
    "relative_position_embedding": True,
    "num_buckets": 32,
    "max_distance": 80,
    "gru_rel_pos": True,
    "finetuned_model": False,
}
"""The entries of a published ``cfg`` that there are, with small sizes."""


def beats_content() -> dict[str, object]:
    """As ``BEATs_iter3_plus_AS2M.pt``: cfg and model."""
    narrow, size, inner, heads = 32, 64, 128, 4
    shapes: dict[str, tuple[int, ...]] = {
        "patch_embedding.weight": (narrow, 1, 16, 16),
        "layer_norm.weight": (narrow,),
        "layer_norm.bias": (narrow,),
        "post_extract_proj.weight": (size, narrow),
        "post_extract_proj.bias": (size,),
        "encoder.pos_conv.0.bias": (size,),
        "encoder.pos_conv.0.weight_g": (1, 1, 16),
        "encoder.pos_conv.0.weight_v": (size, size // 4, 16),
        "encoder.layer_norm.weight": (size,),
        "encoder.layer_norm.bias": (size,),
    }
    for layer in range(2):
        room = f"encoder.layers.{layer}"
        for name in ("k_proj", "v_proj", "q_proj", "out_proj"):
            shapes[f"{room}.self_attn.{name}.weight"] = (size, size)
            shapes[f"{room}.self_attn.{name}.bias"] = (size,)
        shapes[f"{room}.self_attn.grep_linear.weight"] = (8, size // heads)
        shapes[f"{room}.self_attn.grep_linear.bias"] = (8,)
        shapes[f"{room}.self_attn.grep_a"] = (1, heads, 1, 1)
        shapes[f"{room}.fc1.weight"], shapes[f"{room}.fc1.bias"] = (inner, size), (inner,)
        shapes[f"{room}.fc2.weight"], shapes[f"{room}.fc2.bias"] = (size, inner), (size,)
        for name in ("self_attn_layer_norm", "final_layer_norm"):
            shapes |= {f"{room}.{name}.{part}": (size,) for part in ("weight", "bias")}
    state = _drawn(shapes, 0.3)
    rng = np.random.default_rng(8)
    biases = torch.from_numpy(rng.normal(0, 0.5, (32, heads)).astype(np.float32))
    for layer in range(2):  # one table, saved with every layer
        state[f"encoder.layers.{layer}.self_attn.relative_attention_bias.weight"] = biases
    return {"cfg": BEATS_CONFIG, "model": state}


def spectrogram(frames: int, mean: float, spread: float) -> torch.Tensor:
    """A made-up spectrogram [frames, 128]."""
    time, band = np.arange(frames)[:, None], np.arange(128)[None]
    waves = np.sin(time / 7 + band / 5) + 0.5 * np.cos(time * band / 311 + math.pi / 3)
    return torch.from_numpy((mean + spread * waves).astype(np.float32))
