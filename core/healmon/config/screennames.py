"""What the screen's actions, themes and colours are called; made by `make keys`."""

from __future__ import annotations

from typing import Final

ACTIONS: Final[dict[str, tuple[str, ...]]] = {
    "app.help": ("?",),
    "worker.restart": ("r",),
    "session.clear": ("x",),
    "session.answer": ("i",),
    "session.jump": ("o",),
    "session.touch": ("N",),
    "session.explain": ("e",),
    "session.replay": ("b",),
    "disk.clean": ("c",),
    "lock.clear": ("u",),
    "row.mark": ("space",),
    "alert.ack": ("a",),
    "alert.note": ("A",),
    "alert.silence": ("s",),
    "alert.lift": ("S",),
    "alert.pause": ("m",),
    "alert.snooze": ("z",),
    "alert.undo": ("U",),
    "move.down": ("j", "down"),
    "move.up": ("k", "up"),
    "move.half_down": ("ctrl-d", "pgdn"),
    "move.half_up": ("ctrl-u", "pgup"),
    "move.first": ("g", "home"),
    "move.last": ("G", "end"),
    "panel.next": ("tab",),
    "panel.previous": ("shift-tab",),
    "panel.1": ("1",),
    "panel.2": ("2",),
    "panel.3": ("3",),
    "panel.4": ("4",),
    "panel.5": ("5",),
    "view.detail": ("enter",),
    "view.back": ("esc",),
    "view.bigger": ("+",),
    "view.smaller": ("_", "-"),
    "view.context": ("v",),
    "view.freeze": ("p",),
    "view.theme": ("t",),
    "engine.check": ("ctrl-r",),
    "demo.fault": ("F",),
    "app.first": ("I",),
    "app.quit": ("q",),
    "app.end": ("ctrl-q",),
}
"""The keys of every action, by its id."""

THEMES: Final = (
    "dark",
    "light",
    "safe",
    "safe-light",
    "terminal",
    "atom-one-dark",
    "atom-one-light",
    "catppuccin-frappe",
    "catppuccin-latte",
    "catppuccin-macchiato",
    "catppuccin-mocha",
    "dracula",
    "flexoki",
    "gruvbox",
    "monokai",
    "nord",
    "rose-pine",
    "rose-pine-dawn",
    "rose-pine-moon",
    "solarized-dark",
    "solarized-light",
    "textual-dark",
    "textual-light",
    "tokyo-night",
)

TONES: Final = (
    "text",
    "strong",
    "dim",
    "faint",
    "ok",
    "warn",
    "bad",
    "heal",
    "calm",
    "accent",
)

CHIPS: Final = (
    "warn",
    "bad",
    "info",
    "calm",
)

GROUNDS: Final = (
    "base",
    "bar",
    "cursor",
    "cursor-away",
    "alarm",
    "sheet",
)
