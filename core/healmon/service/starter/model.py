"""What a look at a host found, as data: what is there, and what makes one think so."""

from __future__ import annotations

import msgspec

from healmon.world.survey import FileSystem, PidFile
from healmon.world.surveyfiles import Log


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """A program that looks like somebody's worker.

    Attributes:
        argv: as it was started; bytes that are no UTF-8 are surrogates.
        script: absolute path of its script; empty: it is none, or its file is not there.
        place: where in `argv` the script stands; None: nowhere.
        interpreter: absolute path of what runs the script; empty: unknown.
        ours: that is this Python.
        directory: which relative arguments are meant from; empty: unknown.
        pid_file: which names it; empty: none does.
        heartbeat: a state file beside it that was written while it was looked at; else empty.
        quiet: a state file beside it that was not.
        env: variables of its own that this process has not, or otherwise.
        user: whose it is, when not ours.
        unit: the systemd service that looks after it.
        healer: another healmon that looks after it.
        copies: pids of others that were started the same way.
        open: files that it has open.
    """

    pid: int
    age: float
    argv: tuple[str, ...]
    script: str = ""
    place: int | None = None
    interpreter: str = ""
    ours: bool = False
    directory: str = ""
    pid_file: str = ""
    heartbeat: str = ""
    quiet: str = ""
    env: tuple[tuple[str, str], ...] = ()
    user: str = ""
    unit: str = ""
    healer: str = ""
    copies: tuple[int, ...] = ()
    open: frozenset[str] = frozenset()


class Session(msgspec.Struct, frozen=True):
    """A tmux session: on which socket, what runs in it, whether a person is attached."""

    socket: str
    name: str
    command: str
    attached: bool


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """A SQLite database.

    Attributes:
        users: pid and name of those that have it open.
        near: it lies in the tree that was searched, or a worker has it open.
        layout: which known layout of tasks it has; empty: none.
        unclear: why its tables could not be asked about; empty: they could.
    """

    path: str
    users: tuple[tuple[int, str], ...] = ()
    near: bool = False
    layout: str = ""
    unclear: str = ""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """All of it.

    Attributes:
        host: this host's name.
        roots: directories that were searched.
        stale: pid files that name nobody, or somebody younger than they are.
        unseen: what could not be looked at, and why.
        whole: nothing was left out for the bounds of the search.
    """

    host: str
    roots: tuple[str, ...] = ()
    workers: tuple[Worker, ...] = ()
    sockets: tuple[str, ...] = ()
    sessions: tuple[Session, ...] = ()
    databases: tuple[Database, ...] = ()
    disks: tuple[FileSystem, ...] = ()
    logs: tuple[Log, ...] = ()
    stale: tuple[PidFile, ...] = ()
    unseen: tuple[str, ...] = ()
    whole: bool = True
