"""``mmgat-stream``: the command's options; nothing heavy is imported before it is needed."""

from __future__ import annotations

import click

from mmgat.model.command_line import Command
from mmgat.stream.commands.live.inputs import inputs_of
from mmgat.stream.commands.options import (
    HELP_NAMES,
    RECOGNIZER_OPTIONS,
    report_user_errors,
    settings_options,
)
from mmgat.stream.settings import LIVE_HOP_S, ProgramSettings


@click.command(
    "mmgat-stream", cls=Command, context_settings=HELP_NAMES | {"max_content_width": 100}
)
@click.option("-l", "--list-devices", is_flag=True, help="Show the audio inputs and exit.")
@click.option("--diagnose", is_flag=True, help="Report on this machine, its devices and models.")
@settings_options(
    ("device", "-d"),
    "file",
    "stdin",
    "demo",
    "source",
    ("rate", "-r"),
    ("channels", "-c"),
    "split",
    "format",
    ("blocksize", "-b"),
    "latency",
    "exit-on-loss",
    *RECOGNIZER_OPTIONS,
    "publish",
    "key",
    "clients",
    "insecure",
    "control",
    "jsonl",
    "record",
    "record-limit",
    "sink",
    "monitor",
    "no-dashboard",
    "speed",
    defaults={"hop": LIVE_HOP_S},
)
@click.version_option(package_name="mmgat-stream")
@report_user_errors
def main(settings: ProgramSettings, list_devices: bool, diagnose: bool) -> int:
    """Recognise musical instruments live.

    Without --device, --file, --source, --stdin or --demo the system's default input is used.
    Several inputs are recognised side by side. Results go to the dashboard, over ZeroMQ
    (mmgat-listen shows them), and to --jsonl.
    """  # fmt: skip
    if list_devices:
        from mmgat.stream.audio.devices import listing

        click.echo(listing.list_devices())
        if sources := listing.list_sources():
            click.echo(sources)
        return 0
    if diagnose:
        from mmgat.stream.commands.live.diagnose import report

        for line in report(next(iter(settings.input.device), None), settings.model):
            click.echo(line)
        return 0
    inputs = inputs_of(settings.input, settings.liveness)

    from mmgat.stream.commands.live.session import Session

    return Session(inputs, settings).run()


if __name__ == "__main__":
    from mmgat.stream.commands import entry

    entry.stream()
