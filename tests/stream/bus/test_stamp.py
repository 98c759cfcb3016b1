"""What every message carries."""

from mmgat.stream.bus.stamp import Stamp
from tests.stream.bus.messages import HELLO, event


def test_seq_counts_within_a_topic() -> None:
    stamp = Stamp("run", clock=lambda: 7.0)
    stamped = [stamp(message) for message in (event(0), HELLO, event(1), event(2, source="b"))]
    assert [(m.session, m.seq, m.time) for m in stamped] == [
        ("run", 0, 7.0),
        ("run", 0, 7.0),
        ("run", 1, 7.0),
        ("run", 0, 7.0),
    ]


def test_a_time_that_it_has_is_kept() -> None:
    assert Stamp(clock=lambda: 7.0)(event(0, time=3.0)).time == 3.0


def test_every_run_has_a_session_of_its_own() -> None:
    assert Stamp().session != Stamp().session
