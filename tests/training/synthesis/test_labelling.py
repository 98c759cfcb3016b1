from pathlib import Path

import numpy as np
import pytest
import soundfile

from mmgat.model.labels import INDEX
from mmgat.training.synthesis.arrangement import CLIP_SAMPLES
from mmgat.training.synthesis.labelling import Part, at_level, mix, second_levels
from mmgat.training.synthesis.packages import RATE_HZ
from mmgat.training.synthesis.sample_bank import SampleBank, is_everyday


def tone(hz: float, first: int, last: int, level: float = 0.3) -> np.ndarray:
    """A sine in the seconds first..last-1 of a clip, silence elsewhere."""
    audio = np.zeros(CLIP_SAMPLES, np.float32)
    time = np.arange((last - first) * RATE_HZ) / RATE_HZ
    audio[first * RATE_HZ : last * RATE_HZ] = level * np.sin(2 * np.pi * hz * time)
    return audio


def test_labels_are_on_in_exactly_the_seconds_of_their_part():
    clip = mix([Part(tone(220, 0, 4), "cello"), Part(tone(880, 3, 9), "flute")], "sequenced")
    assert np.flatnonzero(clip.labels[:, INDEX["cello"]]).tolist() == [0, 1, 2, 3]
    assert np.flatnonzero(clip.labels[:, INDEX["flute"]]).tolist() == [3, 4, 5, 6, 7, 8]
    assert clip.labels.sum() == 10
    assert clip.known.all()


def test_the_clip_is_the_sum_of_its_parts():
    parts = [Part(tone(220, 0, 4), "cello"), Part(tone(880, 3, 9), "flute")]
    np.testing.assert_allclose(mix(parts, "x").audio, parts[0].audio + parts[1].audio)


def test_a_part_forty_decibels_down_is_neither_present_nor_absent():
    quiet = Part(tone(880, 0, 10, level=0.003), "flute")
    clip = mix([Part(tone(220, 0, 5), "cello"), quiet], "sequenced")
    assert not clip.labels[:, INDEX["flute"]].any()
    assert not clip.known[:, INDEX["flute"]].any()


def test_a_look_alike_masks_a_label_only_while_it_sounds():
    clip = mix([Part(tone(220, 2, 5), None, frozenset({"violin"}))], "sequenced")
    assert np.flatnonzero(~clip.known[:, INDEX["violin"]]).tolist() == [2, 3, 4]


def test_a_label_that_is_surely_present_is_known_in_spite_of_a_look_alike():
    parts = [
        Part(tone(220, 0, 10), "violin"),
        Part(tone(330, 0, 10), None, frozenset({"violin"})),
    ]
    clip = mix(parts, "sequenced")
    assert clip.known[:, INDEX["violin"]].all()


def test_levels_are_of_the_loudest_second():
    loud = at_level(tone(220, 2, 5), -20.0)
    assert second_levels(loud).max() == pytest.approx(-20.0, abs=0.01)
    assert not at_level(np.zeros(CLIP_SAMPLES, np.float32), -20.0).any()


@pytest.mark.parametrize(
    ("instrument", "name", "everyday"),
    [
        ("sfx", "car_door-1a2b3c.ogg", True),
        ("sfx", "stone_on_wall_scratching-1a2b3c.ogg", True),
        ("sfx", "metal_sharp1-1a2b3c.ogg", True),
        ("sfx", "piano_Db6-1a2b3c.ogg", False),
        ("sfx", "glass_tone1-1a2b3c.ogg", False),
        ("oboe", "oboe_A4-1a2b3c.ogg", False),
    ],
)
def test_a_sound_named_for_an_instrument_is_not_taken_for_an_everyday_one(
    instrument: str, name: str, everyday: bool
):
    assert is_everyday({"instrument": instrument, "path": f"berklee_olpc/{name}"}) is everyday


def test_a_clip_names_the_sources_of_its_recordings():
    parts = [
        Part(tone(220, 0, 4), "cello", source="here"),
        Part(tone(330, 0, 4), "cello", source="there"),
        Part(tone(880, 3, 9), "flute", source="here"),
        Part(tone(440, 0, 9), "organ"),
    ]
    assert mix(parts, "sequenced").sources == {"here", "there"}


def test_recordings_have_the_name_of_their_source(data: Path, tmp_path: Path):
    bank = SampleBank(data / "audio", "train", tmp_path)
    assert bank.labels == ["cello", "flute"]
    assert [source.name for source in bank.sources["flute"]] == ["flutist"]


def test_everyday_sounds_stay_whole_and_some_are_kept_for_thresholds(data: Path, tmp_path: Path):
    with (data / "audio" / "manifest.csv").open("a") as file:
        for number in range(60):
            name = f"sfx/door_{number}.wav"
            (data / "audio" / "sfx").mkdir(exist_ok=True)
            soundfile.write(data / "audio" / name, tone(300, 0, 1)[:RATE_HZ], RATE_HZ)
            file.write(f"{name},train,,sfx,note,yes,doors,CC0,1.0\n")
    (train,), (held_out,) = (
        SampleBank(data / "audio", split, tmp_path).sources[""] for split in ("train", "validation")
    )
    assert train.everyday
    assert not train.notes
    assert len(train.phrases) > 2 * len(held_out.phrases) > 0
    assert len(train.phrases) + len(held_out.phrases) < 60  # the audit's are in neither
