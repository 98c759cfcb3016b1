"""General MIDI programs and their labels (ours).

Mandolin and ukulele are absent on purpose: the free soundfonts play guitar samples there. While a
program sounds, its ``ambiguous`` labels are unknown: neither present nor absent.
"""

from __future__ import annotations

from typing import Final, NamedTuple

CONFUSABLE: Final[dict[str, frozenset[str]]] = {
    "guitar": frozenset({"ukulele", "mandolin"}),
    "mandolin": frozenset({"ukulele"}),
    "banjo": frozenset({"ukulele"}),
    "cymbals": frozenset({"drums"}),
    "drums": frozenset({"cymbals"}),
    "accordion": frozenset({"organ"}),
}
"""label -> labels that its recordings may deserve too, so that they are unknown there."""

STRINGS: Final = frozenset({"violin", "cello", "bass"})
BRASS: Final = frozenset({"trumpet", "trombone", "synthesizer"})


class Program(NamedTuple):
    """Label, pitch range and playing of one General MIDI program (numbers from 0)."""

    number: int
    label: str | None
    ambiguous: frozenset[str]
    low: int
    high: int
    chords: bool
    weight: float


def _programs() -> dict[int, Program]:
    table: dict[int, Program] = {}

    def add(
        numbers: range | tuple[int, ...],
        label: str | None,
        low: int,
        high: int,
        *,
        chords: bool = False,
        ambiguous: frozenset[str] = frozenset(),
        weight: float = 1.0,
    ) -> None:
        for number in numbers:
            all_ambiguous = ambiguous | CONFUSABLE.get(label or "", frozenset())
            table[number] = Program(number, label, all_ambiguous, low, high, chords, weight)

    add(range(4), "piano", 33, 92, chords=True)
    add((4, 5), "piano", 36, 88, chords=True, ambiguous=frozenset({"synthesizer"}))
    add((6,), None, 40, 84, chords=True, ambiguous=frozenset({"piano"}))
    add((7,), None, 40, 80, chords=True, ambiguous=frozenset({"piano", "synthesizer", "guitar"}))
    add((8, 10, 14, 114), None, 60, 96, ambiguous=frozenset({"mallet_percussion"}))
    add((9,), "mallet_percussion", 72, 103, weight=2.0)
    add((11, 12, 13), "mallet_percussion", 50, 92, chords=True, weight=2.0)
    add((16, 17, 18, 19), "organ", 36, 88, chords=True, weight=2.0)
    add((20, 22), None, 45, 84, chords=True, ambiguous=frozenset({"organ", "accordion"}))
    add((21, 23), "accordion", 48, 88, chords=True, weight=4.0)
    add((24, 25, 26, 27, 28, 29, 30), "guitar", 40, 80, chords=True)
    add((32, 33, 34, 35, 36, 37), "bass", 26, 52)
    add((38, 39), "synthesizer", 26, 52, ambiguous=frozenset({"bass"}))
    add((40, 110), "violin", 55, 96, weight=3.0)
    add((41,), None, 48, 80, ambiguous=frozenset({"violin", "cello"}))
    add((42,), "cello", 36, 72, weight=2.0)
    add((43,), "bass", 26, 50, ambiguous=frozenset({"cello"}))
    add((44, 45, 48, 49), None, 36, 88, chords=True, ambiguous=STRINGS)
    add((46,), None, 36, 92, chords=True)
    add((47,), None, 36, 55, ambiguous=frozenset({"drums"}))
    add((50, 51), "synthesizer", 40, 84, chords=True, ambiguous=STRINGS)
    add((52, 53), "voice", 45, 79, chords=True, weight=0.7)
    add((54,), None, 45, 79, chords=True, ambiguous=frozenset({"voice", "synthesizer"}))
    add((56, 59), "trumpet", 54, 86, weight=3.0)
    add((57,), "trombone", 36, 70, weight=2.0)
    add((58, 60), None, 30, 72, ambiguous=frozenset({"trombone"}))
    add((61,), None, 40, 80, chords=True, ambiguous=BRASS | {"saxophone"})
    add((62, 63), "synthesizer", 40, 80, chords=True, ambiguous=BRASS)
    add((64, 65, 66, 67), "saxophone", 40, 84)
    add((68, 69, 70), None, 40, 88)
    add((71,), "clarinet", 50, 88, weight=2.0)
    add((72, 73), "flute", 60, 100, weight=2.0)
    add((74, 75, 77, 78, 79), None, 60, 96, ambiguous=frozenset({"flute", "synthesizer"}))
    add(tuple(range(80, 96)), "synthesizer", 36, 88, chords=True, weight=0.5)
    add((104, 106, 107), None, 45, 84, ambiguous=frozenset({"guitar", "banjo"}))
    add((105,), "banjo", 48, 80, chords=True, weight=3.0)
    add((109, 111), None, 55, 80, ambiguous=frozenset({"accordion"}))
    add((112, 113, 115), None, 55, 80, ambiguous=frozenset({"drums", "cymbals"}))
    return table


PROGRAMS: Final = _programs()

DRUM_KEYS: Final = (35, 36, 37, 38, 40, 41, 43, 45, 47, 48, 50)
CYMBAL_KEYS: Final = (42, 44, 46, 49, 51, 52, 53, 55, 57, 59)
"""General MIDI percussion: kicks, snares and toms; hi-hats, crashes, rides, splash and china."""
