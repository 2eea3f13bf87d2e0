"""Databases as real crashes left them."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

DIE = "import os; os.kill(os.getpid(), 9)"
WAL = f"""
import sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute("PRAGMA journal_mode=WAL")
c.execute("PRAGMA wal_autocheckpoint=0")
# its process dies, not the machine: waiting for the disk would change nothing
c.execute("PRAGMA synchronous=OFF")
c.execute("CREATE TABLE rows(id INTEGER PRIMARY KEY, text TEXT)")
for _ in range(int(sys.argv[2])):
    c.execute("INSERT INTO rows(text) VALUES ('x')")
{DIE}
"""
OVERTAKEN = f"""
import os, sqlite3, subprocess, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute("PRAGMA journal_mode=WAL")
c.execute("PRAGMA wal_autocheckpoint=0")
c.execute("CREATE TABLE IF NOT EXISTS rows(id INTEGER PRIMARY KEY, text TEXT)")
if sys.argv[2] == "0":
    c.execute("INSERT INTO rows(text) VALUES ('promised')")
    program = sys.orig_argv[sys.orig_argv.index("-c") + 1]
    subprocess.run([sys.executable, "-I", "-S", "-c", program, sys.argv[1], "1"])
    c.execute("INSERT INTO rows(text) VALUES ('promised')")
else:
    # killed when its transaction stood in the -wal and the index was not told yet
    with open(sys.argv[1] + "-shm", "r+b", buffering=0) as index:
        before = index.read(96)
        c.execute("INSERT INTO rows(text) VALUES (?)", ("y" * 50_000,))
        index.seek(0)
        index.write(before)
{DIE}
"""
JOURNAL = f"""
import sqlite3, sys
users = []
for number, path in enumerate(sys.argv[1].split("\\n")):
    c = sqlite3.connect(path, isolation_level=None)
    users.append(c)
    c.execute("CREATE TABLE rows(id INTEGER PRIMARY KEY, text TEXT)")
    c.execute("BEGIN")
    c.executemany("INSERT INTO rows(text) VALUES (?)", [("x",)] * int(sys.argv[2]))
    c.execute("COMMIT")
    # each spills at another place
    c.execute(f"PRAGMA cache_size={{5 + number}}")
    c.execute("BEGIN")
    c.execute("UPDATE rows SET text = 'not committed, and longer than before'")
{DIE}
"""
SPILL = f"""
import sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute("PRAGMA journal_mode=WAL")
c.execute("PRAGMA wal_autocheckpoint=0")
c.execute("CREATE TABLE rows(id INTEGER PRIMARY KEY, text TEXT)")
c.execute("BEGIN")
c.executemany("INSERT INTO rows(text) VALUES (?)", [("x",)] * 100)
c.execute("COMMIT")
c.execute("PRAGMA cache_size=5")
c.execute("BEGIN")
c.executemany("INSERT INTO rows(text) VALUES (?)", [("y" * 2000,)] * 1000)
c.execute("ROLLBACK")
for _ in range(2):
    c.execute("INSERT INTO rows(text) VALUES ('x')")
{DIE}
"""
CHECKPOINT = """
import sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute("PRAGMA journal_mode=WAL")
c.execute("PRAGMA synchronous=FULL")
c.execute("PRAGMA wal_autocheckpoint=0")
c.execute("CREATE TABLE rows(id INTEGER PRIMARY KEY, text TEXT)")
n = int(sys.argv[2])
c.execute("BEGIN")
c.executemany("INSERT INTO rows(text) VALUES (?)", [("x" * 100,)] * (n - 100))
c.execute("COMMIT")
for _ in range(100):
    c.execute("INSERT INTO rows(text) VALUES ('x')")
print("now", flush=True)
c.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
print("over", flush=True)
sys.stdin.read()
"""


def crash(path: Path | str, program: str, rows: int = 0) -> None:
    argv = [sys.executable, "-I", "-S", "-c", program, str(path), str(rows)]
    done = subprocess.run(argv, timeout=60)
    assert done.returncode == -signal.SIGKILL


def crashed_wal(path: Path, rows: int = 150) -> int:
    crash(path, WAL, rows)
    return rows


def hot_journal(path: Path, rows: int = 3000) -> int:
    return hot_journals([path], rows)


def hot_journals(paths: Sequence[Path], rows: int = 3000) -> int:
    """Leave a hot journal beside each database; one process dies for all."""
    crash("\n".join(map(str, paths)), JOURNAL, rows)
    assert all(Path(f"{path}-journal").stat().st_size for path in paths)
    return rows


def rolled_back_spill(path: Path) -> int:
    crash(path, SPILL)
    return 102


def overtaken(path: Path) -> int:
    """Leave a commit that the index was never told of, and whose first frame another wrote over."""
    crash(path, OVERTAKEN)
    return 2


def cut_checkpoint(path: Path, number: int, rows: int = 10_100) -> int:
    """Kill a checkpoint at its `number`-th write into the database."""
    argv = [
        "strace", "-f", "-o", "/dev/null", "-e", "trace=pwrite64", "-P", str(path),
        "-e", f"inject=pwrite64:signal=SIGKILL:when={number}",
        sys.executable, "-c", CHECKPOINT, str(path), str(rows),
    ]  # fmt: skip
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL
    )
    assert "over" not in done.stdout, "it was not killed in its checkpoint"
    assert "now" in done.stdout, done.stderr
    return rows


def damage(path: Path, offset: int) -> None:
    """Flip one bit."""
    with path.open("r+b") as file:
        file.seek(offset)
        (byte,) = struct.unpack("B", file.read(1))
        file.seek(offset)
        file.write(struct.pack("B", byte ^ 1))
        file.flush()
        os.fsync(file.fileno())


CRASHES: dict[str, Callable[[Path], int]] = {
    "wal": crashed_wal, "journal": hot_journal, "spill": rolled_back_spill,
}  # fmt: skip
