"""Names of sources and labels as parts of addresses and topics of other protocols."""

from __future__ import annotations

import functools
import re
import unicodedata
import zlib
from typing import Final

_NO_OSC: Final = re.compile(r"[^!-~]|[#*,/?\[\]{}]")
"""OSC 1.0: printable ASCII without space and the signs of patterns."""

_NO_MQTT: Final = re.compile(r"[\s+#/$\x00-\x1f]")
_NO_ID: Final = re.compile(r"[^a-z0-9]+")


@functools.lru_cache(1024)
def osc_part(name: str) -> str:
    """The name as one part of an OSC address: ``Scarlett 2i2`` is ``Scarlett_2i2``.

    One that ASCII cannot write has a number behind it, so that two of them differ.
    """
    return (_NO_OSC.sub("_", _without_accents(name)) or "_") + _number(name)


def mqtt_part(name: str) -> str:
    """The name as one level of an MQTT topic."""
    return _NO_MQTT.sub("_", name) or "_"


def identifier(name: str) -> str:
    """Small letters, digits and underscores only: ``Scarlett 2i2 1`` is ``scarlett_2i2_1``.

    One that ASCII cannot write has a number behind it, as in ``osc_part``.
    """
    return (_NO_ID.sub("_", _without_accents(name).lower()).strip("_") or "_") + _number(name)


def _without_accents(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name)
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _number(name: str) -> str:
    """Eight digits of a name with letters that are not Latin, "" for any other."""
    return "" if _without_accents(name).isascii() else f"_{zlib.crc32(name.encode()):08x}"
