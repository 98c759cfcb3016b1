import click
import pytest

from tools.benchmark.archive.cost import beyond


def test_what_a_run_takes_beyond_its_start_up_is_never_negative() -> None:
    assert beyond(3.0, 2.0) == 1.0
    with pytest.raises(click.ClickException, match="give longer or more files"):
        beyond(1.9, 2.0)
