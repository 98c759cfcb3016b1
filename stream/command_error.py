"""A user's mistake, told in one line that begins with the command's name."""

from __future__ import annotations

from typing import IO, Any

import click


class CommandError(click.ClickException):
    """Ends a command with exit code 1 and one line: ``mmgat-listen: expected ..., found ...``."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        context = click.get_current_context(silent=True)
        self._command = f"{context.command_path}: " if context else ""

    def show(self, file: IO[Any] | None = None) -> None:
        """Prints the line to the standard error."""
        click.echo(f"{self._command}{self.format_message()}", file=file, err=file is None)
