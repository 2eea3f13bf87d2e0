"""The program that reads and writes task databases, to which something happens at its worst."""

from __future__ import annotations

from pathlib import Path

from healmon.world import taskdb
from tests.helpers import preloaded

CHILD = taskdb.PROGRAM
PROGRAM = """
import json, os, resource, runpy, signal, sqlite3
count, deed, answers, limit = {count!r}, signal.{deed}, {answers!r}, {limit!r}
connect, dump = sqlite3.connect, json.dump
def step(sql):
    global count
    count -= 1
    if count == 0:
        os.kill(os.getpid(), deed)
def connected(*args, **keys):
    database = connect(*args, **keys)
    # so small that what is changed goes into the file before the commit
    database.execute("PRAGMA cache_size=1")
    database.set_trace_callback(step)
    return database
def answered(*args, **keys):
    if not answers:
        os.kill(os.getpid(), deed)
    dump(*args, **keys)
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
sqlite3.connect, json.dump = connected, answered
runpy.run_path({program!r}, run_name="__main__")
"""
"""The real program, to which something happens at its n-th statement."""


class Sabotage:
    """Arranges what happens to every child that is asked from now on; nothing: as it should."""

    def __init__(self, monkeypatch, folder: Path) -> None:
        self.monkeypatch = monkeypatch
        self.program = folder / "sabotage" / "child.py"
        self.program.parent.mkdir()
        preloaded.KIN.add(str(self.program))

    def __call__(
        self, count: int = 0, deed: str = "SIGKILL", *, answers: bool = True, limit: int = 0
    ) -> None:
        text = PROGRAM.format(
            count=count, deed=deed, answers=answers, limit=limit, program=str(CHILD)
        )
        self.program.write_text(text)
        plain = not count and not limit and answers
        self.monkeypatch.setattr(taskdb, "PROGRAM", CHILD if plain else self.program)
