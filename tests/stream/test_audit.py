import numpy as np

from stream.recognizer import load_recognizer
from tools.audit import delays, false_events, trimmed

SECOND = 16_000


def test_digital_silence_causes_no_event() -> None:
    recognizer, _ = load_recognizer("compact")
    found = false_events(recognizer, [np.zeros(20 * SECOND, np.float32)])
    assert found == {"hours": 0.006, "false events an hour": 0.0, "labels": {}}


def test_what_is_never_named_has_no_delays() -> None:
    recognizer, _ = load_recognizer("compact")
    assert delays(recognizer, "cello", np.zeros(3 * SECOND, np.float32)) == (None, None)


def test_quiet_ends_are_cut() -> None:
    tone = np.sin(np.arange(SECOND) * 0.3).astype(np.float32)
    quiet = np.zeros(SECOND, np.float32)
    assert len(trimmed(np.concatenate([quiet, tone, quiet]))) == SECOND
