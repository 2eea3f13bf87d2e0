"""What a person wants the screen to look like: `[ui]` and theme files, resolved for the screen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from healmon.config.settings import Settings
    from healmon.config.themefiles import ThemeFile as ThemeFile  # noqa: PLC0414 - the screen's name for it


class ScreenLook(msgspec.Struct, frozen=True, kw_only=True):
    """How a screen is to look.

    Attributes:
        theme: the name of the first theme.
        mouse: let the terminal report the mouse.
        keys: keys that were given to actions, by the action's id; none: no key.
        themes: themes of the person's own.
        problems: one line for each theme file that cannot be used.
    """

    theme: str = "dark"
    mouse: bool = True
    keys: dict[str, tuple[str, ...]] = {}
    themes: tuple[ThemeFile, ...] = ()
    problems: tuple[str, ...] = ()


def look_of(settings: Settings, environ: Mapping[str, str]) -> ScreenLook:
    """Return what the configuration says of the screen."""
    from healmon.config import (  # noqa: PLC0415 - a screen that is given its look needs neither
        screenchecks,
        themefiles,
    )

    source = None if settings.source is None else Path(settings.source)
    themes, problems = themefiles.usable(source, environ)
    return ScreenLook(
        theme=settings.ui.theme,
        mouse=settings.ui.mouse,
        keys=screenchecks.effective(settings.ui.keys),
        themes=themes,
        problems=tuple(map(str, problems)),
    )
