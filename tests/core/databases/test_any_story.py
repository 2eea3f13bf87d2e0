"""Any sequence of kills, stops and healings: every acknowledged row survives."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healmon.errors import HealmonError
from tests.helpers.dbactor import ask
from tests.helpers.dbwatch import Watch
from tests.helpers.wait import until

pytestmark = pytest.mark.slow

WRITER = """
import os, sqlite3, sys, time
path, promised, style = sys.argv[1:4]
log = os.open(promised, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
c = sqlite3.connect(path, isolation_level=None, timeout=30)
c.execute("CREATE TABLE IF NOT EXISTS rows(id INTEGER PRIMARY KEY, text TEXT)")
if style == "spill":
    c.execute("PRAGMA cache_size=5")
number = 0
while True:
    number += 1
    name = f"{os.getpid()}.{number}"
    c.execute("BEGIN IMMEDIATE")
    size = 60_000 if style == "spill" else 10
    c.execute("INSERT INTO rows(text) VALUES (? || ' ' || hex(zeroblob(?)))", (name, size))
    if style == "idle" and number == 20:
        time.sleep(600)
    c.execute("COMMIT")
    # promised only now; whoever reads this may rely on the row
    os.write(log, name.encode() + b"\\n")
"""


class Stage:
    def __init__(self, base: Path, mode: str) -> None:
        self.path = base / "a.db"
        self.promised = base / "promised"
        program = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute(sys.argv[2])"
        pragma = f"PRAGMA journal_mode={mode}"
        subprocess.run([sys.executable, "-c", program, self.path, pragma], check=True)
        self.writers: list[subprocess.Popen[bytes]] = []
        self.watch = Watch(self.path, busy_for=0.05, act_after=0.1, may_kill=("*python*",))

    def begin(self, style: str) -> None:
        self.writers = [writer for writer in self.writers if writer.poll() is None]
        if len(self.writers) < 3:
            argv = [sys.executable, "-c", WRITER, self.path, self.promised, style]
            writer = subprocess.Popen(argv, stdout=subprocess.DEVNULL, start_new_session=True)
            self.writers.append(writer)

    def signal(self, number: int, which: int) -> None:
        if self.writers:
            with suppress(ProcessLookupError):
                os.kill(self.writers[which % len(self.writers)].pid, number)

    def heal(self) -> None:
        """Look a few times, and do whatever healmon plans by then."""
        for _ in range(4):
            verdict = self.watch.look()
            if verdict.plan is not None and verdict.plan.delay == 0:
                with suppress(HealmonError):
                    self.watch.carry_out(verdict.plan)

    def write_on(self) -> None:
        """Give the writers a moment: until one more row is promised, if any can."""
        before = self.promises()
        with suppress(AssertionError):
            until(lambda: len(self.promises()) > len(before), 0.5)

    def promises(self) -> list[str]:
        return self.promised.read_text().split() if self.promised.exists() else []

    def close(self) -> None:
        for writer in self.writers:
            writer.kill()
            writer.wait(10)
        self.watch.close()


STEP = st.one_of(
    st.tuples(st.just("begin"), st.sampled_from(["quick", "spill", "idle"])),
    st.tuples(st.just("signal"), st.sampled_from([9, 15, 19, 18]), st.integers(0, 2)),
    st.tuples(st.just("heal")),
    st.tuples(st.just("write_on")),
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow], database=None)
@given(st.sampled_from(["delete", "wal"]), st.lists(STEP, min_size=4, max_size=14))
def test_every_promised_row_survives(mode, steps):
    base = Path(tempfile.mkdtemp(prefix="hm"))
    stage = Stage(base, mode)
    try:
        stage.begin("quick")
        stage.begin("idle")
        for verb, *words in steps:
            {"begin": stage.begin, "signal": stage.signal, "heal": stage.heal,
             "write_on": stage.write_on}[verb](*words)  # fmt: skip
        for writer in stage.writers:
            writer.send_signal(signal.SIGKILL)
            writer.wait(10)
        promised = set(stage.promises())
        stage.heal()
        stage.heal()
        assert stage.watch.look().metric_value in {"free", "missing", "cannot-look"}
        if promised:
            rows = ask(stage.path, "SELECT substr(text, 1, instr(text, ' ') - 1) FROM rows")
            assert promised <= {row[0] for row in rows}
        assert ask(stage.path, "PRAGMA integrity_check") == [["ok"]]
    finally:
        stage.close()
        shutil.rmtree(base)
