import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from mmgat.model.labels import LABELS
from tests.training.distillation.test_teachers import published
from tools.score_clips import read_results
from tools.teachers import load_tagger, main


def test_a_tagger_gives_every_label_the_highest_score_of_its_classes(tmp_path: Path) -> None:
    published(tmp_path / "mn04.pt")
    tag, window_s = load_tagger("mn04", tmp_path / "mn04.pt")
    samples = np.random.default_rng(0).normal(0, 0.1, 32_000).astype(np.float32)
    assert window_s == 10.0
    assert tag(samples).shape == (len(LABELS),)
    assert ((tag(samples) > 0) & (tag(samples) < 1)).all()


def test_its_lines_are_results_of_score_clips(tmp_path: Path) -> None:
    published(tmp_path / "mn04.pt")
    sound = tmp_path / "sound.wav"
    soundfile.write(sound, np.random.default_rng(0).normal(0, 0.1, (16_000, 2)), 16_000)
    done = CliRunner().invoke(main, [f"mn04={tmp_path / 'mn04.pt'}", str(sound)])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["file"] == str(sound)
    assert set(read_results(done.output.splitlines())["sound.wav"]) == set(LABELS)


@pytest.mark.parametrize(
    ("tagger", "message"),
    [
        ("panns=net.pt", "expected mn04=FILE or yamnet=FILE, found 'panns'"),
        ("mn04=nosuch.pt", "expected the state dict of mn04 at nosuch.pt"),
        ("yamnet=nosuch.tflite", "expected YAMNet's TensorFlow Lite file at nosuch.tflite"),
    ],
)
def test_what_is_no_tagger_is_told(tagger: str, message: str) -> None:
    done = CliRunner().invoke(main, [tagger, "sound.wav"])
    assert done.exit_code == 1
    assert message in done.output
