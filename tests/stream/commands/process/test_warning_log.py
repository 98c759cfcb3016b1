"""A warning is one line when it begins and one when it is over."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import numpy as np
import pytest

from mmgat.stream.bus.protocol import Status
from mmgat.stream.commands.process.warning_log import WarningLog

FINE = Status(
    source="mic", state="running", sample_rate_hz=16_000, captured=32_000, analysed=32_000,
    dropped=0, discarded=0, queued=0, windows=3, xruns=0, nonfinite=0, clipped=0, lag_ms=0,
    real_time_factor=0, level_dbfs=-20, uptime_s=2,
)  # fmt: skip


def status(**changes: object) -> Status:
    return msgspec.structs.replace(FINE, **changes)


def test_a_fault_is_a_line_when_it_begins_and_one_when_it_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = [0.0]
    warnings = WarningLog(lambda: now[0])
    for second, message in enumerate(
        ["", "no audio for 3 s", "no audio for 4 s", "no audio for 5 s", "", ""]
    ):
        now[0] = float(second)
        warnings.update([status(message=message), status(source="desk")])
    assert [record.getMessage() for record in caplog.records] == [
        "mic: no audio for 3 s",
        "mic: over after 3 s: no audio for 3 s",
    ]


def test_one_fault_after_another_ends_the_first(caplog: pytest.LogCaptureFixture) -> None:
    warnings = WarningLog(lambda: 0.0)
    warnings.update([status(message="no audio for 3 s")])
    warnings.update([status(message="1 NaN or infinite samples")])
    assert [record.getMessage() for record in caplog.records] == [
        "mic: no audio for 3 s",
        "mic: over after 0 s: no audio for 3 s",
        "mic: 1 NaN or infinite samples",
    ]


def test_what_is_logged_elsewhere_or_has_failed_is_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    warnings = WarningLog(lambda: 0.0)
    warnings.update([status(message="output jsonl fails: x")], "output jsonl fails: x")
    warnings.update([status(message="the cable is out", state="failed")])
    assert caplog.records == []


def test_a_wrong_sample_format_is_told_without_a_dashboard() -> None:
    noise = np.random.default_rng(0).integers(0, 256, 4 * 3 * 16_000, np.uint8).tobytes()
    done = subprocess.run(
        [sys.executable, "-m", "mmgat.stream", "--stdin", "--rate", "16000", "--channels", "1",
         "--format", "f32le", "--publish", "off", "--no-dashboard"],
        input=noise, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    said = done.stderr.decode()
    assert done.returncode == 0, said
    assert said.count("WARNING stdin: ") >= 1
    assert "NaN or infinite samples" in said.splitlines()[-1]
    assert "clipped samples" in said.splitlines()[-1]
