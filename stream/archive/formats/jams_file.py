"""JAMS, the annotation format of music information retrieval (Humphrey et al., ISMIR 2014)."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from mmgat.stream.archive.formats.base import DocumentFormat, shown
from mmgat.stream.archive.result import FileResult, Origin


class Jams(DocumentFormat):
    """Annotations in the namespace ``tag_open``: label, and score as confidence.

    The model is the annotator; thresholds and settings stand in the sandbox.
    """

    name, suffix = "jams", ".jams"

    def document(self, result: FileResult, origin: Origin) -> bytes:
        """JSON, as the library ``jams`` writes it."""
        import jams

        jam = jams.JAMS()
        jam.file_metadata.duration = result.seconds
        jam.file_metadata.title = Path(shown(result.file)).name
        annotation = jams.Annotation(namespace="tag_open", time=0, duration=result.seconds)
        annotation.annotation_metadata = jams.AnnotationMetadata(
            corpus="",
            version=origin.model_version,
            annotator=jams.JObject(name=origin.model, sha256=origin.sha256),
            annotation_tools=f"mmgat-stream {origin.program}",
            data_source="program",
        )
        annotation.sandbox.update(**asdict(origin), scores=result.scores)
        for s in result.segments:
            annotation.append(time=s.t0, duration=s.t1 - s.t0, value=s.label, confidence=s.score)
        jam.annotations.append(annotation)
        jam.sandbox.update(file=shown(result.file), warning=result.warning)
        text: str = jam.dumps(indent=1)
        return (text + "\n").encode()
