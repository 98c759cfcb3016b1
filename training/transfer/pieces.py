"""Pieces rendered with fluidsynth, stem by stem, so that every second has exact labels.

``cache/pieces/<number>.npy`` is int16 [stems, T], mono at 32 kHz, all stems equally loud;
the JSON file beside it says what each is.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Final

import mido
import numpy as np
from tqdm import tqdm

from mmgat.training.errors import TrainingDataError
from mmgat.training.synthesis.midi_generation import DRUM_CHANNEL, TICKS_PER_SECOND
from mmgat.training.synthesis.packages import RATE_HZ, to_int16
from mmgat.training.synthesis.render import HELD_OUT, fluidsynth
from mmgat.training.transfer.ensembles import PIECE_S, Ensemble, Player
from mmgat.training.transfer.scores import load_scores

GAP_S: Final = 1.5
LEAD_S: Final = 0.02
STEM_RMS: Final = 0.05
HELD_OUT_EACH: Final = 6
"""One piece in so many is rendered with the held-out soundfont."""


def one_after_another(players: list[Player]) -> mido.MidiFile:
    """One MIDI file in which the players play in turn: a soundfont is loaded once for all."""
    events: list[tuple[int, int, mido.Message]] = []
    for turn, player in enumerate(players):
        begin = turn * (PIECE_S + GAP_S)
        channel = DRUM_CHANNEL if player.drums else (turn if turn < DRUM_CHANNEL else turn + 1) % 16
        change = mido.Message("program_change", channel=channel, program=player.program)
        events.append((round(begin * TICKS_PER_SECOND), 0, change))
        for note in player.notes:
            starts = begin + LEAD_S + note.start
            ends = begin + LEAD_S + min(PIECE_S, note.start + note.length)
            on, off = round(starts * TICKS_PER_SECOND), round(ends * TICKS_PER_SECOND)
            how = {"channel": channel, "note": note.pitch}
            events.append((on, 2, mido.Message("note_on", velocity=note.velocity, **how)))
            events.append((max(off, on + 1), 1, mido.Message("note_off", **how)))
    track, now = mido.MidiTrack(), 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        track.append(message.copy(time=tick - now))
        now = tick
    file = mido.MidiFile(ticks_per_beat=TICKS_PER_SECOND // 2)
    file.tracks.append(track)
    return file


def _render(players: list[Player], soundfont: Path) -> tuple[np.ndarray[Any, Any], list[Player]]:
    """Stems int16 [n, T] of those players who are heard."""
    audio = fluidsynth(one_after_another(players), soundfont)
    stems, heard = [], []
    for turn, player in enumerate(players):
        first, length = int(turn * (PIECE_S + GAP_S) * RATE_HZ), int(PIECE_S * RATE_HZ)
        stem = audio[first : first + length]
        stem = np.pad(stem, (0, length - len(stem)))
        level = float(np.sqrt((stem**2).mean()))
        if level > 1e-5:
            stems.append(to_int16(stem * (STEM_RMS / level)))
            heard.append(player)
    return np.array(stems), heard


def run(soundfonts: list[Path], cache: Path, n_pieces: int, seed: int = 77) -> int:
    """Renders the pieces that are missing; returns how many there are.

    Raises:
        TrainingDataError: fluidsynth, a soundfont or the scores are missing.
    """
    if shutil.which("fluidsynth") is None:
        raise TrainingDataError("expected the program fluidsynth, found none: install it")
    for soundfont in soundfonts:
        if not soundfont.is_file():
            raise TrainingDataError(f"expected a soundfont, found no file at {soundfont}")
    held_out = [path for path in soundfonts if path.stem == HELD_OUT]
    training = [path for path in soundfonts if path.stem != HELD_OUT]
    if not held_out or not training:
        raise TrainingDataError(f"expected the soundfont {HELD_OUT} and another one")
    scores, folder = load_scores(cache), cache / "pieces"
    folder.mkdir(parents=True, exist_ok=True)
    for number in tqdm(range(n_pieces), "pieces"):
        target = folder / f"{number:05d}.npy"
        if target.exists():
            continue
        rng = np.random.default_rng((seed, number))
        score = scores[rng.integers(len(scores))]
        fonts = held_out if number % HELD_OUT_EACH == HELD_OUT_EACH - 1 else training
        soundfont = fonts[rng.integers(len(fonts))]
        ensemble = Ensemble(score, rng)
        stems, players = _render(ensemble.players, soundfont)
        if not players:
            continue
        rows = [{"label": p.label, "ambiguous": sorted(p.ambiguous)} for p in players]
        about = {"title": score.title, "kind": ensemble.kind, "soundfont": soundfont.stem}
        target.with_suffix(".json").write_text(json.dumps(about | {"stems": rows}))
        partial = target.with_suffix(".partial.npy")
        np.save(partial, stems)
        partial.rename(target)
    return len(list(folder.glob("?????.npy")))
