"""``mmgat-control``: asks a running engine, from a shell."""

from __future__ import annotations

import json

import click

from mmgat.model.command_line import Command
from mmgat.stream.commands.options import HELP_NAMES, report_user_errors
from mmgat.stream.connection import Connection, connection_options
from mmgat.stream.control.client import ControlClient
from mmgat.stream.control.requests import (
    REQUESTS,
    Listen,
    MarkMoment,
    Mute,
    Pause,
    Request,
    Resume,
    SetSensitivity,
    SetThresholds,
    Switch,
    Unmute,
)
from mmgat.stream.errors import SettingsError

DEFAULT_CONTROL = "tcp://127.0.0.1:5560"


@click.command("mmgat-control", cls=Command, context_settings=HELP_NAMES)
@connection_options(DEFAULT_CONTROL, "The engine's control endpoint.")
@click.argument("request", metavar="REQUEST")
@click.argument("values", nargs=-1, metavar="[VALUE]...")
@click.version_option(package_name="mmgat-stream")
@report_user_errors
def main(connection: Connection, request: str, values: tuple[str, ...]) -> int:
    """Ask a running engine; it must have been started with --control.

    \b
    describe                     who runs, and how it decides now
    statistics                   all counters
    thresholds LABEL=SCORE...    such as piano=0.4; piano= for the model's own
    sensitivity low|normal|high
    mute LABEL...                name these no more
    unmute LABEL...
    pause SOURCE, resume SOURCE
    devices                      the inputs of the engine's machine
    listen DEVICE                how loud one of them is
    switch SOURCE DEVICE         recognise that one instead
    mark [TEXT]                  mark this moment
    The answer is printed as JSON.
    """  # fmt: skip
    asked = request_of(request, values)
    with ControlClient(connection.address, connection.keys) as control:
        click.echo(json.dumps(control(asked), ensure_ascii=False))
    return 0


def request_of(name: str, values: tuple[str, ...]) -> Request:
    """The request that words mean.

    Raises:
        SettingsError: none.
    """
    match name, values:
        case "thresholds", values if values:
            return SetThresholds(dict(map(_threshold, values)))
        case "sensitivity", ("low" | "normal" | "high" as sensitivity,):
            return SetSensitivity(sensitivity)
        case "mute", values if values:
            return Mute(list(values))
        case "unmute", values if values:
            return Unmute(list(values))
        case "pause", (source,):
            return Pause(source)
        case "resume", (source,):
            return Resume(source)
        case "listen", (device,):
            return Listen(device)
        case "switch", (source, device):
            return Switch(source, device)
        case "mark", values:
            return MarkMoment(" ".join(values))
        case "describe" | "statistics" | "devices", ():
            return REQUESTS[name]()
    if name not in REQUESTS:
        raise SettingsError(f"expected a request of {', '.join(REQUESTS)}, found {name!r}")
    raise SettingsError(
        f"expected the values of {name} as mmgat-control --help has them, found "
        f"{' '.join(values) or 'none'!r}"
    )


def _threshold(text: str) -> tuple[str, float | None]:
    label, equals, score = text.partition("=")
    try:
        if equals:
            return label, float(score) if score else None
    except ValueError:
        pass
    raise SettingsError(f"expected a threshold such as piano=0.4, found {text!r}")


if __name__ == "__main__":
    from mmgat.stream.commands import entry

    entry.control()
