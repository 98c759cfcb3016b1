from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from mmgat.stream.audio.liveness import Liveness, LivenessState
from mmgat.stream.settings import LivenessSettings

SETTINGS = LivenessSettings(
    alarm_s=3, first_pause_s=0.5, longest_pause_s=5, escalate_s=60, exit_on_loss=False
)


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def looked(liveness: Liveness, clock: Clock, seconds: float, step: float = 0.25) -> list[float]:
    """When within so many seconds of refusals it wanted the source opened."""
    begun, tries = clock.now, []
    while clock.now < begun + seconds:
        if liveness.poll():
            tries.append(clock.now - begun)
            liveness.on_open_failed("not there")
        clock.now += step
    return tries


def test_frames_keep_it_healthy() -> None:
    clock = Clock()
    liveness = Liveness(SETTINGS, clock)
    for _ in range(100):
        clock.now += 2.9
        assert not liveness.poll()
        liveness.on_audio()
    assert liveness.state is LivenessState.HEALTHY
    assert liveness.outages == 0


def test_silence_alarms_after_its_time_and_is_said() -> None:
    clock = Clock()
    liveness = Liveness(SETTINGS, clock)
    clock.now += 2.99
    liveness.poll()
    assert liveness.state is LivenessState.HEALTHY
    clock.now += 0.01
    liveness.poll()
    assert liveness.state is LivenessState.ALARMED
    assert liveness.why == "no audio for 3 s"
    assert liveness.outages == 1


def test_attempts_come_at_once_and_then_at_pauses_that_double_up_to_the_longest() -> None:
    clock = Clock()
    liveness = Liveness(SETTINGS, clock)
    liveness.on_lost("unplugged")
    assert looked(liveness, clock, 20) == [0, 0.5, 1.5, 3.5, 7.5, 12.5, 17.5]
    assert liveness.state is LivenessState.RECOVERING
    looked(liveness, clock, 41)
    assert liveness.state is LivenessState.ESCALATED


def test_frames_heal_and_the_next_loss_begins_anew() -> None:
    clock = Clock()
    liveness = Liveness(SETTINGS, clock)
    liveness.on_lost("unplugged")
    looked(liveness, clock, 70)
    liveness.on_audio()
    assert (liveness.state, liveness.why) == (LivenessState.HEALTHY, "")
    liveness.on_lost("unplugged again")
    assert looked(liveness, clock, 1) == [0, 0.5]
    assert liveness.outages == 2


def test_a_source_that_opens_and_stays_silent_is_opened_again_after_an_alarms_time() -> None:
    clock = Clock()
    liveness = Liveness(SETTINGS, clock)
    liveness.on_lost("unplugged")
    assert liveness.poll()
    liveness.on_opened()
    clock.now += 2.9
    assert not liveness.poll()
    clock.now += 0.1
    assert liveness.poll()


def test_without_a_wish_to_recover_it_fails() -> None:
    liveness = Liveness(LivenessSettings(exit_on_loss=True), Clock())
    liveness.on_lost("unplugged")
    assert not liveness.poll()
    assert liveness.state is LivenessState.FAILED


@given(st.lists(st.tuples(st.sampled_from(["heard", "lost", "look"]), st.floats(0, 10))))
def test_whatever_happens_frames_heal_and_only_lost_sources_are_opened(
    happenings: list[tuple[str, float]],
) -> None:
    clock = Clock()
    liveness = Liveness(SETTINGS, clock)
    for happening, later in happenings:
        clock.now += later
        if happening == "heard":
            liveness.on_audio()
        elif happening == "lost":
            liveness.on_lost("gone")
        elif liveness.poll():
            assert liveness.state in (LivenessState.RECOVERING, LivenessState.ESCALATED)
            liveness.on_open_failed("not there")
        assert (liveness.why == "") == (liveness.state is LivenessState.HEALTHY)
    liveness.on_audio()
    assert liveness.state is LivenessState.HEALTHY
