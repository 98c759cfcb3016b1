"""Ends the recorder by ``kill -9`` at random moments, and looks at what is left in its folder.

    python -m tools.power_cuts              1000 cuts
    python -m tools.power_cuts --cuts 50 --seed 7

Each run of the recorder rescues what the one before left behind, writes clips without a pause, and
keeps to a limit of 2 MB by removing its oldest; after a random time of up to a quarter second it is
killed. After every cut each finished clip must be readable to its end, and the files of others in
the folder must be as they were. Exit code 1 and a line for each fact that does not hold.

A kill loses what the program had not yet handed to the system; what a system that loses its power
loses besides is up to the disk and is not tried here.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import numpy as np
import soundfile

from mmgat.stream.settings import RecordSettings
from mmgat.stream.sinks.recording_folder import RecordingFolder

RATE_HZ: Final = 8000
LIMIT_GB: Final = 0.002
LONGEST_RUN_S: Final = 0.25

FOREIGN: Final = {
    "80s_disco_mix.flac": b"not ours",
    ".film.mkv.part": b"nor this",
    "20270115T075958.000Z_mic_piano.flac": b"ours by its name, but in no log",
    "000003.500s_mic_interrupted.flac": b"nor is this one",
    ".20270115T075958.000Z_other.part": b"nor this part",
}
"""Files of others, with names like ours."""


def put_foreign(folder: Path) -> None:
    """Puts files of others into the folder, older than ours will be."""
    folder.mkdir(exist_ok=True)
    for name, content in FOREIGN.items():
        (folder / name).write_bytes(content)
        os.utime(folder / name, (1, 1))


class Trial:
    """One folder, and the facts that must hold in it after every cut.

    Args:
        folder: an empty one.
        seed: of the moments.
    """

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.folder, self.n_read, self.n_rescued = folder, 0, 0
        self._chance = random.Random(seed)
        self._good: set[tuple[str, int, int]] = set()
        put_foreign(folder)

    def cut(self, number: int) -> None:
        """Runs the recorder and kills it.

        Raises:
            RuntimeError: it had ended by itself.
        """
        child = os.fork()
        if not child:
            _record_until_killed(self.folder, number)
        time.sleep(self._chance.uniform(0, LONGEST_RUN_S))
        os.kill(child, signal.SIGKILL)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != -signal.SIGKILL:
            raise RuntimeError(f"the recorder ended by itself before cut {number}")

    def broken(self) -> Iterator[str]:
        """What does not hold now, in words."""
        for name, content in FOREIGN.items():
            path = self.folder / name
            if not path.is_file() or path.read_bytes() != content:
                yield f"{name}, a file of others, was changed or removed"
        for path in self.folder.glob("*.flac"):
            stat = path.stat()
            key = path.name, stat.st_size, stat.st_mtime_ns
            if path.name in FOREIGN or key in self._good:
                continue
            try:
                frames = soundfile.info(path).frames
                if not len(soundfile.read(path)[0]) == frames > 0:
                    yield f"{path.name} is shorter than it says"
            except soundfile.LibsndfileError as error:
                yield f"{path.name} is not readable: {error}"
            self._good.add(key)
            self.n_read += 1
            self.n_rescued += "interrupted" in path.name

    def broken_at_end(self) -> Iterator[str]:
        """What does not hold after one more start, which rescues and then ends in order."""
        RecordingFolder(RecordSettings(folder=self.folder, limit_gb=LIMIT_GB)).close()
        yield from self.broken()
        hidden = {path.name for path in self.folder.iterdir() if path.name.startswith(".")}
        for name in hidden - set(FOREIGN):
            yield f"{name} was left behind"
        ours = [path for path in self.folder.glob("*.flac") if path.name not in FOREIGN]
        if (held := sum(path.stat().st_size for path in ours)) > LIMIT_GB * 1e9:
            yield f"clips of {held} bytes are held at a limit of {LIMIT_GB * 1e9:.0f}"


def _record_until_killed(folder: Path, run: int) -> None:
    """Writes clip after clip; an error is a line and ends it."""
    try:
        clips = RecordingFolder(RecordSettings(folder=folder, limit_gb=LIMIT_GB))
        rng = np.random.default_rng(run)
        for number in range(1_000_000):
            clip = clips.begin(RATE_HZ, 1, f"{run:06d}.{number % 1000:03d}s_mic")
            for _ in range(10):
                clips.write(clip, rng.uniform(-1, 1, (800, 1)).astype(np.float32))
            clips.finish(clip, ["drums"], {"t0": float(number), "t1": number + 1.0})
    except BaseException as error:
        print(f"the recorder: {error!r}", file=sys.stderr, flush=True)
    os._exit(1)


@click.command()
@click.option("--cuts", default=1000, show_default=True, help="How often it is killed.")
@click.option("--seed", default=0, show_default=True, help="Of the moments.")
def main(cuts: int, seed: int) -> None:
    """Kill the recorder at random moments; Linux and macOS."""
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(Path(folder), seed)
        broken = []
        for number in range(cuts):
            trial.cut(number)
            broken += [f"after cut {number}: {fact}" for fact in trial.broken()]
        broken += [f"at the end: {fact}" for fact in trial.broken_at_end()]
    for fact in broken:
        click.echo(f"BROKEN: {fact}", err=True)
    click.echo(
        f"{cuts} cuts: {trial.n_read} finished clips read to their ends, {trial.n_rescued} of them "
        f"rescued; {len(broken)} facts broken"
    )
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
