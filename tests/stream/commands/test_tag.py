"""``mmgat-tag``: the score of a whole file, and files that cannot be read among those that can."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmgat.model.labels import LABELS
from mmgat.stream.bus.protocol import Estimate
from mmgat.stream.commands.tag import FileScores
from mmgat.stream.settings import StreamSettings
from tests.conftest import melody


def estimates(piano: list[float]) -> list[Estimate]:
    """One estimate a window with that much piano in the graph."""
    nothing = dict.fromkeys(LABELS, 0.0)
    return [
        Estimate(
            source="lab", index=i, t0=i, t1=i + 1, scores=nothing,
            bag_scores=nothing | {"piano": score},
            active=[], evidence={}, evidence_t0=[], level_dbfs=-20,
        )
        for i, score in enumerate(piano)
    ]  # fmt: skip


def file_scores(estimates: list[Estimate], settings: StreamSettings) -> dict[str, float]:
    scores = FileScores(settings)
    for estimate in estimates:
        scores.add(estimate)
    return scores.mean()


def test_a_short_file_is_one_bag_of_all_its_phases() -> None:
    scores = file_scores(estimates([0, 0, 0.2, 0.4]), StreamSettings(hop_s=0.5, nodes=10))
    assert scores["piano"] == pytest.approx(0.3)
    assert scores["flute"] == 0


def test_a_long_file_is_the_mean_of_its_stretches_by_their_length() -> None:
    scores = file_scores(estimates([0, 0, 0, 0.9, 0, 0.3]), StreamSettings(hop_s=1.0, nodes=4))
    assert scores["piano"] == pytest.approx((4 * 0.9 + 2 * 0.3) / 6)


def test_no_windows_give_zeros() -> None:
    assert set(file_scores([], StreamSettings()).values()) == {0.0}


TAG = [sys.executable, "-c", "from mmgat.stream.commands.entry import tag; tag()"]


def test_each_bad_file_is_told_and_the_rest_is_done(
    wav: Callable[..., Path], tmp_path: Path
) -> None:
    good = [wav(melody(2.0, 16_000, seed=i), 16_000, f"{i}.wav") for i in range(2)]
    raw = tmp_path / "take1.raw"
    raw.write_bytes(bytes(2000))
    text = tmp_path / "notes\x1b[2J.wav"
    text.write_text("no sound")
    cut = tmp_path / "cut.wav"
    cut.write_bytes(good[0].read_bytes()[:80_000])
    secret = wav(melody(1.0, 16_000), 16_000, "secret.wav")
    secret.chmod(0)
    bad = [raw, text, tmp_path / "missing.wav", tmp_path, cut]
    if os.access(secret, os.R_OK) is False:  # root reads everything
        bad.append(secret)
    files = [good[0], *bad, good[1]]
    done = subprocess.run([*TAG, *map(str, files)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr
    assert len(done.stderr.splitlines()) == len(bad)
    results = {Path(r["file"]).name: r for r in map(json.loads, done.stdout.splitlines())}
    assert list(results) == ["0.wav", "cut.wav", "1.wav"]
    assert [results[name]["complete"] for name in results] == [True, False, True]
    assert 1 < results["cut.wav"]["seconds"] < 1.3


def test_ctrl_c_keeps_what_is_done_and_exits_130(wav: Callable[..., Path]) -> None:
    short = wav(melody(1.0, 16_000), 16_000, "short.wav")
    long = wav(np.tile(melody(10.0, 8_000), (100, 1)), 8_000, "long.wav")
    process = subprocess.Popen(
        [*TAG, str(short), str(long)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(first)["file"] == str(short)
    assert (rest, said) == ("", "")


def test_results_that_a_full_disk_does_not_take_are_no_success(wav: Callable[..., Path]) -> None:
    short = str(wav(melody(1.0, 16_000), 16_000))
    for form in ("jsonl", "csv"):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [*TAG, "--format", form, short],
                stdout=full, stderr=subprocess.PIPE, text=True, check=False,
            )  # fmt: skip
        assert done.returncode == 1, form
        assert done.stderr.endswith("No space left on device\n")
        assert "Traceback" not in done.stderr
