"""MIDI files with markers, which every sequencer shows on its time line."""

from __future__ import annotations

import io
from typing import Final

from mmgat.stream.archive.formats.base import DocumentFormat
from mmgat.stream.archive.formats.labels import segment_text
from mmgat.stream.archive.result import FileResult, Origin

TICKS_A_BEAT: Final = 1000
BEATS_A_MINUTE: Final = 60
"""So a tick is a millisecond."""


class Midi(DocumentFormat):
    """Markers where instruments begin, ``piano 0.93 (0.41)``, and end, ``piano off``.

    The file has one track at 60 beats a minute and 1000 ticks a beat. Its name is the model.
    """

    name, suffix = "midi", ".mid"

    def document(self, result: FileResult, origin: Origin) -> bytes:
        """A standard MIDI file of type 0."""
        import mido

        markers = [(0, f"thresholds: {_thresholds(origin)}")]
        for s in result.segments:
            markers.append((round(1000 * s.t0), segment_text(s, origin)))
            markers.append((round(1000 * s.t1), f"{s.label} off"))
        track = mido.MidiTrack()
        track.append(mido.MetaMessage("track_name", name=origin.title))
        track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(BEATS_A_MINUTE)))
        before = 0
        for tick, text in sorted(markers, key=lambda marker: marker[0]):
            track.append(mido.MetaMessage("marker", text=text, time=tick - before))
            before = tick
        end = max(0, round(1000 * result.seconds) - before)
        track.append(mido.MetaMessage("end_of_track", time=end))
        file = mido.MidiFile(type=0, ticks_per_beat=TICKS_A_BEAT, charset="utf-8", tracks=[track])
        data = io.BytesIO()
        file.save(file=data)
        return data.getvalue()


def _thresholds(origin: Origin) -> str:
    return ", ".join(f"{label} {value:g}" for label, value in sorted(origin.thresholds.items()))
