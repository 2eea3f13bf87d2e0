"""What the command line of a process tells of it: script, interpreter, copies, environment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from posixpath import basename, dirname, isabs, join, normpath
from typing import Final

from msgspec.structs import replace

from healmon.service.starter.model import Worker
from healmon.workers.match import script_place
from healmon.world import notes
from healmon.world.processes import Origin, ProcessFacts

GRAIN: Final = 2.0
"""Seconds by which a pid file may be older than the process that wrote it: grain of both clocks."""
_NOISE: Final = re.compile(
    r"_.*|PWD|OLDPWD|SHLVL|TERM.*|COLUMNS|LINES|WINDOWID|COLORTERM|LS_COLORS|DISPLAY|WAYLAND.*"
    r"|PYENV_.*|TMUX.*|SSH_.*|XDG_.*|DBUS_.*|PYTEST.*|COVERAGE.*|INVOCATION_ID|JOURNAL_STREAM|MAIL|PS1"
    r"|GPG_.*|VTE_.*|HIST.*|LESS.*|PAGER|EDITOR|VISUAL|DEBUGINFOD.*|HEALMON_.*|SYSTEMD_.*"
    r"|LOGNAME|USER|HOME|SHELL|HOSTNAME|LANG|LC_.*|NOTIFY_SOCKET|WATCHDOG_.*|SUDO_.*|MANAGERPID"
)
"""Variables that a login or a terminal brings, and no program's settings."""
MONITORS: Final = re.compile(
    r"health_?(monitor|daemon)|watchdog|supervisor|process_supervisor|monit\b|session_(health|keep)"
)
"""Scripts that look after the same things as healmon."""
_STATES: Final = (
    "_state.json",
    ".state.json",
    ".json",
    "_heartbeat.json",
    ".heartbeat",
    "_heartbeat",
)


def looks_like_daemon(command: tuple[str, ...]) -> bool:
    """Return whether a command line says that it is to stay."""
    return "--daemon" in command[1:]


def is_healmon(facts: ProcessFacts) -> bool:
    """Return whether a process is one of healmon's own."""
    for at, word in enumerate(facts.command[:4]):
        if basename(word) in {"healmon", "healmon-tui"}:
            return True
        module = (facts.command[at + 1 : at + 2] or ("",))[0] if word == "-m" else ""
        if module.partition(".")[0] in {"healmon", "healmon_tui"}:
            return True
        if "/healmon/world/" in word:
            return True
    return False


def is_monitor(worker: Worker) -> bool:
    """Return whether a program looks after the same things as healmon, by its name."""
    return MONITORS.search(basename(worker.script or worker.argv[0])) is not None


def family(everyone: Mapping[int, ProcessFacts], pid: int) -> set[int]:
    """Return a process and all that it descends from."""
    found: set[int] = set()
    while pid > 0 and pid not in found:
        found.add(pid)
        pid = everyone[pid].parent if pid in everyone else 0
    return found


def script_of(origin: Origin) -> tuple[str, str, int | None]:
    """Return script and directory of a process, absolute, and where in its words the script is.

    Empty, where there is no such file; the directory may be known nevertheless.
    """
    place = script_place(origin.argv)
    # a daemon goes to `/`; then its first shell's word for where it was is the better one
    places = sorted(origin.directories, key=lambda directory: directory == "/")
    known = next(iter(places), "")
    if place is None:
        return "", known, None
    word = origin.argv[place]
    if place == 0 and not word.endswith((".py", ".sh", ".pl", ".rb", ".js")):
        return "", known, None
    if isabs(word):
        return (normpath(word) if notes.is_file(word) else ""), known, place
    for directory in places:
        path = normpath(join(directory, word))
        if notes.is_file(path):
            return path, directory, place
    return "", "", place


def interpreter_of(argv: tuple[str, ...], running: str) -> str:
    """Return the absolute path of a process's program, as it was called; empty: unknown.

    Args:
        argv: its words.
        running: the file that it runs.
    """
    called = argv[0] if "/" in argv[0] else notes.find_program(argv[0])
    if isabs(called) and (not running or notes.resolve(called) == notes.resolve(running)):
        return called
    return running


def state_files(pid_file: str) -> tuple[str, ...]:
    """Return files beside a pid file that are called as state of the same program would be."""
    stem = pid_file.rpartition(".")[0]
    return tuple(path for end in _STATES if notes.is_file(path := f"{stem}{end}"))


def own_environment(
    theirs: Mapping[str, str], ours: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    """Return the variables that a process has otherwise than we: its settings, as far as known."""
    return tuple(
        (name, value)
        for name, value in sorted(theirs.items())
        if name.isidentifier() and ours.get(name) != value and not _NOISE.fullmatch(name)
    )


def copies(facts: ProcessFacts, everyone: Mapping[int, ProcessFacts]) -> tuple[int, ...]:
    """Return the pids of others with the same words, but neither parents nor children of it."""
    line = family(everyone, facts.identity.pid)
    return tuple(
        pid
        for pid, other in sorted(everyone.items())
        if other.command == facts.command
        and pid not in line
        and facts.identity.pid not in family(everyone, pid)
    )


def leaders(found: Iterable[Worker], everyone: Mapping[int, ProcessFacts]) -> tuple[Worker, ...]:
    """Return the workers without those that another one of them, with the same words, started."""
    by_pid = {worker.pid: worker for worker in found}
    kept: list[Worker] = []
    for pid, worker in by_pid.items():
        above = family(everyone, pid) - {pid}
        if not any(by_pid[p].argv == worker.argv for p in above & by_pid.keys()):
            kept.append(worker)
    return tuple(kept)


def with_beat(worker: Worker, moved: set[str]) -> Worker:
    """Return a worker whose state file, if it moved, is its heartbeat."""
    if worker.quiet and worker.quiet in moved:
        return replace(worker, heartbeat=worker.quiet, quiet="")
    return worker


def tmux_sockets(everyone: Mapping[int, ProcessFacts]) -> Iterator[str]:
    """Yield the sockets that tmux servers were told to listen on."""
    for facts in everyone.values():
        if not facts.name.startswith("tmux: server"):
            continue
        words = facts.command
        for at, word in enumerate(words[:-1]):
            if word in {"-S", "-L"} and (word == "-L" or isabs(words[at + 1])):
                yield words[at + 1]


def stem(worker: Worker) -> str:
    """Return what a worker may be called: its script's name, else that of its pid file."""
    path = worker.script or worker.pid_file or worker.argv[0]
    return re.sub(r"\.\w+$", "", basename(path)) or basename(dirname(path)) or "worker"
