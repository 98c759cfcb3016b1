"""``mmgat-listen``: everything published, as JSON lines."""

from __future__ import annotations

import os
import sys

import click

from mmgat.stream.bus.protocol import PREFIX, to_json
from mmgat.stream.bus.subscriber import Subscriber
from mmgat.stream.errors import ProtocolError, PublishError
from mmgat.stream.settings import DEFAULT_ADDRESS


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--connect", default=DEFAULT_ADDRESS, show_default=True, help="Publisher's address.")
@click.option("--topic", default=PREFIX, show_default=True, help="Prefix of the topics wanted.")
@click.option("--count", type=int, help="Stop after so many messages.")
@click.version_option(package_name="mmgat-stream")
def main(connect: str, topic: str, count: int | None) -> None:
    """Print every message of a publisher as a line of JSON, until Ctrl+C."""
    try:
        with Subscriber(connect, (topic,)) as subscriber:
            shown = 0
            while count is None or shown < count:
                try:
                    message = subscriber.receive()
                except ProtocolError as error:
                    click.echo(f"mmgat-listen: {error}", err=True)
                    continue
                if message is not None:
                    print(to_json(message), flush=True)
                    shown += 1
    except PublishError as error:
        raise click.ClickException(str(error)) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
