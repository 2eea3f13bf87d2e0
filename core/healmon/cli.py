"""The command line: what was asked, who does it, how it ends.

`service.commandtable` has all commands; everything heavy is imported by the command that needs it:
`--status` must feel instant.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias

from healmon.errors import HealmonError
from healmon.service import parsers
from healmon.service.commandtable import COMMANDS
from healmon.service.parsers import healmon_parser, tui_parser

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

__all__ = ["OpenScreen", "healmon_parser", "main", "main_tui", "state_dir_of", "tui_parser"]

OpenScreen: TypeAlias = Callable[..., int]
"""Opens the terminal UI on a link and returns its exit code; `healmon-tui` hands it in."""
FLAGS = {"no-ui": "run"}
"""Flags of `healmon-tui` whose command has another name."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `healmon`; returns the exit code of the contract."""
    words = sys.argv[1:] if argv is None else argv
    return _guarded(lambda: _run(parsers.parse(words)))


def main_tui(argv: Sequence[str] | None, open_screen: OpenScreen) -> int:
    """Run `healmon-tui`; `open_screen` is called only when a screen is wanted."""
    return _guarded(lambda: _healmon_tui(tui_parser().parsed(argv), open_screen))


def _guarded(run: Callable[[], int]) -> int:
    try:
        return run()
    except HealmonError as error:
        print(f"healmon: {error}", file=sys.stderr)  # noqa: T201 - this is the command line
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # whoever read our output has enough; do not complain when Python flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def state_dir_of(args: argparse.Namespace) -> Path:
    """Return the state directory that these arguments mean, without reading more than needed."""
    from pathlib import Path  # noqa: PLC0415 - help needs none

    from healmon.config import locate  # noqa: PLC0415 - likewise

    config = locate.find_config(getattr(args, "config", None), os.environ, Path.cwd())
    return locate.state_dir(getattr(args, "state_dir", None), os.environ, config)


def _run(args: argparse.Namespace) -> int:
    """Do what was asked, by the table of commands; returns the exit code."""
    if getattr(args, "now", False):
        from healmon.service.now import in_process  # noqa: PLC0415 - it is a healer

        args.now = False
        return in_process(args, state_dir_of(args), lambda: _run(args))
    command = COMMANDS[str(args.way)]
    if command.group == "run":
        from healmon.world import light  # noqa: PLC0415 - before anything imports asyncio

        light.without_openssl()
        light.one_heap()
    module, _, name = command.run.partition(":")
    run: Callable[..., int] = getattr(import_module(f"healmon.service.{module}"), name)
    return run(args) if command.bare else run(state_dir_of(args), args)


def _healmon_tui(args: argparse.Namespace, open_screen: OpenScreen) -> int:
    way = FLAGS.get(args.way, str(args.way))
    if args.demo and way not in {"status", "stop"}:
        from healmon.demo.run import demo  # noqa: PLC0415

        return demo(str(args.way), args, open_screen)
    if way != "tui":
        args.way = way
        return _run(args)
    from healmon.service import foreground  # noqa: PLC0415

    return foreground.screen(args, open_screen)
