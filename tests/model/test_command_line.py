"""Every installed command refuses an option given twice, and a word where it takes options only."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mmgat.model.command_line import Command, Group, takes_one_value
from mmgat.stream.commands import entry

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))[
    "project"
]
MODULES = {
    name: entry.COMMANDS.get(name, point.partition(":")[0])
    for name, point in PROJECT["scripts"].items()
}
EXTRAS = ("torch", "scipy", "sklearn", "debian", "matplotlib", "pyarrow", "ray", "av", "lightning")


def commands(command: click.Command, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The words of a command and of all below it."""
    yield words
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            below = command.get_command(click.Context(command), name)
            assert below is not None
            yield from commands(below, (*words, name))


def found(words: tuple[str, ...]) -> click.Command:
    command: click.Command = importlib.import_module(MODULES[words[0]]).main
    for word in words[1:]:
        assert isinstance(command, click.Group)
        below = command.get_command(click.Context(command), word)
        assert below is not None
        command = below
    return command


ALL = [
    words
    for name, module in MODULES.items()
    for words in commands(importlib.import_module(module).main, (name,))
]


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_option_of_one_value_is_refused_twice(words: tuple[str, ...]) -> None:
    command = found(words)
    assert isinstance(command, (Command, Group))
    options = [p for p in command.params if isinstance(p, click.Option) and takes_one_value(p)]
    for option in options:
        name = max(option.opts, key=len)
        done = CliRunner().invoke(command, [name, "1", option.opts[0], "2"])
        assert done.exit_code == 2, option.name
        assert f"expected {name} once, found it 2 times: leave out all but one" in done.output


@click.command(cls=Command)
@click.option("--file", multiple=True)
@click.option("--loud", is_flag=True)
@click.option("-v", count=True)
def example(file: tuple[str, ...], loud: bool, v: int) -> None:
    click.echo(f"{file} {loud} {v}")


def test_options_that_may_be_given_several_times_still_may() -> None:
    done = CliRunner().invoke(example, ["--file", "a", "--file", "b", "--loud", "--loud", "-vv"])
    assert done.output == "('a', 'b') True 2\n"


def test_a_file_without_its_option_is_told_the_option() -> None:
    done = CliRunner().invoke(example, ["song.flac"])
    assert done.exit_code == 2
    assert "found 'song.flac': for a file write --file song.flac" in done.output


def test_training_without_its_libraries_says_what_to_install() -> None:
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({EXTRAS}))\n"
        "from mmgat.training.commands.train import main\n"
        "main(['compact', 'collect', '--music', '.', '--cache', '.'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "pip install 'mmgat-stream[train]'" in done.stderr
