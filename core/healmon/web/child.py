"""The web server that a healer starts beside itself: `python -m healmon.web.child`; see `sides`.

It says how it fares on the pipe that it is given, and to nobody else but its log.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from healmon.errors import HealmonError
from healmon.service import sides, statedir
from healmon.service.foreground import configured
from healmon.service.log import log, log_to_file
from healmon.text import clean
from healmon.web import mine, serving
from healmon.world import tether

LOG: Final = "web.log"
"""In the folder `web` of the state directory."""


def main() -> int:
    """Serve until told to end; returns the exit code."""
    parser = argparse.ArgumentParser(prog="healmon.web.child")
    parser.add_argument("address")
    parser.add_argument("told", type=int)
    parser.add_argument("--state-dir", required=True)
    parser.add_argument("--config")
    args = parser.parse_args()
    os.set_inheritable(args.told, False)  # noqa: FBT003 - as it is declared
    os.set_blocking(args.told, False)  # a healer that stands still hears it later
    tether.expendable()

    def tell(text: str) -> None:
        with suppress(OSError):  # the healer was killed a moment ago
            os.write(args.told, f"{text}\n".encode())

    try:
        _serve(args, tell)
    except HealmonError as error:
        tell(f"failed {clean(str(error.args[0] if error.args else error))}")
        return error.exit_code
    return 0


def _serve(args: argparse.Namespace, tell: Callable[[str], None]) -> None:
    serving.must_be_installed()
    settings, state_dir = configured(args)
    where, chosen = serving.asked(args, settings.web)
    state_dir = statedir.prepare(state_dir)
    folder = statedir.prepare(state_dir / statedir.WEB)
    log_to_file(Path(folder) / LOG, args, settings)
    logging.getLogger("aiohttp").handlers = log.handlers
    lock = mine.take(state_dir, sides.CHILD)
    try:
        up = serving.until_told(
            state_dir, chosen, where, lambda up: tell(f"up {up.url}"), settings.source or "",
            beat=lambda: tell("beat"),
        )  # fmt: skip
        asyncio.run(up)
    finally:
        lock.release()


if __name__ == "__main__":
    sys.exit(main())
