"""The only door to time.

Three clocks, three uses:

* **wall**: seconds since the epoch, UTC. For people, files and other programs' timestamps. It
  can step.
* **steady**: seconds on a timeline that never steps and does not count suspend
  (`CLOCK_MONOTONIC`, anchored to the wall clock of the first run in this boot). For every age,
  deadline, window and backoff; comparable across healmon's restarts.
* **boot**: `CLOCK_BOOTTIME`, which counts suspend. Together with the other two it tells a suspend
  (boot ran ahead of steady) from a clock step (wall ran ahead of boot).

One rule for what a set clock may change: nothing. What lasts was asked for in seconds, and it lasts
as many *lived* seconds, whatever the wall clock is made to say meanwhile:

| what | by which clock |
|---|---|
| ages, deadlines, windows, backoffs in memory | steady |
| moments of the snapshot (ends, since, told, tried) | wall, moved along by `ClockJumped` |
| stamps of files, of stored rows, of other programs | wall, read through `age` and `cutoff` |

A clock knows when it was set (`steps`), and the snapshot keeps that for the next run. While healmon
was down in the same boot, wall against boot still tells a step. Over a boot only the wall clock
tells how long the host was off: it is believed for `BELIEVED` seconds. A clock that stands behind
what is stored, or further ahead, counts as set: nothing ends, and nothing grows old, by what may be
a flat battery.
"""

from __future__ import annotations

import time
from _thread import allocate_lock
from datetime import UTC, datetime
from pathlib import Path

from healmon.named import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final, Protocol, TypeAlias
else:
    Protocol = object  # `typing` would take `status` longer than all the rest here

STEP_TOLERANCE: Final = 2.0
"""Seconds by which clocks may drift apart between two readings before it counts as a change."""


TOGETHER: Final = 0.5
"""Seconds within which all clocks are read: what lies between them must not look like a step."""


GRAIN: Final = 0.001
"""Seconds for which one reading serves all that ask: nothing is told or stored any finer."""


BELIEVED: Final = 1800.0
"""Seconds for which a wall clock is believed that a host was off: a longer while may be a step."""

STEPS_KEPT: Final = 200
"""How many steps of the clock are kept, newest last."""

Steps: TypeAlias = tuple[tuple[float, float, float], ...]
"""When the wall clock was set, oldest first: the least that it showed afterwards, how far it was
set, and within how many seconds: between two readings nobody knows when."""


class Reading(NamedTuple):
    """One look at all clocks, in seconds."""

    wall: float
    steady: float
    boot: float


class Gap(NamedTuple):
    """What happened to the clocks between two readings, in seconds; 0.0 means nothing."""

    suspended: float
    stepped: float

    def __bool__(self) -> bool:
        return self.suspended != 0.0 or self.stepped != 0.0


def gap(before: Reading, after: Reading, tolerance: float = STEP_TOLERANCE) -> Gap:
    """Return how long the host slept and how far the wall clock was set between two readings.

    Args:
        before: the earlier reading.
        after: the later reading.
        tolerance: seconds of drift that count as nothing (NTP slews).
    """
    boot = after.boot - before.boot
    suspended = boot - (after.steady - before.steady)
    stepped = (after.wall - before.wall) - boot
    return Gap(
        suspended=suspended if abs(suspended) > tolerance else 0.0,
        stepped=stepped if abs(stepped) > tolerance else 0.0,
    )


def kept(steps: Steps, wall: float, by: float, within: float = 0.0) -> Steps:
    """Return the steps after one more; by 0.0 is none.

    Args:
        steps: those before.
        wall: what the clock shows at the first reading after it.
        by: how far it was set.
        within: seconds since the reading before.
    """
    return (*steps, (wall - within, by, within))[-STEPS_KEPT:] if by else steps


def age(steps: Steps, stamp: float, now: float) -> float:
    """Return how many seconds were lived since a stamp of the wall clock, at least.

    Where the clock was set back the same stamp came twice: the later one counts.

    Args:
        steps: when the clock was set.
        stamp: wall seconds; one that no clock has shown yet is of this moment.
        now: wall seconds.
    """
    lived, end, slack, leapt = 0.0, now, 0.0, 0.0
    for start, by, within in reversed(steps):
        if start <= stamp <= end + slack:
            return max(lived + end - stamp, 0.0)
        lived += max(end - start, 0.0)
        end, slack = start - by, within
        if end + slack < stamp < start:  # no clock of ours has made that
            leapt = leapt or max(lived + end - stamp, 0.0)
    return max(lived + end - stamp, 0.0) if stamp <= end + slack else leapt


def shown(steps: Steps, stamp: float, now: float) -> bool:
    """Return whether the wall clock has ever stood as high as a stamp, as far as is known."""
    return stamp <= max((now, *(start - by + within for start, by, within in steps)))


def cutoff(steps: Steps, seconds: float, now: float) -> float:
    """Return the wall moment before which every stamp is so many lived seconds old, for sure.

    Args:
        steps: when the clock was set.
        seconds: how old.
        now: wall seconds.
    """
    left, end, earliest = seconds, now, now
    for start, by, within in reversed(steps):
        lived = max(end - start, 0.0)
        if left <= 0.0 or lived - within >= left:
            break
        # what was stamped before the step was noticed may be of either side of it
        earliest = min(earliest, max(start, end - left))
        left, end = left - lived, start - by
    return min(earliest, end - left)


class Clock(Protocol):
    """What every part of healmon that needs time is given."""

    @property
    def steps(self) -> Steps:
        """When the wall clock was set, as far as is known."""
        ...  # noqa: PIE790 - a protocol, to the checkers

    def read(self) -> Reading:
        """Return all clocks at this moment."""
        ...  # noqa: PIE790 - a protocol, to the checkers

    async def sleep(self, seconds: float) -> None:
        """Return after so many steady seconds; 0 yields to other tasks once."""
        ...  # noqa: PIE790 - a protocol, to the checkers

    def alarm(self, seconds: float, ring: Callable[[], object]) -> Callable[[], object]:
        """Have something called in the running event loop after so many steady seconds.

        Returns:
            What calls it off.
        """
        ...  # noqa: PIE790 - a protocol, to the checkers


class SystemClock:
    """The machine's clocks.

    Args:
        offset: what to add to CLOCK_MONOTONIC to get steady seconds. Default: anchor to the wall
            clock now. A healer hands in the offset of its last run in the same boot, so that
            stored steady times stay comparable even when the wall clock was set in between.
        steps: when the wall clock was set before.
    """

    def __init__(self, offset: float | None = None, steps: Steps = ()) -> None:
        self.offset = time.time() - time.monotonic() if offset is None else offset
        self._steps = steps
        self._noting = allocate_lock()
        self._ahead = self._read_at = 0.0
        self._newest: tuple[float, Reading] = (float("-inf"), Reading(0.0, 0.0, 0.0))
        self._noted_at = float("inf")  # there is nothing yet to compare the first reading with
        now = SystemClock.read(self)
        self._ahead, self._noted_at = now.wall - now.boot, now.boot

    @property
    def steps(self) -> Steps:
        """When the wall clock was set, as far as is known."""
        return self._steps

    def read(self) -> Reading:
        """Return all clocks at this moment.

        Stopped or put to sleep between two of them, they would tell of a step that never was.
        """
        read_at, newest = self._newest
        if time.monotonic() - read_at < GRAIN:
            return newest
        tries = 4
        while True:
            wall, mono = time.time(), time.monotonic()
            boot = time.clock_gettime(time.CLOCK_BOOTTIME)
            tries -= 1
            if not tries or abs(time.time() - wall) < TOGETHER:
                break
        if abs(wall - boot - self._ahead) > STEP_TOLERANCE:
            self._note(wall, boot)
        self._read_at = boot
        newest = Reading(wall, mono + self.offset, boot)
        self._newest = mono, newest
        return newest

    def _note(self, wall: float, boot: float) -> None:
        """Remember a step since the reading before; threads may come late with older ones."""
        with self._noting:
            stepped = wall - boot - self._ahead
            if boot > self._noted_at and abs(stepped) > STEP_TOLERANCE:
                self._steps = kept(self._steps, wall, stepped, max(boot - self._read_at, 0.0))
                self._ahead, self._noted_at = wall - boot, boot

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""
        import asyncio  # noqa: PLC0415 - 40 ms that `--status` need not wait for

        await asyncio.sleep(seconds)

    def alarm(self, seconds: float, ring: Callable[[], object]) -> Callable[[], object]:
        """Have something called in the running event loop after so many seconds."""
        import asyncio  # noqa: PLC0415 - as above

        return asyncio.get_running_loop().call_later(max(seconds, 0.0), ring).cancel


class ManualClock:
    """A clock that moves only when told, or when everybody waits for it.

    `sleep()` jumps straight to the sleeper's moment when `autojump` is on, so whole days pass in
    milliseconds and always in the same order.
    """

    def __init__(self, wall: float = 1_700_000_000.0, *, autojump: bool = True) -> None:
        self._reading = Reading(wall=wall, steady=wall, boot=10_000.0)
        self._autojump = autojump
        self.steps: Steps = ()

    def read(self) -> Reading:
        """Return all clocks at this made-up moment."""
        return self._reading

    def advance(self, seconds: float) -> None:
        """Let time pass normally."""
        now = self._reading
        self._reading = Reading(now.wall + seconds, now.steady + seconds, now.boot + seconds)

    def suspend(self, seconds: float) -> None:
        """Let the host sleep: wall and boot pass, steady stands still."""
        now = self._reading
        self._reading = Reading(now.wall + seconds, now.steady, now.boot + seconds)

    def step(self, seconds: float) -> None:
        """Set the wall clock forward (or back) without any time passing."""
        now = self._reading
        self._reading = Reading(now.wall + seconds, now.steady, now.boot)
        self.steps = kept(self.steps, now.wall + seconds, seconds)

    async def sleep(self, seconds: float) -> None:
        """Return once `seconds` have passed on this clock."""
        import asyncio  # noqa: PLC0415 - as above

        until = self._reading.steady + seconds
        await asyncio.sleep(0)
        if self._autojump and self._reading.steady < until:
            self.advance(until - self._reading.steady)
        while self._reading.steady < until:  # noqa: ASYNC110 - others move this clock, not an event
            await asyncio.sleep(0)

    def alarm(self, seconds: float, ring: Callable[[], object]) -> Callable[[], object]:
        """Have something called once `seconds` have passed on this clock."""
        import asyncio  # noqa: PLC0415 - as above

        sleeping = asyncio.ensure_future(self.sleep(seconds))
        sleeping.add_done_callback(lambda _: sleeping.cancelled() or ring())
        return sleeping.cancel


def boot_id() -> str:
    """Return the kernel's random id of this boot (proc(5)), or "unknown" where there is none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return "unknown"


def format_utc(wall: float) -> str:
    """Return `wall` as the store writes it: UTC, `YYYY-MM-DD HH:MM:SS.mmm`.

    Sorts as text and compares with SQLite's own `datetime('now', …)`.
    """
    whole, milli = divmod(round(wall * 1000), 1000)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%d %H:%M:%S}.{milli:03d}"


def parse_utc(text: str) -> float:
    """Return the epoch seconds of a time written by `format_utc`.

    Raises:
        ValueError: the text has another form.
    """
    # not strptime: its first call loads what takes `status` longer than all the rest it does
    formed = 21 <= len(text) <= 26 and text[4] == text[7] == "-" and text[10] == " "
    if not (formed and text[19] == "." and text[20:].isdecimal()):
        raise ValueError(f"time data {text!r} does not match YYYY-MM-DD HH:MM:SS.mmm")
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def local_time(wall: float, form: str = "%H:%M:%S") -> str:
    """Return `wall` in the operator's own time zone, for screens and reports only.

    A moment that no calendar has is `?`.
    """
    try:
        return datetime.fromtimestamp(wall, UTC).astimezone().strftime(form)
    except (ValueError, OverflowError, OSError):
        return "?"


def process_seconds() -> float:
    """Return monotonic seconds for measuring how long something took; no meaning beyond that."""
    return time.monotonic()
