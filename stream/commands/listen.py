"""``mmgat-listen``: everything published, as JSON lines."""

from __future__ import annotations

from typing import Final

import click

from mmgat.model.command_line import Command
from mmgat.stream.bus.protocol import PREFIX, to_json
from mmgat.stream.bus.subscriber import Subscriber
from mmgat.stream.command_error import CommandError
from mmgat.stream.commands.process.signals import interrupt_with_exception
from mmgat.stream.connection import Connection, connection_options
from mmgat.stream.errors import PublishError

NOTICE_S: Final = 4.0
"""After so long without a message a line says so, once; a running engine answers within one."""


@click.command(cls=Command, context_settings={"help_option_names": ["-h", "--help"]})
@connection_options()
@click.option("--topic", default=PREFIX, show_default=True, help="Prefix of the topics wanted.")
@click.option("--count", type=click.IntRange(min=0), help="Stop after so many messages.")
@click.version_option(package_name="mmgat-stream")
def main(connection: Connection, topic: str, count: int | None) -> None:
    """Print every message of a publisher as a line of JSON, until Ctrl+C."""
    interrupt_with_exception()
    try:
        with Subscriber(connection.address, (topic,), _say, connection.keys) as subscriber:
            try:
                _print_messages(subscriber, count)
            finally:
                if skipped := _skipped(subscriber):
                    _say(f"skipped: {skipped}")
    except PublishError as error:
        raise CommandError(str(error)) from None
    except (KeyboardInterrupt, BrokenPipeError):
        pass


def _print_messages(subscriber: Subscriber, count: int | None) -> None:
    shown = 0
    notice_s: float | None = NOTICE_S
    while count is None or shown < count:
        message = subscriber.receive(notice_s)
        notice_s = None
        if message is not None:
            print(to_json(message), flush=True)
            shown += 1
        elif not subscriber.trouble:
            _say(
                f"nothing from {subscriber.address} yet: waiting; does mmgat-stream run there, and "
                "publish on that address?"
            )


def _skipped(subscriber: Subscriber) -> str:
    """What was not printed, in words; "" if nothing."""
    parts = []
    if subscriber.losses.lost:
        parts.append(f"{subscriber.losses.lost} messages that were lost on the way")
    if subscriber.damaged:
        parts.append(f"{subscriber.damaged} that are no messages of this protocol")
    if subscriber.unknown_kinds:
        kinds = ", ".join(sorted(subscriber.unknown_kinds))
        parts.append(f"messages of kinds that this version does not know: {kinds}")
    return "; ".join(parts)


def _say(text: str) -> None:
    click.echo(f"mmgat-listen: {text}", err=True)


if __name__ == "__main__":
    from mmgat.stream.commands import entry

    entry.listen()
