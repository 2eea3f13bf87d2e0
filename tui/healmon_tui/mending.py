"""What is mended in Textual 8.2.8, until a version without the fault is used (it is pinned)."""

from __future__ import annotations

from functools import lru_cache

# the module is private, and so is what is wrong in it
from textual._styles_cache import StylesCache
from textual.color import Color
from textual.style import Style


def mend() -> None:
    """Let go of screens that were closed.

    The cache of `StylesCache.get_inner_outer` has the object itself in its keys, and with it all
    lines that a screen ever painted: 100 KiB for each screen that was opened (textual #6665).
    """
    StylesCache.get_inner_outer = _inner_outer  # type: ignore[method-assign,assignment]  # pyright: ignore[reportAttributeAccessIssue]


def _inner_outer(_cache: StylesCache, base: Color, background: Color) -> tuple[Style, Style]:
    return _styles(base, background)


@lru_cache(maxsize=256)
def _styles(base: Color, background: Color) -> tuple[Style, Style]:
    return Style(background=base + background), Style(background=base)
