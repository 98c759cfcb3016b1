"""Training talks to nobody, and writes into the folder that it is given."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib
import pytest

from tests.stream.commands.test_privacy import STRACE, environment

FIT = "from mmgat.training.commands.train import main; main()"


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_training_opens_no_socket_and_writes_only_into_its_folder(
    audioset: Path, quick_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    home, out, trace = tmp_path / "home", tmp_path / "out", tmp_path / "trace"
    home.mkdir()
    before = set(audioset.rglob("*"))
    # matplotlib, which Lightning imports, keeps its list of fonts; making it anew takes seconds
    fonts = {"MPLCONFIGDIR": matplotlib.get_cachedir()}
    options = ["fit", "--config", str(quick_recipe("mean-mlp")), "--data", str(audioset)]
    done = subprocess.run(
        [*STRACE, trace, sys.executable, "-c", FIT, *options, "--out", out],
        env=environment(home) | fonts, cwd=home,
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (out / "result.json").is_file()
    assert re.findall(r"sa_family=(AF_INET6?), .*", trace.read_text()) == []
    assert [path for path in home.rglob("*") if path.is_file()] == []
    assert set(audioset.rglob("*")) == before
