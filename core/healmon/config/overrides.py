"""Environment variables that override keys: `HEALMON_MONITOR__CHECK_INTERVAL=5s`.

Two underscores separate the parts: section, name or index where there is one, key. Letters may
have either case; what is no letter or digit in a name is `_` in the variable. Lists are separated
by commas. Variables override what the file has; they make no new worker, task or database, so a
slip in a name is told and not obeyed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from healmon.config.faults import Faults
from healmon.config.keys import ROOT
from healmon.config.lines import KeyPath
from healmon.config.nearest import nearest, nearest_key
from healmon.config.schema import Key, Table, kind_of, table_of
from healmon.config.toml import as_list, as_table
from healmon.text import clean

PREFIX: Final = "HEALMON_"


class _StrayError(Exception):
    def __init__(
        self, path: KeyPath, what: str, nearest: str = "", known: Iterable[str] = ()
    ) -> None:
        super().__init__(what)
        self.path = path
        self.what = what
        self.nearest = nearest
        self.allowed = "" if nearest else clean(", ".join(known))


def override(document: dict[str, Any], environ: Mapping[str, str], faults: Faults) -> None:
    """Write the environment's values into a TOML document.

    Args:
        document: what tomllib read; changed in place.
        environ: the environment.
        faults: told which variable gave which key its value, and which gave none.
    """
    for variable in sorted(environ):
        # HEALMON_CONFIG and HEALMON_STATE_DIR name no key: they have no section
        if not variable.startswith(PREFIX) or "__" not in variable.removeprefix(PREFIX):
            continue
        try:
            text = environ[variable]
            if not (variable + text).isascii() and re.search("[\ud800-\udfff]", variable + text):
                raise _StrayError((), "is not UTF-8")  # noqa: TRY301 - told like the others
            path = _write(ROOT, document, variable.removeprefix(PREFIX), text)
        except _StrayError as error:
            faults.stray(
                variable, error.path, error.what, allowed=error.allowed, nearest=error.nearest
            )
        else:
            faults.overridden(path, variable)


def _write(table: Table, raw: object, rest: str, text: str, path: KeyPath = ()) -> KeyPath:
    """Write one value below `table` and return where.

    Nowhere, `()`, when the document holds no table there: reading it will say so.
    """
    head, _, rest = rest.partition("__")
    key = table.key(head.lower())
    if key is None:
        known = [key.name for key in table.keys]
        path = (*path, head.lower())
        raise _StrayError(path, "unknown key", nearest_key(head.lower(), known), known)
    path = (*path, key.name)
    values = as_table(raw)
    if values is None:
        return ()
    if key.shape in {"value", "list"}:
        if rest:
            raise _StrayError((*path, rest.lower()), f'"{key.name}" has no keys of its own')
        values[key.name] = _typed(key, text)
        # the variable wins over the other way to say the same, too
        values.pop(key.rival, None)
        return path
    if not rest:
        raise _StrayError(path, "is a table; the variable must name a key in it")
    return _write_below(key, values, rest, text, path)


def _write_below(key: Key, values: dict[str, Any], rest: str, text: str, path: KeyPath) -> KeyPath:
    if key.shape == "mapping":
        inner = as_table(values.setdefault(key.name, {}))
        if inner is None:
            return ()
        inner[rest] = text
        return (*path, rest)
    table = table_of(key)
    if key.shape == "table":
        return _write(table, values.setdefault(key.name, {}), rest, text, path)
    if key.shape == "named":
        named = as_table(values.get(key.name, {}))
        return () if named is None else _write_named(table, named, rest, text, path)
    indexed = as_list(values.get(key.name, []))
    return () if indexed is None else _write_indexed(table, indexed, rest, text, path)


def _write_named(
    table: Table, values: dict[str, Any], rest: str, text: str, path: KeyPath
) -> KeyPath:
    # a name may itself have two underscores, so the names there are decide where it ends
    for name in sorted(values, key=len, reverse=True):
        start = f"{_as_variable(name)}__"
        if rest.upper().startswith(start):
            alike = [one for one in sorted(values) if f"{_as_variable(one)}__" == start]
            if len(alike) > 1:
                both = " and ".join(f'"{one}"' for one in alike)
                raise _StrayError((*path, name), f"may mean {both}: set it in the file")
            return _write(table, values[name], rest[len(start) :], text, (*path, name))
    meant = rest.partition("__")[0].lower()
    near = nearest(meant, values)
    raise _StrayError((*path, meant), "is not in the file", near, sorted(values))


def _write_indexed(
    table: Table, items: list[object], rest: str, text: str, path: KeyPath
) -> KeyPath:
    head, _, rest = rest.partition("__")
    if not re.fullmatch("[0-9]{1,4}", head) or int(head) >= len(items) or not rest:
        raise _StrayError((*path, head), f"there are {len(items)}, numbered from 0")
    return _write(table, items[int(head)], rest, text, (*path, int(head)))


def _typed(key: Key, text: str) -> object:
    kind = kind_of(key)
    if key.shape == "value":
        return kind.typed(text)
    return [kind.typed(part.strip()) for part in text.split(",") if part.strip()]


def _as_variable(name: str) -> str:
    return re.sub("[^A-Z0-9]", "_", name.upper())
