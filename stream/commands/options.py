"""What the commands share: options of the recogniser, and how a user's faults are told."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import click

from mmgat.model.errors import ModelError
from mmgat.stream.errors import StreamError
from mmgat.stream.settings import HOPS_S, MAX_NODES

P = ParamSpec("P")


HELP_NAMES = {"help_option_names": ["-h", "--help"]}


def _allowed_hop(_context: click.Context, _: click.Parameter, hop: float) -> float:
    if hop not in HOPS_S:
        allowed = ", ".join(f"{hop:g}" for hop in HOPS_S)
        raise click.BadParameter(f"expected one of {allowed} seconds, found {hop:g}")
    return hop


_RECOGNIZER_OPTIONS = (
    click.option("--hop", type=float, callback=_allowed_hop, default=0.5, show_default=True,
                 help="Seconds between windows: 0.25, 0.5 or 1."),
    click.option("--nodes", type=click.IntRange(1, MAX_NODES), default=10, show_default=True,
                 help="Seconds in the instance graph, 1 to 60."),
    click.option("--model", default="compact", show_default=True, metavar="compact|vggish|PATH",
                 help="Model, or a checkpoint's path."),
    click.option("--weights", type=click.Path(path_type=Path),
                 help="VGGish's published weights, if not in torch.hub's cache."),
    click.option("--compute", default="auto", show_default=True,
                 type=click.Choice(["auto", "cpu", "cuda"]), help="Compute device."),
)  # fmt: skip


def recognizer_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds ``--hop --nodes --model --weights --compute``."""
    for option in reversed(_RECOGNIZER_OPTIONS):
        command = option(command)
    return command


def report_user_errors(command: Callable[P, int | None]) -> Callable[P, None]:
    """User-facing faults become one message and exit code 1; Ctrl+C is a normal end."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            code = command(*args, **kwargs)
        except (StreamError, ModelError) as error:
            click.echo(f"{click.get_current_context().info_name}: {error}", err=True)
            code = 1
        except KeyboardInterrupt:
            code = 0
        raise SystemExit(code or 0)

    return wrapped
