"""`healmon-tui --demo`: make the throw-away world, heal it on screen, leave nothing behind."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from healmon.config.load import load
from healmon.demo.sweep import sweep
from healmon.demo.world import DemoWorld
from healmon.errors import UsageError
from healmon.service import foreground
from healmon.service.host import Host
from healmon.service.links import EngineLink
from healmon.service.log import log_to_file

RUNS: dict[str, Callable[..., int]] = {
    "once": foreground.run_once,
    "no-ui": foreground.run_reporting,
}


def demo(way: str, args: argparse.Namespace, open_screen: Callable[..., int]) -> int:
    """Open the demo world on a screen or on the page, or report on it; returns the exit code.

    Raises:
        UsageError: this way of running makes no sense in a throw-away world.
        MissingPartError: the page is wanted, and its extra is not installed.
    """
    run, more = _way(way, args)
    for line in sweep(Path(tempfile.gettempdir())):
        print(f"healmon: {line}", file=sys.stderr)  # noqa: T201 - this is the command line
    # a hang-up or SIGTERM must unwind the stack, so that the world is taken down with us
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    world = DemoWorld.create()
    try:
        with world.config_path.open("a", encoding="utf-8") as file:
            file.write(more)
        world.start()
        host = _opened(world, args)
        world.autofaults()
        if run is None:
            return _on_screen(world, host, args, open_screen)
        try:
            return run(host, json_wanted=getattr(args, "json", False))
        finally:
            host.close()
    finally:
        world.close()


def _way(way: str, args: argparse.Namespace) -> tuple[Callable[..., int] | None, str]:
    """Return what runs the host, None on a screen, and what its configuration says besides."""
    if way == "serve":
        from healmon.demo import served  # noqa: PLC0415 - the other ways need no web

        return served.run_served, served.configuration(args)
    if way not in {"tui", *RUNS}:
        raise UsageError(f"--demo and --{way} do not go together")
    return RUNS.get(way), ""


def _opened(world: DemoWorld, args: argparse.Namespace) -> Host:
    host = Host.open(
        load(world.config_path, {}),
        world.state_dir,
        mode="demo",
        dry_run=getattr(args, "dry_run", False),
        read=lambda: load(world.config_path, {}),
    )
    log_to_file(world.state_dir / "healmon.log", args)
    return host


def _on_screen(
    world: DemoWorld, host: Host, args: argparse.Namespace, open_screen: Callable[..., Any]
) -> int:
    return int(
        open_screen(
            EngineLink(host),
            demo_faults=[(f.name, f.run) for f in world.faults],
            read_only=getattr(args, "read_only", False),
            mouse=not getattr(args, "no_mouse", False),
        )
    )


def _leave(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)
