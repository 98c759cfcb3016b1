"""``mmgat-keys``: makes the keys of engines and readers."""

from __future__ import annotations

from pathlib import Path

import click

from mmgat.model.command_line import Command
from mmgat.stream.bus.access.keys import make_pair
from mmgat.stream.commands.options import HELP_NAMES, report_user_errors


@click.command("mmgat-keys", cls=Command, context_settings=HELP_NAMES)
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=".",
    show_default=True,
    metavar="DIR",
    help="Where to write them.",
)
@click.version_option(package_name="mmgat-stream")
@report_user_errors
def main(names: tuple[str, ...], folder: Path) -> int:
    """Make a pair of keys for each NAME: NAME.key to give away, NAME.key_secret to keep.

    Both are for your eyes only (mode 0600), and a file that is there is never replaced. An engine
    takes its own secret key and a folder with the public keys of its readers; a reader takes its own
    secret key and the public key of the engine.
    """  # fmt: skip
    for name in names:
        public, secret = make_pair(folder, name)
        click.echo(f"{public}: give it to those whom {name} connects to, or who connect to it")
        click.echo(f"{secret}: keep it on the machine of {name}")
    return 0


if __name__ == "__main__":
    from mmgat.stream.commands import entry

    entry.keys()
