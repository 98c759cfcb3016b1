import subprocess
import sys
from pathlib import Path

import pytest

from tools.mutation import broken_lines


def test_broken_lines_are_noticed_by_their_tests() -> None:
    """The short form; ``python -m tools.mutation.broken_lines`` breaks all of them."""
    command = [sys.executable, "-m", "tools.mutation.broken_lines", "--sample", "8"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=230, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 of 8 broken lines noticed" in done.stdout


def test_every_listed_line_is_in_its_module() -> None:
    assert len(broken_lines.broken_lines()) > 30


def test_a_line_that_is_gone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "broken_lines.toml"
    path.write_text(
        '[[broken]]\nfact = ""\nmodule = "stream/settings.py"\nline = "no such line"\n'
        'instead = ""\ntest = ""\n'
    )
    monkeypatch.setattr(broken_lines, "LINES", path)
    with pytest.raises(ValueError, match="expected once in stream/settings.py, found 0 times"):
        broken_lines.broken_lines()
