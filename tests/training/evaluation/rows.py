"""A row of the comparison's table."""

from __future__ import annotations

from typing import Any


def row(network: str, features: str) -> dict[str, Any]:
    """All that a table shows of a network, with round figures."""
    part = {
        "map": 0.5, "map_interval": [0.4, 0.6], "lrap": 0.5, "micro": 0.5,
        "micro_interval": [0.4, 0.6], "macro": 0.5, "clips": 2, "per_family": {},
        "noise_0.1": {"map": 0.4, "micro": 0.4}, "noise_0.2": {"map": 0.3, "micro": 0.3},
    }  # fmt: skip
    return {
        "name": network, "network": network, "features": features, "parameters": 10,
        "gflop": 0.1, "training_s": 60, "settings": "3 epochs", "features_ms": 1.0, "network_ms": 1.0,
        "processor_s": None, "training_clips": 4, "evaluation": part, "phrases": part,
    }  # fmt: skip
