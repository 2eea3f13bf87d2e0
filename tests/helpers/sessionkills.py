"""A healmon that watches sessions and kills itself at its N-th step of acting on one.

    python -m tests.helpers.sessionkills < LINES

Each line is a `Script` as JSON; a child of its own plays it, and a line with its wait status
answers. A step is each moment before a journal row, a key, a change of task rows or a stored
evidence: the moment before one is the moment after the one before it. Every step is written to
`steps` as it is reached.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from healmon.config.load import load
from healmon.config.settings import Settings
from healmon.engine.acts import Acts
from healmon.errors import HolderError
from healmon.service.host import Host
from healmon.sessions import interrupt
from healmon.world.evidencefiles import SystemEvidenceFiles
from healmon.world.taskdb import SystemTaskDatabases
from healmon.world.tmux import SystemTmux
from tests.helpers import preloaded
from tests.helpers.forked import Forks, serve
from tests.helpers.wait import until

REPEAT = 1.0
"""Seconds before the repeat here: the sweep has many steps."""
INTERVAL = 1.0
"""Seconds between two rounds: it waits for most of them, and there are hundreds in the sweep."""
CALM = 1.2
"""Seconds that it goes on after the tasks are back: what is done twice would be seen."""
LIMIT = 90.0


class Script(msgspec.Struct):
    """What to watch, and when to die; `kill_at` 0: never, and it ends once the tasks are back."""

    config: str
    state: str
    database: str
    steps: str
    kill_at: int = 0


class Steps:
    """Counts steps, tells them, and dies in time."""

    def __init__(self, script: Script) -> None:
        self._fd = os.open(script.steps, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._kill_at = script.kill_at
        self._count = 0

    def reached(self, what: str) -> None:
        self._count += 1
        os.write(self._fd, f"{what}\n".encode())
        if self._count == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, owner: type, name: str, text: Callable[..., str]) -> None:
        """Make a step of each call of a method."""
        inner: Any = getattr(owner, name)

        def stepped(this: object, *words: Any) -> object:
            self.reached(text(*words))
            return inner(this, *words)

        async def journaled(this: object, *words: Any) -> None:
            self.reached(text(*words))
            await inner(this, *words)

        setattr(owner, name, journaled if asyncio.iscoroutinefunction(inner) else stepped)


def watch(steps: Steps) -> None:
    steps.around(Acts, "journal", lambda _act, text: f"journal: {text}")
    steps.around(SystemTmux, "press", lambda _pane, keys: f"press {' '.join(keys)}")
    steps.around(SystemTmux, "leave_mode", lambda _pane: "leave mode")
    steps.around(SystemTaskDatabases, "settle", lambda *_: "settle")
    steps.around(SystemTaskDatabases, "give_back", lambda *_: "give back")
    steps.around(SystemEvidenceFiles, "write", lambda ident, _data: f"evidence {ident}")


def waiting(database: str) -> bool:
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)
    try:
        words = "SELECT count(*) FROM prompts WHERE status != 'pending'"
        return bool(connection.execute(words).fetchone()[0])
    finally:
        connection.close()


async def attend(script: Script, host: Host) -> None:
    """Run the healer until all tasks are back and nothing is under way."""
    running = asyncio.create_task(host.run())
    async with asyncio.timeout(LIMIT):
        calm = 0.0
        while calm < CALM:
            await asyncio.sleep(0.1)
            busy = waiting(script.database) or host.engine.snapshot.plans
            calm = 0.0 if busy else calm + 0.1
    host.engine.stop()
    await running


def opened(settings: Settings, script: Script) -> Host | None:
    """Take the state directory; a child that was being forked at the kill has it for a moment."""
    with contextlib.suppress(HolderError):
        return Host.open(settings, Path(script.state), mode="no-ui", dry_run=False)
    return None


def play(line: str) -> None:
    script = msgspec.json.decode(line, type=Script)
    interrupt.REPEAT_AFTER = REPEAT
    watch(Steps(script))
    settings = load(Path(script.config), {})
    settings = replace(settings, monitor=replace(settings.monitor, check_interval=INTERVAL))
    host = until(lambda: opened(settings, script), 60, "the state directory free")
    try:
        asyncio.run(attend(script, host))
    finally:
        host.close()


class Player:
    """Has sessions watched, and the watcher killed."""

    def __init__(self) -> None:
        self._forks = Forks(__name__)

    def play(self, script: Script) -> bool:
        """Return whether a script was played to its end; False: it killed itself."""
        return self._forks.play(msgspec.json.encode(script).decode())

    def close(self) -> None:
        self._forks.close()


if __name__ == "__main__":
    preloaded.use()
    serve(play)
