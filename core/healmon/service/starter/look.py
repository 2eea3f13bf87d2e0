"""Looks at the host for a starter configuration, through the doors; decides nothing."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Iterable
from typing import Final, Literal

from healmon.clock import Clock, SystemClock, process_seconds
from healmon.config.settings import Tasks
from healmon.errors import HealmonError, ProbeError
from healmon.service.starter import programs
from healmon.service.starter.kin import looked_after
from healmon.service.starter.model import Database, Found, Session, Worker
from healmon.service.starter.roots import Roots, changed, outermost, user_name
from healmon.text import clean
from healmon.world import survey, surveyfiles
from healmon.world.processes import DEAD, Identity, Processes, ProcessFacts
from healmon.world.system_processes import SystemProcesses
from healmon.world.taskdb import SystemTaskDatabases, TaskDatabases
from healmon.world.tmux import SystemTmux, Tmux, TmuxAbsentError

LAYOUTS: Final[tuple[Literal["assigner", "task_queue"], ...]] = ("assigner", "task_queue")
MOST_DATABASES: Final = 50
PATIENCE: Final = 6.0
"""Seconds for which databases are asked for their tables; likewise tmux servers for their panes."""


class Look:
    """One look at a host.

    Args:
        roots: where.
        processes, tmux, tasks, clock: the doors; default: this machine's.
    """

    def __init__(
        self,
        roots: Roots,
        *,
        processes: Processes | None = None,
        tmux: Tmux | None = None,
        tasks: TaskDatabases | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._roots = roots
        self._processes = SystemProcesses() if processes is None else processes
        self._tmux = SystemTmux() if tmux is None else tmux
        self._tasks = SystemTaskDatabases() if tasks is None else tasks
        self._clock = SystemClock() if clock is None else clock
        self._unseen: list[str] = []
        self._healed: dict[int, str] = {}
        self._asked_at = 0.0  # when processes were asked for
        self._until = 0.0

    def found(self) -> Found:
        """Return what there is; takes some seconds at most, and never raises."""
        everyone = self._everyone()
        named, stale = self._named(everyone)
        workers = self._workers(everyone, named)
        roots = self._places(workers)
        now = self._clock.read().wall
        until = process_seconds() + surveyfiles.PATIENCE  # for all of them together
        trees = [surveyfiles.walk(root, now, until) for root in roots]
        # pid files in the tree of the project, too
        more = [folder for tree in trees for folder in tree.pid_folders]
        if more:
            named, stale = self._named(everyone, more)
            workers = self._workers(everyone, named)
        sockets, sessions = self._sessions(everyone)
        near = {path for tree in trees for path in tree.databases}
        return Found(
            host=clean(socket.gethostname(), limit=100),
            roots=roots,
            workers=self._beating(workers),
            sockets=sockets,
            sessions=sessions,
            databases=self._databases(everyone, workers, near),
            disks=self._roots.disks(),
            logs=outermost(log for tree in trees for log in tree.logs if log.size),
            stale=stale,
            unseen=tuple(dict.fromkeys(self._unseen)),
            whole=all(tree.whole for tree in trees),
        )

    # -- processes

    def _everyone(self) -> dict[int, ProcessFacts]:
        """Return all processes that are this user's to look after, but healmon's own."""
        uid = os.geteuid()
        self._asked_at = self._clock.read().wall
        try:
            found = {
                facts.identity.pid: facts
                for facts in self._processes.everyone()
                if facts.state not in DEAD and facts.command and self._roots.mine(facts)
            }
        except ProbeError as error:
            self._unseen.append(f"processes: {error}")
            return {}
        own = programs.family(found, self._processes.own_pid)
        self._healed = looked_after(facts for pid, facts in found.items() if pid not in own)
        space = self._namespace()
        return {
            pid: facts
            for pid, facts in found.items()
            if pid not in own
            # a container's processes are the container's business
            and (not space or facts.namespace in {0, space})
            and uid in {0, facts.uid}
            and not programs.is_healmon(facts)
        }

    def _namespace(self) -> int:
        facts = self._processes.inspect(self._self())
        return facts.namespace if facts is not None else 0

    def _named(
        self, everyone: dict[int, ProcessFacts], more: Iterable[str] = ()
    ) -> tuple[dict[int, survey.PidFile], tuple[survey.PidFile, ...]]:
        """Return whom pid files name, and those that name nobody any more."""
        # they are as old as they were then, however long the look has taken since
        now, named, stale = self._asked_at, dict[int, survey.PidFile](), list[survey.PidFile]()
        for file in survey.pid_files((*self._roots.folders, *more)):
            facts = everyone.get(file.pid)
            if facts is None:
                if file.owner == os.geteuid() and self._processes_lack(file.pid):
                    stale.append(file)
            elif file.owner not in {0, facts.uid, os.geteuid()}:
                continue  # anybody can write anybody's pid into a shared directory
            elif now - facts.age > file.written + programs.GRAIN:
                stale.append(file)  # whoever has the pid now was born after the file
            else:
                named.setdefault(file.pid, file)
        return named, tuple(stale)

    def _processes_lack(self, pid: int) -> bool:
        try:
            return self._processes.identify(pid) is None
        except ProbeError:
            return False

    def _workers(
        self, everyone: dict[int, ProcessFacts], named: dict[int, survey.PidFile]
    ) -> tuple[Worker, ...]:
        found: list[Worker] = []
        for pid, facts in sorted(everyone.items()):
            file = named.get(pid)
            if file is None and not programs.looks_like_daemon(facts.command):
                continue
            worker = self._worker(facts, file, everyone)
            if worker is not None:
                found.append(worker)
        return programs.leaders(found, everyone)

    def _worker(
        self, facts: ProcessFacts, file: survey.PidFile | None, everyone: dict[int, ProcessFacts]
    ) -> Worker | None:
        who = facts.identity
        try:
            origin = self._processes.origin(who)
        except ProbeError:
            origin = None
        if origin is None:
            return None
        script, directory, place = programs.script_of(origin)
        if file is None and not script:
            return None
        interpreter = programs.interpreter_of(origin.argv, survey.program(who))
        beside = programs.state_files(file.path) if file is not None else ()
        return Worker(
            pid=who.pid,
            age=facts.age,
            argv=origin.argv,
            script=script,
            place=place,
            interpreter=interpreter,
            ours=interpreter == sys.executable,
            directory=directory,
            pid_file=file.path if file is not None else "",
            quiet=next(iter(beside), ""),
            env=programs.own_environment(survey.environment(who), os.environ),
            user=user_name(facts.uid) if facts.uid != os.geteuid() else "",
            unit=survey.unit(who) if survey.unit(who) != survey.unit(self._self()) else "",
            healer=self._healed.get(who.pid, ""),
            copies=programs.copies(facts, everyone),
            open=survey.open_paths(who),
        )

    def _self(self) -> Identity:
        found = self._processes.identify(self._processes.own_pid)
        return found if found is not None else Identity("", 0, 0)

    def _beating(self, workers: tuple[Worker, ...]) -> tuple[Worker, ...]:
        """Return the workers with the state files that were written while they were watched."""
        before = {w.quiet: changed(w.quiet) for w in workers if w.quiet}
        moved: set[str] = set()
        until = process_seconds() + self._roots.watch
        while len(moved) < len(before) and process_seconds() < until:
            threading.Event().wait(0.1)
            moved |= {path for path, at in before.items() if changed(path) != at}
        return tuple(programs.with_beat(worker, moved) for worker in workers)

    # -- places

    def _places(self, workers: tuple[Worker, ...]) -> tuple[str, ...]:
        """Return the directories to search: the one asked for, and those workers run from."""
        home = os.path.expanduser("~")  # noqa: PTH111 - text
        found = [os.path.realpath(self._roots.tree)]
        for worker in workers if self._roots.follow else ():
            place = os.path.realpath(worker.directory) if worker.directory else ""
            if place and place not in {"/", home, "/tmp", "/root"} and worker.pid_file:  # noqa: S108 - no project
                found.append(place)
        roots = sorted(set(found))
        return tuple(r for r in roots if not any(r.startswith(f"{o.rstrip('/')}/") for o in roots))

    def _sessions(
        self, everyone: dict[int, ProcessFacts]
    ) -> tuple[tuple[str, ...], tuple[Session, ...]]:
        candidates = [*survey.tmux_sockets(self._roots.sockets), *programs.tmux_sockets(everyone)]
        sockets, sessions = list[str](), dict[tuple[str, str], Session]()
        until = process_seconds() + PATIENCE
        for name in dict.fromkeys(candidates):
            if process_seconds() > until:
                self._unseen.append(f"tmux server {clean(name)}: the look took too long")
                continue
            try:
                panes = self._tmux.panes(name)
            except TmuxAbsentError:
                continue
            except (ProbeError, HealmonError) as error:
                self._unseen.append(clean(str(error.args[0])))
                continue
            sockets.append(name)
            for pane in panes:
                one = Session(name, pane.session, pane.command, pane.attached > 0)
                sessions.setdefault((name, pane.session), one)
        return tuple(sockets), tuple(sessions.values())

    def _databases(
        self, everyone: dict[int, ProcessFacts], workers: tuple[Worker, ...], near: set[str]
    ) -> tuple[Database, ...]:
        users: dict[str, dict[int, str]] = {}
        for pid, facts in everyone.items():
            for path in survey.open_paths(facts.identity):
                database = surveyfiles.database_of(path)
                if database:
                    users.setdefault(database, {})[pid] = facts.name
        open_now = {surveyfiles.database_of(path) for w in workers for path in w.open} - {""}
        near = near | open_now
        paths = [p for p in {*users, *near} if p in near or surveyfiles.is_database(p)]
        # in a directory full of databases it is not those of workers that are not asked any more
        paths.sort(key=lambda path: (path not in near, path not in open_now, path.count("/"), path))
        self._until = process_seconds() + PATIENCE
        found = [
            self._database(path, path in near, users.get(path, {}))
            for path in paths[:MOST_DATABASES]
            if surveyfiles.is_database(path)
        ]
        return tuple(sorted(found, key=lambda one: one.path))

    def _database(self, path: str, near: bool, users: dict[int, str]) -> Database:  # noqa: FBT001 - as is
        layout, unclear = self._layout(path) if near else ("", "")
        return Database(
            path=path, users=tuple(sorted(users.items())), near=near, layout=layout, unclear=unclear
        )

    def _layout(self, path: str) -> tuple[str, str]:
        """Return the layout of tasks that a database has; else why it cannot be told, if so."""
        unclear = ""
        for layout in LAYOUTS:
            if process_seconds() > self._until:
                return "", "the look took too long"
            try:
                self._tasks.read(Tasks(name="found", path=path, layout=layout))
            except ProbeError as error:
                said = str(error.args[0])
                if "has no table" not in said and "no column" not in said:
                    unclear = clean(said, limit=200)
            else:
                return layout, ""
        return "", unclear
