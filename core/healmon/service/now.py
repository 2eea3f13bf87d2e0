"""`--now`: an override without a healer that runs. This process is one, for as long as it takes.

It takes the state directory, answers just this request over the way that all of them go, and gives
the directory back: the same rules, journal, proof and words. Nothing else is healed meanwhile. With
a healer on the directory it changes nothing: that one is asked.
"""

from __future__ import annotations

import argparse
import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from healmon.clock import process_seconds
from healmon.errors import HolderError
from healmon.service import asking, instance
from healmon.service.foreground import open_host
from healmon.service.host import Host
from healmon.service.log import log_to_stderr
from healmon.service.signals import leaving
from healmon.text import clean

PATIENCE = 3600.0
"""Seconds an answer is waited for: whoever asks waits for the proof, and can press Ctrl-C."""
PAUSE = 0.5
TURN = 120.0
"""Seconds for which somebody who is about to end is waited for."""
INBOX = frozenset({"ack", "unack", "silence", "unsilence", "pause", "resume"})
"""Commands for which nothing needs to be looked at."""


def in_process(args: argparse.Namespace, state_dir: Path, command: Callable[[], int]) -> int:
    """Run a command that asks a healer, with one of our own where none runs; returns its code.

    Raises:
        HealmonError: as the command, and as opening a healer.
    """
    log_to_stderr(args)
    host = _opened(args, state_dir)
    if host is None:
        return command()
    usual, asking.ASK_PATIENCE = asking.ASK_PATIENCE, PATIENCE
    try:
        serving = _Serving(host, look=str(args.way) not in INBOX)
        with leaving():
            try:
                serving.start()
                return _answered(command, serving)
            finally:
                serving.stop()
    finally:
        asking.ASK_PATIENCE = usual
        host.close()


def _opened(args: argparse.Namespace, state_dir: Path) -> Host | None:
    """Return a healer of our own; None: one runs that can be asked.

    Who is there for one cycle, one override or an import is waited for: it would end before it
    answers.

    Raises:
        HolderError: that one does not end.
    """
    until = process_seconds() + TURN
    while True:
        holder = instance.holder(state_dir)
        # a holder that has not yet said who it is says it in a moment
        if holder is not None and holder.mode and holder.mode not in instance.PASSING:
            return None
        try:
            if holder is None or instance.wait_released(state_dir, 1.0):
                return open_host(args, "now")
        except HolderError:
            if process_seconds() > until:
                raise
        if process_seconds() > until:
            raise HolderError(f"{clean(str(state_dir))} is held by {holder}", remedy="try again")


def _answered(command: Callable[[], int], serving: _Serving) -> int:
    """Return what a command returns; it is not waited for once nobody is left to answer it.

    Raises:
        HolderError: nobody is.
        HealmonError: as the command.
    """
    done: Future[int] = Future()

    def work() -> None:
        try:
            done.set_result(command())
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            done.set_exception(error)

    threading.Thread(target=work, name="healmon-asks", daemon=True).start()
    while True:
        answering = serving.is_alive()
        try:
            return done.result(PAUSE)
        except TimeoutError:
            if not answering:
                raise HolderError(f"it could not be done here: {serving.why}") from None


class _Serving(threading.Thread):
    """A thread with a loop of its own, in which the healer answers.

    Attributes:
        why: why it ended before it was told to; empty: it did not.
    """

    def __init__(self, host: Host, *, look: bool) -> None:
        super().__init__(name="healmon-now", daemon=True)
        self._host = host
        self._look = look
        self._ready = threading.Event()
        self.why = ""

    def start(self) -> None:
        """Return once requests are answered.

        Raises:
            HolderError: they are not; says why.
        """
        super().start()
        self._ready.wait()
        if self.why:
            raise HolderError(f"it could not be done here: {self.why}")

    def run(self) -> None:
        """Answer until told to stop."""
        try:
            asyncio.run(self._host.serve(self._ready.set, look=self._look))
        except Exception as error:  # noqa: BLE001 - told to whoever waits
            self.why = clean(f"{type(error).__name__}: {error}")
        finally:
            self._ready.set()

    def stop(self) -> None:
        """Let an action under way finish, then end."""
        self._host.engine.stop("done")
        self.join()
