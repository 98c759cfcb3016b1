import logging
import os
import select

import pytest

from mmgat.stream.commands.process.logging import RateLimit, configure_logging


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


def test_lines_of_one_kind_are_few_whatever_their_numbers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = logging.getLogger("mmgat.stream.commands.process.warning_log")
    with configure_logging(later=False):
        for number in range(20):
            log.warning("%s: %s", "mic", f"lost {number}", extra={"kind": "lost #"})
        log.warning("%s: %s", "mic", "silence", extra={"kind": "silence"})
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("mic: ")[1] for line in lines] == [
        *(f"lost {number}" for number in range(5)),
        "silence",
    ]


def test_what_a_library_writes_on_the_descriptor_waits_too() -> None:
    reading, writing = os.pipe()
    before = os.dup(2)
    os.dup2(writing, 2)
    try:
        with configure_logging(later=True) as stderr:
            os.write(2, b"ALSA lib: no card\n\x1b[2J")
            assert stderr.descriptor != 2
            assert not select.select([reading], [], [], 0)[0]
        assert os.read(reading, 100) == b"ALSA lib: no card\n\\x1b[2J\n"
    finally:
        os.dup2(before, 2)
        for descriptor in (reading, writing, before):
            os.close(descriptor)
