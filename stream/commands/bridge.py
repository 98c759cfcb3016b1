"""``mmgat-bridge``: carries what an engine publishes to OSC, MIDI, MQTT, browsers or Prometheus."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from typing import Any, Final

import click
import msgspec
from click.types import StringParamType

from mmgat.model.command_line import Command, Group
from mmgat.stream import setting_types
from mmgat.stream.bridges.base import Bridge
from mmgat.stream.bridges.registry import bridge_class, bridge_names
from mmgat.stream.bridges.runner import Runner
from mmgat.stream.bus.subscriber import Subscriber
from mmgat.stream.command_error import CommandError
from mmgat.stream.commands.options import HELP_NAMES, report_user_errors
from mmgat.stream.commands.process.signals import ending_signals
from mmgat.stream.commands.process.systemd import SystemdNotifier
from mmgat.stream.connection import Connection, connection_options
from mmgat.stream.errors import BridgeError, SettingsError

ENVIRONMENT_PREFIX: Final = "MMGAT_BRIDGE"


class Text(StringParamType):
    """A text; several of them in one variable of the environment are separated by semicolons."""

    name = "text"
    envvar_list_splitter = setting_types.SEPARATOR


class Bridges(Group):
    """The bridges as commands, imported when one is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return bridge_names()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a bridge, None where there is none of that name."""
        if cmd_name not in bridge_names():
            return None
        try:
            return command_of(cmd_name)
        except BridgeError as error:
            raise CommandError(str(error)) from None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments begin with."""
        if args[0] not in bridge_names() and not args[0].startswith("-"):
            raise CommandError(f"expected one of {', '.join(bridge_names())}, found {args[0]!r}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists their names and, of this package's, what they are; none is imported."""
        rows = [(name, SHORT_HELP.get(name, "of another package")) for name in bridge_names()]
        with formatter.section("Bridges"):
            formatter.write_dl(rows)


SHORT_HELP: Final = {
    "osc": "OSC over UDP: TouchDesigner, Max, SuperCollider, REAPER, QLC+",
    "midi": "notes and controllers on a virtual MIDI port",
    "mqtt": "MQTT, with discovery by Home Assistant",
    "ws": "JSON over WebSocket, for browsers",
    "prometheus": "metrics for Prometheus and Grafana",
}


@click.command(
    cls=Bridges,
    context_settings=HELP_NAMES | {"auto_envvar_prefix": ENVIRONMENT_PREFIX},
)
@click.version_option(package_name="mmgat-stream")
def main() -> None:
    """Carry what a running mmgat-stream publishes to another protocol, until Ctrl+C.

    Each bridge is a process of its own and a subscriber like any other: whatever happens to its
    receiver, recognition goes on. Every option may come from the environment instead, as in
    MMGAT_BRIDGE_MQTT_HOST=broker.
    """


def command_of(name: str) -> click.Command:
    """The command of a bridge; its options are the fields of the bridge's settings.

    Raises:
        BridgeError: it cannot be loaded.
    """
    bridge = bridge_class(name)
    fields = msgspec.structs.fields(bridge.Settings)

    @connection_options()
    @report_user_errors
    def run(connection: Connection, **values: Any) -> int | None:
        given = {
            field.name: _value(field, values[field.name])
            for field in fields
            if values[field.name] not in (None, ())
        }
        return run_bridge(name, bridge(bridge.Settings(**given)), connection)

    for field in reversed(fields):
        run = _option(field)(run)
    return click.command(
        name, cls=Command, help=inspect.getdoc(bridge), context_settings=HELP_NAMES
    )(run)


def run_bridge(name: str, bridge: Bridge, connection: Connection) -> int | None:
    """Runs a bridge until a signal ends it.

    Raises:
        StreamError: an address or a setting with which it can never run.
    """

    def say(text: str) -> None:
        click.echo(f"mmgat-bridge {name}: {text}", err=True)

    connect = connection.address
    quit_, notifier = threading.Event(), SystemdNotifier()
    with Subscriber(connect, warn=say, keys=connection.keys) as subscriber, ending_signals(quit_):
        runner = Runner(bridge, subscriber, say)
        notifier.ready(f"from {connect} to {bridge.receiver}")

        def each_round() -> None:
            bridge.not_received = subscriber.losses.lost
            notifier.watchdog(runner.summary)

        say(f"from {connect} to {bridge.receiver}")
        runner.run(quit_, each_round)
        notifier.stopping()
        lost = subscriber.losses.lost
    say(runner.summary + (f", {lost} lost between engine and bridge" if lost else ""))
    return None


def _option(field: msgspec.structs.FieldInfo) -> Callable[[Any], Any]:
    flag = "--" + field.name.replace("_", "-")
    text = setting_types.description(field)
    if setting_types.is_flag(field):
        return click.option(flag, is_flag=True, default=None, help=text)
    if field.default not in (None, "", ()):
        text += f"  [default: {field.default}]"
    choices = setting_types.choices_of(field)
    return click.option(
        flag,
        type=Text(),
        multiple=setting_types.is_list(field),
        metavar=f"[{'|'.join(choices)}]" if choices else None,
        help=text,
    )


def _value(field: msgspec.structs.FieldInfo, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return setting_types.parse(field, value)
    except ValueError as error:
        raise SettingsError(f"--{field.name.replace('_', '-')}: {error}") from None


if __name__ == "__main__":
    from mmgat.stream.commands import entry

    entry.bridge()
