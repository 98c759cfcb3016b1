"""The sample bank: recordings packed once into one array, by instrument and player."""

from __future__ import annotations

import csv
import json
import re
import zlib
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile
from tqdm import tqdm

from mmgat.training.errors import TrainingDataError
from mmgat.training.synthesis.general_midi import CONFUSABLE, STRINGS
from mmgat.training.synthesis.packages import RATE_HZ, to_int16, to_mono

LONGEST_S: Final = 10.0
LEVEL_DBFS: Final = -20.0
"""RMS level of the loudest 50 ms of every recording."""

RINGING: Final = frozenset(
    {"piano", "guitar", "banjo", "mandolin", "bass", "mallet_percussion", "cymbals", "drums"}
)
"""Labels whose notes ring on over the next ones."""

UNLABELLED_AMBIGUOUS: Final[dict[str, frozenset[str]]] = {
    "viola": frozenset({"violin", "cello"}),
    "harmonium": frozenset({"accordion", "organ"}),
    "sfx": frozenset({"synthesizer", "drums", "voice"}),
    "tubular_bells": frozenset({"mallet_percussion"}),
    "bell-tree": frozenset({"mallet_percussion"}),
    "french horn": frozenset({"trombone"}),
    "french-horn": frozenset({"trombone"}),
    "contrabassoon": frozenset({"bass"}),
}
"""Recorded instrument that has none of the 20 labels -> labels that it may be confused with."""

PITCHED: Final = frozenset(
    {"bassoon", "contrabassoon", "cor anglais", "french horn", "french-horn", "oboe", "viola",
     "harmonium", "sfx", "slide_whistle"}
)  # fmt: skip


EVERYDAY: Final = "sfx"
"""The manifest's instrument of doors, coins, engines, animals and the like."""

MUSICAL: Final = re.compile(
    "amin_|analog|anklung|bamboo|banjo|bass|bell|bongo|brush_hit|casio|cello|chime|comping|"
    "computer_mania|crash|cym|digeridoo|drum|eerie|enotherapy|ethnic|flute|fm_|formant|glass_harm|"
    "gong|groov|guitar|jaw-harp|kalimba|kaos|khaen|kick|loop|marimba|melodic|mouth_harp|music_box|"
    "perc|piano|pluck|rainstick|reed|resonating|scissor_hh|shaker|sitar|street_beat|string|synth|"
    "tabla|tambourine|theremin|(?<!s)tone|twang|vocoder|whistle_up|woodblock"
)
"""Parts of the names of everyday sounds that are instruments all the same. Their labels are not known,
so they are neither trained on nor counted as false alarms."""


def source_of(row: dict[str, str]) -> str:
    """Returns the source of a row of the manifest: the first folder of its path."""
    return row["path"].split("/")[0]


def is_everyday(row: dict[str, str]) -> bool:
    """Tells whether a row of the manifest is an everyday sound, without any instrument."""
    name = Path(row["path"]).name.lower()
    return row["instrument"] == EVERYDAY and not MUSICAL.search(name)


def split_of(row: dict[str, str]) -> str:
    """Returns the split of a row of the manifest: "train", "validation", "audit" or "nothing".

    Of six everyday sounds one is for the audit and one for validation. Those that are instruments all
    the same are in no split.
    """
    if row["instrument"] != EVERYDAY:
        return row["split"]
    if not is_everyday(row):
        return "nothing"
    sixth = zlib.crc32(row["path"].encode()) % 6
    return {0: "audit", 1: "validation"}.get(sixth, row["split"])


def recordings_for(split: str, audio_folder: Path) -> list[dict[str, str]]:
    """Reads the rows of the folder's manifest in a split, "train", "validation" or "audit".

    Raises:
        TrainingDataError: the folder has no manifest.
    """
    manifest = audio_folder / "manifest.csv"
    if not manifest.is_file():
        raise TrainingDataError(f"expected manifest.csv in {audio_folder}, found none")
    with manifest.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if split_of(row) == split]


class Source(NamedTuple):
    """All recordings of one instrument by one player, for one part of a mixture.

    Attributes:
        name: of the source that they are from.
        label: of the instrument, if it has one.
        ambiguous: labels that are unknown while it sounds.
        notes, phrases: first and last sample of each in the bank.
        everyday: whether they are everyday sounds.
    """

    name: str
    label: str | None
    ambiguous: frozenset[str]
    notes: tuple[tuple[int, int], ...]
    phrases: tuple[tuple[int, int], ...]
    everyday: bool = False

    @property
    def ringing(self) -> bool:
        """Tells whether its notes ring on over the next ones."""
        return self.label in RINGING


def _ambiguous(label: str, instrument: str) -> frozenset[str]:
    if label:
        extra = STRINGS - {label} if "pad" in instrument or "string" in instrument else frozenset()
        return CONFUSABLE.get(label, frozenset()) | extra
    if instrument in UNLABELLED_AMBIGUOUS:
        return UNLABELLED_AMBIGUOUS[instrument]
    return frozenset() if instrument in PITCHED else frozenset({"drums", "cymbals"})


def trim_and_level(audio: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Trims both ends to 50 dB below the loudest 50 ms, and scales these to -20 dBFS.

    Shapes: float32 [T] at 32 kHz -> float32 [T'], T' <= T, empty when there is no sound.
    """
    block = RATE_HZ // 100
    n_blocks = len(audio) // block
    if n_blocks < 5:
        return audio[:0]
    power = (audio[: n_blocks * block].reshape(n_blocks, block) ** 2).mean(axis=1)
    loudest = float(np.convolve(power, np.full(5, 0.2), "valid").max())
    if loudest < 1e-9:
        return audio[:0]
    heard = np.flatnonzero(power > loudest * 1e-5)
    piece = audio[heard[0] * block : (heard[-1] + 1) * block]
    return piece * np.float32(10 ** (LEVEL_DBFS / 20) / np.sqrt(loudest))


def _pack(recordings: list[dict[str, str]], audio_folder: Path, split: str, folder: Path) -> None:
    pieces: list[npt.NDArray[np.int16]] = []
    rows: list[dict[str, Any]] = []
    start = 0
    for row in tqdm(recordings, f"samples ({split})"):
        audio, rate_hz = soundfile.read(audio_folder / row["path"], dtype="float32")
        piece = trim_and_level(to_mono(audio, rate_hz)[: int(LONGEST_S * RATE_HZ)])
        if not len(piece):
            continue
        pieces.append(to_int16(piece))
        keep = {key: row[key] for key in ("labels", "instrument", "kind", "session", "licence")}
        keep["source"] = source_of(row)
        rows.append(keep | {"start": start, "end": start + len(piece)})
        start += len(piece)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"samples-{split}.npy", np.concatenate(pieces))
    (folder / f"samples-{split}.json").write_text(json.dumps(rows))


class SampleBank:
    """Recorded notes and phrases of one split.

    Args:
        audio_folder: the data folder's ``audio``, with its manifest.csv.
        split: "train" or "validation".
        cache: the packed recordings are kept there (int16, mono, 32 kHz).

    Raises:
        TrainingDataError: the folder has no manifest.
    """

    def __init__(self, audio_folder: Path, split: str, cache: Path) -> None:
        recordings = recordings_for(split, audio_folder)
        if not (cache / f"samples-{split}.json").exists():
            _pack(recordings, audio_folder, split, cache)
        self.audio = np.load(cache / f"samples-{split}.npy", mmap_mode="r")
        rows = json.loads((cache / f"samples-{split}.json").read_text())
        grouped: dict[tuple[str, str, str, str], list[dict[str, Any]]] = {}
        for row in rows:
            solo_instrument = row["instrument"] if not row["labels"] else ""
            key = (row["source"], row["labels"], row["session"], solo_instrument)
            grouped.setdefault(key, []).append(row)
        self.sources: dict[str, list[Source]] = {}
        for (name, label, _, instrument), group in grouped.items():
            ambiguous = frozenset().union(*(_ambiguous(label, row["instrument"]) for row in group))
            everyday = instrument == EVERYDAY  # used whole, not cut into notes
            of_notes = [r for r in group if r["kind"] == "note" and not everyday]
            of_phrases = [r for r in group if r["kind"] != "note" or everyday]
            notes = tuple((r["start"], r["end"]) for r in of_notes)
            phrases = tuple((r["start"], r["end"]) for r in of_phrases)
            source = Source(name, label or None, ambiguous, notes, phrases, everyday)
            self.sources.setdefault(label, []).append(source)

    @property
    def labels(self) -> list[str]:
        """Labels with recordings, in order."""
        return sorted(label for label in self.sources if label)

    def take(self, span: tuple[int, int]) -> npt.NDArray[np.float32]:
        """Reads one note or phrase, float32 [T]."""
        samples: npt.NDArray[np.float32] = self.audio[span[0] : span[1]].astype(np.float32)
        return samples / np.float32(32_767.0)
