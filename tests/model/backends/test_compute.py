import pytest
import torch

from mmgat.model.backends.compute import compute_device
from mmgat.model.errors import ComputeError


def test_the_cpu_is_taken_when_asked_for() -> None:
    device, line = compute_device("cpu")
    assert device == torch.device("cpu")
    assert "CPU (asked for)" in line


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(ComputeError, match="auto, cpu or cuda, found 'tpu'"):
        compute_device("tpu")


def test_without_cuda_auto_says_so_and_cuda_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert compute_device("auto") == (
        torch.device("cpu"),
        "computing on the CPU (no CUDA device found)",
    )
    with pytest.raises(ComputeError, match="found none: check the driver with nvidia-smi"):
        compute_device("cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_with_cuda_auto_takes_it() -> None:
    assert compute_device("auto")[0].type == "cuda"
