"""`--status`: whether a healer runs and what is wrong now. Standard library only: it is instant."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from healmon import quiet
from healmon.clock import SystemClock, boot_id, format_utc, parse_utc
from healmon.errors import StoreFaultError
from healmon.named import NamedTuple
from healmon.service import instance
from healmon.store import read
from healmon.units import format_duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from sqlite3 import Connection
    from typing import Any

    from healmon.clock import Reading

NO_HEALER = UNKNOWN = 3
HUNG_AFTER = 3
"""Intervals without a finished cycle after which the healer is called hung."""
LAG = 10.0
"""Seconds at least by which a store that is written may seem to be behind its healer."""
ACTIONS = 5
HEARTBEAT = "healmon.heartbeat"
LOG = "healmon.log"
LOGGED = ("daemon", "tui")
"""Modes of healers that write it."""
OVERLAYS = {
    "silenced_by": "silenced", "maintenance": "in maintenance", "inhibited_by": "explained",
    "flapping": "flapping",
}  # fmt: skip
"""What lies over an alert, in a word each."""


class _Seen(NamedTuple):
    holder: instance.Holder | None
    facts: dict[str, dict[str, Any]]
    unhealthy: list[dict[str, Any]]
    alerts: list[dict[str, Any]]
    pending: list[dict[str, Any]]
    actions: list[dict[str, Any]]
    untold: list[dict[str, Any]]
    now: Reading
    beaten: float | None = None
    """Seconds since the newest cycle by a clock that nobody sets; None: it is not known."""
    still: bool = False
    dry_run: bool = False
    paused: tuple[dict[str, Any], ...] = ()
    errand: instance.Holder | None = None
    """Who holds the directory for one thing: no healer."""
    unreadable: str = ""
    """Why the store cannot be read; empty: it can, or there is none and nobody heals."""
    unwritten: int = 0
    """The healer's newest cycle, where the store knows of none for longer; 0: it does."""

    def age(self, name: str) -> float | None:
        fact = self.facts.get(name)
        if self.unwritten and self.holder is not None:  # what is stored may be another run's
            return self.beaten if name == "cycle" else self.now.boot - _begun(self.holder)
        if fact is None:
            return None
        lived = self.beaten if name == "cycle" else _lived(fact, self.now)
        passed = self.now.wall - parse_utc(fact["timestamp"]) if lived is None else lived
        return max(0.0, passed)

    @property
    def cycle_age(self) -> float | None:
        """Seconds since the running healer's last finished cycle; None before its first."""
        cycle, started = (self.facts.get(name, {}).get("id", 0) for name in ("cycle", "started"))
        return None if cycle < started and not self.unwritten else self.age("cycle")

    @property
    def hung(self) -> bool:
        """Whether the healer holds its lock and has not finished a cycle for too long."""
        if self.still:
            return True
        interval = float(self.facts.get("started", {}).get("interval", 60.0))
        last = self.age("started") if self.cycle_age is None else self.cycle_age
        return last is not None and last > HUNG_AFTER * interval + 60.0

    @property
    def unknown(self) -> str:
        """Why what is wrong is not known; empty: it is."""
        if not self.unwritten:
            return self.unreadable
        stored = self.facts.get("cycle", {}).get("timestamp", "it was made")[:19]
        return f"the health store cannot be written since {stored} UTC; the log says why"

    @property
    def code(self) -> int:
        if self.holder is None:
            return NO_HEALER
        levels = {row["severity"] for row in self.alerts}
        if "CRITICAL" in levels or self.hung or self.unwritten:
            return 2
        if self.unreadable:
            return UNKNOWN
        return 1 if "WARNING" in levels else 0


def _begun(holder: instance.Holder) -> float:
    """Return when a holder's process began, in seconds since the boot; 0: that is not known."""
    return holder.ticks / os.sysconf("SC_CLK_TCK")


def _lived(started: dict[str, Any], now: Reading) -> float | None:
    """Return the seconds since a start, whatever the wall clock did; None: they are not known."""
    if started.get("lead") is None or started.get("boot") != boot_id():
        return None
    steady = parse_utc(started["timestamp"]) - float(started["lead"])
    return now.boot - (steady - float(started["steady_offset"]) + float(started["slept"]))


def _beaten(
    blind: _Seen, state_dir: Path, facts: dict[str, dict[str, Any]]
) -> tuple[float, int] | None:
    """Return the same since the newest cycle, from the heartbeat that it left.

    And that cycle's number where the store, which is written first, does not have it for longer
    than two reads can be apart; else 0. None: it is not known.
    """
    try:
        beat = json.loads((state_dir / HEARTBEAT).read_text("ascii"))
        last, at = facts.get("cycle", {}).get("timestamp", ""), float(beat["boot_seconds"])
        if beat["boot"] != boot_id():
            return None
        if beat["at"] == last:
            return blind.now.boot - at, 0
        apart = parse_utc(beat["at"]) - (parse_utc(last) if last else 0.0)
        late = apart > max(LAG, HUNG_AFTER * float(beat["interval"]))
        ours = blind.holder is not None and at > _begun(blind.holder)
        return (blind.now.boot - at, int(beat["round"])) if late and ours else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def status_asked(state_dir: Path, args: argparse.Namespace) -> int:
    """Do what `healmon status` asks; see `status`."""
    return status(state_dir, json_wanted=bool(getattr(args, "json", False)))


def status(state_dir: Path, *, json_wanted: bool) -> int:
    """Print the status of the healer on a state directory; returns the contract's exit code."""
    seen = _look(state_dir)
    if json_wanted:
        quiet.verdict(json.dumps(_data(seen, state_dir)))
    else:
        quiet.verdict("\n".join(_lines(seen, state_dir)))
    return seen.code


def _look(state_dir: Path) -> _Seen:
    held = instance.holder(state_dir) if state_dir.is_dir() else None
    holder, errand = (None, held) if held is not None and held.errand else (held, None)
    still = holder is not None and instance.stands_still(holder)
    now = SystemClock().read()
    blind = _Seen(holder, {}, [], [], [], [], [], now, still=still, errand=errand)
    try:
        connection = read.open_reader(state_dir / "healmon.db")
        try:
            return _read(blind, connection, state_dir)
        finally:
            connection.close()
    except StoreFaultError as error:
        said = str(error.args[0]) if holder is not None or _exists(state_dir) else ""
        return blind._replace(unreadable=said)


def _exists(state_dir: Path) -> bool:
    return (state_dir / "healmon.db").is_file()


def _read(blind: _Seen, connection: Connection, state_dir: Path) -> _Seen:
    """Return the same with what the store tells."""
    facts = read.engine_facts(connection)
    beaten, unwritten = _beaten(blind, state_dir, facts) or (None, 0)
    return blind._replace(
        facts=facts,
        unhealthy=read.unhealthy(connection),
        alerts=read.open_alerts(connection),
        pending=read.pending_alerts(connection),
        actions=read.recent_actions(connection, ACTIONS),
        untold=read.untold(connection),
        beaten=beaten,
        unwritten=unwritten,
        dry_run=blind.holder is not None and read.dry_run(connection),
        paused=tuple(read.paused(connection, format_utc(blind.now.wall))),
    )


def _lines(seen: _Seen, state_dir: Path) -> list[str]:
    lines = [_headline(seen, state_dir), *_cycle_line(seen), *_log_line(seen, state_dir)]
    lines += _section("unhealthy now", seen.unhealthy, _component_line)
    lines += _section("open alerts", seen.alerts, _alert_line)
    lines += _section("not confirmed yet", seen.pending, _alert_line)
    lines += _section("not told", seen.untold, _untold_line)
    lines += _section("not acted on", [*seen.paused], _paused_line)
    lines += _section("recent actions", seen.actions, _action_line)
    if seen.unknown:
        lines.append(f"what is wrong is not known: {seen.unknown}")
    elif not (seen.unhealthy or seen.alerts or seen.holder is None or seen.cycle_age is None):
        lines += [] if seen.hung else ["nothing is wrong"]
    return lines


def _headline(seen: _Seen, state_dir: Path) -> str:
    holder = seen.holder
    if holder is None:
        held = seen.errand
        meanwhile = f"; pid {held.pid} {held.errand} on it just now" if held is not None else ""
        return f"no healer runs on {state_dir}{meanwhile}"
    uptime = seen.age("started")
    up = "" if uptime is None else f", up {format_duration(uptime)}"
    hung = "; IT HANGS: no cycle has finished for too long" if seen.hung else ""
    if seen.still:
        hung = f"; IT STANDS STILL: somebody stopped it; go on: kill -CONT {holder.pid}"
    dry = "; DRY RUN: it plans and touches nothing" if seen.dry_run else ""
    mode = f", {holder.mode}" if holder.mode else ""
    return f"healmon {holder.version} runs: pid {holder.pid}{mode}{up}{dry}{hung}".replace(
        "  ", " "
    )


def _cycle_line(seen: _Seen) -> list[str]:
    if seen.holder is None or seen.unreadable:
        return []
    age, cycle = seen.cycle_age, seen.facts.get("cycle", {})
    if age is None:
        return ["last cycle: none has finished yet"]
    if seen.unwritten:
        return [f"last cycle: #{seen.unwritten}, {format_duration(age)} ago"]
    return [
        f"last cycle: #{cycle['number']}, {format_duration(age)} ago, took {cycle['seconds']} s"
    ]


def _log_line(seen: _Seen, state_dir: Path) -> list[str]:
    """Name the log of a healer that has one of its own: `run` writes to stderr or the journal."""
    own = seen.holder is not None and seen.holder.mode in LOGGED
    return [f"log: {state_dir / LOG}"] if own else []


def _section(
    title: str, rows: list[dict[str, Any]], line: Callable[[dict[str, Any]], str]
) -> list[str]:
    return [f"{title}:", *(f"  {line(row)}" for row in rows)] if rows else []


def _component_line(row: dict[str, Any]) -> str:
    return f"{row['component']}: {row['status']}: {row['summary']}"


def _alert_line(row: dict[str, Any]) -> str:
    said = [f"acknowledged by {row['acknowledged_by']}" if row["acknowledged_by"] else ""]
    over = json.loads(row["overlays"] or "{}")
    said += [word for name, word in OVERLAYS.items() if over.get(name)]
    known = ", ".join(word for word in said if word)
    tail = f" ({known})" if known else ""
    return f"{row['id']} {row['severity']} {row['component']}: {row['message']}{tail}"


def _untold_line(row: dict[str, Any]) -> str:
    waiting = "1 notice waits" if row["waiting"] == 1 else f"{row['waiting']} notices wait"
    return f"channel {row['channel']}: {waiting}: {row['reason']}"


def _paused_line(row: dict[str, Any]) -> str:
    what = "everything" if row["component"] == "*" else row["component"]
    never = row["until"] >= "9998"  # `state.FOREVER`, which costs an import of all of it
    return f"{what}: {'never touched' if never else 'paused till ' + row['until'][:16] + ' UTC'}"


def _action_line(row: dict[str, Any]) -> str:
    return f"{row['timestamp'][:19]} {row['action_taken']} {row['component']}: {row['status']}"


def _data(seen: _Seen, state_dir: Path) -> dict[str, Any]:
    holder, there = seen.holder, seen.holder or seen.errand
    return {
        "running": holder is not None,
        "hung": seen.hung if holder is not None else False,
        "pid": None if there is None else there.pid,
        "version": None if there is None else there.version,
        "mode": None if there is None else there.mode,
        "dry_run": seen.dry_run if holder is not None else None,
        "uptime": seen.age("started") if holder is not None else None,
        "cycle": seen.unwritten or seen.facts.get("cycle", {}).get("number"),
        "cycle_age": seen.cycle_age if holder is not None else None,
        "state_dir": str(state_dir),
        "log": str(state_dir / LOG),
        "exit_code": seen.code,
        "unreadable": seen.unknown,
        "unhealthy": seen.unhealthy,
        "alerts": seen.alerts,
        "pending": seen.pending,
        "actions": seen.actions,
        "untold": seen.untold,
        "paused": [*seen.paused],
    }
