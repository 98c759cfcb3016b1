"""``mmgat-tag``: a collection of files through the very stages of the live path."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import FrameType

import click

from mmgat.model.command_line import Command
from mmgat.stream.archive.formats.names import NAMES
from mmgat.stream.commands.options import (
    HELP_NAMES,
    RECOGNIZER_OPTIONS,
    report_user_errors,
    settings_options,
)
from mmgat.stream.settings import ProgramSettings
from mmgat.stream.sinks.text import printable


@click.command(cls=Command, context_settings=HELP_NAMES)
@click.argument("files", nargs=-1, required=True)
@click.option("-r", "--recursive", is_flag=True, help="Take the sound files in folders, too.")
@click.option("-j", "--jobs", default=1, show_default=True, metavar="N", help="Processes.",
              type=click.IntRange(1, 1024))  # fmt: skip
@click.option(
    "--format",
    "form",
    default="jsonl",
    show_default=True,
    type=click.Choice(NAMES),
    help="Form of the results.",
)
@click.option(
    "--windows", is_flag=True, help="Also the scores of every window (jsonl, csv, parquet)."
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE|DIR",
    help="Where results go; standard output if not given. A name without a suffix is a folder, "
    "with a file for every sound file.",
)
@click.option("--resume", is_flag=True, help="Go on with the run whose results are in --out.")
@click.option("--overwrite", is_flag=True, help="Begin anew over the results in --out.")
@settings_options(*RECOGNIZER_OPTIONS)
@click.version_option(package_name="mmgat-stream")
@report_user_errors
def main(
    settings: ProgramSettings,
    files: tuple[str, ...],
    recursive: bool,
    jobs: int,
    form: str,
    windows: bool,
    out: Path | None,
    resume: bool,
    overwrite: bool,
) -> int:
    """Say which instruments sound in FILES, and when.

    FILES are sound files, folders (with -r), patterns such as 'music/**/*.flac', playlists (m3u), or
    - for a list on standard input. Results come as files are done. Files that cannot be read, or not
    to their end, are named at the end, with exit code 1; all others are done. Ctrl+C ends with what
    is done and exit code 130; --resume goes on.
    """  # fmt: skip
    from mmgat.stream.archive.formats.names import get_format
    from mmgat.stream.archive.inputs import find_inputs
    from mmgat.stream.archive.output.target import Target
    from mmgat.stream.archive.run import annotate
    from mmgat.stream.archive.workers import Job

    chosen = get_format(form)
    if windows and not chosen.takes_windows:
        raise click.UsageError(f"expected --windows with jsonl, csv or parquet, found {form}")
    interrupts: list[int] = []

    def interrupt(number: int, _frame: FrameType | None) -> None:
        interrupts.append(number)

    signal.signal(signal.SIGINT, interrupt)
    summary = annotate(
        find_inputs(files, recursive),
        Target(chosen, out, windows, resume, overwrite),
        Job(settings.model, settings.stream, windows),
        jobs,
        progress=sys.stderr is not None and sys.stderr.isatty(),
        interrupted=lambda: bool(interrupts),
    )
    for fault in summary.faults:
        click.echo(f"mmgat-tag: {printable(fault)}", err=True)
    return summary.exit_code


if __name__ == "__main__":
    from mmgat.stream.commands import entry

    entry.tag()
