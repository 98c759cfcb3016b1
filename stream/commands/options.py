"""What the commands share: options made from the settings, and error messages without a traceback."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, Final, ParamSpec

import click

from mmgat.model.errors import ModelError
from mmgat.stream import setting_types
from mmgat.stream.errors import SettingsError, StreamError
from mmgat.stream.settings import ProgramSettings
from mmgat.stream.settings_layers import FIELDS, SHORT_NAMES, read_settings

P = ParamSpec("P")

HELP_NAMES: Final = {"help_option_names": ["-h", "--help"]}

RECOGNIZER_OPTIONS: Final = (
    "hop", "nodes", "model", "weights", "compute", "compute-device", "sensitivity", "threshold",
    "labels", "exclude",
)  # fmt: skip
"""Short names of the settings that every recognising command has as options."""

_METAVARS: Final = {
    "model": "compact|vggish|PATH",
    "device": "NAME|ID",
    "source": "NAME[:ARG]",
    "sink": "NAME[:ARG]",
    "channels": "N|LIST",
    "split": "N|LIST",
    "publish": "ADDRESS|off",
    "key": "FILE",
    "clients": "DIR",
    "control": "ADDRESS",
    "jsonl": "PATH|-",
    "record": "DIR",
    "record-limit": "GB",
    "file": "PATH",
    "weights": "PATH",
    "compute-device": "DEVICE",
    "hop": "SECONDS",
    "nodes": "N",
    "threshold": "LABEL=SCORE",
    "labels": "LABELS",
    "exclude": "LABELS",
    "rate": "HZ",
    "blocksize": "FRAMES",
    "latency": "low|high|SECONDS",
}
_PREFIX: Final = "setting_"


def setting_option(name: str, *letters: str, default: object = None) -> Callable[[Any], Any]:
    """The option ``--name`` of the setting with that short name: its help, values and default.

    Args:
        name: see ``SHORT_NAMES``.
        letters: short forms such as ``-d``.
        default: shown in place of the setting's own.
    """
    field = FIELDS[SHORT_NAMES[name]]
    help_text = setting_types.description(field)
    shown = field.default if default is None else default
    if not setting_types.is_flag(field) and shown not in (None, "", ()):
        help_text += f"  [default: {shown}]"
    kinds: dict[str, Any] = {"metavar": _METAVARS.get(name)}
    if setting_types.is_flag(field):
        kinds = {"is_flag": True}
    elif choices := setting_types.choices_of(field):
        kinds = {"metavar": f"[{'|'.join(choices)}]"}
    elif setting_types.is_list(field):
        kinds["multiple"] = True
    destination = _PREFIX + name.replace("-", "_")
    return click.option(*letters, f"--{name}", destination, default=None, help=help_text, **kinds)


def settings_options(
    *names: str | tuple[str, ...], defaults: Mapping[str, object] | None = None
) -> Callable[[Any], Any]:
    """Adds options for settings, then ``--set`` and ``--config``, and hands the command all settings.

    The command gets them as its argument ``settings``, besides its other options.

    Args:
        names: short names; a tuple also has letters: ``("device", "-d")``.
        defaults: short name -> value, in place of the settings' own.
    """
    own = dict(defaults or {})

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def wrapped(config: Path | None, assignments: tuple[str, ...], **values: Any) -> int | None:
            given = {
                name.removeprefix(_PREFIX).replace("_", "-"): value
                for name, value in values.items()
                if name.startswith(_PREFIX) and value not in (None, ())
            }
            others = {k: v for k, v in values.items() if not k.startswith(_PREFIX)}
            result: int | None = command(settings=_read(given, assignments, config, own), **others)
            return result

        wrapped = click.option(
            "--config",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="TOML file with settings, named as these options or in tables; MMGAT_STREAM_HOP "
            "and so on work too.",
        )(wrapped)
        wrapped = click.option(
            "--set",
            "assignments",
            multiple=True,
            metavar="NAME=VALUE",
            help="Any setting, such as decision.off_ratio=0.7; several times for several.",
        )(wrapped)
        for name in reversed(names):
            option, *letters = (name,) if isinstance(name, str) else name
            wrapped = setting_option(option, *letters, default=own.get(option))(wrapped)
        return wrapped

    return decorate


def _read(
    flags: dict[str, Any],
    assignments: tuple[str, ...],
    config: Path | None,
    defaults: dict[str, object],
) -> ProgramSettings:
    try:
        return read_settings(flags, assignments, config, os.environ, defaults)
    except SettingsError as error:
        raise click.UsageError(str(error)) from None


def report_user_errors(command: Callable[P, int | None]) -> Callable[P, None]:
    """Faults that a user can mend become one message and exit code 1; Ctrl+C is a normal end."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            code = command(*args, **kwargs)
        except (StreamError, ModelError) as error:
            click.echo(f"{click.get_current_context().command_path}: {error}", err=True)
            code = 1
        except KeyboardInterrupt:
            code = 0
        raise SystemExit(code or 0)

    return wrapped
