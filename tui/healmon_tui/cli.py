"""`healmon-tui`: the command line is the core's; this only knows how to open a screen."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from healmon.service.link import Link


def main(argv: Sequence[str] | None = None) -> int:
    """Run `healmon-tui` and return its exit code.

    Args:
        argv: the words after the command's name; None: this process's.
    """
    from healmon.cli import main_tui  # noqa: PLC0415 - nothing is loaded before it is needed

    return main_tui(argv, open_screen)


def entry() -> NoReturn:
    """Be the command `healmon-tui`."""
    from healmon.cli import leave  # noqa: PLC0415 - as above

    leave(main)


def open_screen(link: Link, **options: Any) -> int:  # noqa: ANN401 - `app.run` names them
    """Open the screen; the only place that loads textual."""
    gc.disable()  # the screen enables it when it is painted: until then there is nothing to collect
    from healmon_tui.spared import load_textual  # noqa: PLC0415 - as below

    load_textual()
    from healmon_tui.app import run  # noqa: PLC0415 - textual costs 200 ms that --once need not pay

    return run(link, **options)
