from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mmgat.stream.dashboard.app import DashboardApp
from mmgat.stream.dashboard.drawing.words import short_instrument
from tests.stream.dashboard.builders import (
    MIC,
    Clock,
    Publisher,
    Silence,
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
        await until_shown(pilot, "LIVE", MIC, "01:05", "● violin", "0:04", "-20 dBFS")
        await until_shown(pilot, "2 messages lost on the way", "1 unreadable message")


async def test_follows_an_engine_started_anew(publisher: Publisher) -> None:
    async with dashboard(address=publisher.address) as (_, pilot):
        await until(pilot, publisher.subscribed, "subscribes")
        publisher.send(hello(), event("on", "violin", 9.0, 9.0), estimate(sounding=("violin",)))
        await until_shown(pilot, "LIVE", "● violin")
        publisher.send(hello(session="b"), estimate(session="b", sounding=("piano",)))
        assert "● violin" not in await until_shown(pilot, "LIVE", "● piano")
        await pilot.press("6")
        await until_shown(pilot, "violin began", "the engine was started anew")


@pytest.mark.parametrize("size", [(80, 24), (200, 60), (60, 40)])
async def test_every_label_has_its_place(size: tuple[int, int]) -> None:
    async with dashboard(size) as (app, pilot):
        app.take(hello())
        app.take(estimate(sounding=("piano",)))
        shown = await until_shown(pilot, "● piano", "quit")
        for label in app.state.labels:
            assert short_instrument(label)[:5] in shown, label
        assert all(len(line) <= size[0] for line in shown.splitlines())


@pytest.mark.parametrize("size", [(60, 16), (40, 10)])
async def test_small_terminals_show_what_sounds_and_reach_everything(
    size: tuple[int, int],
) -> None:
    async with dashboard(size) as (app, pilot):
        app.take(hello())
        app.take(event("on", "piano", 9.0, 9.0))
        app.take(estimate(sounding=("piano",)))
        app.take(status())
        await until_shown(pilot, "piano  90  0:01", "? help")
        for key, words in zip("23456", ("piano", "piano", MIC, "lost", "piano began"), strict=True):
            await pilot.press(key)
            await pilot.pause(0.15)
            for _ in range(30):
                if words in picture(app):
                    break
                await pilot.press("down")
            assert words in picture(app)
        await pilot.press("question_mark", "end")
        await until_shown(pilot, "behind.")


async def test_places_do_not_change_with_the_scores() -> None:
    async with dashboard() as (app, pilot):
        app.take(hello())
        app.take(estimate(t1=1.0, sounding=("voice",)))
        before = (await until_shown(pilot, "● voice", "quit")).splitlines()
        app.take(estimate(t1=2.0, sounding=("banjo",)))
        after = (await until_shown(pilot, "● banjo?", "quit")).splitlines()
        for name in ("guitar", "flute", "drums", "organ"):
            assert [name in line for line in before] == [name in line for line in after]


async def test_words_follow_the_clock_when_nothing_arrives() -> None:
    clock = Clock()
    async with dashboard(clock=clock, unix_clock=clock.unix) as (app, pilot):
        app.take(estimate(sounding=("piano",)))
        app.take(status())
        await until_shown(pilot, "LIVE", "nothing lost")
        clock.now += 5
        shown = await until_shown(pilot, "ENGINE GONE: nothing heard for 5 s", "● piano")
        assert "nothing lost" not in shown
        app.take(status())
        await until_shown(pilot, "STALE: running, but no estimate for 5 s")
        app.take(estimate(t1=16.0))
        await until_shown(pilot, "LIVE")


async def test_first_run_says_where_it_looks_and_what_to_start() -> None:
    clock = Clock()
    async with dashboard(clock=clock) as (_, pilot):
        clock.now += 3
        await until_shown(pilot, "No engine answers at ipc://nobody", "mmgat-stream --demo")


@pytest.mark.parametrize("size", [(40, 12), (80, 24)])
async def test_why_nothing_comes_is_told_and_logged(size: tuple[int, int]) -> None:
    feed = Silence()
    app = DashboardApp(feed, theme="dark")
    async with app.run_test(size=size) as pilot:
        feed.trouble = "expected mmgat/v2, found mmgat/v3: update the older one of the two programs"
        words = set(feed.trouble.split())
        await until(pilot, lambda: words <= set(picture(app).split()), "says why")
        await pilot.press("6")
        await until(pilot, lambda: words <= set(picture(app).split()), "has it in the log")
        feed.trouble = ""
        await until_shown(pilot, "✓ over: expected")


async def test_a_file_that_ended_says_what_was_heard() -> None:
    async with dashboard() as (app, pilot):
        app.take(event("off", "piano", 40.0, 10.0))
        app.take(status(state="ended"))
        await until_shown(pilot, f"{MIC} has ended", "piano", "30.0 s")


async def test_failure_says_why() -> None:
    async with dashboard() as (app, pilot):
        app.take(status(state="failed", message="the device was unplugged"))
        await until_shown(pilot, "FAILED", "the device was unplugged")


async def test_every_key_does_what_the_help_says(tmp_path: Path) -> None:
    clock = Clock()
    async with dashboard((100, 40), clock=clock, unix_clock=clock.unix, folder=tmp_path) as (
        app,
        pilot,
    ):
        app.take(hello())
        for second in range(1, 41):
            app.take(estimate(float(second), ("piano",)))
        app.take(event("on", "piano", 6.0, 5.0))
        app.take(estimate(40.0, ("voice",), source="line"))
        app.take(status())
        await press_screens(app, pilot)
        await press_timeline(app, pilot)
        await press_lists(app, pilot)
        await press_everywhere(app, pilot, tmp_path)


async def press_screens(app: DashboardApp, pilot: object) -> None:
    for key, text in zip("123456", ("plucked", "the last minute", "score 90", "2 sources", "delay",
                                    "piano began"), strict=True):  # fmt: skip
        await pilot.press(key)  # type: ignore[attr-defined]
        await until_shown(pilot, text)  # type: ignore[arg-type]


async def press_timeline(app: DashboardApp, pilot: object) -> None:
    press = pilot.press  # type: ignore[attr-defined]
    await press("2", "minus")
    assert app.choices.span_s == 120
    await press("plus")
    assert app.choices.span_s == 60
    await press("left")
    assert app.choices.cursor_s == 34.0
    await press("right")
    assert app.choices.cursor_s is None
    await press("left_square_bracket")
    assert app.choices.cursor_s == 5.0
    await press("right_square_bracket")
    assert app.choices.cursor_s is None
    await press("home")
    assert app.choices.cursor_s == 0.0
    await press("end")
    assert app.choices.cursor_s is None
    await press("pageup")
    assert app.choices.cursor_s == 0.0
    await press("pagedown")
    assert app.choices.cursor_s is None


async def press_lists(app: DashboardApp, pilot: object) -> None:
    press = pilot.press  # type: ignore[attr-defined]
    await press("3", "home")
    assert app.view.label == "banjo"
    await press("down")
    assert app.view.label == "bass"
    await press("up", "g")
    assert app.choices.graph_only
    assert "the graph of the moment" in picture(app)
    await press("g", "4", "down", "enter")
    assert (app.mode, app.view.source.name) == ("now", "line")  # type: ignore[union-attr]
    await press("tab")
    assert app.view.source.name == MIC  # type: ignore[union-attr]
    await press("shift+tab")
    assert app.view.source.name == "line"  # type: ignore[union-attr]
    await press("6", "f")
    assert app.choices.kinds == "instruments"
    await press("f", "f", "f", "slash", "p", "i", "enter")
    assert (app.choices.search, len(app.view.entries)) == ("pi", 1)
    await press("escape")
    assert app.choices.search == ""


async def press_everywhere(app: DashboardApp, pilot: object, folder: Path) -> None:
    press = pilot.press  # type: ignore[attr-defined]
    await press("1", "m")
    assert app.state.entries[-1].kind == "mark"
    await press("t")
    assert app.theme == "light"
    await press("s")
    assert [path.suffix for path in folder.iterdir()] == [".svg"]
    await press("x", "enter")
    await until(pilot, lambda: len(list(folder.iterdir())) == 2, "exports")  # type: ignore[arg-type]
    assert "piano" in next(folder.glob("*.csv")).read_text()
    await press("question_mark")
    assert "what sounds, since when" in picture(app)
    await press("escape", "space")
    app.take(estimate(41.0, ("voice",)))
    assert "FROZEN" in picture(app)
    await press("space")
    assert "FROZEN" not in picture(app)
    await press("ctrl+p")
    await until(pilot, lambda: "freeze the picture" in picture(app), "palette")  # type: ignore[arg-type]
    await press("escape", "q")
    assert app.return_code == 0


@pytest.mark.parametrize("key", ["ctrl+c", "ctrl+q"])
async def test_keys_that_quit_with_the_help_open(key: str) -> None:
    async with dashboard() as (app, pilot):
        await pilot.press("question_mark", key)
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
        shown = await until_shown(pilot, "[red]a", "evil [2J name")
        assert "\x1b" not in shown


async def test_leaves_when_the_parent_process_is_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    async with dashboard() as (app, pilot):
        app.take(estimate())
        await until_shown(pilot, "LIVE")
        monkeypatch.setattr("os.getppid", lambda: -1)  # no process, whoever runs this test
        await until(pilot, lambda: not app.is_running, "leaves")


async def test_the_timeline_of_a_small_terminal_reaches_every_instrument() -> None:
    async with dashboard((40, 12)) as (app, pilot):
        app.take(hello())
        app.take(event("on", "voice", 9.0, 9.0))
        app.take(estimate(sounding=("voice",)))
        await pilot.press("2")
        await until_shown(pilot, "● voice", "more")
        seen = set()
        for _ in range(len(app.state.labels)):
            await pilot.press("down")
            seen |= {label for label in app.state.labels if short_instrument(label) in picture(app)}
        assert seen == set(app.state.labels)
        for _ in range(len(app.state.labels)):
            await pilot.press("up")
        assert app.choices.top is None
        await until_shown(pilot, "● voice")


async def test_what_was_heard_scrolls_where_not_all_has_room() -> None:
    async with dashboard((40, 12)) as (app, pilot):
        for second, label in enumerate(app.state.labels, 1):
            app.take(event("off", label, 100.0, 100.0 - second))
        app.take(status(state="ended"))
        await until_shown(pilot, "ended: 20 instruments", "↓ 12", "voice")
        assert "accordion" not in picture(app)
        await pilot.press("end")
        await until_shown(pilot, "accordion")
        await pilot.press("up", "home")
        assert app.choices.scroll == 0


@pytest.mark.parametrize("size", [(40, 12), (80, 24)])
async def test_a_long_answer_is_shown_whole(size: tuple[int, int]) -> None:
    async with dashboard(size) as (app, pilot):
        app.take(hello())
        app.take(estimate(sounding=("voice",)))
        app.tell(
            "the answer is a long one that takes several lines of a small terminal, all of them"
        )
        shown = " ".join((await until_shown(pilot, "▸ the answer")).split())
        assert shown.endswith("all of them") or "all of them" in shown


async def test_no_color_leaves_the_terminal_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with dashboard() as (app, pilot):
        app.take(estimate(sounding=("voice",)))
        await pilot.press("x")
        await until_shown(pilot, "table (CSV)")
        compositor, behind = app.screen._compositor, app._background_screens
        strips = compositor.render_update(full=True, screen_stack=behind).strips
        styled = [
            (segment.text, segment.style)
            for strip in strips
            for part in strip
            for segment in part
            if segment.style
        ]
        for _, style in styled:
            assert all(color is None or color.is_default for color in (style.color, style.bgcolor))
        assert [text.strip() for text, style in styled if style.reverse][:1] == ["table (CSV)"]


async def test_what_ended_without_an_estimate_is_dark() -> None:
    async with dashboard() as (app, pilot):
        app.take(hello())
        app.take(event("on", "piano", 9.0, 9.0))
        app.take(estimate(sounding=("piano",)))
        await until_shown(pilot, "● piano")
        app.take(event("off", "piano", 10.0, 9.0))
        await until(pilot, lambda: "● piano" not in picture(app), "piano is dark")
        app.take(estimate(11.0, ("piano",)))
        app.take(status(paused=True))
        assert "● piano" not in await until_shown(pilot, "PAUSED", "paused: nothing is recognised")
