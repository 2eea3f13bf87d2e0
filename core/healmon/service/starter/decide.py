"""From what was found to what a starter configuration says. Pure.

What is proved is active; what is guessed is commented out, with what is missing. Nothing that is
active makes healmon do more than start again what ran, exactly as it ran, and tell the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from posixpath import basename, dirname
from typing import Final

from healmon.config.mask import looks_secret
from healmon.redact import MARK, redact_line, redact_words
from healmon.service.starter import programs
from healmon.service.starter.document import Block, Document, Line
from healmon.service.starter.model import Database, Found, Session, Worker
from healmon.units import duration_text, format_size

BEAT_AGE: Final = "60s"
"""Ten times as long as state files are watched: one that was written meanwhile is written often."""
GIB: Final = 1 << 30
MOST_ENV: Final = 16
SYSTEM: Final = ("/usr/", "/bin/", "/sbin/", "/lib/")
SHOWN: Final = 8


def document(found: Found) -> Document:
    """Return what to write about a host."""
    names = _Names()
    databases = [(names.of(_stem(one.path)), one) for one in found.databases if one.near]
    names, workers = _Names(), sorted(found.workers, key=lambda one: (programs.stem(one), one.pid))
    blocks = [
        _monitor(found),
        *(_worker(names.of(programs.stem(one)), one) for one in workers),
        _sessions(found),
        *_tasks(databases),
        *(_database(name, one) for name, one in databases),
        _disk(found),
        *_logs(found),
    ]
    return Document(_head(found), tuple(blocks), _tail(found))


class _Names:
    """Names for tables, each once."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def of(self, wanted: str) -> str:
        name = re.sub(r"[^A-Za-z0-9_-]+", "_", wanted).strip("_-")[:60] or "unnamed"
        if name == "healmon":
            name = "healmon_"
        number, given = 1, name
        while given in self._given:
            number += 1
            given = f"{name}_{number}"
        self._given.add(given)
        return given


def _head(found: Found) -> tuple[str, ...]:
    lines = [
        "A starter configuration of healmon, from what runs on this host.",
        "Lines that begin with # are guesses or choices: nothing comes of them until you say so.",
        "See what it means: healmon check. What it would do: healmon once --dry-run.",
    ]
    if found.roots:
        lines.append(f"Searched: {', '.join(found.roots)}")
    if not found.whole:
        lines.append("The search was cut short: there is more there than was looked at.")
    return tuple(lines)


def _tail(found: Found) -> tuple[str, ...]:
    lines = [
        f"pid file {one.path} is stale: {one.pid} is nobody, or was born later"
        for one in found.stale
    ]
    lines += [f"not seen: {one}" for one in found.unseen]
    far = [one for one in found.databases if not one.near]
    lines += [f"a database that lies elsewhere: {one.path}, {_users(one)}" for one in far[:SHOWN]]
    if len(far) > SHOWN:
        lines.append(f"and {len(far) - SHOWN} more that lie elsewhere")
    return tuple(lines)


def _monitor(found: Found) -> Block:
    return Block(
        "monitor",
        (
            Line("check_interval", "60s"),
            Line("name", found.host, "how this host is called in alerts", off=True),
            Line(
                "dry_run", value=True, note="decide and report everything, change nothing", off=True
            ),
        ),
    )


# -- workers


def _worker(name: str, worker: Worker) -> Block:
    missing = tuple(_missing(worker))
    lines = [*_command(worker)]
    if worker.pid_file:
        lines.append(Line("pid_file", worker.pid_file))
    if worker.heartbeat:
        lines += [
            Line("heartbeat_file", worker.heartbeat, "seen: written while it was watched"),
            Line("heartbeat_max_age", BEAT_AGE),
        ]
    elif worker.quiet:
        note = "seen, but not written while it was watched"
        lines.append(Line("heartbeat_file", worker.quiet, note, off=True))
    if worker.user:
        lines.append(Line("user", worker.user))
    env = {key: value for key, value in worker.env if not _is_secret(key, value)}
    if env and len(env) <= MOST_ENV:
        lines.append(Line("env", env, "it was started with this"))
    lines += [
        Line("critical", value=True, note="CRITICAL when it is down, else WARNING", off=True),
        Line("restart_delay", "5s", off=True),
    ]
    return Block(f"workers.{name}", tuple(lines), tuple(_seen(worker)), missing)


def _is_secret(name: str, value: str) -> bool:
    return looks_secret(name) or redact_line(value) != value


def _command(worker: Worker) -> Iterator[Line]:
    place, argv = worker.place, redact_words(worker.argv)
    if worker.script and worker.ours and place == 1:
        yield Line("script", worker.script)
        if argv[2:]:
            yield Line("args", argv[2:])
    else:
        program = worker.interpreter or argv[0]
        yield Line("command", (program, *argv[1:]))
    if worker.directory:
        yield Line("cwd", worker.directory, "where it was started")


def _seen(worker: Worker) -> Iterator[str]:
    words, up = " ".join(redact_words(worker.argv))[:160], duration_text(round(worker.age) or 1)
    yield f"seen: pid {worker.pid} running {words}, up {up}"
    if worker.pid_file:
        yield f"seen: pid file {worker.pid_file} names it"
    else:
        yield "seen: no pid file names it; it is known by its command line"
    if len(worker.env) > MOST_ENV:
        yield f"seen: {len(worker.env)} variables of its own: start it as it must be, or set env"


def _missing(worker: Worker) -> Iterator[str]:
    """Yield what is not known, or speaks against it; nothing: it is known how to start it."""
    if programs.is_monitor(worker):
        yield "it looks after the same things as healmon: two would work against each other"
    if worker.healer:
        yield f"another healer looks after it ({worker.healer}): two would start it"
    if worker.unit:
        yield f"systemd looks after it ({worker.unit}): two would start it"
    if worker.copies:
        pids = ", ".join(map(str, worker.copies[:SHOWN]))
        yield f"others run with the same words (pid {pids}): end those that are too many"
    yield from _unknown(worker)


def _unknown(worker: Worker) -> Iterator[str]:
    words = (*worker.argv, worker.script, worker.directory, *(value for _, value in worker.env))
    if not all(part.isprintable() for part in words):
        yield "how to write it down: its command line, directory or settings are no plain text"
    if worker.place is not None and not worker.script:
        yield "its script is not where its command line says"
    if worker.place is None and not worker.argv[0].startswith("/"):
        yield f"what was run: {worker.argv[0][:80]!r} is no path (it may have given itself a title)"
    if worker.place is None and worker.argv[0].startswith(SYSTEM):
        yield "whether it is yours: the system has its own way to start its programs"
    if not worker.directory:
        yield "in which directory it was started (cwd)"
    if redact_words(worker.argv) != worker.argv:
        yield f"what stands as {MARK} among its words: better where ps does not show it"
    secret = [name for name, value in worker.env if _is_secret(name, value)]
    if secret:
        yield f"the value of {', '.join(secret[:SHOWN])}, which it was started with (env)"
    if len(worker.env) > MOST_ENV:
        yield "which of its many variables it needs (env)"


# -- sessions, tasks, databases


def _sessions(found: Found) -> Block:
    names = [_told(session) for session in found.sessions]
    seen = [f"seen: {len(names)} tmux session(s): {', '.join(names[:SHOWN])}"] if names else []
    if len(names) > SHOWN:
        seen.append(f"and {len(names) - SHOWN} more")
    if not names:
        seen.append("seen: no tmux session; healmon looks for some all the same")
    watched = [s for s in dict.fromkeys(session.socket for session in found.sessions) if s]
    lines = [
        Line("sockets", tuple(watched))
        if watched and watched != ["default"]
        else Line("socket", "default")
    ]
    people = sorted({session.name for session in found.sessions if session.attached})
    if people:
        lines.append(Line("protect", tuple(people), "never typed into; a person is attached"))
    else:
        lines.append(Line("protect", ("architect", "inspector"), "never typed into", off=True))
    lines += [
        Line("stuck_after", "30m"),
        Line("on_stuck", "alert", 'tell only; "requeue" interrupts and gives the task back'),
        Line("typing_marker", "##", "nor a pane that shows this", off=True),
    ]
    return Block("sessions", tuple(lines), tuple(seen))


def _told(session: Session) -> str:
    return f"{session.name} ({session.command})" if session.command else session.name


def _tasks(databases: Iterable[tuple[str, Database]]) -> Iterator[Block]:
    for name, one in databases:
        if one.layout:
            lines = (Line("path", one.path), Line("layout", one.layout))
            seen = (f"seen: its tables are those of the layout {one.layout}",)
            # the queue of the main database has no session: nothing to watch there
            missing = () if one.layout == "assigner" else ("whether sessions work on it",)
            yield Block(f"tasks.{name}", lines, seen, missing)


def _database(name: str, one: Database) -> Block:
    seen = [f"seen: {_users(one)}"]
    if one.unclear:
        seen.append(f"whether it holds tasks is not known: {one.unclear}")
    lines = (
        Line("path", one.path),
        Line("on_stale", "alert", 'tell only; "heal" mends what is proved to be left over'),
    )
    return Block(f"databases.{name}", lines, tuple(seen))


def _users(one: Database) -> str:
    users = ", ".join(f"pid {pid} ({called})" for pid, called in one.users[:SHOWN])
    return f"open in {users}" if users else "nobody has it open now"


def _stem(path: str) -> str:
    name = re.sub(r"\.\w+$", "", basename(path))
    return name or basename(dirname(path))


# -- disks


def _disk(found: Found) -> Block:
    seen = [
        f"seen: {disk.path}: {disk.kind}, {disk.percent:.1f}% of {format_size(disk.total)}"
        for disk in found.disks
    ]
    paths = tuple(disk.path for disk in found.disks) or ("/",)
    lines = (Line("warning", 85), Line("critical", 95), Line("paths", paths))
    return Block("disk", lines, tuple(seen))


def _limit(size: int) -> str:
    return f"{max(1, -(-2 * size // GIB))}GiB"


def _logs(found: Found) -> Iterator[Block]:
    for log in found.logs:
        old = f"{format_size(log.old)} older than a week"
        seen = f"seen: {log.files} logs, {format_size(log.size)}, {old}"
        limit = Line("limit", _limit(log.size), "at least twice as much as now; it only tells")
        yield Block("[disk.budgets]", (Line("path", log.path), limit), (seen,))
    if found.logs:
        lines = (
            Line("name", "logs"),
            Line("paths", tuple(log.path for log in found.logs)),
            Line("patterns", ("*.log", "*.log.*")),
            Line("older_than", "7d"),
            Line("action", "trash", 'taken back for a week; "delete" and "compress" free at once'),
        )
        missing = ("your word that these files may go when the disk is full",)
        yield Block("[disk.rules]", lines, (), missing)
