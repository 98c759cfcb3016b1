from pathlib import Path

import numpy as np
from click.testing import CliRunner

from mmgat.stream.recognition.recognizer import load_recognizer
from tools.audit import delays, false_events, main, trimmed

SECOND = 16_000


def test_digital_silence_causes_no_event() -> None:
    recognizer = load_recognizer("compact")
    found = false_events(recognizer, [np.zeros(20 * SECOND, np.float32)])
    assert found == {"hours": 0.006, "false events an hour": 0.0, "labels": {}}


def test_what_is_never_named_has_no_delays() -> None:
    recognizer = load_recognizer("compact")
    assert delays(recognizer, "cello", np.zeros(3 * SECOND, np.float32)) == (None, None)


def test_quiet_ends_are_cut() -> None:
    tone = np.sin(np.arange(SECOND) * 0.3).astype(np.float32)
    quiet = np.zeros(SECOND, np.float32)
    assert len(trimmed(np.concatenate([quiet, tone, quiet]))) == SECOND


def test_a_source_whose_labels_no_other_has_cannot_be_left_out(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text(
        "path,split,labels\none/a.ogg,train,banjo\none/b.ogg,train,banjo\ntwo/c.ogg,train,cello\n"
    )
    result = CliRunner().invoke(main, ["source", str(tmp_path), "one"])
    assert result.exit_code == 1
    assert "whose labels other sources have too, found none" in result.output
