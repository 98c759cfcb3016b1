import numpy as np
import pytest

from mmgat.model.labels import INDEX
from mmgat.training.synthesis.general_midi import PROGRAMS
from mmgat.training.synthesis.midi_generation import channels, drum_pattern, melody, to_midi


def test_playing_stays_in_the_instruments_range_and_time():
    notes = melody(np.random.default_rng(1), 30.0, 48, 84, chords=True)
    assert all(48 <= note.pitch <= 84 for note in notes)
    assert all(0 <= note.start < 45 for note in notes)
    assert max(note.start for note in notes) > 25


def test_a_drum_pattern_uses_only_the_keys_given():
    notes = drum_pattern(np.random.default_rng(1), 10.0, (35, 38), steady=False)
    assert {note.pitch for note in notes} <= {35, 38}


def test_midi_lasts_as_long_as_its_notes():
    notes = melody(np.random.default_rng(2), 10.0, 60, 72, chords=False)
    end = max(note.start + note.length for note in notes)
    assert to_midi(notes, 40).length == pytest.approx(end, abs=0.01)


def test_a_song_comes_apart_into_channels_without_losing_notes():
    song = to_midi(melody(np.random.default_rng(3), 5.0, 60, 72, chords=False), 40)
    drums = to_midi(drum_pattern(np.random.default_rng(3), 5.0, (35,), steady=True), 0, drums=True)
    song.tracks.append(drums.tracks[0])
    parts = channels(song)
    assert {channel: programs for channel, (programs, _) in parts.items()} == {0: {40}, 9: {0}}
    count = sum(m.type == "note_on" for track in song.tracks for m in track)
    assert count == sum(
        m.type == "note_on" for _, part in parts.values() for track in part.tracks for m in track
    )


def test_no_program_claims_mandolin_or_ukulele_and_every_label_is_a_label():
    labels = {program.label for program in PROGRAMS.values()} - {None}
    assert labels <= set(INDEX)
    assert not labels & {"mandolin", "ukulele"}
    assert all(program.ambiguous <= set(INDEX) for program in PROGRAMS.values())
