"""The bridges there are: those of this package, and those of others by their entry points.

A package names its own in its ``pyproject.toml``; ``mmgat-bridge lamp`` then runs it::

    [project.entry-points."mmgat.bridges"]
    lamp = "mmgat_lamp:LampBridge"
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import Final

from mmgat.stream.bridges.base import Bridge
from mmgat.stream.errors import BridgeError

ENTRY_POINTS: Final = "mmgat.bridges"

BUILT_IN: Final = {
    "osc": "mmgat.stream.bridges.osc:OscBridge",
    "midi": "mmgat.stream.bridges.midi.bridge:MidiBridge",
    "mqtt": "mmgat.stream.bridges.mqtt.bridge:MqttBridge",
    "ws": "mmgat.stream.bridges.ws:WebSocketBridge",
    "prometheus": "mmgat.stream.bridges.prometheus.bridge:PrometheusBridge",
}
"""Name -> module and class, imported when it is used."""


def bridge_names() -> list[str]:
    """The names of all bridges, those of this package first."""
    return [*BUILT_IN, *sorted(entry_points(group=ENTRY_POINTS).names - BUILT_IN.keys())]


def bridge_class(name: str) -> type[Bridge]:
    """The class of a bridge.

    Raises:
        BridgeError: there is none of that name, or another package's cannot be loaded.
    """
    if name in BUILT_IN:
        module, _, attribute = BUILT_IN[name].partition(":")
        found = getattr(import_module(module), attribute)
    else:
        points = list(entry_points(group=ENTRY_POINTS, name=name))
        if not points:
            raise BridgeError(
                f"expected a bridge of {', '.join(bridge_names())}, found {name!r}: install the "
                "package that brings it"
            )
        try:
            found = points[0].load()
        except Exception as error:  # whatever another package raises
            raise BridgeError(
                f"expected the bridge {name} from {points[0].value}, found {type(error).__name__}: "
                f"{error}: upgrade or uninstall that package"
            ) from error
    if not (isinstance(found, type) and issubclass(found, Bridge)):
        raise BridgeError(
            f"expected {name} to be a Bridge, found {found!r}: upgrade or uninstall that package"
        )
    return found
