"""The documentation site: it builds without a warning, and says of the code what is there."""

import ast
import importlib
import os
import re
import shlex
import subprocess
import sys
import tomllib
import types
import typing
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest
from textual.binding import Binding

import mmgat.stream
from mmgat.stream.bus import protocol
from mmgat.stream.bus.protocol import Message
from mmgat.stream.commands import entry
from mmgat.stream.dashboard.app import DashboardApp

ROOT = Path(__file__).parents[1]
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text("utf-8")
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md"), ROOT / "tools" / "README.md"])
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
COMMANDS = {
    name: entry.COMMANDS.get(name, point.partition(":")[0])
    for name, point in PROJECT["scripts"].items()
}
TYPES = {str: "text", int: "integer", float: "float", bool: "boolean", type(None): "nil"}


def struct_types() -> list[type[msgspec.Struct]]:
    """Every structure of the protocol but the base of messages."""
    found = vars(protocol).values()
    structs = [c for c in found if isinstance(c, type) and issubclass(c, msgspec.Struct)]
    return [c for c in structs if c is not Message and c.__module__ == Message.__module__]


def documented_fields(heading: str) -> dict[str, str]:
    """field -> type, of the table below a heading of the protocol's page."""
    section = PROTOCOL.split(f"\n### {heading}\n")[1].split("\n#")[0]
    return dict(re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", section, re.MULTILINE))


def in_words(kind: object) -> str:
    """A field's type as the page names it: text, integer, list of text, map."""
    if isinstance(kind, type) and kind in TYPES:
        return TYPES[kind]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return in_words(arguments[0])
    if origin in (types.UnionType, typing.Union):
        return " or ".join(map(in_words, arguments))
    if origin in (list, tuple):
        words = in_words(arguments[0])
        return "list of maps" if words == "map" else f"list of {words}"
    if origin is dict or (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return "map"
    return "text"  # literals and enumerations


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", tmp_path / "site"],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert pages
    for page in pages:
        elsewhere = r'<(?:script|link|img)[^>]+(?:src|href)="?https?://(?!127)[^"> ]+'
        assert not re.findall(elsewhere, page.read_text("utf-8")), (
            f"{page.name} loads from elsewhere"
        )


def code_blocks(language: str) -> Iterator[tuple[str, str]]:
    """Name of a page and text of each block in a language."""
    for page in PAGES:
        for block in re.findall(rf"```{language}\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
            yield page.name, block


def test_what_the_pages_import_is_there() -> None:
    missing = []
    for page, block in code_blocks("python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("mmgat."):
                module = importlib.import_module(str(node.module))
                missing += [(page, a.name) for a in node.names if not hasattr(module, a.name)]
    assert not missing


def test_keys_of_the_dashboard_in_the_pages_do_something() -> None:
    names = {"question_mark": "?", "slash": "/", "less_than_sign": "<", "greater_than_sign": ">"}
    bound = {
        names.get(key, key)
        for binding in DashboardApp.BINDINGS
        if isinstance(binding, Binding)
        for key in binding.key.split(",")
    }
    for page in ("tutorial.md", "how-to/dashboard.md"):
        text = (ROOT / "docs" / page).read_text("utf-8")
        named = set(re.findall(r"`([a-z0-9?/<>])`", text))
        assert len(named) > 5
        assert not named - bound, page


def test_the_api_page_has_every_public_name() -> None:
    page = (ROOT / "docs" / "reference" / "api.md").read_text("utf-8")
    shown = re.findall(r"^::: mmgat\.stream\.(\w+)", page, re.MULTILINE)
    assert sorted(shown) == sorted(mmgat.stream.__all__)


def test_settings_files_in_the_pages_are_toml() -> None:
    for _, block in code_blocks("toml"):
        tomllib.loads(block)


def invocations(text: str) -> Iterator[list[str]]:
    """Every use of one of our commands in shell lines, as its words."""
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if set(word) <= set("|&;<>()"):
                yield from [words] if words else []
                words = []
            elif words or word in COMMANDS:
                words.append(word)


def unknown_options(words: list[str]) -> list[str]:
    """The options, or the subcommand, in an invocation that its command does not have."""
    command = importlib.import_module(COMMANDS[words[0]]).main
    for word in words[1:]:
        if isinstance(command, click.Group) and not word.startswith("-"):
            found = command.get_command(click.Context(command), word)
            if found is None:
                return [word]
            command = found
    known = {o for p in command.params for o in (*p.opts, *p.secondary_opts)} | {"--help", "-h"}
    return [
        w.partition("=")[0] for w in words if w[:2] == "--" and w.partition("=")[0] not in known
    ]


def test_commands_in_the_pages_have_the_options_they_are_shown_with() -> None:
    wrong = [
        (page, " ".join(words[:3]), unknown)
        for page, block in code_blocks("(?:sh|console)")
        for words in invocations(block)
        if (unknown := unknown_options(words))
    ]
    assert not wrong


@pytest.mark.parametrize("struct", struct_types(), ids=lambda struct: struct.__name__)
def test_the_protocol_page_names_every_field_and_its_type(struct: type[msgspec.Struct]) -> None:
    common = set(Message.__struct_fields__) if issubclass(struct, Message) else set()
    fields = {f.name: in_words(f.type) for f in msgspec.structs.fields(struct)}
    expected = {name: kind for name, kind in fields.items() if name not in common}
    found = documented_fields(struct.__name__)
    assert found == expected, "docs/protocol.md has another table of fields than the protocol"


def test_the_protocol_page_names_what_every_message_carries() -> None:
    fields = {f.name: in_words(f.type) for f in msgspec.structs.fields(Message)}
    assert documented_fields("Every message") == fields


@pytest.mark.parametrize(
    "document", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "tools/README.md"]
)
def test_links_within_the_repository_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text("utf-8")
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    missing = [t for t in targets if not (ROOT / document).parent.joinpath(t).exists()]
    assert not missing, f"{document} links to {missing}"
