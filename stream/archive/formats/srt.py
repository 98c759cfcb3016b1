"""SubRip subtitles: what sounds, shown while it sounds."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from mmgat.stream.archive.formats.base import DocumentFormat
from mmgat.stream.archive.formats.labels import segment_text
from mmgat.stream.archive.result import FileResult, Origin

TITLE_S: Final = 1.0


class Srt(DocumentFormat):
    """A subtitle for every stretch in which the same instruments sound, a line for each of them.

    The first one, a second long, says which model and settings they are of.
    """

    name, suffix = "srt", ".srt"

    def document(self, result: FileResult, origin: Origin) -> bytes:
        """Numbered subtitles."""
        cues = [(0.0, min(TITLE_S, max(result.seconds, 0.001)), [origin.title])]
        times = sorted({t for s in result.segments for t in (s.t0, s.t1)})
        for t0, t1 in pairwise(times):
            lines = [segment_text(s, origin) for s in result.segments if s.t0 <= t0 < s.t1]
            if lines:
                cues.append((t0, t1, lines))
        return "\n".join(
            f"{number}\n{_time(t0)} --> {_time(t1)}\n" + "\n".join(lines) + "\n"
            for number, (t0, t1, lines) in enumerate(cues, 1)
        ).encode()


def _time(seconds: float) -> str:
    whole, ms = divmod(round(1000 * seconds), 1000)
    minutes, s = divmod(whole, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{s:02d},{ms:03d}"
