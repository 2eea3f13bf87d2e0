"""Numbers for Prometheus on an address of their own: nothing but `/metrics`, for reading.

A process of its own, which looks on like a screen: by hand (`healmon metrics --listen`), or started
by a healer (`python -m healmon.service.exporter`; see `sides`). If its healer is killed it goes on
and tells that none runs, so that somebody is told; once another healer is there it makes way for
that one's own.

    a thread: the store ─▶ folding ─▶ snapshot        a thread per connection: snapshot ─▶ text
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from healmon.clock import SystemClock
from healmon.config import extras
from healmon.config.metricskeys import EXTRA, MISSING
from healmon.config.webkeys import Address, parse
from healmon.errors import HealmonError, MissingPartError
from healmon.metrics import Facts, Family, Process, families
from healmon.metrics.vitals import EVERY, Vitals
from healmon.service import instance
from healmon.service.folding import Folding
from healmon.service.push import Ear
from healmon.state import Snapshot
from healmon.text import clean
from healmon.world import tether

if TYPE_CHECKING:
    from healmon.metrics.listener import Listener

CALM: Final = 0.25
"""Seconds between two looks at the store, however often it rings."""
WAY: Final = 5.0
"""Seconds in which the exporter of a healer before ours makes way."""
TRY: Final = 0.2


class _Seen(NamedTuple):
    snapshot: Snapshot = Snapshot()
    holder: instance.Holder | None = None
    process: Process | None = None


class Watch:
    """What is known of a healer now; followed in a thread.

    Args:
        state_dir: whose healer is looked at; none need run, nor ever have.
        replaced: called, in that thread, when another healer is there than at the beginning, or
            the state directory is gone.
        failed: called, in that thread, when nobody looks any more: what is told would be old.

    Attributes:
        looks: how often was looked; it grows for as long as somebody looks.
        fault: why nobody does; empty: somebody does.
    """

    def __init__(
        self,
        state_dir: Path,
        replaced: Callable[[], object] = bool,
        failed: Callable[[], object] = bool,
    ) -> None:
        self._state_dir = state_dir
        self._replaced = replaced
        self._failed = failed
        self.looks = 0
        self.fault = ""
        self._clock = SystemClock()
        self._vitals = Vitals(self._clock)
        self._looked = float("-inf")
        self._folding = Folding(state_dir)
        self._seen = _Seen()
        self._ear = Ear(state_dir)
        self._ended = threading.Event()
        self._look()
        self._first = self._seen.holder
        self._thread = threading.Thread(target=self._follow, name="healmon-watch", daemon=True)
        self._thread.start()

    def families(self) -> tuple[Family, ...]:
        """Return the families of now; asks nothing of the world."""
        snapshot, holder, process = self._seen
        facts = Facts(holder is not None, self._clock.read().wall, process)
        return families(snapshot, facts)

    def marks(self) -> tuple[object, ...]:
        """Return what the families are made of."""
        return self._seen

    def close(self) -> None:
        """Look no more."""
        self._ended.set()
        self._ear.interrupt()
        self._thread.join()
        self._ear.close()
        self._folding.close()

    def _follow(self) -> None:
        try:
            while not self._ended.wait(CALM):
                self._ear.wait()
                self._look()
                self.looks += 1
                holder = self._seen.holder
                another = holder is not None and holder != self._first
                if another or not self._state_dir.is_dir():
                    self._replaced()
        except Exception as error:  # noqa: BLE001 - told by whoever runs us
            self.fault = clean(f"a fault of the exporter: {type(error).__name__}: {error}")
            self._failed()

    def _look(self) -> None:
        # a store that cannot be read now keeps its last state: the age of the last cycle tells
        with suppress(HealmonError, OSError, msgspec.MsgspecError):
            self._folding.look()
        holder, process = instance.holder(self._state_dir), self._seen.process
        now = self._clock.read().steady
        if holder is None or holder != self._seen.holder or now - self._looked >= EVERY:
            process = self._vitals.look(None if holder is None else holder.pid)
            self._looked = now
        self._seen = _Seen(self._folding.snapshot, holder, process)


def run(
    state_dir: Path,
    where: Address,
    up: Callable[[Address], None],
    *,
    network: bool = False,
    child: bool = False,
    beat: Callable[[], object] = bool,
) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        state_dir: whose healer is looked at.
        where: to listen; port 0 is any that is free.
        up: called with the address once it can be asked.
        network: it may be asked by other names than those of this very host.
        child: a healer started us: make way when another one is there.
        beat: called every `tether.BEAT` seconds, for as long as somebody looks on.

    Raises:
        MissingPartError: the extra is missing, or the address cannot be listened on.
        HealmonError: nobody looks on any more.
    """
    if not extras.installed(EXTRA):
        raise MissingPartError(MISSING)
    from healmon.metrics.listener import Listener  # noqa: PLC0415 - the extra

    end = threading.Event()

    def ended(_number: int, _frame: object) -> None:
        end.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ended)
    watch = Watch(state_dir, end.set if child else bool, end.set)
    try:
        listen = partial(Listener, where, watch.families, watch.marks, network=network)
        listener = _listening(listen, where, end, WAY if child else 0.0)
        if listener is None:
            return
        up(listener.address)
        looks = 0
        while not end.wait(tether.BEAT):
            if watch.looks != looks:
                looks = watch.looks
                beat()
        listener.close()
        if watch.fault:
            raise HealmonError(watch.fault)
    finally:
        watch.close()


def _listening(
    listen: Callable[[], Listener], where: Address, end: threading.Event, patience: float
) -> Listener | None:
    """Return what listens, once whoever has the address makes way; None: we are to end."""
    left = patience
    while not end.is_set():
        try:
            return listen()
        except OSError as error:
            if left <= 0:
                raise MissingPartError(
                    f"cannot listen on {where}: {error.strerror}",
                    remedy="name another address or port: metrics.listen",
                ) from None
        end.wait(TRY)
        left -= TRY
    return None


def main() -> int:
    """Be the program that a healer starts: ADDRESS TOLD STATE_DIR [--network]."""
    address, told, state_dir, *more = sys.argv[1:]
    pipe = int(told)
    os.set_inheritable(pipe, False)  # noqa: FBT003 - as it is declared
    os.set_blocking(pipe, False)  # a healer that stands still hears it later
    tether.expendable()

    def tell(text: str) -> None:
        with suppress(OSError):  # the healer was killed a moment ago
            os.write(pipe, f"{text}\n".encode())

    try:
        run(
            Path(state_dir), parse(address), lambda at: tell(f"up http://{at}/metrics"),
            network="--network" in more, child=True, beat=lambda: tell("beat"),
        )  # fmt: skip
    except HealmonError as error:
        tell(f"failed {clean(str(error.args[0] if error.args else error))}")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
