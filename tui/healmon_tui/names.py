"""The names of the screen as the core may know them, so that `healmon check` needs no screen.

`python -m healmon_tui.names` prints `core/healmon/config/screennames.py`; `make keys` writes it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import get_args

from healmon_tui import keymap, themes
from healmon_tui.keywords import written
from healmon_tui.paint import Ground, Tone

HEAD = '''"""What the screen's actions, themes and colours are called; made by `make keys`."""

from __future__ import annotations

from typing import Final
'''


def source() -> str:
    """Return the module."""
    actions = [
        f"    {_text(a.id)}: {_keys([written(key) for key in a.keys])}," for a in keymap.ACTIONS
    ]
    sheets = [
        f"    {_text(a.id)}: {_keys([written(key) for key in a.keys])}," for a in keymap.SHEETS
    ]
    tones = [tone for tone in get_args(Tone) if not tone.startswith("chip-")]
    chips = [tone.removeprefix("chip-") for tone in get_args(Tone) if tone.startswith("chip-")]
    lines = [
        HEAD,
        "ACTIONS: Final[dict[str, tuple[str, ...]]] = {",
        *actions,
        "}",
        '"""The keys of every action, by its id."""',
        "",
        "SHEETS: Final[dict[str, tuple[str, ...]]] = {",
        *sheets,
        "}",
        '"""The keys of every answer on a sheet, likewise."""',
        *_tuple("THEMES", themes.KNOWN),
        *_tuple("TONES", tones),
        *_tuple("CHIPS", chips),
        *_tuple("GROUNDS", get_args(Ground)),
    ]
    return "\n".join(lines) + "\n"


def _keys(keys: list[str]) -> str:
    inside = ", ".join(map(_text, keys))
    return f"({inside},)" if len(keys) == 1 else f"({inside})"


def _tuple(name: str, words: Iterable[str]) -> list[str]:
    return ["", f"{name}: Final = (", *(f"    {_text(word)}," for word in words), ")"]


def _text(word: str) -> str:
    return f"'{word}'" if '"' in word else f'"{word}"'.replace("\\", "\\\\")


if __name__ == "__main__":
    sys.stdout.write(source())
