"""The formats there are. A new one is a file with its class and a line in ``_PLACES``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from mmgat.stream.errors import OutputError

if TYPE_CHECKING:
    from mmgat.stream.archive.formats.base import Format

_PLACES: Final = {
    "jsonl": "rows:JsonLines",
    "csv": "rows:Csv",
    "scores": "rows:Scores",
    "parquet": "parquet:Parquet",
    "audacity": "labels:Audacity",
    "sonic-visualiser": "labels:SonicVisualiser",
    "jams": "jams_file:Jams",
    "midi": "midi_file:Midi",
    "reaper": "reaper:Reaper",
    "srt": "srt:Srt",
}

NAMES: Final = tuple(_PLACES)


def get_format(name: str) -> Format:
    """The format of that name.

    Raises:
        OutputError: its library is not installed.
    """
    module, _, attribute = _PLACES[name].partition(":")
    try:
        kind = getattr(import_module(f"mmgat.stream.archive.formats.{module}"), attribute)
        for library in _LIBRARIES.get(name, ()):
            import_module(library)
    except ModuleNotFoundError as error:
        raise OutputError(
            f"expected {error.name} for --format {name}, found it is not installed: "
            "pip install 'mmgat-stream[archive]'"
        ) from None
    found: Format = kind()
    return found


_LIBRARIES: Final = {"jams": ("jams",), "midi": ("mido",)}
"""What a format imports only when it writes; a run is to end before its first file without it."""
