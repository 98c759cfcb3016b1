"""Settings from flags, the environment and a TOML file; each wins over those named after it.

    # studio.toml                 MMGAT_STREAM_HOP=0.25
    device = "Scarlett 2i2"       MMGAT_STREAM_DECISION__OFF_RATIO=0.7
    hop = 0.25
    [decision]                    --hop 0.25 --set decision.off_ratio=0.7
    off_ratio = 0.7

Every setting has a section and a name; the common ones also have the short name of their flag.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from mmgat.stream.errors import SettingsError
from mmgat.stream.setting_types import SettingsGroup, allowed, convert, parse
from mmgat.stream.settings import InputSettings, ModelSettings, OutputSettings, ProgramSettings

ENVIRONMENT_PREFIX: Final = "MMGAT_STREAM_"

SHORT_NAMES: Final = {
    **{f.name: f"input.{f.name}" for f in msgspec.structs.fields(InputSettings)},
    **{f.name.replace("_", "-"): f"model.{f.name}" for f in msgspec.structs.fields(ModelSettings)},
    **{
        f.name.replace("_", "-"): f"output.{f.name}"
        for f in msgspec.structs.fields(OutputSettings)
        if f.name != "queue_messages"
    },
    "hop": "stream.hop_s",
    "nodes": "stream.nodes",
    "sensitivity": "decision.sensitivity",
    "threshold": "decision.threshold",
    "labels": "decision.labels",
    "exclude": "decision.exclude",
    "exit-on-loss": "liveness.exit_on_loss",
    "publish": "publish.address",
    "key": "publish.key",
    "clients": "publish.clients",
    "insecure": "publish.insecure",
    "control": "publish.control",
    "record": "record.folder",
    "record-limit": "record.limit_gb",
}
"""Name of a flag, and of a key outside all tables of a file -> section.name."""

_SELECTS_INPUT: Final = {f"input.{x}" for x in ("device", "file", "source", "stdin", "demo")}


@dataclass(frozen=True)
class Given:
    """One value and where it came from, in words."""

    value: Any
    origin: str


Layer = dict[str, Given]
"""section.name -> what one place says."""

Fields = Mapping[str, msgspec.structs.FieldInfo]
"""section.name -> type, range and the default that holds for the command."""


def _walk(
    group: type[SettingsGroup], section: str = ""
) -> Iterator[tuple[str, msgspec.structs.FieldInfo]]:
    for field in msgspec.structs.fields(group):
        if isinstance(field.default, SettingsGroup):
            yield from _walk(type(field.default), field.name)
        else:
            yield f"{section}.{field.name}", field


FIELDS: Final[dict[str, msgspec.structs.FieldInfo]] = dict(_walk(ProgramSettings))
"""section.name -> type, default and range of every setting."""


def read_settings(
    flags: Mapping[str, Any],
    assignments: Sequence[str] = (),
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> ProgramSettings:
    """All settings, each from the first place that has it: flags, environment, file, defaults.

    Where one place chooses the input, what a later place says of another input is left out.

    Args:
        flags: short name -> text, True, or texts; only those that were given.
        assignments: ``section.name=value``.
        file: in TOML.
        environment: variables by name.
        defaults: short name -> value, in place of the settings' own.

    Raises:
        SettingsError: an unknown name, a value of the wrong type or outside its range.
    """
    fields = FIELDS | {
        SHORT_NAMES[name]: msgspec.structs.replace(FIELDS[SHORT_NAMES[name]], default=value)
        for name, value in (defaults or {}).items()
    }
    layers = [
        _from_flags(flags, assignments, fields),
        _from_environment(environment or {}, fields),
        _from_file(file, fields) if file else {},
        {SHORT_NAMES[name]: Given(value, "default") for name, value in (defaults or {}).items()},
    ]
    merged: Layer = {}
    for layer in layers:
        chosen = _SELECTS_INPUT & merged.keys()
        if chosen and _SELECTS_INPUT & layer.keys():
            layer = {key: given for key, given in layer.items() if not key.startswith("input.")}
        merged = layer | merged
    settings: ProgramSettings = _build(
        ProgramSettings, {key: given.value for key, given in merged.items()}
    )
    return settings


def _build(group: type[SettingsGroup], values: Mapping[str, Any], section: str = "") -> Any:
    arguments = {}
    for field in msgspec.structs.fields(group):
        if isinstance(field.default, SettingsGroup):
            arguments[field.name] = _build(type(field.default), values, field.name)
        elif (key := f"{section}.{field.name}") in values:
            arguments[field.name] = values[key]
    return group(**arguments)


def _from_flags(flags: Mapping[str, Any], assignments: Sequence[str], fields: Fields) -> Layer:
    layer: Layer = {}
    for name, value in flags.items():
        key = SHORT_NAMES[name]
        layer[key] = _given(fields[key], value, f"--{name}")
    for text in assignments:
        key, equals, value = text.partition("=")
        key = SHORT_NAMES.get(key, key)
        if not equals or key not in FIELDS:
            raise SettingsError(
                f"--set: expected NAME=VALUE such as decision.off_ratio=0.7, found {text!r}: "
                + (_nearest(key, (*SHORT_NAMES, *FIELDS)) if equals else "add a value")
            )
        layer[key] = _given(fields[key], value, f"--set {key}")
    return layer


def _from_environment(environment: Mapping[str, str], fields: Fields) -> Layer:
    names = {variable(name): key for name, key in SHORT_NAMES.items()}
    names |= {variable(key.replace(".", "__")): key for key in FIELDS}
    layer: Layer = {}
    for name, text in environment.items():
        if not name.startswith(ENVIRONMENT_PREFIX):
            continue
        if name not in names:
            raise SettingsError(
                f"{name}: no such setting: unset it, or mend its name: {_nearest(name, names)}"
            )
        if (key := names[name]) in layer:
            raise SettingsError(f"{name}: {key} is also set by {layer[key].origin}: unset one")
        layer[key] = _given(fields[key], text, name)
    return layer


def variable(name: str) -> str:
    """The environment variable of a setting's short or full name."""
    return ENVIRONMENT_PREFIX + name.replace("-", "_").upper()


def _nearest(name: str, names: Iterable[str]) -> str:
    """The names that are most like a wrong one, or all of them."""
    from difflib import get_close_matches

    ordered = sorted(names)
    if near := get_close_matches(name, ordered):
        return f"did you mean {' or '.join(near)}?"
    return f"there are {', '.join(ordered)}"


def _from_file(path: Path, fields: Fields) -> Layer:
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(
            f"--config: expected a TOML file at {path}, found {error.strerror}"
        ) from None
    except ValueError as error:
        raise SettingsError(f"--config: expected TOML in {path}, found {error}") from None
    layer: Layer = {}
    sections = {key.partition(".")[0] for key in FIELDS}
    for name, value in values.items():
        if isinstance(value, dict):
            if name in SHORT_NAMES and name not in sections:
                expected = allowed(FIELDS[SHORT_NAMES[name]])
                raise SettingsError(
                    f"{path}: {name}: expected {expected}, found a table: write {name} = ..."
                )
            for inner, one in value.items():
                _add(layer, path, f"[{name}] {inner}", f"{name}.{inner}", one, fields)
        elif name in sections and name not in SHORT_NAMES:
            raise SettingsError(
                f"{path}: {name}: expected a table [{name}], found {value!r}: begin one"
            )
        else:
            _add(layer, path, name, SHORT_NAMES.get(name, name), value, fields)
    return layer


def _add(layer: Layer, path: Path, shown: str, key: str, value: object, fields: Fields) -> None:
    origin = f"{path}: {shown}"
    if key not in FIELDS or key == shown:
        raise SettingsError(
            f"{origin}: no such setting: remove it or mend its name: "
            f"{_nearest(key, (*SHORT_NAMES, *FIELDS))}"
        )
    if key in layer:
        raise SettingsError(f"{origin}: {key} is also set by {layer[key].origin}: remove one")
    layer[key] = _given(fields[key], value, origin, is_text=False)


def _given(
    field: msgspec.structs.FieldInfo, value: object, origin: str, *, is_text: bool = True
) -> Given:
    try:
        if is_text and isinstance(value, str):
            return Given(parse(field, value), origin)
        return Given(convert(field, value), origin)
    except ValueError as error:
        raise SettingsError(f"{origin}: {error}") from None
