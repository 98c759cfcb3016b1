import pytest
import torch

from mmgat.model.backends.compute import compute_device
from mmgat.model.errors import ComputeError


def test_the_cpu_is_taken_when_asked_for() -> None:
    device, line = compute_device("cpu")
    assert device == torch.device("cpu")
    assert "CPU (asked for)" in line


def test_an_unknown_device_is_refused() -> None:
    for name in ("tpu", "cuda:x", "cuda:", "cpu:1", "mps:0"):
        with pytest.raises(ComputeError, match=f"auto, cpu, cuda, cuda:1 or mps, found '{name}'"):
            compute_device(name)


def test_without_cuda_auto_says_so_and_cuda_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert compute_device("auto") == (
        torch.device("cpu"),
        "computing on the CPU (no CUDA device found)",
    )
    with pytest.raises(ComputeError, match="found none.*: check the driver with nvidia-smi"):
        compute_device("cuda:1")
    with pytest.raises(ComputeError, match="Apple's GPU for --compute mps, found none"):
        compute_device("mps")


def test_a_driver_that_is_too_old_is_named_by_what_torch_says_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse() -> None:
        raise RuntimeError("The NVIDIA driver on your system is too old (found version 1).\nmore")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", refuse)
    with pytest.raises(
        ComputeError, match=r"none \(The NVIDIA driver .* 1\)\.\): check the driver"
    ):
        compute_device("cuda")


def test_several_cards_are_told_apart_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"card {device.index}")
    device, line = compute_device("cuda:1")
    assert (device, line) == (torch.device("cuda", 1), "computing on card 1 (cuda:1)")
    with pytest.raises(ComputeError, match="cuda:0 to cuda:1, found cuda:2"):
        compute_device("cuda:2")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_with_cuda_auto_takes_it() -> None:
    assert compute_device("auto")[0].type == "cuda"
