"""``mmgat-find``: where in a collection something sounds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mmgat.model.command_line import Command
from mmgat.stream.commands.options import HELP_NAMES, report_user_errors
from mmgat.stream.errors import OutputError, StreamError
from mmgat.stream.sinks.text import printable

if TYPE_CHECKING:
    from mmgat.stream.archive.search.stretches import Found


@click.command(cls=Command, context_settings=HELP_NAMES)
@click.argument("results")
@click.argument("query")
@click.option("--longer", default=0.0, metavar="SECONDS", type=click.FloatRange(0),
              help="Only stretches at least so long.")  # fmt: skip
@click.option("--files", is_flag=True, help="Only the names of the files, each once.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines in place of text.")
@click.option(
    "--cut",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Cut the stretches out of the sound files, into FLAC files in this folder.",
)
@click.version_option(package_name="mmgat-stream")
@report_user_errors
def main(
    results: str, query: str, longer: float, files: bool, as_json: bool, cut: Path | None
) -> int:
    """Find where QUERY holds in RESULTS.

    RESULTS are Parquet files of mmgat-tag or mmgat-annotate: a file, or a folder. QUERY names labels,
    with 'and', 'or', 'not', brackets, and scores: 'piano >= 0.8 and not (voice or drums)'. Exit code 1
    means that nothing was found.
    """  # fmt: skip
    try:
        from mmgat.stream.archive.search.stretches import search
    except ModuleNotFoundError as error:
        raise OutputError(
            f"expected {error.name} for mmgat-find, found it is not installed: "
            "pip install 'mmgat-stream[archive]'"
        ) from None
    code = 1
    for file, found in groupby(search(results, query, longer), key=lambda found: found.file):
        code = 0 if code == 1 else code
        if cut:
            code = max(code, _cut(list(found), cut))
        elif files:
            click.echo(json.dumps({"file": file}) if as_json else printable(file))
        else:
            _show(found, as_json)
    return code


def _cut(found: list[Found], folder: Path) -> int:
    from mmgat.stream.archive.search.cutting import cut

    try:
        for path in cut(found, folder):
            click.echo(printable(str(path)))
    except StreamError as error:
        click.echo(f"mmgat-find: {printable(str(error))}", err=True)
        return 2
    return 0


def _show(stretches: Iterator[Found], as_json: bool) -> None:
    for found in stretches:
        if as_json:
            row = {"file": found.file, "t0": round(found.t0, 3), "t1": round(found.t1, 3)}
            click.echo(json.dumps(row, ensure_ascii=False))
        else:
            span = f"{_clock(found.t0)} to {_clock(found.t1)}"
            click.echo(f"{span}  {found.t1 - found.t0:7.2f} s  {printable(found.file)}")


def _clock(seconds: float) -> str:
    minutes, s = divmod(seconds, 60)
    return f"{int(minutes // 60)}:{int(minutes % 60):02d}:{s:05.2f}"


if __name__ == "__main__":
    from mmgat.stream.commands import entry

    entry.find()
