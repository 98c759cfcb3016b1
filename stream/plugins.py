"""Sinks and sources of other packages, found by their entry points.

A package names a factory in its ``pyproject.toml``; ``--sink mqtt:studio`` calls it with "studio"::

    [project.entry-points."mmgat.sinks"]
    mqtt = "my_package:MqttSink"

A factory takes the text behind the colon ("" without one) and returns a ``Sink`` or an
``AudioSource``.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any, Final

from mmgat.stream.audio.source import AudioSource
from mmgat.stream.errors import SettingsError
from mmgat.stream.sinks.base import Sink

SINKS: Final = "mmgat.sinks"
SOURCES: Final = "mmgat.sources"


def load_sink(text: str) -> Sink:
    """The sink of another package that ``NAME`` or ``NAME:ARG`` means, not yet open.

    Raises:
        SettingsError: no such sink is installed, or what its factory makes is none.
    """
    sink: Sink = _made(SINKS, text, Sink, "--sink")
    return sink


def load_source(text: str) -> AudioSource:
    """The source of another package that ``NAME`` or ``NAME:ARG`` means, not yet probed.

    Raises:
        SettingsError: no such source is installed, or what its factory makes is none.
    """
    source: AudioSource = _made(SOURCES, text, AudioSource, "--source")
    return source


def _made(group: str, text: str, kind: type[Any], option: str) -> Any:
    name, _, argument = text.partition(":")
    found = {point.name: point for point in entry_points(group=group)}
    if name not in found:
        there = ", ".join(sorted(found)) or "none"
        raise SettingsError(
            f"{option}: expected the name of an installed entry point of {group} ({there}), found "
            f"{name!r}: install the package that has it"
        )
    try:
        made = found[name].load()(argument)
    except SettingsError:
        raise
    except Exception as error:  # whatever another package raises
        raise SettingsError(
            f"{option} {text}: expected {found[name].value} to make one, found "
            f"{type(error).__name__}: {error}"
        ) from error
    if not isinstance(made, kind):
        raise SettingsError(
            f"{option} {text}: expected {found[name].value} to return a {kind.__name__}, found a "
            f"{type(made).__name__}"
        )
    return made
