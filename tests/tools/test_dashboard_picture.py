from __future__ import annotations

import threading
from pathlib import Path

from click.testing import CliRunner

from tests.stream.dashboard.builders import Publisher, estimate, hello
from tools.dashboard_picture import main


def test_writes_what_the_terminal_shows(tmp_path: Path) -> None:
    publisher = Publisher()
    done = threading.Event()

    def publish() -> None:
        for seq in range(10**6):
            publisher.send(hello(seq=seq), estimate(seq=seq, sounding=("violin",)))
            if done.wait(0.05):
                break

    thread = threading.Thread(target=publish)
    thread.start()
    out = tmp_path / "dashboard.svg"
    arguments = ["--connect", publisher.address, "--after", "0.5", "--size", "100x30"]
    result = CliRunner().invoke(main, [*arguments, "--out", str(out)], catch_exceptions=False)
    done.set()
    thread.join()
    publisher.close()
    assert result.exit_code == 0, result.output
    svg = out.read_text(encoding="utf-8")
    assert svg.startswith("<svg")
    assert "violin" in svg
    assert "LIVE" in svg


def test_nobody_publishing_is_an_error_in_words(tmp_path: Path) -> None:
    arguments = ["--connect", "tcp://127.0.0.1:1", "--timeout", "0.2"]
    result = CliRunner().invoke(main, [*arguments, "--out", str(tmp_path / "none.svg")])
    assert result.exit_code == 1
    assert "expected estimates at tcp://127.0.0.1:1, found none in 0.2 s" in result.output
