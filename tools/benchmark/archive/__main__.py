"""What collections cost: real-time factor, processes, memory, short files, and a local Ray.

    python -m tools.benchmark.archive speed               Ogg and FLAC of 5 minutes, one job and two
    python -m tools.benchmark.archive stages              where the time of one process goes
    python -m tools.benchmark.archive batches             windows at a time in one process
    python -m tools.benchmark.archive memory --hours 10   one long file
    python -m tools.benchmark.archive short               files of a second, and the same in long files
    python -m tools.benchmark.archive resume              a run over 100,000 files that goes on
    python -m tools.benchmark.archive ray --files 2000    clips by mmgat-annotate and by --jobs 2

Sound is made in a temporary folder. Real-time factors of a core are of the processor time that the
command and its workers took, so that they hold on a busy machine, as far as its caches allow.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path

import click
import numpy as np
import soundfile

from tools.benchmark.archive.audio_files import music, seconds_of_music, write, write_copies
from tools.benchmark.archive.cost import beyond, cost, costs_together


@click.group()
def main() -> None:
    """Costs of collections."""
    os.environ["OMP_WAIT_POLICY"] = "passive"


@main.command()
@click.option("--files", default=8, show_default=True)
@click.option("--minutes", default=5.0, show_default=True)
@click.option("--hop", "hops", multiple=True, default=(0.5, 1.0))
def speed(files: int, minutes: float, hops: tuple[float, ...]) -> None:
    """Stereo files at 44.1 kHz, by one process, by two, and by two commands that share nothing."""
    with tempfile.TemporaryDirectory() as folder:
        for form in ("ogg", "flac"):
            tiny, halves = Path(folder) / f"{form}-tiny", []
            write_copies(tiny, f"0.{form}", 2, 1)
            for half in ("first", "second"):
                halves.append(Path(folder) / form / half)
                write_copies(halves[-1], f"0.{form}", files // 2, 60 * minutes)
            for hop in hops:
                flags = ["-r", "--hop", hop]
                start = cost("tag", *flags, tiny)
                start_two = cost("tag", *flags, tiny, "--jobs", 2)
                one = cost("tag", *flags, *halves)
                two = cost("tag", *flags, *halves, "--jobs", 2)
                apart = costs_together([["tag", *flags, half] for half in halves])
                again = cost("tag", *flags, *halves)
                total_s = 60 * minutes * files // 2 * 2
                core = total_s / beyond(min(one.cpu_s, again.cpu_s), start.cpu_s)
                wall_s = beyond((one.wall_s + again.wall_s) / 2, start.wall_s)
                jobs = wall_s / beyond(two.wall_s, start_two.wall_s)
                control = wall_s / beyond(max(each.wall_s for each in apart), start_two.wall_s)
                click.echo(
                    f"{form}, hop {hop:g}: {core:.0f} x real time a core, "
                    f"{1000 / core:.2f} core hours per 1,000 h; peak {one.peak_mb:.0f} MiB a "
                    f"process; start-up left out, two jobs {jobs:.2f} x one, two commands that "
                    f"share nothing {control:.2f} x"
                )


@main.command()
@click.option("--turns", default=4, show_default=True)
@click.option("--hop", default=0.5, show_default=True)
def batches(turns: int, hop: float) -> None:
    """Windows at a time in one process, side by side: milliseconds of processor a second of sound."""
    from mmgat.model.threads import limit_threads
    from mmgat.stream.archive.annotator import Annotator
    from mmgat.stream.recognition.recognizer import load_recognizer
    from mmgat.stream.settings import StreamSettings

    settings, seconds = StreamSettings(hop_s=hop), 60
    recognizer = load_recognizer(settings=settings)
    limit_threads(recognizer.model.embedder)
    times: dict[int, list[float]] = {n: [] for n in (1, 2, 4, 8, 16, 32)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "song.flac"
        write(path, music(seconds))
        for _ in range(turns):
            for n, found in times.items():
                begun = time.process_time()
                list(Annotator(recognizer, settings, n_windows=n)([path]))
                found.append(1000 * (time.process_time() - begun) / seconds)
    for n, found in times.items():
        click.echo(f"{n} at a time: median {np.median(found):.2f} ms, least {min(found):.2f} ms")


@main.command()
@click.option("--turns", default=5, show_default=True)
@click.option("--hop", "hops", multiple=True, default=(0.5, 1.0))
def stages(turns: int, hops: tuple[float, ...]) -> None:
    """Where the time goes: each stage alone, least of some turns, in milliseconds a second of sound."""
    from tools.benchmark.archive.stages import stage_times

    with tempfile.TemporaryDirectory() as folder:
        for form in ("ogg", "flac"):
            path = Path(folder) / f"song.{form}"
            write(path, music(60))
            for hop in hops:
                times = stage_times(path, 60, hop, turns)
                whole = times.pop("whole")
                total = sum(times.values())
                click.echo(f"{form}, hop {hop:g}: {whole:.2f} ms, {1000 / whole:.0f} x real time")
                for name, found in times.items():
                    click.echo(f"  {name:<12} {found:.2f} ms, {100 * found / total:.0f} %")


@main.command()
@click.option("--hours", default=10.0, show_default=True)
@click.option("--hop", default=0.5, show_default=True)
def memory(hours: float, hop: float) -> None:
    """One long file, mono at 8 kHz: peak memory of the largest process."""
    with tempfile.TemporaryDirectory() as folder:
        for length in (0.05, hours):
            path = Path(folder) / f"{length}.flac"
            hour = music(180, 8_000)[:, :1]
            with soundfile.SoundFile(path, "w", 8_000, 1) as file:
                for _ in range(round(20 * length)):
                    file.write(hour)
            flags = ["--hop", hop, "--windows", "--format", "csv", "--out", f"{path}.csv"]
            found = cost("tag", path, *flags)
            rate = 3600 * length / found.cpu_s
            click.echo(f"{length:g} h: peak {found.peak_mb:.0f} MiB, {rate:.0f} x real time")


@main.command()
@click.option("--files", default=20_000, show_default=True)
@click.option("--jobs", default=2, show_default=True)
def short(files: int, jobs: int) -> None:
    """Files of a second beside the same seconds in long files."""
    with tempfile.TemporaryDirectory() as folder:
        many, few = Path(folder) / "many", Path(folder) / "few"
        few.mkdir()
        sound = seconds_of_music(many, files)
        n_long = 8
        for i in range(n_long):
            write(few / f"{i}.flac", np.resize(sound, (16_000 * (files // n_long), 1)), 16_000)
        flags = ["-r", "--hop", 1, "--jobs", jobs]
        joined = cost("tag", few, *flags, "--out", f"{folder}/few.jsonl")
        alone = cost("tag", many, *flags, "--out", f"{folder}/many.jsonl")
        click.echo(
            f"{files} files of 1 s in {alone.wall_s:.0f} s, 8 long ones in {joined.wall_s:.0f} s"
        )
        overhead = 1000 * beyond(alone.cpu_s, joined.cpu_s) / files
        click.echo(f"overhead: {overhead:.2f} ms of processor a file")


@main.command()
@click.option("--files", default=100_000, show_default=True)
def resume(files: int) -> None:
    """A run that lacks ten files goes on. Of the others only a hundred were done; the rest is named."""
    with tempfile.TemporaryDirectory() as folder:
        many, out = Path(folder) / "many", Path(folder) / "out.jsonl"
        seconds_of_music(many, files)
        cost("tag", *sorted((many / "000").iterdir())[:100], "--out", out)
        journal = Path(f"{out}.journal")
        row, end = out.read_bytes().splitlines(keepends=True)[0], out.stat().st_size
        named = set(journal.read_text().splitlines()[1:])
        named = {json.loads(line)[1] for line in named}
        paths = [str(path) for path in sorted(many.rglob("*.flac"))]
        left = [path for path in paths if path not in named][:-10]
        with out.open("ab") as results, journal.open("a") as lines:
            for path in left:
                end += results.write(row)
                lines.write(json.dumps([end, path]) + "\n")
        found = cost("tag", "-r", many, "--out", out, "--resume")
        n_rows = len(out.read_bytes().splitlines())
        times = f"{found.wall_s:.1f} s to the end, {found.cpu_s:.1f} s of processor"
        click.echo(f"{files} files, ten left: {times}; {n_rows} results")


@main.command("ray")
@click.option("--files", default=2_000, show_default=True)
@click.option("--seconds", default=3.0, show_default=True)
def on_ray(files: int, seconds: float) -> None:
    """Clips by mmgat-annotate with two actors, and by mmgat-tag --jobs 2.

    Start-up is told apart: what counts is how long all files take beyond a quarter of them.
    """
    with tempfile.TemporaryDirectory() as folder:
        few, rest = Path(folder) / "few", Path(folder) / "rest"
        write_copies(few, "few-0.ogg", files // 4, seconds)
        write_copies(rest, "rest-0.ogg", files - files // 4, seconds)
        rates: dict[str, float] = {}
        for name, command, flags in (
            ("--jobs 2", "tag", ["-r", "--jobs", 2, "--format", "parquet"]),
            ("Ray", "annotate", ["--actors", 2]),
        ):
            first = cost(command, few, *flags, "--out", f"{folder}/{command}-few").wall_s
            whole = cost(command, few, rest, *flags, "--out", f"{folder}/{command}").wall_s
            rates[name] = (files - files // 4) / beyond(whole, first)
            start_s = whole - files / rates[name]
            click.echo(f"{name}: {rates[name]:.0f} clips/s; {start_s:.1f} s before and after")
        share = rates["Ray"] / rates["--jobs 2"]
        click.echo(f"Ray's throughput: {100 * share:.0f} % of --jobs 2")


if __name__ == "__main__":
    main()
