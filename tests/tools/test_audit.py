import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from mmgat.model.backends.loading import load_model
from mmgat.model.labels import INDEX, LABELS
from mmgat.stream.bus.protocol import Event
from tools.audit.__main__ import main
from tools.audit.changes import PART_S, audit_changes, times_of
from tools.audit.listening import RATE_HZ, Heard, ModelListener, Samples, TaggerListener
from tools.audit.live import Clip, figures, listen, per_label, report
from tools.audit.recordings import delays, false_events
from tools.audit.sound import trimmed

DEMO = Path(__file__).parents[2] / "stream" / "demo" / "demo.ogg"

PIANO, VOICE = INDEX["piano"], INDEX["voice"]


def compact() -> ModelListener:
    return ModelListener(load_model("compact"))


def test_digital_silence_causes_no_event() -> None:
    found = false_events(compact(), [np.zeros(20 * RATE_HZ, np.float32)])
    assert found == {
        "hours": 0.006,
        "false events": 0,
        "false events an hour": 0.0,
        "labels": {},
    }


def test_what_is_never_named_has_no_delays() -> None:
    assert delays(compact(), "cello", np.zeros(3 * RATE_HZ, np.float32)) == (None, None)


def test_quiet_ends_are_cut() -> None:
    tone = np.sin(np.arange(RATE_HZ) * 0.3).astype(np.float32)
    quiet = np.zeros(RATE_HZ, np.float32)
    assert len(trimmed(np.concatenate([quiet, tone, quiet]))) == RATE_HZ


def test_a_source_whose_labels_no_other_has_cannot_be_left_out(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text(
        "path,split,labels\none/a.ogg,train,banjo\none/b.ogg,train,banjo\ntwo/c.ogg,train,cello\n"
    )
    result = CliRunner().invoke(main, ["source", str(tmp_path), "one"])
    assert result.exit_code == 1
    assert "whose labels other sources have too, found none" in result.output


def heard(active: list[list[str]], events: list[tuple[float, str]], level: float = -20.0) -> Heard:
    """Windows with these labels on, scored 0.9 where on and 0.1 elsewhere."""
    on = np.array([[label in window for label in LABELS] for window in active])
    told = [
        (at, Event(source="a", event="on", id="x", label=label, time_s=at, onset_s=at, score=0.9))
        for at, label in events
    ]
    return Heard(
        np.arange(1.0, 1 + len(active) / 2, 0.5),
        np.full(len(active), level),
        np.where(on, np.float32(0.9), np.float32(0.1)),
        on,
        told,
    )


def test_a_change_is_timed_from_the_new_sound_on() -> None:
    said = heard([["piano"]] * 3 + [["piano"]] + [["piano", "voice"]] * 2 + [["voice"]] * 2, [])
    said = dataclasses.replace(said, ends_s=np.arange(0.5, 4.5, 0.5))
    found = times_of(said, ["piano", "voice"], part_s=2.0)
    assert (found["named"], found["named, median s"]) == (1.0, 0.5)
    assert (found["released within 1 s"], found["released, median s"]) == (0.0, 1.5)
    assert found["of what is on, right"] == 0.7


def test_solos_are_joined_so_that_the_label_changes_every_time(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = ["piano", "piano", "piano", "voice", "voice", "piano+voice"]
    rows = [f"{number}.wav,{label}" for number, label in enumerate(names)]
    (tmp_path / "manifest.csv").write_text("path,labels\n" + "\n".join(rows) + "\n")
    for number in range(len(names)):
        noise = rng.standard_normal(9 * RATE_HZ) * 0.1
        soundfile.write(tmp_path / f"{number}.wav", noise, RATE_HZ)
    played: list[Samples] = []

    def listener(samples: Samples) -> Heard:
        played.append(samples)
        return heard([[]], [])

    found = audit_changes(tmp_path, listener)
    assert found["changes"] in (3, 4)
    assert len(played[0]) == (found["changes"] + 1) * round(PART_S * RATE_HZ)


def clip(name: str, truth: list[str], said: Heard) -> Clip:
    return Clip(name, np.array([label in truth for label in LABELS]), said, 1.0, 1.0)


def test_figures_count_windows_labels_and_clips() -> None:
    clips = [
        clip(
            "a",
            ["piano"],
            heard([[], ["piano"], ["piano", "voice"]], [(1.5, "piano"), (2.0, "voice")]),
        ),
        clip("b", ["voice"], heard([[], []], [])),
        clip("c", ["voice"], heard([["voice"]] * 9, [(1.5, "voice")], level=-70.0)),
    ]  # fmt: skip
    found = figures(clips)
    assert found["precision"] == pytest.approx(2 / 3)
    assert found["recall"] == pytest.approx(2 / 5)  # the quiet clip has no audible window
    assert found["F1"] == pytest.approx(1 / 2)
    assert found["clips with a right event"] == pytest.approx(2 / 3)
    assert found["clips with a wrong event"] == pytest.approx(1 / 3)
    assert found["clips with no event"] == pytest.approx(1 / 3)
    assert per_label(clips) == {
        "piano": {"right": 2, "wrong": 0, "missed": 1},
        "voice": {"right": 0, "wrong": 1, "missed": 2},
    }
    assert report(clips)["first right event, median s"] == 1.5


def test_a_clip_that_is_never_named_right_counts_as_late() -> None:
    clips = [clip(name, ["piano"], heard([["voice"]], [(1.0, "voice")])) for name in "abc"]
    assert report(clips)["first right event, median s"] is None


class Clockwork:
    """Says piano in every window that ends on an even half second of its own clock."""

    def __call__(self, samples: Samples) -> Heard:
        n_windows = len(samples) // (RATE_HZ // 2) - 1
        return heard([["piano"] if i % 2 else [] for i in range(n_windows)], [])


def test_agreement_is_of_the_windows_nearest_in_time(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(4 * RATE_HZ), RATE_HZ)
    (tmp_path / "manifest.csv").write_text("path,labels\na.wav,piano\n")
    (short,) = listen(tmp_path, Clockwork(), [0.1])
    assert short.agreement == 1.0  # the same places of its clock
    (long,) = listen(tmp_path, Clockwork(), [0.5])
    assert (
        long.agreement == long.agreement_cut == 0.0
    )  # half a second later its clock says the opposite


def test_what_was_heard_once_tells_no_agreement(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.full(4 * RATE_HZ, 0.1), RATE_HZ)
    (tmp_path / "manifest.csv").write_text("path,labels\na.wav,piano\n")
    found = [report(listen(tmp_path, Clockwork(), delays))["figures"] for delays in ([], [0.5])]
    assert set(found[1]) - set(found[0]) == {"agreement when delayed", "agreement when cut"}


def test_a_recording_is_named_alike_however_long_it_waits(tmp_path: Path) -> None:
    sound, rate_hz = soundfile.read(DEMO)
    soundfile.write(tmp_path / "a.wav", sound[: 6 * rate_hz], rate_hz)
    (tmp_path / "manifest.csv").write_text("path,labels\na.wav,piano\n")
    (clip_,) = listen(tmp_path, compact(), [0.1, 0.37])
    assert clip_.heard.active.any()
    assert clip_.agreement == 1.0


def test_a_tagger_decides_by_one_threshold_on_the_window_it_hears() -> None:
    lengths = []

    def tagger(window: Samples) -> np.ndarray:
        lengths.append(len(window))
        scores = np.zeros(len(LABELS), np.float32)
        scores[PIANO] = 0.5
        scores[VOICE] = 0.2
        return scores

    sound = np.random.default_rng(0).normal(0, 0.1, 3 * RATE_HZ).astype(np.float32)
    found = TaggerListener(tagger, 0.975, 0.3)(sound)
    assert set(lengths) == {round(0.975 * RATE_HZ)}
    assert found.active[-1, PIANO]
    assert not found.active[:, VOICE].any()


def test_live_reports_clips_by_their_manifest(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "a.wav", rng.normal(0, 0.05, 16_000 * 2), 16_000)
    (tmp_path / "manifest.csv").write_text("path,labels\na.wav,piano+bass\n")
    result = CliRunner().invoke(main, ["live", str(tmp_path), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert (found["clips"], found["audible windows"]) == (1, 7)
    assert found["labels"]["piano"]["right"] + found["labels"]["piano"]["missed"] == 7


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["live", str(tmp_path)])
    assert result.exit_code == 1
    assert "manifest.csv" in result.output
