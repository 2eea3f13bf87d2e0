"""Whether the keys that a person gave to actions go together; pure.

The screen's own list of keys (`healmon_tui.keymap`) is told here by `screennames`, which is made
from it, so that `healmon check` needs no screen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from healmon.config.derive import Context
from healmon.config.facesettings import Ui
from healmon.config.lines import KeyPath
from healmon.config.nearest import nearest
from healmon.config.screennames import ACTIONS

RESERVED: Final = {"esc": "view.back", "enter": "view.detail", "ctrl-q": "app.end"}
"""Keys that always do what they do, beside those that were given to the same action."""
ON_SHEETS: Final = frozenset(
    {
        "app.help", "app.quit", "move.down", "move.up", "move.half_down", "move.half_up",
        "view.back", "view.detail",
    }
)  # fmt: skip
"""Actions that also work where plans ask for `y`, `n` or `o` and a menu for a digit."""
ANSWERS: Final = frozenset("yYno123456789")


def check(ui: Ui, path: KeyPath, context: Context) -> None:
    """Record unknown actions, reserved keys, and keys that two actions would share."""
    owners = taken(ui.keys)
    for action, keys in ui.keys.items():
        where = context.faults.written((*path, "keys", action), tuple(action.split(".")))
        if action not in ACTIONS:
            near = nearest(action, ACTIONS)
            context.faults.add(where, "no such action", nearest=near)
            continue
        fault = _fault(action, keys, owners)
        if fault:
            context.faults.add(where, fault)


def _fault(action: str, keys: tuple[str, ...], owners: Mapping[str, list[str]]) -> str:
    if not keys and action in ("app.help", "app.quit"):
        return "needs a key"
    for key in keys:
        if RESERVED.get(key, action) != action:
            return f'"{key}" is reserved for {RESERVED[key]}'
        if action in ON_SHEETS and key in ANSWERS:
            return f'"{key}" answers questions where {action} works too'
        others = [owner for owner in owners[key] if owner != action]
        if others:
            return f'"{key}" is the key of {others[0]} as well: give one of them another'
    return ""


def effective(given: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Return the keys of each action that was given others, with the reserved ones it keeps."""
    kept = {action: key for key, action in RESERVED.items()}
    return {
        action: keys if kept.get(action, "") in ("", *keys) else (*keys, kept[action])
        for action, keys in given.items()
    }


def taken(given: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """Return which actions each key would belong to."""
    owners: dict[str, list[str]] = {}
    for action in ACTIONS:
        for key in effective(given).get(action, ACTIONS[action]):
            owners.setdefault(key, []).append(action)
    return owners
