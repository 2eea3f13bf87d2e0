"""Textual without what it needs in other programs: 3 MiB, and a tenth of the first picture.

Textual 8.2.8 loads its command palette (with lists, trees and inputs), its help for mistakes in
style sheets and more for every program. What stands in for them here loads the real one when it
is called; once Textual is there, whoever imports one of them gets the real one at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any, Final

_LATER: Final = (
    "platformdirs",
    "rich.table",
    "rich.tree",
    "textual.command",
    "textual.css._help_renderables",
    "textual.css._help_text",
    "textual.suggestions",
)
"""What Textual only calls when a person opens its palette, or a program is wrong."""
_KNOWN: Final[dict[str, dict[str, object]]] = {
    # a class is made of the first, the second only says what something is
    "textual.command": {"Provider": object, "Hits": object},
}


def load_textual() -> None:
    """Load Textual's app, unless it is loaded already."""
    if "textual" in sys.modules:
        return
    made = [_Later(name) for name in _LATER if name not in sys.modules]
    sys.modules.update({later.__name__: later for later in made})
    try:
        import_module("textual.app")
    finally:
        for later in made:
            if sys.modules.get(later.__name__) is later:
                del sys.modules[later.__name__]


class _Later(ModuleType):
    """Stands in for a module: its functions are loaded when they are called."""

    def __getattr__(self, name: str) -> object:
        known = _KNOWN.get(self.__name__, {})
        if name in known:
            return known[name]
        if name.startswith("__"):
            raise AttributeError(name)
        return _later(self.__name__, name)


def _later(module: str, name: str) -> Callable[..., Any]:
    def call(*args: Any, **more: Any) -> Any:  # noqa: ANN401 - whatever the real one takes and gives
        return getattr(import_module(module), name)(*args, **more)

    return call
