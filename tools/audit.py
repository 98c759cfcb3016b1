"""What a user notices, through the stages of the live path: false events, and how quick it is.

    python -m tools.audit noise                   silence and steady noise, at levels up to 0 dBFS
    python -m tools.audit sounds FOLDER ...       speech and everyday sounds in which nothing plays
    python -m tools.audit recordings DATA/audio   everyday sounds kept out of training, and delays
    python -m tools.audit source DATA/audio NAME  which label comes first on one source's recordings

Folders are those of unpacked packages or of sound files; no sound in them may have been trained on.
Figures come as one JSON object, so that ``mmgat-train compact record`` can write them into a card.
"""

from __future__ import annotations

import contextlib
import csv
import fnmatch
import json
import statistics
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
import soundfile

from mmgat.model.embedders.log_mel import SAMPLE_RATE_HZ
from mmgat.stream.audio.source import Block
from mmgat.stream.bus.protocol import Estimate, Event
from mmgat.stream.commands.tag import tag_file
from mmgat.stream.recognition.pipeline import Pipeline
from mmgat.stream.recognition.recognizer import Recognizer, load_recognizer
from mmgat.stream.settings import StreamSettings
from mmgat.training.synthesis.augment import noise as steady
from mmgat.training.synthesis.packages import find_tracks, to_mono
from mmgat.training.synthesis.sample_bank import source_of, split_of

Samples = npt.NDArray[np.float32]

LEVELS_DBFS = (-80, -60, -50, -40, -30, -20, -10, 0)
NOISE_S = 20.0
QUIET_S = 3.0
"""Digital silence before and after a recording."""

SHORTEST_SOLO_S = 2.0
LONGEST_SOLO_S = 8.0
GAP_S = 0.5
LONGEST_S = 600.0
MOST_OF_A_LABEL = 40


def heard(
    recognizer: Recognizer, samples: Samples, hop_s: float = 0.5
) -> list[tuple[float, Event]]:
    """Events with the second of the stream at which each is told, of mono sound at 16 kHz."""
    settings = StreamSettings(hop_s=hop_s)
    pipeline = Pipeline(recognizer, "audit", SAMPLE_RATE_HZ, settings)
    found: list[tuple[float, Event]] = []
    now = 0.0
    messages = pipeline.process(Block(0, samples[:, None], 0.0)) + pipeline.finish()
    for message in messages:
        if isinstance(message, Estimate):
            now = message.t1
        else:
            found.append((now, message))
    return found


def false_events(recognizer: Recognizer, sounds: Iterable[Samples]) -> dict[str, Any]:
    """Hours listened to, ``on`` events an hour and which labels they name."""
    seconds, labels = 0.0, Counter[str]()
    for samples in sounds:
        seconds += len(samples) / SAMPLE_RATE_HZ
        labels.update(e.label for _, e in heard(recognizer, samples) if e.event == "on")
    hours = seconds / 3600
    if not hours:
        raise click.ClickException("expected sounds to listen to, found none")
    return {
        "hours": round(hours, 3),
        "false events an hour": round(labels.total() / hours, 2),
        "labels": dict(labels.most_common()),
    }


def delays(recognizer: Recognizer, label: str, solo: Samples) -> tuple[float | None, float | None]:
    """Seconds until a solo between silences is named, and until it is released; None for never."""
    quiet = np.zeros(round(QUIET_S * SAMPLE_RATE_HZ), np.float32)
    named, released = None, None
    ends = QUIET_S + len(solo) / SAMPLE_RATE_HZ
    for now, event in heard(recognizer, np.concatenate([quiet, solo, quiet])):
        if event.label == label and event.event == "on" and named is None:
            named = now - QUIET_S
        if event.label == label and event.event == "off":
            released = now - ends
    return named, released if named is not None else None


def read(source: Any) -> Samples:
    """A sound file as float32 [T] at 16 kHz, mono; at most ten minutes of it."""
    with soundfile.SoundFile(source) as file:
        audio = file.read(int(LONGEST_S * file.samplerate), dtype="float32")
        return to_mono(audio, file.samplerate, SAMPLE_RATE_HZ)


def joined(sounds: Iterable[Samples]) -> Samples:
    """One after another, with half a second between."""
    gap = np.zeros(round(GAP_S * SAMPLE_RATE_HZ), np.float32)
    return np.concatenate([part for samples in sounds for part in (samples, gap)])


def noises() -> Iterable[Samples]:
    """Digital silence and 12 steady noises at every level, clipped at full scale."""
    rng = np.random.default_rng(0)
    length = round(NOISE_S * SAMPLE_RATE_HZ)
    yield np.zeros(length, np.float32)
    for _ in range(12):
        shape = steady(rng, length)
        for level in LEVELS_DBFS:
            yield np.clip(shape * 10 ** (level / 20), -1, 1).astype(np.float32)


def solos(audio: Path) -> Iterable[tuple[str, Samples]]:
    """Labelled recordings of the validation split, cut to 2 to 8 seconds that sound."""
    for row in rows(audio):
        if row["split"] == "validation" and is_solo(row):
            samples = trimmed(read(audio / row["path"]))[: round(LONGEST_SOLO_S * SAMPLE_RATE_HZ)]
            if len(samples) >= SHORTEST_SOLO_S * SAMPLE_RATE_HZ:
                yield row["labels"], samples


def is_solo(row: dict[str, str]) -> bool:
    """Whether one instrument, and one of the 20, plays in a row of the manifest."""
    return bool(row["labels"]) and "+" not in row["labels"]


def trimmed(samples: Samples) -> Samples:
    """Without what is 40 dB below the loudest hundredth of a second at both ends."""
    block = SAMPLE_RATE_HZ // 100
    n_blocks = len(samples) // block
    power = (samples[: n_blocks * block].reshape(n_blocks, block) ** 2).mean(axis=1)
    sounding = np.flatnonzero(power > power.max(initial=0.0) * 1e-4)
    return (
        samples[sounding[0] * block : (sounding[-1] + 1) * block] if len(sounding) else samples[:0]
    )


def rows(audio: Path) -> list[dict[str, str]]:
    """The manifest of the recordings.

    Raises:
        ClickException: there is none.
    """
    try:
        with (audio / "manifest.csv").open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise click.ClickException(f"expected manifest.csv in {audio}, found {error}") from None


@click.group()
def main() -> None:
    """Audits of a model through the live path, at hop 0.5."""


model_option = click.option("--model", default="compact", show_default=True, help="Name or path.")


@main.command()
@model_option
def noise(model: str) -> None:
    """Events on digital silence and steady noise at several levels."""
    click.echo(json.dumps(false_events(load_recognizer(model), noises())))


@main.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--minutes", default=60.0, show_default=True, help="At most, of each folder.")
@click.option(
    "--without", multiple=True, help="Names of music among them, as in '*_loop*'; repeat for more."
)
@model_option
def sounds(folders: tuple[Path, ...], minutes: float, without: tuple[str, ...], model: str) -> None:
    """False events an hour over packages, each folder one line."""
    recognizer = load_recognizer(model)
    for folder in folders:
        tracks = [
            track
            for track in find_tracks(folder.parent)
            if track.package == folder.name
            and not any(fnmatch.fnmatch(track.name, name) for name in without)
        ]
        parts: list[Samples] = []
        for track in tracks:
            with contextlib.suppress(soundfile.LibsndfileError):  # what is no audio is left out
                parts.append(read(track.open()))
            if sum(map(len, parts)) > minutes * 60 * SAMPLE_RATE_HZ:
                break
        found = false_events(recognizer, [joined(parts)] if parts else [])
        click.echo(json.dumps({"package": folder.name} | found))


@main.command()
@click.argument("audio", type=click.Path(path_type=Path, exists=True, file_okay=False))
@model_option
def recordings(audio: Path, model: str) -> None:
    """False events over everyday sounds kept out of training; delays of naming and release."""
    recognizer = load_recognizer(model)
    kept = [read(audio / row["path"]) for row in rows(audio) if split_of(row) == "audit"]
    found = {"everyday": false_events(recognizer, [joined(kept)])}
    measured = [(label, *delays(recognizer, label, solo)) for label, solo in solos(audio)]
    if not measured:
        raise click.ClickException(
            f"expected labelled validation recordings in {audio}, found none"
        )
    never = float("inf")
    named = [never if delay is None else delay for _, delay, _ in measured]
    released = [delay for _, _, delay in measured if delay is not None]
    found["solos"] = {
        "n": len(measured),
        "named at all": round(float(np.mean(np.isfinite(named))), 3),
        "named after, median s, never is late": statistics.median(named),
        "released after, median s": statistics.median(released) if released else None,
        "released within 1.5 s": round(float(np.mean(np.array(released) <= 1.5)), 3),
    }
    click.echo(json.dumps(found))


@main.command()
@click.argument("audio", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("name")
@model_option
def source(audio: Path, name: str, model: str) -> None:
    """Ranks of the right label on recordings of the source NAME, a folder of AUDIO.

    Up to 40 of every label of which another source has recordings for training. A model that was
    trained without the source hears it as a stranger's.
    """
    recognizer, settings = load_recognizer(model), StreamSettings()
    solo = [row for row in rows(audio) if is_solo(row)]
    elsewhere = {
        row["labels"] for row in solo if row["split"] == "train" and source_of(row) != name
    }
    of_label: dict[str, list[str]] = {}
    for row in solo:
        if source_of(row) == name and row["labels"] in elsewhere:
            of_label.setdefault(row["labels"], []).append(row["path"])
    if not of_label:
        raise click.ClickException(
            f"expected recordings of {name} in {audio} whose labels other sources have too, found none"
        )
    ranks: dict[str, list[int]] = {}
    for label, paths in sorted(of_label.items()):
        for path in paths[:: -(-len(paths) // MOST_OF_A_LABEL)]:
            scores = tag_file(audio / path, recognizer, settings)["scores"]
            ranks.setdefault(label, []).append(sum(s >= scores[label] for s in scores.values()))
    everything = [rank for found in ranks.values() for rank in found]
    found = {
        "recordings": len(everything),
        "top1": _share_first(everything),
        "lrap": round(float(np.mean([1 / rank for rank in everything])), 3),
    }
    per_label = {label: _share_first(found) for label, found in ranks.items()}
    click.echo(json.dumps({"source": name} | found | {"top1 by label": per_label}))


def _share_first(ranks: list[int]) -> float:
    return round(float(np.mean([rank == 1 for rank in ranks])), 3)


if __name__ == "__main__":
    main()
