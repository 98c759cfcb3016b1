"""Options of every command that connects to an engine: where it is, and the keys that it asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmgat.stream.command_error import CommandError
from mmgat.stream.errors import StreamError
from mmgat.stream.settings import DEFAULT_ADDRESS

if TYPE_CHECKING:
    from mmgat.stream.bus.access.keys import ClientKeys


@dataclass(frozen=True)
class Connection:
    """Where to connect, and how.

    Attributes:
        address: of the publisher.
        keys: for an engine that has some.
    """

    address: str
    keys: ClientKeys | None = None


def connection_options(
    default: str = DEFAULT_ADDRESS, help_text: str = "Where the engine publishes."
) -> Callable[[Any], Any]:
    """Adds ``--connect``, ``--key`` and ``--server-key``; the command gets them as ``connection``.

    A fault of the keys is one line and exit code 1.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def wrapped(connect: str, key: Path | None, server_key: Path | None, **others: Any) -> Any:
            try:
                keys = keys_of(key, server_key)
            except StreamError as error:
                raise CommandError(str(error)) from None
            return command(connection=Connection(connect, keys), **others)

        wrapped = click.option(
            "--server-key",
            type=click.Path(path_type=Path),
            metavar="FILE",
            envvar="MMGAT_SERVER_KEY",
            help="The engine's public key, if it has one.",
        )(wrapped)
        wrapped = click.option(
            "--key",
            type=click.Path(path_type=Path),
            metavar="FILE",
            envvar="MMGAT_KEY",
            help="Your secret key (mmgat-keys makes it), if the engine has one.",
        )(wrapped)
        return click.option(
            "--connect", metavar="ADDRESS", default=default, show_default=True, help=help_text
        )(wrapped)

    return decorate


def keys_of(key: Path | None, server_key: Path | None) -> ClientKeys | None:
    """The keys that two options name; None without them.

    Raises:
        SettingsError: one of the files is no use.
        click.UsageError: one option without the other.
    """
    if key is None and server_key is None:
        return None
    if key is None or server_key is None:
        raise click.UsageError(
            "expected --key and --server-key together, found one: a secured engine knows you by "
            "your key, and you know it by its own"
        )
    from mmgat.stream.bus.access.keys import ClientKeys

    return ClientKeys.read(key, server_key)
