"""The stages of a file's way, timed alone."""

from pathlib import Path

import pytest

from tools.benchmark.archive.audio_files import music, write
from tools.benchmark.archive.stages import stage_times

STAGES = {"decode", "resample", "windows", "front end", "embedder", "MMGAT"}


@pytest.mark.parametrize("hop_s", [0.5, 1.0])
def test_every_stage_takes_time_on_what_the_one_before_gave(hop_s: float, tmp_path: Path) -> None:
    path = tmp_path / "song.flac"
    write(path, music(3))
    times = stage_times(path, 3, hop_s, turns=1)
    assert set(times) == STAGES | {"whole", "rest"}
    assert all(times[name] > 0 for name in STAGES)
