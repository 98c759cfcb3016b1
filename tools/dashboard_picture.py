"""A picture of the real dashboard, as SVG, from a live publisher.

The README's and the docs' pictures, each beside a demo that has just begun::

    mmgat-stream --demo --no-dashboard &
    python -m tools.dashboard_picture --after 14 --out docs/dashboard.svg
    python -m tools.dashboard_picture --after 24 --keys 2 --out docs/dashboard-timeline.svg
"""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import click


def _size(_context: click.Context, _parameter: click.Parameter, text: str) -> tuple[int, int]:
    if not (match := re.fullmatch(r"(\d+)x(\d+)", text)):
        raise click.BadParameter(f"expected columns x rows such as 110x34, found {text!r}")
    return int(match[1]), int(match[2])


@click.command()
@click.option("--connect", "address", default="tcp://127.0.0.1:5550", show_default=True)
@click.option(
    "--after",
    "after_s",
    default=12.0,
    show_default=True,
    help="Seconds from the first estimate to the picture.",
)
@click.option("--size", default="110x34", show_default=True, callback=_size, help="Columns x rows.")
@click.option(
    "--timeout",
    "timeout_s",
    default=60.0,
    show_default=True,
    help="Seconds to wait for the first estimate.",
)
@click.option("--keys", default="", help="Keys to press before, such as '2 minus'.")
@click.option("--out", type=click.Path(path_type=Path), required=True)  # fmt: skip
def main(
    address: str, after_s: float, size: tuple[int, int], timeout_s: float, keys: str, out: Path
) -> None:
    """Connects to ADDRESS, waits until sound was recognised, and writes what the terminal shows."""
    picture = asyncio.run(_picture(address, after_s, size, timeout_s, keys.split()))
    out.write_text(picture, encoding="utf-8")


async def _picture(
    address: str, after_s: float, size: tuple[int, int], timeout_s: float, keys: list[str]
) -> str:
    from mmgat.stream.bus.subscriber import AsyncSubscriber
    from mmgat.stream.dashboard.app import REDRAW_S, DashboardApp

    async with AsyncSubscriber(address) as subscriber:
        app = DashboardApp(subscriber, theme="dark")
        async with app.run_test(size=size) as pilot:
            deadline = time.monotonic() + timeout_s
            while app.view.source is None or app.view.source.estimate is None:
                if time.monotonic() > deadline:
                    raise click.ClickException(
                        f"expected estimates at {address}, found none in {timeout_s:g} s"
                    )
                await pilot.pause(REDRAW_S)
            await pilot.pause(after_s)
            await pilot.press(*keys)
            await pilot.pause(2 * REDRAW_S)
            return app.export_screenshot(simplify=True)


if __name__ == "__main__":
    main()
