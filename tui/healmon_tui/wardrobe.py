"""The themes that can be chosen on this terminal, and the one that is worn."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from textual.theme import Theme

from healmon_tui import fitting, themes
from healmon_tui.looks import Look
from healmon_tui.themes import Depth, Palette

if TYPE_CHECKING:
    from healmon.service.screenlook import ThemeFile

CYCLE: Final = ("dark", "light", themes.TERMINAL, "safe", "safe-light")
"""The themes that the key goes through, before a person's own; Textual's are chosen by name."""


class Wardrobe:
    """Knows every theme by the name that the configuration uses.

    Args:
        own: themes of the person's own; one that is called as one of ours replaces it.
        chosen: the first theme.
        register: hands a theme to Textual.
    """

    def __init__(
        self,
        own: Iterable[ThemeFile],
        chosen: str,
        register: Callable[[Theme], None],
        *,
        plain: bool,
        ascii_only: bool,
    ) -> None:
        self._files = {file.name: _look(file) for file in own}
        self._register = register
        self._plain = plain
        self._ascii = ascii_only
        self._depth: Depth = "truecolor"
        self.worn = themes.TERMINAL if plain or chosen not in self else chosen
        # the chosen one is come by again, also when it is one of Textual's
        self._cycle = tuple(dict.fromkeys((*CYCLE, *self._files, self.worn)))

    def __contains__(self, name: str) -> bool:
        """Tell whether there is a theme of this name."""
        return name in self._files or name in themes.KNOWN

    @property
    def names(self) -> tuple[str, ...]:
        """All themes, in the order in which they are offered."""
        return tuple(dict.fromkeys((*self._cycle, *themes.KNOWN)))

    def dress(self, name: str, depth: Depth | None = None) -> tuple[Palette, str]:
        """Put a theme on; return its palette and what Textual knows it as."""
        self.worn = name
        self._depth = depth or self._depth
        theme = self._files.get(name, name)
        made = themes.textual_theme(theme, "16" if self._plain else self._depth)
        self._register(made)
        look = themes.palette(theme, depth=self._depth, plain=self._plain, ascii_only=self._ascii)
        return look, made.name

    def after(self) -> str:
        """Return the next theme of the cycle."""
        if self.worn not in self._cycle:
            return self._cycle[0]
        return self._cycle[(self._cycle.index(self.worn) + 1) % len(self._cycle)]


def _look(file: ThemeFile) -> Look:
    base = fitting.builtin(file.base)
    assert base is not None, "themefiles allows ours only"
    return fitting.of_file(base, file.name, file.tones, file.chips, file.grounds)
