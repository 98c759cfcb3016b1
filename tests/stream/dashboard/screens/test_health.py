"""The health screen's lines, from states."""

from __future__ import annotations

import re

from mmgat.stream.bus.protocol import Message
from mmgat.stream.dashboard.drawing.words import CLIP_SHOWN_S
from mmgat.stream.dashboard.screens.health import last_scroll, render
from mmgat.stream.dashboard.state.dashboard import DashboardState, advance
from mmgat.stream.dashboard.state.view import Choices, View
from tests.stream.dashboard.builders import estimate, hello, status
from tools.benchmark.dashboard import memory


def text(
    *messages: Message, now: float = 0.0, size: tuple[int, int] = (80, 60), scroll: int = 0
) -> str:
    state = DashboardState(address="tcp://127.0.0.1:5550")
    for message in (hello(), estimate(), *messages):
        state = advance(state, message, 0.0)
    lines = render(View(state, now, choices=Choices(scroll=scroll)), *size)
    return "\n".join("".join(span.text for span in line) for line in lines)


def line_of(shown: str, name: str) -> str:
    return next(line for line in shown.splitlines() if line.startswith(name))


def test_a_channel_that_clips_is_marked_for_a_while_and_counted_afterwards() -> None:
    clips = (status(), status(seq=1, clipped=7, clipped_channels=[7, 0]))
    assert "× CLIPS" in line_of(text(*clips), "channel 1")
    assert "7 samples clipped" in line_of(text(*clips, now=CLIP_SHOWN_S), "channel 1")
    assert "○ silent" in line_of(text(*clips), "channel 2")


def test_many_channels_have_a_glyph_each() -> None:
    levels = [-3.0] * 14 + [-90.0, -30.0]
    shown = text(status(levels_dbfs=levels, clipped_channels=[0, 3] + [0] * 14))
    assert "█×████████████○▅" in line_of(shown, "channels")
    assert "1 of 16 silent   × clipped: 2" in shown


def test_an_engine_that_does_not_tell_of_channels_has_none() -> None:
    assert "channel" not in text(status(levels_dbfs=[], clipped_channels=[]))


def test_the_parts_of_the_delay_make_its_sum() -> None:
    shown = text(status())
    found = [
        float(line_of(shown, name).removeprefix(name).split()[0])
        for name in ("capture", "window", "queue", "neural net", "publish")
    ]
    assert found == [12, 250, 98, 32, 0]
    assert f"{sum(found):.0f} ms" in line_of(shown, "in all")


def test_a_small_screen_says_how_much_is_below_and_reaches_it() -> None:
    size = (60, 16)
    state = DashboardState(address="tcp://127.0.0.1:5550")
    for message in (hello(), estimate(), status()):
        state = advance(state, message, 0.0)
    last = last_scroll(View(state, 0.0), *size)
    assert f"↓ {last} lines more" in text(status(), size=size)
    end = text(status(), size=size, scroll=last)
    assert "more" not in end
    assert "tcp://127.0.0.1:5550" in end


def test_the_memory_of_a_long_session_is_measured() -> None:
    (line,) = memory(hours=0.1)
    found = re.search(r"resident (\d+) MiB after a quarter, (\d+) MiB at the end", line)
    assert found
    assert int(found[2]) < int(found[1]) + 20
