"""What mkdocs needs to know of this repository; ``mkdocs.yml`` names this module as its hook.

    mkdocs serve                  the site while it is written
    mkdocs build --strict         the site in build/site; warnings are errors

Pages are written by hand, but for four things: the Python API comes from the docstrings, and a line
``<!-- command MODULE:OBJECT NAME -->``, ``<!-- settings -->`` or ``<!-- model NAME -->`` stands for
a command's options, all settings, or a model's card.
"""

from __future__ import annotations

import contextlib
import importlib
import re
import sys
from inspect import cleandoc
from pathlib import Path
from typing import Any

import click
from mkdocs.plugins import event_priority

ROOT = Path(__file__).parents[1]
_clean_up = contextlib.ExitStack()


@event_priority(100)  # before mkdocstrings reads its configuration
def on_config(config: Any) -> Any:
    """Shows mkdocstrings the source files under the names they are installed by."""
    sys.path.insert(0, str(ROOT))
    from tools.namespace import installed_layout

    folder = _clean_up.enter_context(installed_layout())
    config["plugins"]["mkdocstrings"].config.handlers["python"]["paths"] = [str(folder)]
    return config


def on_page_content(html: str, **_: Any) -> str:
    """Writes the ``Example::`` of docstrings with one colon."""
    return html.replace("Example::</p>", "Example:</p>")


def on_shutdown(**_: Any) -> None:
    """Removes the temporary folder."""
    _clean_up.close()


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Puts commands, settings and models into a page."""
    if "<!-- settings -->" in markdown:
        markdown = markdown.replace("<!-- settings -->", settings_reference())
    markdown = re.sub(r"<!-- model (\w+) -->", lambda match: model_card(match[1]), markdown)
    return re.sub(
        r"<!-- command ([\w.]+):(\w+) ([\w-]+) -->",
        lambda match: command_reference(
            getattr(importlib.import_module(match[1]), match[2]), match[3]
        ),
        markdown,
    )


def command_reference(command: click.Command, name: str, level: int = 2) -> str:
    """A click command in Markdown; those of a group follow under headings of their own."""
    context = click.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    paragraphs = [re.sub(r"(?<!`)(--[a-z-]+)", r"`\1`", cleandoc(command.help or ""))]
    paragraphs.append(f"```text\n{usage}\n```")
    rows = [_option(p, context) for p in command.params if isinstance(p, click.Option)]
    if rows:
        paragraphs.append(_table(("option", "default", "meaning"), rows))
    if isinstance(command, click.Group):
        for key in command.list_commands(context):
            part = command.get_command(context, key)
            assert part is not None
            paragraphs.append(f"{'#' * (level + 1)} {name} {key}")
            paragraphs.append(command_reference(part, f"{name} {key}", level + 1))
    return "\n\n".join(paragraphs)


def _option(option: click.Option, context: click.Context) -> tuple[str, str, str]:
    names = ", ".join(option.opts)
    metavar = "" if option.is_flag else f" {option.make_metavar(context)}"
    default = option.get_default(context, call=False)
    shown = option.show_default and not option.is_flag and default is not None
    value = "required" if option.required else f"`{default}`" if shown else ""
    meaning = option.help or ""
    if found := re.fullmatch(r"(.*?)\s+\[default: (.*)\]", meaning):
        meaning, value = found[1], f"`{found[2]}`"
    return f"`{names}{metavar}`", value, meaning


def settings_reference() -> str:
    """All settings in Markdown, a section a heading."""
    from mmgat.stream.setting_types import allowed, description
    from mmgat.stream.settings_layers import FIELDS, SHORT_NAMES

    flags = {full: short for short, full in SHORT_NAMES.items()}
    sections: dict[str, list[tuple[Any, ...]]] = {}
    for full, field in FIELDS.items():
        section, _, name = full.partition(".")
        flag = flags.get(full)
        default = "" if field.default in (None, "", (), False) else f"`{field.default}`"
        names = f"`{name}`" + (f"<br>`--{flag}`" if flag else "")
        sections.setdefault(section, []).append(
            (names, allowed(field), default, description(field))
        )
    head = ("setting", "takes", "default", "meaning")
    return "\n\n".join(
        f"## `[{section}]`\n\n{_table(head, rows)}" for section, rows in sections.items()
    )


def model_card(name: str) -> str:
    """A shipped model's card in Markdown."""
    from mmgat.model.card import OperatingPoint, read_card

    card = read_card(ROOT / "model" / "weights" / name)
    about = [
        ("version", card.version),
        ("embedder", f"{card.embedder}, variant {card.variant}"),
        ("label text", card.text_encoder),
        ("labels without recorded training data", ", ".join(card.unverified) or "none"),
        ("sha256 of the weights", f"`{card.sha256}`"),
    ]
    metrics = [(m["name"], m["value"], m["on"], f"`{m['command']}`") for m in card.metrics]
    data = [(row["source"], _amount(row), row["licence"]) for row in card.training_data]
    points = {"normal": OperatingPoint(card.thresholds)} | dict(card.operating_points)
    thresholds = [
        (label, *(point.thresholds.get(label, "") for point in points.values()))
        for label in card.labels
    ]
    figures = [
        f"* {sensitivity}: " + ", ".join(f"{key} {value:g}" for key, value in point.figures.items())
        for sensitivity, point in points.items()
        if point.figures
    ]
    return "\n\n".join(
        [
            _table(("card", ""), about),
            "**What a user should know**",
            "\n".join(f"* {note}" for note in (*card.notes, *card.credits)),
            "**Figures**",
            _table(("figure", "value", "measured on", "command"), metrics),
            f'??? note "Training data: {len(data)} sources"',
            _indented(_table(("source", "amount", "licence"), data)),
            f'??? note "Thresholds: {", ".join(points)} sensitivity"',
            _indented("\n".join([_table(("label", *points), thresholds), "", *figures])),
        ]
    )


def _amount(row: dict[str, Any]) -> str:
    return next((f"{row[unit]} {unit}" for unit in ("minutes", "clips") if unit in row), "")


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def _table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(content: object) -> str:
    """Text of a cell; Python-Markdown takes a bar in code as it is, any other as the cell's end."""
    parts = re.split(r"(`[^`]*`)", str(content))
    return "".join(part if part[:1] == "`" else part.replace("|", "\\|") for part in parts)
