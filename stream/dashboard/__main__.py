"""``mmgat-dashboard``: the command; what is slow to import waits until it is needed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import click

from mmgat.stream.connection import Connection, connection_options


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@connection_options(help_text="Where the engine publishes, on this machine or another.")
@click.option(
    "--exit-with-engine",
    is_flag=True,
    help="Leave when the engine has ended; otherwise the last picture stays.",
)
def main(connection: Connection, exit_with_engine: bool) -> None:
    """Shows what a running mmgat-stream hears, in this terminal.

    Keys: q quits, space freezes the picture, e hides the evidence, ? explains.
    """
    from mmgat.stream.errors import StreamError

    if not sys.stderr.isatty():
        raise click.ClickException(
            "expected a terminal on the standard error; mmgat-listen writes to files and pipes"
        )
    _take_keyboard()
    try:
        code = asyncio.run(_show(connection, exit_with_engine))
    except StreamError as error:
        raise click.ClickException(str(error)) from None
    sys.exit(code)


def _take_keyboard() -> None:
    """Keys come from the terminal, also where the standard input is a pipe full of audio."""
    if os.isatty(0):
        return
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY)
    except OSError as error:
        raise click.ClickException(f"expected a terminal to read keys from ({error})") from None
    os.dup2(terminal, 0)
    os.close(terminal)


async def _show(connection: Connection, exit_with_engine: bool) -> int:
    from mmgat.stream.bus.subscriber import AsyncSubscriber
    from mmgat.stream.dashboard.app import DashboardApp

    async with AsyncSubscriber(connection.address, keys=connection.keys) as subscriber:
        app = DashboardApp(subscriber, exit_with_engine=exit_with_engine)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, app.exit)
        # Without the mouse, the terminal's own selecting and copying goes on working.
        await app.run_async(mouse=False)
        return app.return_code or 0


if __name__ == "__main__":
    main()
