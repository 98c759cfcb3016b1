"""The events of a session as files for other programs; every function is pure but the last.

CSV and JSON lines for tables, labels for Audacity, JAMS (Humphrey et al., ISMIR 2014) for music
research, and a standard MIDI file with a track for each instrument.
"""

from __future__ import annotations

import csv
import io
import json
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mmgat.stream.dashboard.state.sources import SourceState
from mmgat.stream.errors import StreamError

TICKS_PER_BEAT: Final = 480
BEAT_S: Final = 0.5
"""Of the MIDI file: 120 beats a minute."""

PROGRAMS: Final = {
    "accordion": 21, "banjo": 105, "bass": 32, "cello": 42, "clarinet": 71, "flute": 73,
    "guitar": 24, "mallet_percussion": 12, "mandolin": 25, "organ": 19, "piano": 0,
    "saxophone": 65, "synthesizer": 80, "trombone": 57, "trumpet": 56, "ukulele": 24,
    "violin": 40, "voice": 52,
}  # fmt: skip
"""General MIDI programs, counted from 0; cymbals and drums are on the drum channel."""


@dataclass(frozen=True)
class Sounded:
    """An instrument that sounded, in the stream of its source.

    Attributes:
        source: name.
        label: of the instrument.
        begin_s, end_s: seconds in the stream; an instrument that is on ends at the newest moment.
        unix_time: of its beginning, or None.
        score: the highest that an event of it carried.
        is_on: it has not ended.
    """

    source: str
    label: str
    begin_s: float
    end_s: float
    unix_time: float | None
    score: float
    is_on: bool


def sounded(sources: Iterable[SourceState]) -> list[Sounded]:
    """Everything that is known to have sounded, by source and time."""
    found = []
    for source in sources:
        history = source.history
        for interval in sorted(history.intervals, key=lambda one: one.onset_s):
            end_s = history.end_s if interval.end_s is None else interval.end_s
            begin_s = history.stream_s(interval.onset_s)
            found.append(
                Sounded(
                    source.name,
                    interval.label,
                    begin_s,
                    begin_s + max(0.0, end_s - interval.onset_s),
                    history.unix_time(interval.onset_s),
                    interval.score,
                    interval.end_s is None,
                )
            )
    return found


def to_csv(rows: list[Sounded]) -> str:
    """A table with a heading: source, instrument, begin, end and duration in s, time, score."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["source", "instrument", "begin_s", "end_s", "duration_s", "time", "score"])
    for row in rows:
        lasted_s = row.end_s - row.begin_s
        # A cell that begins like a formula would be run by a spreadsheet.
        name = "'" + row.source if row.source[:1] in "=+-@" else row.source
        table.writerow(
            [name, row.label, f"{row.begin_s:.3f}", f"{row.end_s:.3f}", f"{lasted_s:.3f}",
             _iso(row.unix_time), f"{row.score:.3f}"]
        )  # fmt: skip
    return out.getvalue()


def to_jsonl(rows: list[Sounded]) -> str:
    """An object a line, with the same fields as the table."""
    return "".join(
        json.dumps(
            {
                "source": row.source,
                "instrument": row.label,
                "begin_s": round(row.begin_s, 3),
                "end_s": round(row.end_s, 3),
                "time": _iso(row.unix_time) or None,
                "score": round(row.score, 3),
                "is_on": row.is_on,
            },
            ensure_ascii=False,
        )
        + "\n"
        for row in rows
    )


def to_audacity(rows: list[Sounded]) -> str:
    """Labels as Audacity imports them: begin, end and text, with tabs between them."""
    several = len({row.source for row in rows}) > 1
    lines = []
    for row in sorted(rows, key=lambda row: row.begin_s):
        text = f"{row.source}: {row.label}" if several else row.label
        lines.append(f"{row.begin_s:.6f}\t{row.end_s:.6f}\t{text}\n")
    return "".join(lines)


def to_jams(rows: list[Sounded]) -> str:
    """JAMS with an annotation for each source, in the namespace ``tag_open``."""
    sources = list(dict.fromkeys(row.source for row in rows))
    end_s = max((row.end_s for row in rows), default=0.0)
    annotations = []
    for source in sources:
        data = [
            {
                "time": round(row.begin_s, 6),
                "duration": round(row.end_s - row.begin_s, 6),
                "value": row.label,
                "confidence": round(row.score, 6),
            }
            for row in rows
            if row.source == source
        ]
        annotations.append(
            {
                "namespace": "tag_open",
                "data": data,
                "annotation_metadata": {
                    "curator": {"name": "", "email": ""},
                    "annotator": {},
                    "version": "",
                    "corpus": "",
                    "annotation_tools": "mmgat-stream",
                    "annotation_rules": "",
                    "validation": "",
                    "data_source": "program",
                },
                "sandbox": {"source": source},
                "time": 0,
                "duration": round(end_s, 6),
            }
        )
    title = sources[0] if len(sources) == 1 else ""
    meta = {
        "title": title, "artist": "", "release": "", "duration": round(end_s, 6),
        "identifiers": {}, "jams_version": "0.3.4",
    }  # fmt: skip
    document = {"annotations": annotations, "file_metadata": meta, "sandbox": {}}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def to_midi(rows: list[Sounded]) -> bytes:
    """A MIDI file of type 1: a track for each instrument of each source, a note while it sounds."""
    import mido

    file = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT)
    channels: dict[str, int] = {}
    for source, label in dict.fromkeys((row.source, row.label) for row in rows):
        track = mido.MidiTrack()
        name = f"{source}: {label}".encode("latin-1", "replace").decode("latin-1")
        track.append(mido.MetaMessage("track_name", name=name))
        if label in PROGRAMS:
            if label not in channels:
                channels[label] = [c for c in range(16) if c != 9][len(channels) % 15]
            channel, note = channels[label], 60
            track.append(mido.Message("program_change", channel=channel, program=PROGRAMS[label]))
        else:
            channel, note = 9, 49 if label == "cymbals" else 38
        now = 0
        for row in rows:
            if (row.source, row.label) != (source, label):
                continue
            begin = max(now, round(max(0.0, row.begin_s) / BEAT_S * TICKS_PER_BEAT))
            end = max(begin + 1, round(row.end_s / BEAT_S * TICKS_PER_BEAT))
            velocity = max(1, min(127, round(127 * row.score)))
            common = {"channel": channel, "note": note}
            track.append(mido.Message("note_on", velocity=velocity, time=begin - now, **common))
            track.append(mido.Message("note_off", velocity=0, time=end - begin, **common))
            now = end
        file.tracks.append(track)
    out = io.BytesIO()
    file.save(file=out)
    return out.getvalue()


FORMATS: Final[dict[str, tuple[str, str, Callable[[list[Sounded]], str | bytes]]]] = {
    "csv": ("table (CSV)", ".csv", to_csv),
    "jsonl": ("JSON lines", ".jsonl", to_jsonl),
    "audacity": ("labels for Audacity", ".labels.txt", to_audacity),
    "jams": ("JAMS, for music research", ".jams", to_jams),
    "midi": ("MIDI, a track for each instrument", ".mid", to_midi),
}
"""Key -> what it is called, how its files end, and what makes one."""


def write_new(folder: Path, stem: str, ending: str, content: str | bytes) -> Path:
    """Writes a file of a new name; none is ever overwritten.

    Raises:
        StreamError: the folder takes no file.
    """
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    for number in range(1, 1000):
        path = folder / f"{stem}{'' if number == 1 else f'-{number}'}{ending}"
        try:
            with path.open("xb") as file:
                file.write(data)
        except FileExistsError:
            continue
        except OSError as error:
            raise StreamError(
                f"expected a folder that can be written, found {os.fspath(folder)!r}: "
                f"{error.strerror}"
            ) from None
        return path
    raise StreamError(f"expected a free name {stem}-*{ending} in {os.fspath(folder)!r}")


def _iso(unix_time: float | None) -> str:
    if unix_time is None:
        return ""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(unix_time))
