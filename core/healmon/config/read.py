"""A TOML document and the tables of keys in, settings and faults out. No file, no environment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from healmon.config.checks import CHECK
from healmon.config.derive import DERIVE, Context
from healmon.config.faults import Faults
from healmon.config.keys import ROOT
from healmon.config.kinds import Kind, RefusedError, name_fault
from healmon.config.lines import KeyPath
from healmon.config.nearest import nearest_key
from healmon.config.paths import Place
from healmon.config.schema import Key, Table, kind_of, table_of
from healmon.config.settings import Settings
from healmon.config.toml import as_list, as_table, path_text


class _Bad:
    """Stands for a value that has a fault: recorded already, not to be used."""


_BAD: Final = _Bad()


def read(document: dict[str, Any], place: Place, faults: Faults) -> Settings | None:
    """Return the settings of a document.

    Args:
        document: what tomllib read, overrides included.
        place: where its relative paths begin.
        faults: where everything that is wrong is recorded.

    Returns:
        Nothing usable when faults were recorded; None when not even that.
    """
    settings = _Reader(place, faults).table(ROOT, document, ())
    return settings if isinstance(settings, Settings) else None


class _Reader:
    def __init__(self, place: Place, faults: Faults) -> None:
        self._context = Context(place, faults)
        self._faults = faults

    def table(self, table: Table, raw: object, path: KeyPath, name: str | None = None) -> object:
        """Return the struct of one table; `name` is the one a person gave it, if any."""
        document = as_table(raw)
        if document is None:
            return self._wrong(path, raw, "a table")
        for given in document:
            if table.key(given) is None:
                self._unknown(table, path, given)
        values: dict[str, Any] = {} if name is None else {"name": name}
        for key in table.keys:
            if key.name in document:
                value = self._key(key, document[key.name], (*path, key.name))
                if value is not _BAD:
                    values[key.name] = value
                if key.rival in document:
                    self._rivals(key, path)
            elif key.required and not self._faults.bad((*path, key.name)):
                self._faults.add((*path, key.name), "is missing", allowed=key.allowed)
            if key.required:
                # the faults are told; an empty stand-in lets the checks of the others go on
                values.setdefault(key.name, () if key.shape == "list" else "")
        return self._struct(table.struct, values, path)

    def _rivals(self, key: Key, path: KeyPath) -> None:
        what = f'give "{key.name}" or "{key.rival}", not both'
        # told once: clash() is silent about a key that has a fault already
        self._faults.clash(path, (key.rival, key.name), what)

    def _struct(
        self, struct: type[msgspec.Struct], values: dict[str, Any], path: KeyPath
    ) -> object:
        derive, check = DERIVE.get(struct), CHECK.get(struct)
        if derive is not None:
            derive(values, path, self._context)
        made = struct(**values)
        if check is not None:
            check(made, path, self._context)
        return made

    def _key(self, key: Key, raw: object, path: KeyPath) -> object:
        match key.shape:
            case "value":
                return self._value(kind_of(key), raw, path)
            case "list":
                return self._list(key, raw, path)
            case "mapping":
                return self._mapping(key, raw, path)
            case "table":
                return self.table(table_of(key), raw, path)
            case "named":
                return self._named(key, raw, path)
            case "tables":
                return self._tables(key, raw, path)

    def _value(self, kind: Kind, raw: object, path: KeyPath) -> object:
        try:
            value = kind.read(raw)
            return value if kind.resolve is None else kind.resolve(value, self._context.place)
        except RefusedError as error:
            self._faults.add(path, str(error), found=raw)
            return _BAD
        except ValueError as error:
            return self._wrong(path, raw, str(error) or kind.allowed)

    def _list(self, key: Key, raw: object, path: KeyPath) -> object:
        items = as_list(raw)
        if items is None or len(items) < key.least:
            return self._wrong(path, raw, key.allowed)
        kind = kind_of(key)
        values = [self._value(kind, item, (*path, index)) for index, item in enumerate(items)]
        if key.distinct:
            self._distinct([(value, (*path, index)) for index, value in enumerate(values)])
        return _BAD if _BAD in values else tuple(values)

    def _mapping(self, key: Key, raw: object, path: KeyPath) -> object:
        table = as_table(raw)
        if table is None:
            return self._wrong(path, raw, key.allowed)
        values: dict[str, object] = {}
        if key.dotted:
            values = {name: self._value(kind_of(key), *at) for name, at in _leaves(table, path)}
            return {name: value for name, value in values.items() if value is not _BAD}
        for name, item in table.items():
            if not name or "=" in name or "\0" in name:
                self._faults.add((*path, name), "is no name for an environment variable")
            values[name] = self._value(kind_of(key), item, (*path, name))
        return _BAD if _BAD in values.values() else values

    def _named(self, key: Key, raw: object, path: KeyPath) -> object:
        table = as_table(raw)
        if table is None:
            return self._wrong(path, raw, key.allowed)
        structs: list[tuple[object, KeyPath]] = []
        for name, item in table.items():
            fault = name_fault(name)
            if fault:
                self._faults.add((*path, name), fault)
            structs.append((self.table(table_of(key), item, (*path, name), name), (*path, name)))
        return self._siblings(table_of(key), structs)

    def _tables(self, key: Key, raw: object, path: KeyPath) -> object:
        items = as_list(raw)
        if items is None:
            return self._wrong(path, raw, key.allowed)
        places: list[KeyPath] = [(*path, index) for index in range(len(items))]
        structs = [
            (self.table(table_of(key), item, place), place)
            for item, place in zip(items, places, strict=True)
        ]
        return self._siblings(table_of(key), structs)

    def _siblings(self, table: Table, structs: list[tuple[object, KeyPath]]) -> object:
        good = [(struct, path) for struct, path in structs if struct is not _BAD]
        for field in table.unique:
            values = [(getattr(struct, field), (*path, field)) for struct, path in good]
            self._distinct([(value, path) for value, path in values if value != ""])
        return tuple(struct for struct, _ in good)

    def _distinct(self, values: list[tuple[object, KeyPath]]) -> None:
        first: dict[object, KeyPath] = {}
        for value, path in values:
            if first.setdefault(value, path) != path and value is not _BAD:
                what = f"is the same as {path_text(first[value])}"
                self._faults.add(path, what, found=value)

    def _unknown(self, table: Table, path: KeyPath, name: str) -> None:
        known = [key.name for key in table.keys]
        meant = nearest_key(name, known)
        allowed = "" if meant else ", ".join(known)
        self._faults.add((*path, name), "unknown key", allowed=allowed, nearest=meant)

    def _wrong(self, path: KeyPath, raw: object, allowed: str) -> _Bad:
        self._faults.add(path, found=raw, allowed=allowed)
        return _BAD


def _leaves(table: dict[str, Any], path: KeyPath) -> Iterator[tuple[str, tuple[object, KeyPath]]]:
    """Yield each value of tables in each other: its dotted name, it, and where it stands."""
    for name, item in table.items():
        inner = as_table(item)
        if inner is None:
            yield name, (item, (*path, name))
            continue
        for below, at in _leaves(inner, (*path, name)):
            yield f"{name}.{below}", at
