"""The ways to run a healer: once, in the foreground, in the background, behind a screen."""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healmon import lean, quiet
from healmon.config import locate, trust
from healmon.config.load import load
from healmon.config.paths import here
from healmon.config.settings import Settings
from healmon.errors import HolderError
from healmon.events import CycleFinished, Recorded
from healmon.service import background, instance, statedir
from healmon.service.cautions import warn
from healmon.service.log import in_journal, log_events, log_to_file, log_to_stderr
from healmon.service.systemd import Notifier
from healmon.text import clean

if TYPE_CHECKING:
    import argparse
    import asyncio

    from healmon.service.host import Host
    from healmon.state import Snapshot

log = logging.getLogger("healmon")

ENGINE_AGAIN = 5.0
"""Seconds until an engine that failed begins again."""
TURN = 0.05
"""Seconds after which a thread that computes lets another one go on, where there is no screen."""
HINT = (
    "no configuration was found: healmon looks and acts on nothing.\n"
    "  begin with: healmon init, or watch: healmon-tui --demo"
)


def configured(args: argparse.Namespace, *, screen: bool = False) -> tuple[Settings, Path]:
    """Return the settings and the state directory that these arguments mean.

    Args:
        args: of the command line.
        screen: whether the screen's theme must be there, too.

    Raises:
        ConfigError: the configuration is wrong; every fault is listed.
    """
    named = getattr(args, "config", None)
    source = locate.find_config(named, os.environ, here())
    owners = locate.owners(named, os.environ, source, here())
    settings = load(source, os.environ, screen=screen, owners=owners)
    _try_packs(settings)  # one that is wrong is told before anything starts
    state_dir = locate.state_dir(getattr(args, "state_dir", None), os.environ, source)
    return settings, state_dir


def _try_packs(settings: Settings) -> None:
    if settings.sessions.packs:
        from healmon.sessions.packs import user  # noqa: PLC0415 - few have packs of their own

        user.packs_of(settings.sessions.packs)


def again(args: argparse.Namespace, settings: Settings) -> Callable[[], Settings]:
    """Return what reads the configuration again: the same file, or the first that there is by then.

    A daemon leaves its directory, so that is kept; and whose the file was: who may write to its
    directory is not to put one of his own in its place.
    """
    environ, cwd = dict(os.environ), here()
    named = getattr(args, "config", None)
    source = Path(settings.source) if settings.source else None
    owners = locate.owners(named, environ, source, cwd)
    if source is not None and owners is None:
        owners = trust.still_known(source, environ)

    def read() -> Settings:
        found = load(source or locate.find_config(named, environ, cwd), environ, owners=owners)
        _try_packs(found)
        return found

    return read


def open_host(args: argparse.Namespace, mode: str) -> Host:
    """Return a host for these arguments, holding its state directory."""
    settings, state_dir = configured(args)
    log_to_stderr(args, settings)
    warn(trust.strangers(settings))
    if settings.source is None:
        print(f"healmon: {HINT}", file=sys.stderr)  # noqa: T201 - this is the command line
    read = None if mode == "once" else again(args, settings)
    return _hosts().open(
        settings, state_dir, mode=mode, dry_run=getattr(args, "dry_run", False),
        read=read, notifier=Notifier.take(os.environ),
    )  # fmt: skip


def _hosts() -> type[Host]:
    """Return the class of hosts, loaded with all healers and what they need: no OpenSSL."""
    lean.without_openssl()
    lean.one_heap()
    from healmon.service.host import Host  # noqa: PLC0415 - a viewer needs no healer

    return Host


def once(args: argparse.Namespace) -> int:
    """Make one full cycle, print its report, return its exit code."""
    host = open_host(args, "once")
    try:
        return run_once(host, json_wanted=getattr(args, "json", False))
    finally:
        host.close()


def run_once(host: Host, *, json_wanted: bool) -> int:
    """Run one cycle of an opened host and print it; returns the contract's exit code."""
    import asyncio  # noqa: PLC0415 - loaded with the host

    from healmon.report import cycle_data, cycle_text, exit_code, to_json  # noqa: PLC0415

    happened: list[Recorded] = []
    host.engine.subscribe(happened.append)
    snapshot = asyncio.run(_cycle(host))
    if json_wanted:
        quiet.verdict(to_json(cycle_data(snapshot, happened)))
    else:
        quiet.verdict(cycle_text(snapshot, host.healers, happened))
    return exit_code(snapshot)


async def _cycle(host: Host) -> Snapshot:
    """Make one full cycle; signals end it in order: what goes on is finished, or called off.

    Raises:
        SystemExit: it was ended so.
    """
    import asyncio  # noqa: PLC0415 - loaded with the host

    from healmon.service.signals import ENDS, heeded  # noqa: PLC0415 - it loads asyncio

    came: list[signal.Signals] = []
    cycle = asyncio.ensure_future(host.run_once())

    def leave(number: signal.Signals) -> None:
        if not came or number is signal.SIGINT:  # only who presses it twice cuts the end short
            came.append(number)
            host.engine.stop(number.name)
            cycle.cancel()

    before = {number: signal.getsignal(number) for number in ENDS}
    ends = [signal.SIGINT, *(n for n in ENDS if before[n] is not signal.SIG_IGN)]
    try:
        with heeded({number: partial(leave, number) for number in ends}):
            return await cycle
    except asyncio.CancelledError:
        if came:
            raise SystemExit(128 + came[0]) from None
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)  # the demo's still have a world to take down


def no_ui(args: argparse.Namespace) -> int:
    """Run in the foreground, one report a cycle, until SIGINT or SIGTERM."""
    host = open_host(args, "no-ui")
    if in_journal():
        host.engine.subscribe(log_events)
    try:
        return run_reporting(host, json_wanted=getattr(args, "json", False))
    finally:
        host.close()


def run_reporting(host: Host, *, json_wanted: bool) -> int:
    """Run an opened host until a signal, printing a report after each cycle; returns 0."""
    import asyncio  # noqa: PLC0415 - loaded with the host

    from healmon.report import cycle_data, cycle_text, to_json  # noqa: PLC0415 - as above

    happened: list[Recorded] = []

    def tell(record: Recorded) -> None:
        happened.append(record)
        if not isinstance(record.event, CycleFinished):
            return
        # the engine holds its stream while it tells us: print from its loop, a moment later
        asyncio.get_running_loop().call_soon(print_report)

    def print_report() -> None:
        records, happened[:] = list(happened), []
        snapshot = host.engine.snapshot
        text = (
            to_json(cycle_data(snapshot, records))
            if json_wanted
            else cycle_text(snapshot, host.healers, records)
        )
        try:
            print(text, flush=True)  # noqa: T201 - the report
        except OSError as error:
            log.warning("the report cannot be written, healing goes on: %s", error.strerror)
            if isinstance(error, BrokenPipeError):  # nobody reads them any more
                quiet.now()

    host.engine.subscribe(tell)
    asyncio.run(run_until_signalled(host))
    return 0


async def run_until_signalled(host: Host, began: Callable[[], None] | None = None) -> None:
    """Run a host; SIGTERM and SIGINT end it in order, SIGUSR1: look now, SIGHUP: reread.

    Args:
        host: opened, not yet running.
        began: called once, when the signals are answered and the engine is about to start.
    """
    import asyncio  # noqa: PLC0415 - loaded with the host

    from healmon.service.signals import heeded  # noqa: PLC0415 - it loads asyncio

    # no screen waits for its turn: fewer turns cost fewer wake-ups
    sys.setswitchinterval(TURN)
    leaving = asyncio.Event()

    def leave(reason: str) -> None:
        host.notifier.stopping()
        host.engine.stop(reason)
        leaving.set()

    rereading: set[asyncio.Task[None]] = set()

    def reread() -> None:
        task = asyncio.ensure_future(host.reload("SIGHUP"))
        rereading.add(task)
        task.add_done_callback(rereading.discard)

    heeding = heeded(
        {
            signal.SIGTERM: partial(leave, "SIGTERM"),
            signal.SIGINT: partial(leave, "SIGINT"),
            signal.SIGUSR1: host.engine.check_now,
            signal.SIGHUP: reread,
        }
    )
    with heeding:
        if began is not None:
            began()
        await _run_on(host, leaving)


async def _run_on(host: Host, leaving: asyncio.Event) -> None:
    """Run a host; an engine that fails begins again, unless it never finished a cycle."""
    import asyncio  # noqa: PLC0415 - loaded with the host

    proven = asyncio.Event()

    def heard(record: Recorded) -> None:
        if isinstance(record.event, CycleFinished):
            proven.set()

    host.engine.subscribe(heard)
    while True:
        try:
            return await host.run()
        except Exception as error:
            if not proven.is_set():
                raise
            said = clean(f"{type(error).__name__}: {error}")
            log.critical("the engine failed and begins again in %g s: %s", ENGINE_AGAIN, said)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(leaving.wait(), ENGINE_AGAIN)


def daemon(args: argparse.Namespace) -> int:
    """Detach; return when the daemon is proven up, or say why it is not."""
    settings, state_dir = configured(args)  # every error is told before the terminal is let go
    warn(trust.strangers(settings))
    state_dir = statedir.prepare(state_dir)
    dry_run = getattr(args, "dry_run", False)
    log_file = state_dir / "healmon.log"
    read, notifier = again(args, settings), Notifier.take(os.environ)
    hosts = _hosts()

    def serve(up: Callable[[], None]) -> None:
        import asyncio  # noqa: PLC0415 - loaded with the hosts

        log_to_file(log_file, args, settings)
        notifier.main_pid = os.getpid()
        host = hosts.open(
            settings, state_dir, mode="daemon", dry_run=dry_run, read=read, notifier=notifier
        )
        try:
            proven = False

            def first_heartbeat(record: Recorded) -> None:
                nonlocal proven
                log_events(record)
                if not proven and isinstance(record.event, CycleFinished):
                    proven = True
                    background.write_pid_file(state_dir / "healmon.pid")
                    up()

            host.engine.subscribe(first_heartbeat)
            asyncio.run(run_until_signalled(host))
        finally:
            background.remove_pid_file(state_dir / "healmon.pid")
            host.close()

    logged = background.logged(log_file)
    started = background.detach(serve)
    if started.pid is None:
        raise started.error(log_file, logged)
    told = {"pid": started.pid, "log": str(log_file), "state_dir": str(state_dir)}
    text = f"healmon runs: pid {started.pid}, log {log_file}"
    print(json.dumps(told) if getattr(args, "json", False) else text)  # noqa: T201 - this is the command line
    return 0


def screen(args: argparse.Namespace, open_screen: Callable[..., int]) -> int:
    """Open the terminal UI on our own healer, or attached to the one that runs already."""
    gc.disable()  # for as long as nothing but modules is loaded; the screen enables it again
    try:
        return _screen(args, open_screen)
    finally:
        gc.enable()


def _screen(args: argparse.Namespace, open_screen: Callable[..., int]) -> int:
    lean.without_openssl()
    from healmon.service.links import EngineLink  # noqa: PLC0415 - for screens only
    from healmon.service.screenlook import look_of  # noqa: PLC0415 - likewise
    from healmon.service.takeover import Relay  # noqa: PLC0415 - likewise

    settings, state_dir = configured(args, screen=True)
    options: dict[str, Any] = {
        "look": look_of(settings, os.environ),
        "read_only": getattr(args, "read_only", False),
        "mouse": not getattr(args, "no_mouse", False),
    }
    state_dir = statedir.prepare(state_dir)

    def take() -> Host:
        # read anew: a take-over may come hours later
        settings, _ = configured(args)
        log_to_file(state_dir / "healmon.log", args, settings)
        dry_run = getattr(args, "dry_run", False)
        read = again(args, settings)
        host = _hosts().open(settings, state_dir, mode="tui", dry_run=dry_run, read=read)
        host.engine.subscribe(log_events)
        return host

    host = None
    # who only looks is no healer, and keeps none from starting; without a configuration all do
    looks = options["read_only"] and settings.source is not None
    if looks:
        _must_be_known(state_dir)
    if instance.holder(state_dir) is None and not looks:
        with contextlib.suppress(HolderError):  # another one was a moment faster: look at it
            host = take()
    if host is not None and settings.source is None:
        return _first_run(EngineLink(host), open_screen, options)
    if host is not None:
        return open_screen(EngineLink(host), **options)
    if getattr(args, "dry_run", False):
        options["read_only"] = True  # that healer would do what is asked of it
    taker = None if options["read_only"] else take
    return open_screen(Relay(state_dir, settings.sessions.packs, taker), **options)


def _must_be_known(state_dir: Path) -> None:
    if not (state_dir / statedir.DATABASE).exists():
        raise HolderError(
            f"no healer has run on {state_dir} yet: there is nothing to look at",
            remedy="start one (healmon daemon), or leave out --read-only",
        )


def _first_run(link: object, open_screen: Callable[..., int], options: dict[str, Any]) -> int:
    """Open the screen where there is no configuration; begin anew once there is one, if wanted."""
    from healmon.service.firstrun import SystemFirstRun  # noqa: PLC0415 - for screens only

    first = SystemFirstRun(os.environ, here())
    code = open_screen(link, first=first, **options)
    if first.again:
        words = [sys.executable, "-P", "-m", "healmon_tui", *sys.argv[1:]]
        os.execv(sys.executable, words)  # noqa: S606 - same program, now with a configuration
    return code
