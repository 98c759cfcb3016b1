from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from mmgat.model.labels import LABELS
from mmgat.stream.dashboard.formatting import instrument
from tests.stream.dashboard.builders import (
    MIC,
    Clock,
    Publisher,
    dashboard,
    estimate,
    event,
    hello,
    picture,
    status,
    until,
    until_shown,
)


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    publisher = Publisher()
    yield publisher
    publisher.close()


async def test_shows_what_arrives_on_a_socket(publisher: Publisher) -> None:
    async with dashboard(address=publisher.address) as (_, pilot):
        await until_shown(pilot, f"waiting for {publisher.address}")
        await until(pilot, publisher.subscribed, "subscribes")
        publisher.send(
            hello(),
            estimate(t1=65.0, sounding=("violin",)),
            event("on", "violin", 61.0, 61.0),
            status(seq=3),
            status(seq=6),
            [b"mgat/v1/", b""],
            [b"mmgat/v2/status/", b"\xc1"],
        )
        await until_shown(
            pilot,
            "LIVE",
            MIC,
            "01:05",
            "● violin",
            "01:01 violin began",
            "-20 dBFS",
            "device 48 kHz stereo",
            "model tiny 0.3",
            "hop 0.5 s",
            "10 nodes",
            "2 messages lost",
            "1 unreadable message",
        )


async def test_follows_an_engine_started_anew(publisher: Publisher) -> None:
    async with dashboard(address=publisher.address) as (_, pilot):
        await until(pilot, publisher.subscribed, "subscribes")
        publisher.send(hello(), estimate(sounding=("violin",)), status(state="ended"))
        await until_shown(pilot, "ENDED", "● violin")
        publisher.send(hello(session="b"), estimate(session="b", sounding=("piano",)))
        assert "● violin" not in await until_shown(pilot, "LIVE", "● piano")


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60), (80, 50), (60, 18)])
async def test_every_label_has_its_place(size: tuple[int, int]) -> None:
    async with dashboard(size) as (app, pilot):
        app.take(hello())
        app.take(estimate(sounding=("piano",)))
        shown = await until_shown(pilot, "● piano", "quit")
        missing = [label for label in LABELS if instrument(label)[:11] not in shown]
        assert missing == []
        assert all(len(line) <= size[0] for line in shown.splitlines())


async def test_places_do_not_change_with_the_scores() -> None:
    async with dashboard() as (app, pilot):
        app.take(hello())
        app.take(estimate(t1=1.0, sounding=("voice",)))
        before = (await until_shown(pilot, "● voice", "quit")).splitlines()
        app.take(estimate(t1=2.0, sounding=("banjo",)))
        after = (await until_shown(pilot, "● banjo?", "quit")).splitlines()
        for label in LABELS:
            name = instrument(label)
            assert [name in line[:20] for line in before] == [name in line[:20] for line in after]


async def test_sounding_label_shows_its_percent() -> None:
    async with dashboard() as (app, pilot):
        app.take(estimate(sounding=("drums",)))
        shown = await until_shown(pilot, "● drums")
        assert re.search(r"^ ● drums +\S+  90 ", shown, re.MULTILINE)


async def test_unverified_labels_are_marked_and_explained() -> None:
    async with dashboard((80, 24)) as (app, pilot):
        app.take(hello())
        app.take(estimate())
        shown = await until_shown(pilot, "banjo?", "? no recorded training data")
        assert "piano?" not in shown


async def test_silence_is_said() -> None:
    async with dashboard((80, 24)) as (app, pilot):
        app.take(estimate(silent=True, level_dbfs=-200.0))
        await until_shown(pilot, "instruments — silence", "no signal")


async def test_clipping_is_said() -> None:
    async with dashboard((80, 24)) as (app, pilot):
        app.take(status())
        app.take(status(clipped=3))
        await until_shown(pilot, "CLIPPING")


async def test_dropped_sound_is_in_the_warning_colour() -> None:
    async with dashboard() as (app, pilot):
        app.take(status(dropped=57600))
        await until_shown(pilot, "dropped 1.2 s")
        assert "#ffd866" in app.export_screenshot()
        app.take(status(dropped=0))
        await until_shown(pilot, "nothing lost")
        assert "#ffd866" not in app.export_screenshot()


async def test_words_follow_the_clock_when_nothing_arrives() -> None:
    clock = Clock()
    async with dashboard(clock=clock) as (app, pilot):
        app.take(estimate(sounding=("piano",)))
        app.take(status())
        await until_shown(pilot, "LIVE")
        clock.now += 5
        await until_shown(pilot, "engine gone: nothing heard for 5 s", "● piano")
        app.take(status())
        await until_shown(pilot, "stale: running, but no estimate for 5 s")
        app.take(estimate(t1=16.0))
        await until_shown(pilot, "LIVE")


async def test_failure_says_why() -> None:
    async with dashboard() as (app, pilot):
        app.take(status(state="failed", message="the device was unplugged"))
        await until_shown(pilot, "FAILED", "the device was unplugged")


async def test_space_freezes_the_picture_and_goes_on() -> None:
    async with dashboard() as (app, pilot):
        app.take(estimate(sounding=("piano",)))
        await until_shown(pilot, "● piano")
        await pilot.press("space")
        app.take(estimate(t1=11.0, sounding=("voice",)))
        shown = await until_shown(pilot, "FROZEN", "00:11")
        assert "● piano" in shown
        assert "● voice" not in shown
        await pilot.press("space")
        assert "FROZEN" not in await until_shown(pilot, "● voice")


async def test_e_hides_the_evidence() -> None:
    async with dashboard((80, 24)) as (app, pilot):
        app.take(estimate(sounding=("piano",)))
        await until_shown(pilot, "-10 s", "now")
        await pilot.press("e")
        await until(pilot, lambda: "-10 s" not in picture(app), "hides the evidence")
        await pilot.press("e")
        await until_shown(pilot, "-10 s")


async def test_question_mark_explains() -> None:
    async with dashboard((80, 24)) as (app, pilot):
        await pilot.press("question_mark")
        await until_shown(pilot, "The bright bar is what sounds now", "close this help")
        await pilot.press("escape")
        await until(pilot, lambda: "The bright bar" not in picture(app), "closes the help")


async def test_tab_shows_the_next_source() -> None:
    async with dashboard() as (app, pilot):
        app.take(estimate(sounding=("piano",)))
        assert "next source" not in await until_shown(pilot, "● piano")
        app.take(estimate(source="line", sounding=("voice",)))
        await until_shown(pilot, f"{MIC}  (1 of 2)", "tab next source")
        await pilot.press("tab")
        await until_shown(pilot, "line  (2 of 2)", "● voice")
        await pilot.press("tab")
        await until_shown(pilot, f"{MIC}  (1 of 2)", "● piano")


@pytest.mark.parametrize("key", ["q", "ctrl+c", "ctrl+q"])
@pytest.mark.parametrize("help_open", [False, True])
async def test_keys_that_quit(key: str, help_open: bool) -> None:
    async with dashboard() as (app, pilot):
        if help_open:
            await pilot.press("question_mark")
        await pilot.press(key)
        await until(pilot, lambda: not app.is_running, "quits")
        assert app.return_code == 0


async def test_stays_when_the_engine_ends_unless_told_to_leave() -> None:
    async with dashboard() as (app, pilot):
        app.take(status(state="ended"))
        await until_shown(pilot, "ENDED")
        assert app.is_running
    async with dashboard(exit_with_engine=True) as (app, pilot):
        app.take(status(state="ended"))
        await until(pilot, lambda: not app.is_running, "leaves")
        assert app.return_code == 0


async def test_words_from_the_network_cannot_steer_the_terminal() -> None:
    async with dashboard() as (app, pilot):
        app.take(status(source="evil\x1b[2J\nname", message="[red]a\x07b"))
        shown = await until_shown(pilot, "[red]a b", "evil [2J name")
        assert "\x1b" not in shown


async def test_leaves_with_the_engine_when_the_parent_process_is_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with dashboard(exit_with_engine=True) as (app, pilot):
        app.take(estimate())
        await until_shown(pilot, "LIVE")
        monkeypatch.setattr("os.getppid", lambda: -1)  # no process, whoever runs this test
        await until(pilot, lambda: not app.is_running, "leaves")
