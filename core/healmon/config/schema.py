"""What a table of the configuration file is, and what a key: the shape of `config.keys`."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from healmon.config.kinds import Kind
from healmon.config.toml import array

Shape: TypeAlias = Literal["value", "list", "mapping", "table", "named", "tables"]
"""`mapping`: free keys to values; `named`: tables by name; `tables`: an array of tables."""


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """One table of the file.

    Attributes:
        title: how a person writes its header; NAME stands for the person's own word.
        struct: what it is read into.
        unique: keys whose values must differ among tables of this sort.
    """

    title: str
    struct: type[msgspec.Struct]
    doc: str
    keys: tuple[Key, ...]
    unique: tuple[str, ...] = ()

    def key(self, name: str) -> Key | None:
        """Return the key of this name, if there is one."""
        return next((key for key in self.keys if key.name == name), None)


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One key of a table.

    Attributes:
        kind: what the value, each element or each mapped value is; None for tables.
        table: what the table, or each of the tables, holds; None for values.
        least: the fewest elements a list may have.
        distinct: no element of the list may be there twice.
        rival: the key that says the same in another way, so that only one may be given.
        dotted: names of the mapping have dots, and may be written as tables in each other.
    """

    name: str
    doc: str
    shape: Shape = "value"
    kind: Kind | None = None
    table: Table | None = None
    required: bool = False
    least: int = 0
    distinct: bool = False
    rival: str = ""
    dotted: bool = False

    @property
    def allowed(self) -> str:
        """What may stand there, for people."""
        text = self.kind.allowed if self.kind is not None else ""
        match self.shape:
            case "value":
                return text
            case "list":
                return (
                    f"a list, each {text}" if not self.least else f"a list, not empty, each {text}"
                )
            case "mapping":
                return f"a table, each value {text}"
            case "table":
                return "a table"
            case "named":
                return f"tables [{self.name}.NAME]"
            case "tables":
                return f"an array of tables [[{self.table.title if self.table else self.name}]]"


def default_text(table: Table, key: Key) -> str:
    """Return the default of a key as TOML text; empty: it has none, or its `doc` tells it."""
    fields = {field.name: field for field in msgspec.structs.fields(table.struct)}
    field = fields.get(key.name)
    if field is None or key.kind is None or field.default in (None, msgspec.NODEFAULT, ""):
        return ""
    if key.shape == "list":
        return array(key.kind.write(item) for item in field.default)
    return key.kind.write(field.default)


def kind_of(key: Key) -> Kind:
    """Return the kind of a key that holds values."""
    assert key.kind is not None
    return key.kind


def table_of(key: Key) -> Table:
    """Return the table of a key that holds tables."""
    assert key.table is not None
    return key.table
