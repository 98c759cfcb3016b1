"""Where the networks run."""

from __future__ import annotations

import torch

from mmgat.model.errors import ComputeError


def compute_device(name: str) -> tuple[torch.device, str]:
    """The device of ``auto``, ``cpu`` or ``cuda``, and a line saying which it is and why.

    Raises:
        ComputeError: ``cuda`` was asked for and there is none, or the name is another.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise ComputeError(f"expected a compute device of auto, cpu or cuda, found {name!r}")
    has_cuda = torch.cuda.is_available()
    if name == "cuda" and not has_cuda:
        raise ComputeError(
            "expected a CUDA device for --compute cuda, found none: check the driver with "
            "nvidia-smi, or use --compute auto or cpu"
        )
    if name == "cpu" or not has_cuda:
        why = "asked for" if name == "cpu" else "no CUDA device found"
        return torch.device("cpu"), f"computing on the CPU ({why})"
    return torch.device("cuda"), f"computing on {torch.cuda.get_device_name()}"
