"""An app that looks and listens as the person at it wants: themes, keys."""

from __future__ import annotations

from textual.app import App
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver

from healmon.service.screenlook import ScreenLook
from healmon_tui import glyphs, keymap, themes
from healmon_tui.brush import Brush
from healmon_tui.keywords import Given, remap
from healmon_tui.listening import Listener
from healmon_tui.themes import Depth, Palette
from healmon_tui.wardrobe import Wardrobe


class Dressed(App[None]):
    """Wears one theme of a wardrobe, and has a key for each action.

    Args:
        look: theme and keys as the person wants them.
        plain: no colours; None: as the environment asks.
        ascii_only: ASCII signs; None: as the locale asks.
    """

    def __init__(self, look: ScreenLook, *, plain: bool | None, ascii_only: bool | None) -> None:
        self._plain = themes.no_colour() if plain is None else plain
        super().__init__(ansi_color=True if self._plain else None)
        self.given_keys: Given = look.keys
        self.set_keymap(remap(look.keys))
        self._told = list(look.problems)
        self.brush = Brush(self)
        self.wardrobe = Wardrobe(
            look.themes,
            look.theme,
            self.register_theme,
            plain=self._plain,
            ascii_only=glyphs.ascii_only() if ascii_only is None else ascii_only,
        )
        self.palette: Palette
        self.dress(self.wardrobe.worn)

    def get_driver_class(self) -> type[Driver]:
        """Return what reads and writes the terminal, unless the environment names another."""
        found = super().get_driver_class()
        return Listener if found is LinuxDriver else found

    def dress(self, name: str, depth: Depth | None = None) -> None:
        """Put a theme on; `depth` is how many colours the terminal turned out to know."""
        self.palette, self.theme = self.wardrobe.dress(name, depth)

    def next_theme(self) -> str:
        """Change to the next theme and return its name."""
        if self._plain:
            return "no colours (NO_COLOR)"
        self.wear(self.wardrobe.after())
        broken = f"; left out: {self._told.pop(0)}" if self._told else ""
        return f"{self.wardrobe.worn}{broken}"

    def use_theme(self, name: str) -> str:
        """Change to a theme of the wardrobe; return its name."""
        if self._plain:
            return "no colours (NO_COLOR)"
        self.wear(name)
        return name

    def wear(self, name: str) -> None:
        """Change to a theme of the wardrobe, on all screens."""
        self.dress(name)
        for screen in self.screen_stack:
            screen.refresh(layout=True)
            for widget in screen.query("*"):
                widget.refresh()

    def key(self, action: str) -> str:
        """Return the key of an action as people write it; empty: it has none."""
        return keymap.shown(action, self.given_keys)
