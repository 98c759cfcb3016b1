import logging

import pytest

from mmgat.stream.commands.logging import RateLimit, configure_logging


def test_a_line_that_repeats_is_held_back_and_counted() -> None:
    now = [0.0]
    limit = RateLimit(max_lines=2, within_s=60, clock=lambda: now[0])

    def passes(number: int) -> str | None:
        record = logging.LogRecord("stream", 30, "", 0, "lost %d", (number,), None)
        return record.getMessage() if limit.filter(record) else None

    assert [passes(0), passes(1), passes(2), passes(3)] == ["lost 0", "lost 1", None, None]
    now[0] = 60.0
    assert passes(4) == "lost 4 (2 more like this were held back)"
    assert passes(5) == "lost 5"


def test_another_kind_of_line_passes() -> None:
    limit = RateLimit(max_lines=1, clock=lambda: 0.0)
    for text in ("one", "two"):
        assert limit.filter(logging.LogRecord("stream", 30, "", 0, text, (), None))


@pytest.mark.parametrize("later", [False, True])
def test_lines_wait_while_something_else_draws(
    later: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with configure_logging(later=later):
        logging.getLogger("mmgat.stream.audio.reconnect").warning("%s is back", "Scarlett")
        assert ("Scarlett is back" in capsys.readouterr().err) is not later
    assert ("Scarlett is back" in capsys.readouterr().err) is later
