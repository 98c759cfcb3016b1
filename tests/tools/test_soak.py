import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from mmgat.stream.audio.liveness import LivenessState
from mmgat.stream.audio.windows import Window
from mmgat.stream.recognition.recognizer import (
    Recognition,
    Recognizer,
    StreamState,
    load_recognizer,
)
from mmgat.stream.settings import StreamSettings
from tools.soak.device import KINDS, Fault, random_script
from tools.soak.lines import LINES, environment_with
from tools.soak.run import soak
from tools.soak.witness import Witness

SECONDS = 60.0
N_SCRIPTS = int(os.environ.get("FAULT_SCRIPTS", "4"))  # the full run has 100

faults = st.lists(
    st.builds(
        Fault,
        kind=st.sampled_from(KINDS),
        at_s=st.floats(1, SECONDS),
        for_s=st.sampled_from([0.5, 4.0, 30.0]),
    ),
    max_size=6,
)


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return load_recognizer("compact", StreamSettings(hop_s=1.0), "cpu")


def test_without_faults_every_sample_is_analysed(recognizer: Recognizer) -> None:
    outcome = soak([], SECONDS, recognizer)
    assert outcome.account.balanced
    assert outcome.account.analysed == outcome.account.captured == round(SECONDS * 48_000)
    assert outcome.status.outages == 0


def test_channels_are_recognised_side_by_side(recognizer: Recognizer) -> None:
    outcome = soak([], 30.0, recognizer, channels=3)
    assert [status.windows for status in outcome.statuses] == [30, 30, 30]
    assert outcome.account.analysed == outcome.account.captured == 3 * 30 * 48_000


def test_an_unplugged_device_is_opened_again_and_its_absence_is_a_loss(
    recognizer: Recognizer,
) -> None:
    outcome = soak([Fault("unplug", 20.0, 10.0)], SECONDS, recognizer)
    assert outcome.account.balanced
    assert outcome.status.outages == 1
    assert outcome.status.liveness is LivenessState.HEALTHY
    assert outcome.account.dropped >= 10 * 48_000


SLOW = [Fault("slow", 2.0, 5.0)]


def test_scores_are_compared_also_where_the_embedder_was_slow(recognizer: Recognizer) -> None:
    outcome = soak(SLOW, 100.0, recognizer)
    assert outcome.broken == []
    assert outcome.n_compared > 10
    assert outcome.account.dropped > 0


def test_scores_that_differ_from_those_of_a_minute_before_are_noticed() -> None:
    class Drifting(Recognizer):
        def __call__(self, due: Sequence[tuple[StreamState, Window]]) -> list[Recognition]:
            return [
                replace(
                    recognition, bag_scores=recognition.bag_scores + 0.1 * (window.start_s > 90)
                )
                for (_, window), recognition in zip(due, super().__call__(due), strict=True)
            ]

    model = load_recognizer("compact", StreamSettings(hop_s=1.0), "cpu").model
    outcome = soak(SLOW, 100.0, Drifting(model, StreamSettings(hop_s=1.0)))
    assert any("scores at 9" in fact for fact in outcome.broken)


def test_scores_that_are_not_compared_are_noticed(
    recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Witness, "_compare_scores", lambda *_: None)
    (fact,) = soak([], 90.0, recognizer).broken
    assert "scores compared with those of a minute before: expected at least 12, found 0" in fact


@settings(max_examples=N_SCRIPTS, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(script=faults)
def test_any_script_ends_with_a_balanced_account(
    recognizer: Recognizer, script: list[Fault]
) -> None:
    outcome = soak(script, SECONDS, recognizer)
    assert outcome.broken == []
    assert outcome.account.balanced
    assert outcome.account.queued == 0
    assert outcome.n_threads[0] == outcome.n_threads[1]


def test_a_random_script_is_the_same_for_the_same_seed() -> None:
    assert random_script(3, 600, 20) == random_script(3, 600, 20)
    assert len(random_script(3, 600, 20)) == 30


@pytest.mark.parametrize("name", ["", *LINES])
def test_the_soak_holds_and_fails_with_each_broken_line(tmp_path: Path, name: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "tools.soak", "--short"],
        cwd=tmp_path,
        env=environment_with(name, tmp_path),
        capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert result.returncode == (1 if name else 0), result.stdout + result.stderr
    assert ("BROKEN: " in result.stderr) is bool(name)
