"""The type of one setting: what it allows, in words, and how a value or a text becomes one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin

import msgspec
from msgspec import inspect

from mmgat.stream.errors import SettingsError

TRUE: Final = ("1", "true", "yes", "on")
FALSE: Final = ("0", "false", "no", "off")
SEPARATOR: Final = ";"
"""Between several values in one text."""


def check(field: msgspec.structs.FieldInfo, value: object) -> None:
    """Refuses a value that the field does not allow.

    Raises:
        SettingsError: names the field, what is expected and what was found.
    """
    try:
        convert(field, value)
    except ValueError as error:
        raise SettingsError(f"{field.name}: {error}") from None


def convert(field: msgspec.structs.FieldInfo, value: object) -> Any:
    """The value as the field's type.

    Raises:
        ValueError: "expected ..., found ...: ...".
    """
    return _convert(field, value, value, strict=True)


def parse(field: msgspec.structs.FieldInfo, text: str) -> Any:
    """The value that a text means: several are separated by semicolons, flags are true or false.

    Raises:
        ValueError: "expected ..., found ...: ...".
    """
    value: object = text
    if is_flag(field):
        lower = text.strip().lower()
        value = True if lower in TRUE else False if lower in FALSE else text
    elif is_list(field):
        value = [part for part in text.split(SEPARATOR) if part]
    return _convert(field, value, text, strict=is_flag(field))


def _convert(
    field: msgspec.structs.FieldInfo, value: object, found: object, *, strict: bool
) -> Any:
    if is_list(field) and isinstance(value, str):
        value = [value]
    if _takes_text(field) and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # ``channels = 2`` in a file
    try:
        converted = msgspec.convert(value, field.type, strict=strict, dec_hook=_path)
    except msgspec.ValidationError:
        converted = _NOTHING
    choices = _extra(field).get("choices")
    if converted is _NOTHING or (choices and converted not in choices):
        without = f" for {_shown(field.default)}" if field.default not in (None, (), "") else ""
        hint = _extra(field).get("hint", f"change it, or leave it out{without}")
        raise ValueError(f"expected {allowed(field)}, found {_shown(found)}: {hint}")
    return converted


def allowed(field: msgspec.structs.FieldInfo) -> str:
    """What the field takes, in words: "a whole number from 1 to 60"."""
    if choices := _extra(field).get("choices") or choices_of(field):
        return "one of " + ", ".join(map(_bare, choices))
    return _words(inspect.type_info(field.type))


def description(field: msgspec.structs.FieldInfo) -> str:
    """What the field is for."""
    info = inspect.type_info(field.type)
    candidates = (info, *info.types) if isinstance(info, inspect.UnionType) else (info,)
    for one in candidates:
        schema = one.extra_json_schema if isinstance(one, inspect.Metadata) else None
        if schema and "description" in schema:
            return str(schema["description"])
    return ""


def is_flag(field: msgspec.structs.FieldInfo) -> bool:
    """Whether it is true or false."""
    return isinstance(_plain(field), inspect.BoolType)


def is_list(field: msgspec.structs.FieldInfo) -> bool:
    """Whether it may have several values."""
    return isinstance(_plain(field), inspect.VarTupleType)


def choices_of(field: msgspec.structs.FieldInfo) -> tuple[str, ...]:
    """The texts of which it takes one; () where it takes others."""
    plain = get_args(field.type)[0] if get_origin(field.type) is Annotated else field.type
    return get_args(plain) if get_origin(plain) is Literal else ()


def _takes_text(field: msgspec.structs.FieldInfo) -> bool:
    return isinstance(_plain(field), inspect.StrType) or bool(choices_of(field))


_NOTHING: Final = object()


def _path(wanted: type, value: object) -> object:
    if wanted is Path and isinstance(value, str | Path) and str(value):
        return Path(value)
    raise ValueError(value)


def _plain(field: msgspec.structs.FieldInfo) -> inspect.Type:
    info = inspect.type_info(field.type)
    return info.type if isinstance(info, inspect.Metadata) else info


def _extra(field: msgspec.structs.FieldInfo) -> dict[str, Any]:
    info = inspect.type_info(field.type)
    return (info.extra or {}) if isinstance(info, inspect.Metadata) else {}


def _words(info: inspect.Type) -> str:
    match info:
        case inspect.Metadata():
            return _words(info.type)
        case inspect.IntType() | inspect.FloatType():
            return _number(info)
        case inspect.BoolType():
            return "true or false"
        case inspect.LiteralType():
            return " or ".join(map(str, reversed(info.values)))
        case inspect.VarTupleType():
            return "a text, or a list of texts"
        case inspect.UnionType():
            return " or ".join(
                _words(one) for one in info.types if not isinstance(one, inspect.NoneType)
            )
        case inspect.StrType(min_length=1):
            return "a text that is not empty"
        case inspect.StrType():
            return "a text"
        case inspect.CustomType():
            return "a path"
    raise TypeError(f"expected a type that a setting may have, found {info}")


def _number(info: inspect.IntType | inspect.FloatType) -> str:
    noun = "a whole number" if isinstance(info, inspect.IntType) else "a number"
    lower = f" above {_bare(info.gt)}" if info.gt is not None else ""
    if info.ge is not None:
        lower = f" from {_bare(info.ge)}"
    upper = f" to {_bare(info.le)}" if info.le is not None else ""
    joined = f"{lower} and up{upper}" if upper and info.gt is not None else lower + upper
    return noun + joined


def _bare(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.10g}"


def _shown(value: object) -> str:
    if value is None or value == ():
        return "nothing"
    return f"{value:.10g}" if isinstance(value, float) else repr(value)


class SettingsGroup(msgspec.Struct, frozen=True):
    """Base of all settings classes.

    Raises:
        SettingsError: a value has the wrong type or lies outside its range.
    """

    def __post_init__(self) -> None:
        for field in msgspec.structs.fields(type(self)):
            value = getattr(self, field.name)
            if not isinstance(field.default, SettingsGroup):
                check(field, value)
            elif not isinstance(value, type(field.default)):
                wanted = type(field.default).__name__
                raise SettingsError(f"{field.name}: expected {wanted}, found {value!r}")
