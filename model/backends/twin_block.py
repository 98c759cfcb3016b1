"""Arrays that the host and a device both hold, copied as one block of bytes (ours)."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch

ALIGNMENT: Final = 16


class Block:
    """Arrays of several shapes in one block of bytes, on the host and on the device.

    Args:
        shapes: name -> dtype and shape.
        device: of the second copy.

    Attributes:
        host, device: all bytes; the host's are pinned for a CUDA device.
        on_host, on_device: name -> tensor, a view of them.
    """

    def __init__(
        self, shapes: dict[str, tuple[torch.dtype, tuple[int, ...]]], device: torch.device
    ) -> None:
        places, size = {}, 0
        for name, (dtype, shape) in shapes.items():
            n_bytes = int(np.prod(shape)) * dtype.itemsize
            places[name] = slice(size, size + n_bytes)
            size += -(-n_bytes // ALIGNMENT) * ALIGNMENT
        self.host = torch.zeros(size, dtype=torch.uint8, pin_memory=device.type == "cuda")
        self.device = torch.zeros(size, dtype=torch.uint8, device=device)
        self.on_host, self.on_device = (
            {
                name: whole[places[name]].view(dtype).view(shape)
                for name, (dtype, shape) in shapes.items()
            }
            for whole in (self.host, self.device)
        )

    def send(self) -> None:
        """Copies the host's bytes to the device, without waiting."""
        self.device.copy_(self.host, non_blocking=True)

    def fetch(self) -> None:
        """Copies the device's bytes to the host, without waiting."""
        self.host.copy_(self.device, non_blocking=True)
