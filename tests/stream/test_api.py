"""What a program imports: light, complete, and with examples that run."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import mmgat.stream
from mmgat.stream.commands.live.inputs import demo_clip


def test_importing_the_package_imports_nothing_but_the_standard_library() -> None:
    code = (
        "import sys; before = set(sys.modules); import mmgat.stream; "
        "new = {m.split('.')[0] for m in set(sys.modules) - before} - sys.stdlib_module_names; "
        "print(new, [m for m in sys.modules if m.startswith('mmgat')])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "{'mmgat'} ['mmgat', 'mmgat.stream']"


def test_a_subscriber_needs_neither_a_model_nor_portaudio() -> None:
    code = (
        "import sys; from mmgat.stream import Subscriber; "
        "print([m for m in ('onnxruntime', 'sounddevice', 'soundfile', 'soxr') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_unknown_names_are_no_attributes() -> None:
    with pytest.raises(AttributeError, match=r"'mmgat\.stream' has no attribute 'Recogniser'"):
        mmgat.stream.Recogniser  # type: ignore[attr-defined]  # noqa: B018
    assert set(mmgat.stream.__all__) <= set(dir(mmgat.stream))


@pytest.mark.parametrize("name", mmgat.stream.__all__)
def test_every_public_name_has_an_example_and_those_that_can_run_do(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rate_hz = soundfile.info(demo_clip()).samplerate
    samples, _ = soundfile.read(demo_clip(), frames=2 * rate_hz, dtype="float32")
    soundfile.write(tmp_path / "song.ogg", samples, rate_hz)
    monkeypatch.chdir(tmp_path)
    thing = getattr(mmgat.stream, name)
    assert "Example::" in thing.__doc__
    names = {public: getattr(mmgat.stream, public) for public in mmgat.stream.__all__}
    finder = doctest.DocTestFinder(recurse=False)
    (example,) = finder.find(thing, name, globs=names | {"np": np, "Path": Path})
    result = doctest.DocTestRunner().run(example)
    assert result.failed == 0
