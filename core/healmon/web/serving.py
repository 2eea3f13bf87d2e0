"""`healmon serve`: the page in the browser, until it is told to end."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from healmon.config import extras, webkeys
from healmon.config.facesettings import Web
from healmon.config.webkeys import Address
from healmon.errors import MissingPartError, UsageError
from healmon.service import statedir
from healmon.service.commandline import say
from healmon.service.foreground import configured
from healmon.service.log import log_to_stderr
from healmon.web import mine, whereabouts
from healmon.world import tether

if TYPE_CHECKING:
    from healmon.web import running

DEFAULT: Final = Address("127.0.0.1", 8080)
LOOK: Final = tether.BEAT
"""Seconds between two looks whether the state directory is still there."""


def serve(args: argparse.Namespace) -> int:
    """Serve the page until SIGINT or SIGTERM; returns 0.

    Raises:
        MissingPartError: the extra is not installed, or the address cannot be listened on.
        UsageError: the address is none, or is open to the network without a guard.
    """
    must_be_installed()
    settings, state_dir = configured(args)
    where, chosen = asked(args, settings.web)
    state_dir = statedir.prepare(state_dir)
    log_to_stderr(args, settings)
    lock = mine.take(state_dir, mine.BY_HAND)
    try:
        asyncio.run(until_told(state_dir, chosen, where, _greet, settings.source or ""))
    finally:
        lock.release()
    return 0


def must_be_installed() -> None:
    """Make sure that the extra is installed.

    Raises:
        MissingPartError: it is not; says how.
    """
    if not extras.installed(webkeys.EXTRA):
        raise MissingPartError(webkeys.MISSING)


def asked(args: argparse.Namespace, settings: Web) -> tuple[Address, Web]:
    """Return where to listen, and `[web]` as the command line amends it: a dry run only looks.

    Raises:
        UsageError: that is no address, or one that must not be listened on so.
    """
    given = getattr(args, "address", None)  # an empty word, of an unset variable, is no address
    words = (settings.listen or str(DEFAULT)) if given is None else str(given)
    public = str(getattr(args, "behind_proxy", None) or "") or settings.public_url
    try:
        where = webkeys.parse(words)
        public = webkeys.origin_of(public) if public else ""
    except ValueError as error:
        raise UsageError(f"serve: {public or words or repr(words)}: {error}") from None
    acts = settings.operator and not getattr(args, "dry_run", False)
    chosen = replace(settings, listen=str(where), public_url=public, operator=acts)
    fault = webkeys.unguarded(chosen) or webkeys.clear_text(public)
    if fault:
        raise UsageError(f"serve {where}: {fault}", remedy="see: docs/web.md")
    return where, chosen


def url_of(args: argparse.Namespace, settings: Web) -> str:
    """Return where a server would be to be found."""
    where, chosen = asked(args, settings)
    return chosen.public_url or f"{'https' if chosen.cert else 'http'}://{where}"


async def until_told(
    state_dir: Path,
    settings: Web,
    where: Address,
    up: Callable[[running.Serving], None],
    config: str = "",
    *,
    beat: Callable[[], object] = bool,
) -> None:
    """Serve until SIGINT or SIGTERM, or until there is nothing left to look at.

    Args:
        state_dir: ours alone, and this process's to serve.
        settings: `[web]`.
        where: to listen.
        up: called once it can be asked.
        config: the configuration's file, for those who must read it, too; empty: the usual one.
        beat: called every `LOOK` seconds, for as long as the server goes on and looks on.

    Raises:
        HealmonError: as `running.opened`.
    """
    from healmon.web import running  # noqa: PLC0415 - aiohttp, which a wrong word need not load

    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    async with running.opened(state_dir, settings, where) as serving:
        serving.context.config = config
        with suppress(OSError):  # a full disk: `web-token` knows the configured address only
            whereabouts.note(state_dir, serving.url)
        up(serving)
        looks = -1
        while not end.is_set() and await asyncio.to_thread(state_dir.is_dir):
            if serving.context.live.looks != looks:
                looks = serving.context.live.looks
                beat()
            serving.certificate.renew()
            with suppress(TimeoutError):
                await asyncio.wait_for(end.wait(), LOOK)


def _greet(serving: running.Serving) -> None:
    tokens, settings = serving.context.keys.tokens, serving.context.settings
    say(f"healmon is at {serving.url}/#health")
    say(f"log in to look: {serving.url}/login#{tokens.viewer}")
    if settings.operator:
        say("log in to act:  healmon web-token --operator   prints its address")
    sys.stdout.flush()
