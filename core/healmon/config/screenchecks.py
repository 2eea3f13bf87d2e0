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
from healmon.config.screennames import ACTIONS, SHEETS

RESERVED: Final = {"esc": "view.back", "enter": "view.detail", "ctrl-q": "app.end"}
"""Keys that always do what they do, beside those that were given to the same action."""
ON_SHEETS: Final = frozenset(
    {
        "app.help", "app.quit", "move.down", "move.up", "move.half_down", "move.half_up",
        "view.back", "view.detail",
    }
)  # fmt: skip
"""Actions that also work where plans ask for an answer (`SHEETS`) and a menu for a digit."""
DIGITS: Final = frozenset("123456789")
FIXED: Final = {"tab": "goes on to the next", "space": "moves half a screen on"}
"""What other keys do on every sheet, whatever is given."""
NEEDED: Final = frozenset({"app.help", "app.quit", "sheet.yes"})
"""Actions that cannot be without a key."""


def check(ui: Ui, path: KeyPath, context: Context) -> None:
    """Record unknown actions, reserved keys, and keys that two actions would share."""
    owners, asking = taken(ui.keys), on_sheets(ui.keys)
    for action, keys in ui.keys.items():
        where = context.faults.written((*path, "keys", action), tuple(action.split(".")))
        if action not in ACTIONS and action not in SHEETS:
            near = nearest(action, (*ACTIONS, *SHEETS))
            context.faults.add(where, "no such action", nearest=near)
            continue
        fault = _fault(action, keys, owners, asking)
        if fault:
            context.faults.add(where, fault)


def _fault(
    action: str,
    keys: tuple[str, ...],
    owners: Mapping[str, list[str]],
    asking: Mapping[str, list[str]],
) -> str:
    if not keys and action in NEEDED:
        return "needs a key"
    for key in keys:
        if RESERVED.get(key, action) != action:
            return f'"{key}" is reserved for {RESERVED[key]}'
        if action in SHEETS and key in FIXED:
            return f'"{key}" {FIXED[key]} wherever {action} works'
        answer = next((owner for owner in asking.get(key, []) if owner in SHEETS), "")
        asked = action in ON_SHEETS or action in SHEETS
        if asked and (key in DIGITS or (answer and action not in SHEETS)):
            return f'"{key}" answers questions where {action} works too'
        known = asking if action in SHEETS else owners
        others = [owner for owner in known[key] if owner != action]
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
    """Return which actions each key would belong to, where nothing is asked."""
    return _owners(given, ACTIONS)


def on_sheets(given: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """Return which answers, and which of the actions that work there, each key would belong to."""
    return _owners(given, SHEETS | {name: ACTIONS[name] for name in sorted(ON_SHEETS)})


def _owners(
    given: Mapping[str, tuple[str, ...]], known: Mapping[str, tuple[str, ...]]
) -> dict[str, list[str]]:
    owners: dict[str, list[str]] = {}
    now = effective(given)
    for action, keys in known.items():
        for key in now.get(action, keys):
            owners.setdefault(key, []).append(action)
    return owners
