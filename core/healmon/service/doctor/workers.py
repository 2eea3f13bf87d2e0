"""The workers of the configuration against what is there."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from pathlib import Path

from healmon.clock import SystemClock
from healmon.config.settings import Worker
from healmon.errors import ProbeError
from healmon.service.doctor.model import Finding, Ground
from healmon.text import clean
from healmon.units import format_duration, format_size
from healmon.workers.finder import Finder
from healmon.workers.model import Match
from healmon.world import notes, survey
from healmon.world.host import SystemHost

NAME = "workers"


def workers(ground: Ground) -> Iterator[Finding]:
    """Look at each worker: program, directory, files, user, and who it is now."""
    if ground.settings is None:
        return
    known = ground.settings.workers
    if not known:
        yield Finding(NAME, "ok", "no worker is configured", ground.at("workers"))
    running = _running(ground, known)
    for worker in known:
        faults = [*_program(ground, worker), *_files(ground, worker), *_person(ground, worker)]
        yield from faults
        matches, trouble = running[worker.name]
        yield from _who(ground, worker, matches, trouble)


def _running(ground: Ground, known: tuple[Worker, ...]) -> dict[str, tuple[tuple[Match, ...], str]]:
    finder = Finder(known, ground.processes, ground.processes.own_pid)
    everyone, found = finder.scan(full=True)
    return {
        worker.name: finder.matches(worker, (), found.get(worker.name, ()), everyone)
        for worker in known
    }


def _at(ground: Ground, worker: Worker, key: str) -> str:
    return ground.at("workers", worker.name, key)


def _program(ground: Ground, worker: Worker) -> Iterator[Finding]:
    key = "script" if worker.script else "command"
    path = worker.script or _resolved(worker.argv[0], worker.cwd)
    where = _at(ground, worker, key)
    if not path:
        said = f"{worker.name}: {clean(worker.argv[0])} is found nowhere on the PATH"
        yield Finding(NAME, "critical", said, where, "give its absolute path, or install it")
    elif not notes.is_file(path):
        said = f"{worker.name}: {clean(path)} is not there: it could not be started"
        yield Finding(NAME, "critical", said, where, "correct the path")
    elif not os.access(path, os.R_OK if worker.script else os.X_OK):
        what = "read" if worker.script else "run"
        said = f"{worker.name}: {clean(path)} may not be {what} by us"
        yield Finding(NAME, "critical", said, where, "mend its permissions")
    for kind in ("ready", "liveness"):
        probe = getattr(worker, kind)
        if probe is not None and probe.command and not _resolved(probe.command[0], worker.cwd):
            said = f"{worker.name}: {clean(probe.command[0])} is found nowhere"
            yield Finding(NAME, "critical", said, _at(ground, worker, kind), "give its whole path")


def _resolved(program: str, cwd: str) -> str:
    if "/" in program:
        return str(Path(cwd or "/") / program)
    return notes.find_program(program)


def _files(ground: Ground, worker: Worker) -> Iterator[Finding]:
    if worker.cwd and not Path(worker.cwd).is_dir():
        said = f"{worker.name}: {clean(worker.cwd)} is no directory: it could not be started"
        yield Finding(NAME, "critical", said, _at(ground, worker, "cwd"), "make it, or correct it")
    for key in ("pid_file", "heartbeat_file"):
        path = getattr(worker, key)
        if path and not Path(path).parent.is_dir():
            said = f"{worker.name}: {clean(str(Path(path).parent))} is not there: nobody can write"
            yield Finding(
                NAME, "warning", f"{said} {key}", _at(ground, worker, key), "correct the path"
            )


def _person(ground: Ground, worker: Worker) -> Iterator[Finding]:
    where = _at(ground, worker, "user")
    if worker.user:
        try:
            pwd.getpwnam(worker.user)
        except KeyError:
            said = f"{worker.name}: there is no user {clean(worker.user)}"
            yield Finding(NAME, "critical", said, where, "correct the name")
        else:
            if os.geteuid() != 0:
                said = f"{worker.name}: only root can start it as {clean(worker.user)}"
                yield Finding(NAME, "critical", said, where, "run healmon as root, or drop the key")
    if worker.memory_limit is not None:
        total = SystemHost().memory().total
        if worker.memory_limit > total:
            said = f"{worker.name}: memory_limit is more than there is ({format_size(total)})"
            yield Finding(NAME, "warning", said, _at(ground, worker, "memory_limit"), "lower it")


# -- who it is now


def _who(
    ground: Ground, worker: Worker, matches: tuple[Match, ...], trouble: str
) -> Iterator[Finding]:
    where = ground.at("workers", worker.name)
    pids = ", ".join(str(match.facts.identity.pid) for match in matches)
    if trouble:
        yield Finding(NAME, "warning", f"{worker.name}: {clean(trouble)}", where)
    if len(matches) > 1:
        yield Finding(
            NAME, "critical", f"{worker.name} runs {len(matches)} times (pid {pids})", where,
            "end those that are too many; healmon restarts none of them meanwhile",
        )  # fmt: skip
    elif matches:
        facts = matches[0].facts
        yield Finding(NAME, "ok", f"{worker.name} runs: pid {pids}, by its {matches[0].how}", where)
        unit = survey.unit(facts.identity)
        own = ground.processes.identify(ground.processes.own_pid)
        if unit and own is not None and unit != survey.unit(own):
            yield Finding(
                NAME, "critical", f"{worker.name} is looked after by systemd, too ({unit})", where,
                f"systemctl disable --now {unit}, or take it out of healmon.toml",
            )  # fmt: skip
    else:
        yield Finding(NAME, "ok", f"{worker.name} does not run now", where)
    yield from _named(ground, worker, matches)
    yield from _beat(ground, worker, running=bool(matches))


def _named(ground: Ground, worker: Worker, matches: tuple[Match, ...]) -> Iterator[Finding]:
    if not worker.pid_file:
        return
    where = _at(ground, worker, "pid_file")
    try:
        pid = notes.read_pid(worker.pid_file)
    except ProbeError as error:
        yield Finding(NAME, "warning", f"{worker.name}: {error}", where, "mend its permissions")
        return
    if pid is None or pid in {match.facts.identity.pid for match in matches}:
        return
    try:
        alive = ground.processes.identify(pid) is not None
    except ProbeError:
        alive = False
    if alive:
        said = f"{worker.name}: its pid file names pid {pid}, which is somebody else"
        yield Finding(NAME, "warning", said, where, "it is stale, or the key names another's file")


def _beat(ground: Ground, worker: Worker, *, running: bool) -> Iterator[Finding]:
    if not worker.heartbeat_file or not running:
        return
    where = _at(ground, worker, "heartbeat_file")
    at = notes.changed_at(worker.heartbeat_file)
    if at is None:
        said = f"{worker.name}: runs, but never wrote {clean(worker.heartbeat_file)}"
        yield Finding(NAME, "warning", said, where, "correct the path: it would be called hung")
        return
    age = SystemClock().read().wall - at
    if age > worker.heartbeat_max_age:
        said = f"{worker.name}: its heartbeat is {format_duration(age)} old"
        limit = format_duration(worker.heartbeat_max_age)
        yield Finding(
            NAME, "warning", f"{said}, more than heartbeat_max_age ({limit})", where,
            "it hangs, or writes less often: then raise heartbeat_max_age",
        )  # fmt: skip
