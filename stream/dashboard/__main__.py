"""``mmgat-dashboard``: the command; what is slow to import waits until it is needed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmgat.model.command_line import Command
from mmgat.stream.command_error import CommandError
from mmgat.stream.connection import Connection, connection_options

if TYPE_CHECKING:
    from mmgat.stream.dashboard.app import DashboardApp


@click.command(cls=Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mmgat-stream")
@connection_options(help_text="Where the engine publishes, on this machine or another.")
@click.option(
    "--control",
    metavar="ADDRESS",
    default="",
    help="Where the engine takes requests, if it does not say so itself.",
)
@click.option(
    "--exit-with-engine",
    is_flag=True,
    help="Leave when the engine has ended; otherwise the last picture stays.",
)
@click.option(
    "--replay",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Show a recorded session: JSON lines of --jsonl, mmgat-listen or a recording.",
)
@click.option("--speed", metavar="N|max", default="1", help="Pace of --replay: 1, 10, max.")
@click.option(
    "--theme",
    type=click.Choice(("dark", "light", "contrast", "sixteen")),
    envvar="MMGAT_DASHBOARD_THEME",
    help="Colours; otherwise what suits the terminal. NO_COLOR is heeded.",
)
@click.option("--ascii", "ascii_only", is_flag=True, help="Draw with ASCII characters only.")
@click.option("--reduced-motion", is_flag=True, help="Draw once a second only.")
@click.option(
    "--serve",
    metavar="HOST:PORT",
    help="Show it in a browser instead, such as on 127.0.0.1:8000 (extra: serve).",
)
@click.option(
    "--token",
    default="",
    envvar="MMGAT_DASHBOARD_TOKEN",
    help="A browser needs it with --serve; required where other machines can connect.",
)
def main(
    connection: Connection,
    control: str,
    exit_with_engine: bool,
    replay: Path | None,
    speed: str,
    theme: str | None,
    ascii_only: bool,
    reduced_motion: bool,
    serve: str | None,
    token: str,
) -> None:
    """Shows what a running mmgat-stream hears, in this terminal, or what one has heard.

    Keys: 1 to 6 choose a screen, ? explains, q quits.
    """
    from mmgat.stream.errors import StreamError

    options = {
        "control": control,
        "exit_with_engine": exit_with_engine,
        "theme": theme or "",
        "ascii_only": ascii_only or not _writes_unicode(),
        "reduced_motion": reduced_motion,
    }
    pace = _pace(speed)
    if serve:
        _serve(serve, token)
        return
    in_browser = "TEXTUAL_DRIVER" in os.environ
    if not in_browser and not sys.stderr.isatty():
        raise CommandError(
            "expected a terminal on the standard error; mmgat-listen writes to files and pipes"
        )
    if not in_browser:
        _take_keyboard()
    try:
        with contextlib.nullcontext() if in_browser else _drawing() as stray:
            code = asyncio.run(_show(connection, replay, pace, options | {"stray": stray}))
    except StreamError as error:
        raise CommandError(str(error)) from None
    sys.exit(code)


@contextlib.contextmanager
def _drawing() -> Iterator[deque[str]]:
    """Textual draws on the terminal; what libraries write to descriptor 2 is kept for the log."""
    from mmgat.stream.descriptor import RedirectedDescriptor

    redirected, before = RedirectedDescriptor(), sys.__stderr__
    encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
    try:
        with open(redirected.saved, "w", encoding=encoding, errors="replace") as terminal:
            sys.__stderr__ = terminal  # type: ignore[misc]  # where Textual draws
            try:
                yield redirected.lines
            finally:
                sys.__stderr__ = before  # type: ignore[misc]
                redirected.restore()
    finally:
        for line in redirected.lines.copy():
            click.echo(line, err=True)


def _take_keyboard() -> None:
    """Keys come from the terminal, also where the standard input is a pipe full of audio."""
    if os.isatty(0):
        return
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY)
    except OSError as error:
        raise CommandError(f"expected a terminal to read keys from ({error})") from None
    os.dup2(terminal, 0)
    os.close(terminal)


def _serve(address: str, token: str) -> None:
    """Serves until Ctrl+C; every page gets a dashboard with this command's other arguments."""
    from mmgat.stream.errors import StreamError

    try:
        from mmgat.stream.dashboard.serve import DashboardServer
    except ModuleNotFoundError as error:
        raise CommandError(
            f"expected textual-serve for --serve, found no {error.name}: "
            "pip install 'mmgat-stream[serve]'"
        ) from None
    try:
        DashboardServer(_without(sys.argv[1:], "--serve", "--token"), address, token).serve()
    except StreamError as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        raise CommandError(f"expected a free address, found {address}: {error.strerror}") from None


def _without(arguments: list[str], *options: str) -> list[str]:
    """Arguments without some options and their values."""
    kept: list[str] = []
    skip = False
    for argument in arguments:
        if skip:
            skip = False
        elif argument in options:
            skip = True
        elif not argument.startswith(tuple(f"{option}=" for option in options)):
            kept.append(argument)
    return kept


def _pace(text: str) -> float:
    try:
        pace = float("inf") if text == "max" else float(text)
    except ValueError:
        pace = 0.0
    if not pace > 0:
        raise click.BadParameter(f"expected a number above 0 or max, found {text!r}")
    return pace


def _writes_unicode() -> bool:
    """Whether the terminal's locale has the glyphs; the locale is all that says so."""
    names = (os.environ.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    chosen = next((name for name in names if name), "")
    return chosen == "" or "utf" in chosen.lower()


async def _show(
    connection: Connection, replay: Path | None, pace: float, options: dict[str, Any]
) -> int:
    from mmgat.stream.dashboard.app import DashboardApp

    if replay:
        from mmgat.stream.dashboard.replay import Replay

        return await _run(DashboardApp(Replay(replay, pace), **options))
    from mmgat.stream.bus.subscriber import AsyncSubscriber

    async with AsyncSubscriber(connection.address, keys=connection.keys) as subscriber:
        return await _run(DashboardApp(subscriber, keys=connection.keys, **options))


async def _run(app: DashboardApp) -> int:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, app.exit)
    # Without the mouse, the terminal's own selecting and copying goes on working.
    await app.run_async(mouse=False)
    return app.return_code or 0


if __name__ == "__main__":
    main()
