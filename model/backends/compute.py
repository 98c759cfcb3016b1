"""Where the networks run: the names of devices, and what torch has of them."""

from __future__ import annotations

from typing import Final

import torch

from mmgat.model.backends.base import split_device
from mmgat.model.errors import ComputeError

ADVICE: Final = "check the driver with nvidia-smi, or use --compute auto or cpu"


def compute_device(name: str) -> tuple[torch.device, str]:
    """The device of a name such as ``cuda:1``, and a line saying which it is and why.

    ``auto`` takes a CUDA device, else Apple's GPU (``mps``), else the CPU.

    Raises:
        ComputeError: the device that was asked for is not there, or the name is another.
    """
    kind, index = split_device(name)
    if kind == "cpu":
        return torch.device("cpu"), "computing on the CPU (asked for)"
    has_mps = torch.backends.mps.is_available()
    if kind == "mps" and not has_mps:
        raise ComputeError(
            "expected Apple's GPU for --compute mps, found none: use --compute auto or cpu"
        )
    if kind == "cuda" or (kind == "auto" and torch.cuda.is_available()):
        return _cuda(index)
    if has_mps:
        return torch.device("mps"), "computing on Apple's GPU"
    return torch.device("cpu"), "computing on the CPU (no CUDA device found)"


def _cuda(index: int) -> tuple[torch.device, str]:
    if not torch.cuda.is_available():
        raise ComputeError(
            f"expected a CUDA device for --compute cuda, found none{_why_none()}: {ADVICE}"
        )
    n_devices = torch.cuda.device_count()
    if index >= n_devices:
        raise ComputeError(
            f"expected a CUDA device of cuda:0 to cuda:{n_devices - 1}, found cuda:{index}: "
            "nvidia-smi lists those there are"
        )
    device = torch.device("cuda", index)
    return device, f"computing on {torch.cuda.get_device_name(device)} (cuda:{index})"


def _why_none() -> str:
    """What torch says of its missing CUDA devices, such as a driver that is too old; or nothing."""
    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
    except (RuntimeError, AssertionError) as error:
        return f" ({str(error).splitlines()[0]})"
    return ""
