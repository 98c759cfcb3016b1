"""The dashboard shows whatever the decoder lets through."""

from __future__ import annotations

import contextlib
import random
from itertools import islice

import pytest

from mmgat.stream.bus.protocol import from_frames
from mmgat.stream.errors import ProtocolError
from tests.stream.dashboard.builders import dashboard, estimate, hello, until_shown
from tools.fuzz_bus.messages import hostile_frames


@pytest.mark.parametrize("seed", [0, 1])
async def test_hostile_messages_are_drawn_and_the_next_engine_too(seed: int) -> None:
    async with dashboard() as (app, pilot):
        for n, frames in enumerate(islice(hostile_frames(random.Random(seed)), 1500)):
            with contextlib.suppress(ProtocolError):
                if message := from_frames(frames):
                    app.take(message)
            if n % 100 == 0:
                await pilot.pause(0.12)  # longer than from one drawing to the next
        app.take(hello(session="next"))
        app.take(estimate(session="next", sounding=("piano",)))
        await until_shown(pilot, "LIVE", "● piano")
