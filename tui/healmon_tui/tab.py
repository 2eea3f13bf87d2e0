"""`python -m healmon_tui.tab`: the screen for one tab of a browser, spoken over pipes.

Started by the web server (`healmon.web.terminal`) with Textual's driver for the web.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from healmon.errors import HealmonError
from healmon.text import clean
from healmon_tui import cli

READY = b"__GANGLION__\n"
"""What Textual's driver says first, and textual-serve waits for."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the screen and return its exit code; what is wrong is told in the tab."""
    from healmon.service.tab import tab  # noqa: PLC0415 - nothing is loaded before it is needed

    try:
        return tab(sys.argv[1:] if argv is None else argv, cli.open_screen)
    except HealmonError as error:
        tell(str(error))
        return error.exit_code


def tell(text: str) -> None:
    """Write a text into the tab's terminal, as the driver would."""
    lines = clean(text, lines=True, limit=4000).splitlines()
    data = "".join(f"{line}\r\n" for line in ("healmon:", *lines)).encode()
    sys.stdout.buffer.write(b"".join((READY, b"D", len(data).to_bytes(4, "big"), data)))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
