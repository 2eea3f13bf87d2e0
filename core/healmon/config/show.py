"""Settings as TOML: the configuration as it was understood, which reads back to itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

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
    blocks = _blocks(masked(settings) if mask else settings)
    return "\n".join("\n".join(block) + "\n" for block in blocks)


def _blocks(settings: st.Settings) -> Iterator[list[str]]:
    for key in ROOT.keys:
        value = getattr(settings, key.name)
        table = table_of(key)
        if key.shape == "table":
            yield [f"[{key.name}]", *_lines(table, value)]
            for inner in table.keys:
                if inner.shape in {"named", "tables"}:
                    for each in getattr(value, inner.name):
                        path = f"{key.name}.{inner.name}"
                        header = (
                            f"[{path}.{key_text(each.name)}]"
                            if inner.shape == "named"
                            else f"[[{path}]]"
                        )
                        yield [header, *_lines(table_of(inner), each)]
        else:
            for each in value:
                yield [f"[{key.name}.{key_text(each.name)}]", *_lines(table, each)]


def _lines(table: Table, struct: msgspec.Struct) -> list[str]:
    return [f"{name} = {text}" for name, text in _pairs(table, struct).items()]


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
