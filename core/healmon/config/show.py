"""Settings as TOML: the configuration as it was understood, which reads back to itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from healmon.config import settings as st
from healmon.config.keys import ROOT
from healmon.config.mask import masked
from healmon.config.schema import Key, Table, kind_of, table_of
from healmon.config.toml import array, inline_table, key_text


def show(settings: st.Settings, *, mask: bool = False) -> str:
    """Return the settings as a valid `healmon.toml`: paths resolved, defaults filled in.

    Args:
        settings: what was understood.
        mask: put `***` where a variable of a worker looks secret by its name, and in the place of
            user and password in URLs; then it does not read back to itself.
    """
    blocks = tables(masked(settings) if mask else settings)
    return "\n".join("\n".join([one.header, *_lines(one.keys)]) + "\n" for one in blocks)


class Shown(NamedTuple):
    """One table of the file as it was understood.

    Attributes:
        section: the table's title without a name: `workers`, `disk.rules`.
        name: what tells it from others of its sort; empty: there is one only.
        keys: values as TOML, by key.
    """

    header: str
    section: str
    name: str
    keys: dict[str, str]


def tables(settings: st.Settings) -> Iterator[Shown]:
    """Return all tables of the settings, in the order of the file."""
    for key in ROOT.keys:
        value = getattr(settings, key.name)
        table = table_of(key)
        if key.shape == "table":
            yield Shown(f"[{key.name}]", key.name, "", _pairs(table, value))
            for inner in table.keys:
                if inner.shape in {"named", "tables"}:
                    yield from _several(
                        f"{key.name}.{inner.name}", inner, getattr(value, inner.name)
                    )
        else:
            yield from _several(key.name, key, value)


def _several(path: str, key: Key, values: Sequence[Any]) -> Iterator[Shown]:
    table = table_of(key)
    for number, each in enumerate(values):
        named = key.shape == "named"
        header = f"[{path}.{key_text(each.name)}]" if named else f"[[{path}]]"
        name = getattr(each, "name", "") or getattr(each, "path", "") or str(number)
        yield Shown(header, path, name, _pairs(table, each))


def _lines(keys: Mapping[str, str]) -> list[str]:
    return [f"{name} = {text}" for name, text in keys.items()]


def _pairs(table: Table, struct: msgspec.Struct) -> dict[str, str]:
    values = _values(struct)
    defaults = {field.name: field.default for field in msgspec.structs.fields(table.struct)}
    texts = {
        key.name: _text(key, values[key.name])
        for key in table.keys
        # what is empty by default says nothing; what was emptied does
        if key.name in values and _tells(values[key.name], defaults.get(key.name))
    }
    return {name: text for name, text in texts.items() if text}


def _tells(value: object, default: object) -> bool:
    if value in ("", (), {}):
        return default is None or bool(default)
    return value is not None or bool(default)


def _text(key: Key, value: Any) -> str:  # noqa: ANN401 - what the key's kind reads
    match key.shape:
        case "value":
            return kind_of(key).write(value)
        case "list":
            return array(kind_of(key).write(item) for item in value)
        case "mapping":
            return inline_table({name: kind_of(key).write(item) for name, item in value.items()})
        case "table":
            return inline_table(_pairs(table_of(key), value))
        case "named" | "tables":
            return ""  # written as tables of their own


def _values(struct: msgspec.Struct) -> dict[str, Any]:
    """Return what each key would hold: the fields, and what `derive` made into others."""
    values: dict[str, Any] = {name: getattr(struct, name) for name in struct.__struct_fields__}
    if isinstance(struct, st.Worker):
        argv: Sequence[str] = values.pop("argv")
        # derive puts this Python and the script before the arguments
        values |= {"args": argv[2:]} if struct.script else {"command": argv}
    if isinstance(struct, st.Rule) and struct.action == "truncate":
        del values["older_than"]
    return values
