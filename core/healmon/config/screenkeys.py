"""`[ui]` of `healmon.toml`, as data; see `keys`."""

from __future__ import annotations

from typing import Final

from healmon.config import keynames
from healmon.config import kinds as k
from healmon.config.facesettings import Ui
from healmon.config.schema import Key, Table
from healmon.config.toml import as_list, literal


def _read(value: object) -> tuple[str, ...]:
    items = [value] if isinstance(value, str) else as_list(value)
    if items is None or not all(isinstance(item, str) for item in items):
        raise ValueError
    try:
        return tuple(dict.fromkeys(keynames.parse(str(item)) for item in items))
    except ValueError as error:
        if str(error):
            raise k.RefusedError(str(error)) from None
        raise


def _write(keys: tuple[str, ...]) -> str:
    return literal(keys[0] if len(keys) == 1 else keys)


KEYS: Final = k.Kind(allowed=keynames.ALLOWED, read=_read, write=_write)

UI: Final = Table(
    title="ui",
    struct=Ui,
    doc="the terminal screen",
    keys=(
        Key(name="theme", kind=k.NAME, doc="dark, light, terminal, safe, …, or a file of your own"),
        Key(name="mouse", kind=k.BOOL, doc="let the terminal report the mouse"),
        Key(name="keys", shape="mapping", kind=KEYS, dotted=True, doc="other keys for actions"),
    ),
)
