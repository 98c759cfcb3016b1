"""Regions for REAPER's region and marker manager."""

from __future__ import annotations

import csv
import io

from mmgat.stream.archive.formats.base import DocumentFormat
from mmgat.stream.archive.formats.labels import segment_text
from mmgat.stream.archive.result import FileResult, Origin


class Reaper(DocumentFormat):
    """Regions as CSV: Region/Marker Manager, right click, "Import regions/markers".

    A marker at the beginning, M1, says which model and settings the regions R1, R2, ... are of.
    Times are seconds, so the ruler's unit is to be seconds, too.
    """

    name, suffix = "reaper", ".csv"

    def document(self, result: FileResult, origin: Origin) -> bytes:
        """Rows of #, Name, Start, End, Length."""
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(["#", "Name", "Start", "End", "Length"])
        rows.writerow(["M1", origin.title, "0.000", "", ""])
        for number, s in enumerate(result.segments, 1):
            times = [f"{s.t0:.3f}", f"{s.t1:.3f}", f"{s.t1 - s.t0:.3f}"]
            rows.writerow([f"R{number}", segment_text(s, origin), *times])
        return text.getvalue().encode()
