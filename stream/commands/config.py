"""Settings from a TOML file and the environment, under the names of the options.

    # studio.toml                        MMGAT_STREAM_HOP=0.25
    device = "Scarlett 2i2"
    hop = 0.25

The command line wins over the environment, that over the file, that over the default. The options
themselves are the one description of what is allowed, whichever way a value comes.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final

import click

ACTIONS: Final = ("config", "list-devices", "diagnose", "version", "help")
"""Options that do something instead of setting something."""


def configurable(command: click.Command) -> click.Command:
    """Adds ``--config FILE``, and to every setting an environment variable of its name."""
    for key, option in _settings(command).items():
        prefix = (command.name or "mmgat-stream").replace("-", "_").upper()
        option.envvar = f"{prefix}_{key.replace('-', '_').upper()}"
    config = click.Option(
        ["--config"],
        type=click.Path(path_type=Path),
        metavar="FILE",
        is_eager=True,
        expose_value=False,
        callback=_read,
        help="TOML file with settings, named as these options; MMGAT_STREAM_HOP and so on work too.",
    )
    command.params.append(config)
    return command


def _settings(command: click.Command) -> dict[str, click.Option]:
    """Options by the key they have in a file: their long name without dashes."""
    options = {
        max(option.opts, key=len).lstrip("-"): option
        for option in command.params
        if isinstance(option, click.Option)
    }
    return {key: option for key, option in options.items() if key not in ACTIONS}


def _read(context: click.Context, _: click.Parameter, path: Path | None) -> None:
    if path is None:
        return
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise click.BadParameter(
            f"expected a TOML file at {path}, found {error.strerror}"
        ) from None
    except ValueError as error:
        raise click.BadParameter(f"{path} is no TOML: {error}") from None
    options = _settings(context.command)
    known: dict[str, Any] = {}
    for key, value in values.items():
        if key not in options:
            raise click.BadParameter(
                f"{path}: {key!r} is no setting; there are {', '.join(sorted(options))}"
            )
        known[str(options[key].name)] = _checked(context, path, key, value, options[key])
    context.default_map = {**(context.default_map or {}), **known}


def _checked(
    context: click.Context, path: Path, key: str, value: object, option: click.Option
) -> object:
    """The value, if the option takes it."""
    values = value if option.multiple and isinstance(value, list) else [value]
    if key == "device" and not all(isinstance(name, str) for name in values):
        raise click.BadParameter(
            f"{path}: device: expected a name, found {value!r}: numbers change when devices come "
            "and go; --list-devices shows the names"
        )
    if any(
        option.is_flag != isinstance(one, bool) or isinstance(one, list | dict) for one in values
    ):
        wanted = "true or false" if option.is_flag else f"a single value ({option.type.name})"
        if option.multiple:
            wanted = "a text, or a list of texts"
        raise click.BadParameter(f"{path}: {key}: expected {wanted}, found {value!r}")
    if option.multiple:
        value = values
    try:
        option.process_value(context, value)
    except click.BadParameter as error:
        raise click.BadParameter(f"{path}: {key}: {error.message}") from None
    return value
