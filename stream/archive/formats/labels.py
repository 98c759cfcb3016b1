"""Label tracks for Audacity and annotation layers for Sonic Visualiser."""

from __future__ import annotations

import csv
import io

from mmgat.stream.archive.formats.base import DocumentFormat, shown
from mmgat.stream.archive.result import FileResult, Origin, Segment


def segment_text(segment: Segment, origin: Origin) -> str:
    """The label with its score and threshold: ``piano 0.93 (0.41)``."""
    return f"{segment.label} {segment.score:.2f} ({origin.threshold(segment.label):.2f})"


class Audacity(DocumentFormat):
    """A label track: File, Import, Labels.

    Each label has its instrument, score and, in brackets, threshold. The first one, a point at the
    beginning, says which model and settings they are of.
    """

    name, suffix = "audacity", ".txt"

    def document(self, result: FileResult, origin: Origin) -> bytes:
        """Lines of begin, end and text, between tabs."""
        lines = [f"0.000000\t0.000000\t{origin.title}"]
        lines += [f"{s.t0:.6f}\t{s.t1:.6f}\t{segment_text(s, origin)}" for s in result.segments]
        return "".join(line + "\n" for line in lines).encode()


class SonicVisualiser(DocumentFormat):
    """A regions layer: File, Import Annotation Layer; "Regions", with times in seconds.

    The columns are begin, score as the region's value, duration, and the label. Comments, which
    Sonic Visualiser leaves out, have the model and the thresholds.
    """

    name, suffix = "sonic-visualiser", ".csv"

    def document(self, result: FileResult, origin: Origin) -> bytes:
        """Comments and rows."""
        text = io.StringIO()
        text.write(f"# {origin.title}\n# {shown(result.file)!r}\n")
        thresholds = ", ".join(f"{k} {v:g}" for k, v in sorted(origin.thresholds.items()))
        text.write(f"# thresholds: {thresholds}\n")
        rows = csv.writer(text, lineterminator="\n")
        for s in result.segments:
            rows.writerow([f"{s.t0:.6f}", s.score, f"{s.t1 - s.t0:.6f}", s.label])
        return text.getvalue().encode()
