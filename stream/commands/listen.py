"""``mmgat-listen``: everything published, as JSON lines."""

from __future__ import annotations

import click

from mmgat.stream.bus.protocol import PREFIX, to_json
from mmgat.stream.bus.subscriber import Subscriber
from mmgat.stream.commands.signals import interrupt_with_exception
from mmgat.stream.errors import ProtocolError, PublishError
from mmgat.stream.settings import DEFAULT_ADDRESS

NOTICE_S = 3.0
"""After so long without a message a line says so, once."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--connect", default=DEFAULT_ADDRESS, show_default=True, help="Publisher's address.")
@click.option("--topic", default=PREFIX, show_default=True, help="Prefix of the topics wanted.")
@click.option("--count", type=int, help="Stop after so many messages.")
@click.version_option(package_name="mmgat-stream")
def main(connect: str, topic: str, count: int | None) -> None:
    """Print every message of a publisher as a line of JSON, until Ctrl+C."""
    interrupt_with_exception()
    try:
        with Subscriber(connect, (topic,)) as subscriber:
            shown = 0
            notice_s: float | None = NOTICE_S
            while count is None or shown < count:
                try:
                    message = subscriber.receive(notice_s)
                    if message is None:
                        click.echo(
                            f"mmgat-listen: nothing from {connect} yet: does mmgat-stream run "
                            "there, and publish on that address?",
                            err=True,
                        )
                    notice_s = None
                except ProtocolError as error:
                    click.echo(f"mmgat-listen: {error}", err=True)
                    continue
                if message is not None:
                    print(to_json(message), flush=True)
                    shown += 1
    except PublishError as error:
        raise click.ClickException(str(error)) from None
    except (KeyboardInterrupt, BrokenPipeError):
        pass


if __name__ == "__main__":
    from mmgat.stream.commands import entry

    entry.listen()
