import numpy as np

from mmgat.model.labels import INDEX, LABELS
from mmgat.stream.audio.windows import Window
from mmgat.stream.bus.protocol import Event
from mmgat.stream.recognition.event_detector import EventDetector
from mmgat.stream.settings import DecisionSettings

SAMPLES = np.zeros(15_600, np.float32)


def window(index: int) -> Window:
    """One every half a second."""
    return Window(index, index * 8_000, SAMPLES, 16_000, 0, 15_600)


THRESHOLDS = dict.fromkeys(LABELS, 0.5)


def play(piano: list[float], **settings: float) -> tuple[list[Event], list[list[str]]]:
    """Events and active labels for one piano score a window, half a second apart."""
    decision = EventDetector(THRESHOLDS, 0.5, "lab", DecisionSettings(**settings))  # type: ignore[arg-type]
    events, active = [], []
    for index, score in enumerate(piano):
        scores = np.zeros(len(LABELS), np.float32)
        scores[INDEX["piano"]] = score
        events += decision.update(window(index), scores)
        active.append(decision.active)
    return events + decision.finish(), active


def test_an_instrument_is_on_from_its_first_hits_centre_until_its_last() -> None:
    events, active = play([0, 0, 0.9, 0.9, 0.9, 0, 0, 0])
    assert [(e.event, e.label, e.time_s, e.onset_s) for e in events] == [
        ("on", "piano", 1.25, 1.25),
        ("off", "piano", 2.75, 1.25),
    ]
    assert events[0].id == events[1].id
    assert active == [[], [], [], ["piano"], ["piano"], ["piano"], [], []]


def test_at_a_short_hop_it_takes_a_second_of_misses_to_end_and_not_two_windows() -> None:
    decision = EventDetector(THRESHOLDS, 0.25, "lab")
    active = []
    for index, piano in enumerate([0.9, 0.9, 0, 0, 0, 0.9, 0, 0, 0, 0]):
        scores = np.zeros(len(LABELS), np.float32)
        scores[INDEX["piano"]] = piano
        decision.update(Window(index, index * 4_000, SAMPLES, 16_000, 0, 15_600), scores)
        active.append("piano" in decision.active)
    assert active == [False, *[True] * 8, False]


def test_one_hit_is_not_enough() -> None:
    assert play([0, 0.9, 0, 0.9, 0, 0])[0] == []
    assert play([0.9])[0] == []


def test_a_sure_window_outweighs_a_doubtful_one_and_not_the_other_way_round() -> None:
    events, _ = play([0, 0.9, 0.3, 0.3])
    assert [(e.event, e.onset_s) for e in events] == [("on", 0.75), ("off", 0.75)]
    assert play([0, 0.6, 0.3, 0.3])[0] == []


def test_what_hovered_below_the_threshold_began_with_the_windows_that_turned_it_on() -> None:
    events, _ = play([0, *[0.4] * 10, 0.9, 0.9])
    assert events[0].onset_s == 10 * 0.5 + 0.25


def test_between_the_thresholds_nothing_changes() -> None:
    assert play([0.4] * 6)[0] == []
    events, _ = play([0.9, 0.9, *[0.4] * 6, 0, 0])
    assert [e.event for e in events] == ["on", "off"]
    assert events[1].time_s == 3.75 + 0.5


def test_one_miss_does_not_end_it() -> None:
    events, _ = play([0.9, 0.9, 0, 0.9, 0.9])
    assert [e.event for e in events] == ["on", "off"]


def test_what_sounds_throughout_lasts_from_the_first_sample_to_the_last() -> None:
    events, _ = play([0.9] * 4)
    assert [(e.event, e.time_s) for e in events] == [("on", 0.0), ("off", 2.5)]


def test_ids_differ_between_two_times_an_instrument_plays() -> None:
    events, _ = play([0.9, 0.9, 0, 0, 0.9, 0.9, 0, 0])
    assert [e.event for e in events] == ["on", "off"] * 2
    assert events[0].id != events[2].id


def test_the_warm_up_has_no_events() -> None:
    events, active = play([0.9] * 5, warm_up_windows=4)
    assert active == [[], [], [], [], ["piano"]]
    assert [e.event for e in events] == ["on", "off"]


def test_no_instrument_begins_in_a_silent_window() -> None:
    decision = EventDetector(dict.fromkeys(LABELS, 0.2), 0.5, "lab")
    sure = np.ones(len(LABELS), np.float32)
    decision.update(window(0), sure)
    assert decision.update(window(1), np.zeros_like(sure), silent=True) == []


def test_the_first_silent_window_ends_what_is_on() -> None:
    decision = EventDetector(THRESHOLDS, 0.5, "lab")
    loud = np.full(len(LABELS), 0.9, np.float32)
    for index in range(3):
        decision.update(window(index), loud)
    events = decision.update(window(3), np.zeros_like(loud), silent=True)
    assert {event.event for event in events} == {"off"}
    assert decision.active == []


def test_a_label_above_its_lower_threshold_that_is_not_on_is_a_near_miss() -> None:
    detector = EventDetector(dict.fromkeys(LABELS, 0.4), 0.5, "lab", DecisionSettings())
    scores = np.zeros(20, np.float32)
    scores[INDEX["drums"]], scores[INDEX["piano"]] = 0.35, 0.9
    near = []
    for index in range(3):
        detector.update(window(index), scores)
        near.append(detector.near_misses)
    assert near == [["drums", "piano"], ["drums"], ["drums"]]
    detector.update(window(3), np.zeros_like(scores), silent=True)
    assert detector.near_misses == []


def test_a_label_without_a_threshold_is_never_named_nor_nearly() -> None:
    thresholds = {label: 0.4 for label in LABELS if label != "drums"}
    detector = EventDetector(thresholds, 0.5, "lab", DecisionSettings())
    sure = np.full(20, 0.999, np.float32)
    events = [event for index in range(4) for event in detector.update(window(index), sure)]
    assert len(events) == 19
    assert "drums" not in {event.label for event in events}
    assert detector.near_misses == []


def test_silence_ends_an_instrument_whose_threshold_is_zero() -> None:
    decision = EventDetector({"piano": 0.0}, 0.5, "lab")
    nothing = np.zeros(len(LABELS), np.float32)
    for index in range(3):
        decision.update(window(index), nothing)
    assert decision.active == ["piano"]
    (event,) = decision.update(window(3), nothing, silent=True)
    assert (event.event, decision.active, decision.near_misses) == ("off", [], [])
