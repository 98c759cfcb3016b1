import subprocess
import sys

from tools.broken_lines import broken_lines


def test_a_broken_line_is_noticed_by_its_test() -> None:
    """The short form of mutation testing: lines whose breaking once went unnoticed."""
    command = [sys.executable, "-m", "tools.broken_lines"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(broken_lines())} of {len(broken_lines())} broken lines noticed" in done.stdout
