import re
import subprocess
from pathlib import Path

import pytest

from tools.benchmark.__main__ import ON_A_DEVICE
from tools.gpu.equality import WITHIN, lines

SCRIPT = Path(__file__).parents[2] / "tools" / "gpu" / "check.sh"


@pytest.mark.timeout(300)
def test_graphs_on_the_device_are_compared_with_the_cpus_on_real_sound() -> None:
    found = dict(lines("cpu", seconds=5))
    assert list(found) == [
        "compact, torch, spectrograms of the CPU, cpu",
        "compact, torch, spectrograms on the device, cpu",
    ]
    assert all(0 < difference <= WITHIN for difference in found.values())


def test_the_script_is_one_of_the_shell_and_takes_less_than_eight_minutes() -> None:
    subprocess.run(["sh", "-n", SCRIPT], check=True)
    text = SCRIPT.read_text("utf-8")
    assert sum(map(int, re.findall(r"^run \w+ (\d+) ", text, re.M))) <= 480
    assert set(re.findall(r"tools\.benchmark (\w+) --compute", text)) <= set(ON_A_DEVICE)
