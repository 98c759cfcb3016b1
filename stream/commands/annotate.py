"""``mmgat-annotate``: a collection on many machines, by Ray Data."""

from __future__ import annotations

import os

import click

from mmgat.model.command_line import Command
from mmgat.stream.archive.inputs import find_inputs
from mmgat.stream.audio.sound_names import SUFFIXES
from mmgat.stream.commands.options import (
    HELP_NAMES,
    RECOGNIZER_OPTIONS,
    report_user_errors,
    settings_options,
)
from mmgat.stream.errors import OutputError
from mmgat.stream.settings import ProgramSettings
from mmgat.stream.sinks.text import printable


@click.command(cls=Command, context_settings=HELP_NAMES)
@click.argument("paths", nargs=-1, required=True)
@click.option("--ray", "address", default="local", show_default=True, metavar="ADDRESS",
              help="Of the cluster: auto, ray://head:10001; local starts one here.")  # fmt: skip
@click.option("-o", "--out", required=True, metavar="DIR|ADDRESS",
              help="Where results go, a folder run=... in it a run.")  # fmt: skip
@click.option("--actors", default=0, metavar="N", type=click.IntRange(0),
              help="Processes with the model; one a CPU if not given.")  # fmt: skip
@click.option("--gpus", default=0.0, metavar="SHARE", type=click.FloatRange(0),
              help="GPUs of each process, such as 0.25; with --compute cuda.")  # fmt: skip
@click.option("--files-a-task", default=64, show_default=True, metavar="N",
              type=click.IntRange(1), help="Files a process takes at once.")  # fmt: skip
@click.option("--windows", is_flag=True, help="Also the scores of every window.")
@click.option("--again", is_flag=True, help="Do files again that failed in an earlier run.")
@settings_options(*RECOGNIZER_OPTIONS)
@click.version_option(package_name="mmgat-stream")
@report_user_errors
def main(
    settings: ProgramSettings,
    paths: tuple[str, ...],
    address: str,
    out: str,
    actors: int,
    gpus: float,
    files_a_task: int,
    windows: bool,
    again: bool,
) -> int:
    """Annotate PATHS on a cluster, into Parquet.

    PATHS are what mmgat-tag takes (folders are searched), and addresses of object stores such as
    s3://bucket/music. Every machine must reach them, and have mmgat-stream installed. Files that
    cannot be read are rows with an error, and exit code 1. The same command again does what has no
    row yet.
    """  # fmt: skip
    try:
        from mmgat.model.cluster import Cluster, map_files, n_failed
        from mmgat.model.remote_files import is_address, list_files
        from mmgat.stream.archive.distributed import AnnotatingActor
    except ModuleNotFoundError as error:
        raise OutputError(
            f"expected {error.name} for mmgat-annotate, found it is not installed: "
            "pip install 'mmgat-stream[ray]'"
        ) from None
    from mmgat.model.card import checked_card
    from mmgat.stream.archive.workers import Job

    checked_card(settings.model.model)  # a wrong name is told before the cluster starts
    found = find_inputs([path for path in paths if not is_address(path)], recursive=True)
    files = list(map(os.path.abspath, found.files))
    for path in filter(is_address, paths):
        files += list_files(path, SUFFIXES)
    for fault in found.faults:
        click.echo(f"mmgat-annotate: {printable(fault)}", err=True)
    if not files:
        raise OutputError("expected sound files, found none")
    job = Job(settings.model, settings.stream, windows)
    cluster = Cluster(address, actors, gpus, files_a_task)
    n_done, n_before = map_files(files, AnnotatingActor, {"job": job}, out, cluster, again)
    n_bad = n_failed(out, files)
    click.echo(
        f"{n_done} files annotated, {n_before} were already; {n_bad} could not be read "
        f"(column error in {out})",
        err=True,
    )
    return int(bool(n_bad or found.faults))


if __name__ == "__main__":
    from mmgat.stream.commands import entry

    entry.annotate()
