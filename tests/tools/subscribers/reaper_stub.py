"""REAPER's Python module as a script sees it: the same arguments, conversions and answers.

After ``reaper_python.py`` of REAPER 7: every argument goes through ctypes, so a text where a number
belongs is a TypeError here, too; ``const char*`` is taken, ``bool`` and indices come back as numbers.
The project behind it is a list; what is asked for is printed as a line of JSON.
"""

from __future__ import annotations

import json
from ctypes import c_byte, c_char_p, c_double, c_int
from typing import Any

markers: dict[tuple[bool, int], dict[str, Any]] = {}
deferred: list[str] = []
at_exit: list[str] = []
play_state, position_s = 1, 100.0


def _text(value: object) -> str:
    return str(c_char_p(str(value).encode()).value, "utf-8")  # type: ignore[arg-type]


def tell(name: str, *arguments: object) -> None:
    """Prints what was asked for."""
    print(json.dumps([name, *arguments]), flush=True)


def RPR_AddProjectMarker2(
    proj: object,
    isrgn: object,
    pos: object,
    rgnend: object,
    name: object,
    wantidx: object,
    color: object,
) -> int:
    """The number of the new marker or region; the lowest free one for -1."""
    region = bool(c_byte(isrgn).value)  # type: ignore[arg-type]
    start, end = c_double(pos).value, c_double(rgnend).value  # type: ignore[arg-type]
    wanted, c_color = c_int(wantidx).value, c_int(color).value  # type: ignore[arg-type]
    if proj != 0 and not str(proj).startswith("(ReaProject*)0x"):
        raise TypeError(f"expected 0 or a ReaProject*, found {proj!r}")
    number = wanted
    if wanted < 0:
        number = next(n for n in range(1, 10_000) if (region, n) not in markers)
    markers[region, number] = {"pos": start, "end": end, "name": _text(name), "color": c_color}
    tell("add", region, start, end, _text(name), number)
    return number


def RPR_DeleteProjectMarker(proj: object, markrgnindexnumber: object, isrgn: object) -> int:
    """1 if there was one of that number and kind."""
    key = bool(c_byte(isrgn).value), c_int(markrgnindexnumber).value  # type: ignore[arg-type]
    found = markers.pop(key, None) is not None
    tell("delete", *key, int(found))
    return int(found)


def RPR_GetPlayState() -> int:
    """Bits: 1 plays, 2 paused, 4 records."""
    return play_state


def RPR_GetPlayPosition() -> float:
    """Where it plays, in seconds."""
    return position_s


def RPR_GetCursorPosition() -> float:
    """Where the edit cursor stands, in seconds."""
    return position_s


def RPR_ShowConsoleMsg(msg: object) -> None:
    """Shows a text in REAPER's console."""
    tell("say", _text(msg))


def RPR_defer(code: object) -> None:
    """Runs code in the script's namespace at the next of some thirty rounds a second."""
    deferred.append(_text(code))


def RPR_atexit(code: object) -> None:
    """Runs code in the script's namespace when the script is ended."""
    at_exit.append(_text(code))
