"""A private tmux server with fake agents and jobs, a task database, and a real healmon on both."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from healmon import events as ev
from healmon.clock import Clock, SystemClock
from healmon.config.load import load
from healmon.config.settings import Settings
from healmon.plans import Plan, Proof, pack, unpack
from healmon.service.host import Host
from healmon.sessions import novelty
from healmon.sessions.facts import ACTION, Order, Row, SessionFacts
from healmon.sessions.packs import bundled
from healmon.sessions.probe import Probe, SessionSeen
from healmon.sessions.remedy import Remedy
from healmon.world.evidencefiles import SystemEvidenceFiles
from healmon.world.system_processes import SystemProcesses
from healmon.world.taskdb import SystemTaskDatabases
from tests.helpers.made_up import Noted
from tests.helpers.tmuxes import PatientTmux, PrivateTmux, python
from tests.helpers.wait import until

FAKE = Path(__file__).with_name("fakeagent.py")
SCHEMA = """
CREATE TABLE prompts (id INTEGER PRIMARY KEY AUTOINCREMENT, content TEXT NOT NULL,
  status TEXT DEFAULT 'pending', assigned_session TEXT, assigned_at TIMESTAMP,
  completed_at TIMESTAMP, error TEXT, retry_count INTEGER DEFAULT 0, max_retries INTEGER DEFAULT 3,
  target_session TEXT);
CREATE TABLE assignment_history (id INTEGER PRIMARY KEY AUTOINCREMENT, prompt_id INTEGER NOT NULL,
  session_name TEXT NOT NULL, action TEXT NOT NULL, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
  details TEXT);
"""
# it repaints for ever and says nothing new; each interrupt is counted in a file, and ends it
HUNG = """
import signal, sys, time
def interrupted(*_):
    open({log!r}, 'a').write('C-c\\n')
    {then}
signal.signal(signal.SIGINT, interrupted)
n = 0
while True:
    n += 1
    print('\\r' + '|/-'[n % 3] + ' Sorting… ' + str(n // 10) + 's', end='', flush=True)
    time.sleep(0.1)
"""
INTERVAL = 0.5
"""Seconds between two rounds: each starts a Python that reads the tasks."""
SMALL = {
    "stuck_after": "3s",
    "warn_after": "2s",
    "retry_after": "2s",
    "frozen_after": "2s",
    "idle_after": "2s",
    "gave_up_after": "1s",
    "waiting_after": "1s",
    "verify_within": "1s",
    "quiet_client": "3s",
    "confirm_for": "1s",
    "confirm_looks": 2,
    "requeue_backoff": ["0s"],
}


class Stage:
    """Sessions, tasks, and what was pressed."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.tmux = PrivateTmux(base)
        self.database = base / "assigner.db"
        self.config = base / "healmon.toml"
        self.state = base / "state"
        self.probes: list[Probe] = []
        connection = sqlite3.connect(self.database)
        connection.executescript("PRAGMA journal_mode=WAL;" + SCHEMA)
        connection.close()
        (base / "bin").mkdir()
        for kind in ("claude", "codex", "gemini", "opencode", "mystery"):
            (base / "bin" / kind).symlink_to(os.path.realpath(sys.executable))

    # The world.

    def log(self, name: str) -> Path:
        return self.base / f"{name}.keys"

    def keys(self, name: str) -> list[str]:
        """Every key that the program in a session has read."""
        log = self.log(name)
        return log.read_text().split() if log.exists() else []

    def line(self, name: str, kind: str, state: str, *more: str, binary: str = "") -> str:
        program = str(self.base / "bin" / (binary or kind))
        argv = [program, "-IS", str(FAKE), state, str(self.log(name)), *more]
        return shlex.join(["env", f"FAKE_KIND={kind}", *argv])

    def agent(
        self, name: str, kind: str, state: str, *more: str, shell: bool = False, binary: str = ""
    ) -> str:
        """Start a session with a fake agent, in a shell or as the pane's own program."""
        line = self.line(name, kind, state, *more, binary=binary)
        if shell:
            pane = self.tmux.new(name)
            self.tmux.type(pane, line)
        else:
            pane = self.tmux.new(name, f"exec {line}")
        if state == "frozen":
            # its own terminal must be raw before anything is typed
            until(lambda: "esc" in self.tmux.screen(pane), 60, "the frozen screen")
        else:
            until(lambda: self.tmux.screen(pane).count("\n") > 2, 60, f"the screen of {name}")
        return pane

    def job(self, name: str, code: str) -> str:
        """Start a session with a Python program in a shell."""
        pane = self.tmux.new(name)
        self.tmux.start(pane, code)
        return pane

    def hung(self, name: str, *, deaf: bool = False) -> str:
        """Start a job that spins for ever and counts its interrupts; one that is deaf stays."""
        then = "pass" if deaf else "sys.exit(0)"
        return self.job(name, HUNG.format(log=str(self.log(name)), then=then))

    def tell(self, name: str, state: str) -> None:
        """Let a fake agent take over a state; returns once its pane shows that."""
        self._order(name, "do", state)

    def says(self, name: str, text: str) -> None:
        self._order(name, "say", text)

    def _order(self, name: str, kind: str, text: str) -> None:
        order = Path(f"{self.log(name)}.{kind}")
        whole = order.with_suffix(".begun")
        whole.write_text(text)
        whole.rename(order)  # never seen half written
        until(lambda: not order.exists(), 60, f"{name} to follow {text}")
        self.tmux.run("display-message", "-p", "")  # by then the server has read what was painted

    # Its tasks.

    def sql(self, words: str, *values: object) -> list[tuple]:
        connection = sqlite3.connect(self.database, timeout=30)
        try:
            with connection:
                return connection.execute(words, values).fetchall()
        finally:
            connection.close()

    def task(self, session: str, status: str = "in_progress", *, age: float = 7200) -> int:
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() - age))
        self.sql(
            "INSERT INTO prompts (content, status, assigned_session, assigned_at)"
            " VALUES ('work', ?, ?, ?)",
            status, session, at,
        )  # fmt: skip
        return self.sql("SELECT max(id) FROM prompts")[0][0]

    def status(self, task: int) -> str:
        return self.sql("SELECT status FROM prompts WHERE id = ?", task)[0][0]

    def taken(self, task: int) -> list[str]:
        """What the history says was done with a task."""
        rows = self.sql(
            "SELECT action FROM assignment_history WHERE prompt_id = ? ORDER BY id", task
        )
        return [action for (action,) in rows]

    # A healmon.

    def configure(self, **keys: object) -> Settings:
        """Write a configuration with small limits and return it as healmon reads it."""
        interval = keys.pop("interval", INTERVAL)
        more = keys.pop("more", "")
        words = {"socket": self.tmux.socket, **SMALL, **keys}
        if "sockets" in words:
            del words["socket"]
        lines = "\n".join(f"{k} = {json.dumps(v)}" for k, v in words.items())
        self.config.write_text(
            f'[monitor]\nname = "box"\ncheck_interval = "1s"\n[disk]\npaths = []\n'
            f'[sessions]\n{lines}\n[tasks.assigner]\npath = "{self.database}"\n{more}'
        )
        settings = load(self.config, {})
        return replace(settings, monitor=replace(settings.monitor, check_interval=interval))

    @contextlib.contextmanager
    def healmon(self, *, dry_run: bool = False, **keys: object) -> Iterator[Healmon]:
        """Run a whole healer in this process, on a thread of its own."""
        healer = Healmon(
            Host.open(self.configure(**keys), self.state, mode="no-ui", dry_run=dry_run)
        )
        try:
            yield healer
        finally:
            healer.close()

    def evidence(self) -> list[dict]:
        """All stored evidence, the newest first."""
        files = SystemEvidenceFiles(self.state / "evidence")
        return [json.loads(files.read(ident) or b"{}") for ident in files.idents()]

    # Hands alone, without the judge.

    def hands(self, **keys: object) -> Hands:
        return Hands(self, self.configure(**keys))

    def close(self) -> None:
        for probe in self.probes:
            probe.close()
        self.tmux.close()


class Healmon:
    """A healer that runs."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.records: list[ev.Recorded] = []
        host.engine.subscribe(self.records.append)
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            asyncio.run(self.host.run())
        except BaseException as error:  # noqa: BLE001 - told by close
            self.failure = error

    def facts(self, session: str) -> SessionFacts:
        view = self.host.engine.snapshot.components.get(f"session:{session}")
        return (
            SessionFacts(state="unknown", session=session)
            if view is None
            else unpack(view.facts, SessionFacts)
        )

    def state(self, session: str) -> str:
        return self.facts(session).state

    def events(self, kind: type) -> list:
        return [r.event for r in list(self.records) if isinstance(r.event, kind)]

    def done(self) -> list[ev.ActionVerified]:
        return self.events(ev.ActionVerified)

    def failed(self) -> list[ev.ActionFailed]:
        return self.events(ev.ActionFailed)

    def alerts(self, condition: str) -> list:
        """The open alerts of a condition."""
        alerts = self.host.engine.snapshot.alerts.values()
        return [a for a in alerts if a.key.rpartition("/")[2] == condition]

    def cycles(self, number: int) -> None:
        """Wait for so many more cycles."""
        end = self.host.engine.snapshot.cycle.number + number + 1
        until(lambda: self.host.engine.snapshot.cycle.number >= end, 60, f"{number} cycles")

    def ask(self, verb: str, target: str, **arguments: object):
        loop = self.host.engine._loop
        call = self.host.engine.ask(verb, target, arguments, origin="tester")
        return asyncio.run_coroutine_threadsafe(call, loop).result(60)

    def close(self) -> None:
        self.host.engine.stop()
        self._thread.join(90)
        self.host.close()
        assert not self._thread.is_alive()
        if self.failure is not None:
            raise self.failure


class Hands:
    """The remedy alone: an order made from one look, and carried out."""

    def __init__(self, stage: Stage, settings: Settings, clock: Clock | None = None) -> None:
        self.stage, self.settings = stage, settings
        self.clock = clock or SystemClock()
        self.probe = Probe(
            settings.sessions, settings.tasks, PatientTmux(), SystemTaskDatabases(),
            SystemProcesses(), self.clock,
        )  # fmt: skip
        stage.probes.append(self.probe)
        self.files = SystemEvidenceFiles(stage.state / "evidence")
        self.steps: list[str] = []

    def seen(self, session: str) -> SessionSeen:
        async def look() -> SessionSeen:
            seen = await self.probe.look()
            self.probe.close()
            return next(one for one in seen.sessions if one.pane.name == session)

        return asyncio.run(look())

    def order(self, session: str, **changes: object) -> Order:
        """What the judge would order about a session as it is now."""
        one = self.seen(session)
        agent = "" if one.family is None else one.family.agent
        sign = one.sign
        keys, _ = bundled().chords(self.settings.sessions.interrupt, one.terminal, agent)
        order = Order(
            session=session,
            socket=one.pane.socket,
            pane=one.pane.id,
            key=f"{one.pane.key}.{0 if one.family is None else one.family.ticks}",
            rows=tuple(Row(t.source, t.id, t.status, t.token) for t in one.tasks),
            known=novelty.absorb(novelty.Known(), one.screen, self.clock.read().steady),
            keys=keys,
            dead=one.pane.dead,
            quiet=60.0,
            reason=f"session {session} stuck, nothing new for 1.0 min; cleared by healmon",
            state="stalled",
            matched=sign.rule,
            question=sign.question,
            choices=sign.choices,
        )
        return replace(order, **changes)

    def plan(self, order: Order, ident: str, action: str = ACTION) -> Plan:
        return Plan(
            healer="sessions", component=f"session:{order.session}", action=action,
            subject=order.key, why="a test", steps=(), proof="", on_failure="", order=pack(order),
            origin="tester" if order.by_hand or order.answer else "healmon", id=ident,
        )  # fmt: skip

    def carry_out(self, order: Order, ident: str = "1.1.1", action: str = ACTION) -> Proof:
        """Carry an order out; raises as the remedy does."""
        hand = Noted()
        remedy = Remedy(self.probe, self.clock, self.files)

        async def act() -> Proof:
            try:
                return await remedy.carry_out(self.plan(order, ident, action), hand)
            finally:
                remedy.close()
                self.probe.close()

        try:
            return asyncio.run(act())
        finally:
            self.steps += hand.steps

    def evidence(self, ident: str = "1.1.1") -> dict:
        return json.loads(self.files.read(ident) or b"{}")


__all__ = ["Hands", "Healmon", "Stage", "python"]
