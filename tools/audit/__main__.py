"""Audits of a model through the live path; no sound in them may have been trained on.

    python -m tools.audit live FOLDER            clips of playing with a manifest.csv (path, labels)
    python -m tools.audit changes FOLDER         its solos one after another, without a rest
    python -m tools.audit noise                  silence and steady noise, at levels up to 0 dBFS
    python -m tools.audit sounds FOLDER ...      speech and everyday sounds in which nothing plays
    python -m tools.audit recordings DATA/audio  everyday sounds kept out of training, and solos
    python -m tools.audit source DATA/audio NAME which label comes first on one source's recordings

``--tagger yamnet=FILE`` or ``mn04=FILE`` audits a public tagger in place of ``--model``. With
``--json`` figures come as one JSON object, which ``mmgat-train compact record`` writes into a card.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from mmgat.model.backends.loading import load_model
from mmgat.stream.recognition.recognizer import load_recognizer
from mmgat.stream.settings import LIVE_HOP_S, StreamSettings
from tools.audit.listening import Listener, ModelListener, TaggerListener

Folder = click.Path(path_type=Path, exists=True, file_okay=False)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object.")


def listener_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds ``--model``, ``--nodes``, ``--tagger`` and ``--tagger-threshold``."""
    for option in (
        click.option("--nodes", default=10, show_default=True, help="Of the model's graph."),
        click.option("--tagger-threshold", type=float, default=0.1, show_default=True),
        click.option("--tagger", metavar="yamnet|mn04=FILE", help="A public tagger instead."),
        click.option("--model", default="compact", show_default=True, help="Name or path."),
    ):
        command = option(command)
    return command


def listener_of(model: str, nodes: int, tagger: str | None, tagger_threshold: float) -> Listener:
    """Who listens."""
    if tagger is None:
        return ModelListener(load_model(model), StreamSettings(hop_s=LIVE_HOP_S, nodes=nodes))
    from tools.teachers import load_tagger

    name, _, path = tagger.partition("=")
    scores, window_s = load_tagger(name, Path(path))
    return TaggerListener(scores, window_s, tagger_threshold)


class Audit(click.Group):
    """Faults of a user's folders are told in one line."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (OSError, KeyError, ValueError) as error:
            raise click.ClickException(str(error)) from None


@click.group(cls=Audit)
def main() -> None:
    """Audits of a model through the live path, as mmgat-stream is set."""


@main.command()
@click.argument("folder", type=Folder)
@listener_options
@AS_JSON
@click.option("--once", is_flag=True, help="Not again, delayed and cut: a ninth of the time.")
def live(folder: Path, as_json: bool, once: bool, **who: Any) -> None:
    """What a user sees and hears of clips of playing: FOLDER/manifest.csv says what plays."""
    from tools.audit.live import DELAYS_S, as_text, listen, report

    found = report(listen(folder, listener_of(**who), () if once else DELAYS_S))
    name = who["tagger"] or who["model"]
    click.echo(json.dumps(found) if as_json else as_text(found, name))


@main.command()
@click.argument("folder", type=Folder)
@listener_options
def changes(folder: Path, **who: Any) -> None:
    """Solos of FOLDER/manifest.csv one after another: how soon each is named and released."""
    from tools.audit.changes import audit_changes

    click.echo(json.dumps(audit_changes(folder, listener_of(**who))))


@main.command()
@listener_options
def noise(**who: Any) -> None:
    """Events on digital silence and steady noise at several levels."""
    from tools.audit.recordings import false_events
    from tools.audit.sound import noises

    click.echo(json.dumps(false_events(listener_of(**who), noises())))


@main.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--minutes", default=60.0, show_default=True, help="At most, of each folder.")
@click.option(
    "--without", multiple=True, help="Names of music among them, as in '*_loop*'; repeat for more."
)
@listener_options
def sounds(folders: tuple[Path, ...], minutes: float, without: tuple[str, ...], **who: Any) -> None:
    """False events an hour over unpacked packages, each folder one line."""
    from tools.audit.recordings import false_events, package

    listener = listener_of(**who)
    for folder in folders:
        found = false_events(listener, [package(folder, minutes, without)])
        click.echo(json.dumps({"package": folder.name} | found))


@main.command()
@click.argument("audio", type=Folder)
@listener_options
def recordings(audio: Path, **who: Any) -> None:
    """False events over everyday sounds kept out of training; delays of naming and release."""
    from tools.audit.recordings import everyday, false_events, solo_delays

    listener = listener_of(**who)
    found = {"everyday": false_events(listener, [everyday(audio)])}
    click.echo(json.dumps(found | {"solos": solo_delays(listener, audio)}))


@main.command()
@click.argument("audio", type=Folder)
@click.argument("name")
@click.option("--model", default="compact", show_default=True, help="Name or path.")
def source(audio: Path, name: str, model: str) -> None:
    """Ranks of the right label on recordings of the source NAME, a folder of AUDIO."""
    from tools.audit.left_out import ranks_on

    click.echo(json.dumps(ranks_on(load_recognizer(model), audio, name)))


if __name__ == "__main__":
    main()
