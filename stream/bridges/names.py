"""Names of sources and labels as parts of addresses and topics of other protocols."""

from __future__ import annotations

import re
from typing import Final

_NO_OSC: Final = re.compile(r"[^!-~]|[#*,/?\[\]{}]")
"""OSC 1.0: printable ASCII without space and the signs of patterns."""

_NO_MQTT: Final = re.compile(r"[\s+#/$\x00-\x1f]")
_NO_ID: Final = re.compile(r"[^a-z0-9]+")


def osc_part(name: str) -> str:
    """The name as one part of an OSC address: ``Scarlett 2i2`` is ``Scarlett_2i2``."""
    return _NO_OSC.sub("_", name) or "_"


def mqtt_part(name: str) -> str:
    """The name as one level of an MQTT topic."""
    return _NO_MQTT.sub("_", name) or "_"


def identifier(name: str) -> str:
    """Small letters, digits and underscores only: ``Scarlett 2i2 1`` is ``scarlett_2i2_1``."""
    return _NO_ID.sub("_", name.lower()).strip("_") or "_"
