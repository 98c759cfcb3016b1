import threading
import time

from mmgat.stream.audio.pace import Pace


def test_a_file_at_full_speed_never_waits_and_comes_in_half_seconds() -> None:
    pace = Pace(live=False)
    assert pace.block_s == 0.5
    begun = time.monotonic()
    assert pace.wait(3600.0)
    assert time.monotonic() - begun < 60


def test_live_sound_comes_no_earlier_than_it_is_heard() -> None:
    pace = Pace(live=True)
    assert pace.block_s == 0.005
    begun = time.monotonic()
    assert pace.wait(0.05)
    assert time.monotonic() - begun >= 0.05
    assert pace.wait(0.1)
    assert time.monotonic() - begun >= 0.1


def test_what_is_begun_again_is_timed_anew() -> None:
    pace = Pace(live=True)
    assert pace.wait(0.05)
    pace.begin()
    begun = time.monotonic()
    assert pace.wait(0.05)
    assert time.monotonic() - begun >= 0.05


def test_after_the_reader_was_held_up_the_file_goes_on_where_it_was() -> None:
    now = [100.0]
    pace = Pace(live=True, clock=lambda: now[0])
    assert pace.wait(0.0)
    now[0] = 120.0
    assert pace.wait(1.0)
    begun = time.monotonic()
    assert pace.wait(1.1)
    assert time.monotonic() - begun >= 0.09


def test_a_wait_ends_where_it_is_stopped_and_says_so() -> None:
    pace = Pace(live=True)
    assert not pace.stopped
    answers: list[bool] = []
    waiting = threading.Thread(target=lambda: answers.append(pace.wait(3600.0)))
    waiting.start()
    pace.stop()
    waiting.join(60)
    assert answers == [False]
    assert pace.stopped
    assert not Pace(live=False).stopped
