"""Large letters, to be read from across the room: a font of our own, 5 pixels high."""

from __future__ import annotations

from typing import Final

HEIGHT: Final = 5
_FONT: Final = {
    "A": ".##. #..# #### #..# #..#",
    "B": "###. #..# ###. #..# ###.",
    "C": ".### #... #... #... .###",
    "D": "###. #..# #..# #..# ###.",
    "E": "### #.. ##. #.. ###",
    "F": "### #.. ##. #.. #..",
    "G": ".### #... #.## #..# .###",
    "H": "#..# #..# #### #..# #..#",
    "I": "# # # # #",
    "J": "..# ..# ..# #.# .#.",
    "K": "#..# #.#. ##.. #.#. #..#",
    "L": "#.. #.. #.. #.. ###",
    "M": "#...# ##.## #.#.# #...# #...#",
    "N": "#..# ##.# #.## #..# #..#",
    "O": ".##. #..# #..# #..# .##.",
    "P": "###. #..# ###. #... #...",
    "Q": ".##. #..# #..# #.#. .#.#",
    "R": "###. #..# ###. #.#. #..#",
    "S": ".### #... .##. ...# ###.",
    "T": "### .#. .#. .#. .#.",
    "U": "#..# #..# #..# #..# .##.",
    "V": "#...# #...# .#.#. .#.#. ..#..",
    "W": "#...# #...# #.#.# ##.## #...#",
    "X": "#..# #..# .##. #..# #..#",
    "Y": "#.# #.# .#. .#. .#.",
    "Z": "#### ..#. .#.. #... ####",
    " ": ".. .. .. .. ..",
    "?": "##. ..# .#. ... .#.",
}
_HALVES: Final = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def can_write(text: str) -> bool:
    """Whether the font has all letters of a text."""
    return all(letter in _FONT for letter in text.upper())


def width_of(text: str, scale: int) -> int:
    """The width of ``large(text, scale)`` in cells."""
    pixels = sum(len(_FONT[letter].split()[0]) + 1 for letter in text.upper()) - 1
    return max(0, pixels) * scale


def height_of(scale: int) -> int:
    """The height of ``large(..., scale)`` in lines."""
    return (HEIGHT * scale + 1) // 2


def large(text: str, scale: int = 1) -> list[str]:
    """A text in large capitals.

    Args:
        text: letters, spaces and question marks; see ``can_write``.
        scale: pixels of the terminal for a pixel of the font; two of them share a cell's height.

    Returns:
        ``height_of(scale)`` lines, ``width_of(text, scale)`` cells wide.
    """
    rows: list[list[bool]] = []
    for y in range(HEIGHT):
        row: list[bool] = []
        for index, letter in enumerate(text.upper()):
            if index:
                row += [False] * scale
            for pixel in _FONT[letter].split()[y]:
                row += [pixel == "#"] * scale
        rows += [row] * scale
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    return [
        "".join(_HALVES[upper, lower] for upper, lower in zip(*rows[y : y + 2], strict=True))
        for y in range(0, len(rows), 2)
    ]
