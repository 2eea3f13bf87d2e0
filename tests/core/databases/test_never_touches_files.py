"""No -wal, -shm or -journal is ever deleted; one child alone lets SQLite take one over."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

CORE = Path(__file__).parents[3] / "core" / "healmon"
LOOKING = (
    "sqlite", "lockchild", "lockline", "proclocks", "dbreading", "dbusers", "sqliteversion",
    "supervised", "walframes",
)  # fmt: skip
HEALING = CORE / "world" / "healchild.py"
COPYING = CORE / "world" / "dbprivate.py"
"""Removes the private copies that it has made itself."""
OURS = sorted(
    [
        *(CORE / "databases").glob("*.py"),
        *(CORE / "world" / f"{name}.py" for name in LOOKING),
        CORE / "world" / "simulated" / "sqlite.py",
    ]
)
TOUCHING = {
    "unlink", "remove", "removedirs", "rmdir", "rmtree", "rename", "renames", "truncate",
    "ftruncate", "write_text", "write_bytes", "touch", "chmod", "chown", "utime", "link",
    "symlink", "move", "copy", "copyfile", "copyfileobj", "mmap", "lockf", "flock",
    "posix_fallocate", "connect", "execute", "executescript", "writelines",
}  # fmt: skip
MODULES = {"sqlite3", "shutil", "tempfile", "mmap", "aiosqlite", "apsw"}
FLAGS = {"O_RDWR", "O_WRONLY", "O_CREAT", "O_TRUNC", "O_APPEND"}
LOCKING = {"F_SETLK", "F_SETLKW", "F_OFD_SETLK", "F_OFD_SETLKW", "F_SETLEASE", "LOCK_EX"}
SIMULATED = {"remove", "connect"}  # verbs of the made-up world, on nothing but memory


@pytest.mark.parametrize("path", OURS, ids=lambda p: p.name)
def test_the_healer_of_databases_knows_no_way_to_change_a_file(path):
    tree = ast.parse(path.read_text())
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    imported = {
        name.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    imported |= {
        node.module.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
    }
    allowed = SIMULATED if path.parent.name == "simulated" else set()
    assert not (used | called) & (TOUCHING - allowed)
    assert not used & (FLAGS | LOCKING)
    assert not imported & MODULES


@pytest.mark.parametrize("path", OURS, ids=lambda p: p.name)
def test_every_open_is_for_reading(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        if ast.unparse(node.func) in {"open", "io.open", "os.fdopen"}:
            modes = [ast.unparse(a) for a in node.args[1:2]]
            modes += [ast.unparse(k.value) for k in node.keywords if k.arg == "mode"]
            assert all(mode in {"'r'", "'rb'"} for mode in modes), ast.unparse(node)
        if ast.unparse(node.func) == "os.write":
            # the one thing that is written to: the pipe to the lock child
            assert path.name == "lockline.py"


def test_each_signal_has_one_place():
    for path in OURS:
        found = set(re.findall(r"\b(?:SIG)?(?:KILL|TERM|CONT|STOP|INT|HUP|QUIT)\b", code_of(path)))
        allowed = {
            "lockline.py": {"SIGKILL"}, "remedy.py": {"CONT"}, "ending.py": {"TERM", "KILL"},
            "unpinning.py": {"TERM", "KILL"},
        }.get(path.name, set())  # fmt: skip
        assert found <= allowed, path


@pytest.mark.slow
def test_nobody_else_in_the_core_touches_the_files_of_a_database_but_the_store():
    """The store looks after its own database; whoever else names such files only looks."""
    names = ("-wal", "-shm", "-journal")
    gone = {"unlink", "remove", "rename", "truncate", "ftruncate", "rmtree"}
    for path in CORE.rglob("*.py"):
        if path.relative_to(CORE).parts[0] in {"store", "demo"} or path == HEALING:
            continue
        tree = ast.parse(path.read_text())
        texts = {
            node.value.decode("latin-1") if isinstance(node.value, bytes) else node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
        }
        assert not any("wal_checkpoint" in text for text in texts), path
        if texts.isdisjoint(names):
            continue
        used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert not used & (gone - {"rmtree", "unlink"} if path == COPYING else gone), path


def test_the_child_that_heals_removes_nothing_and_lets_sqlite_work_in_exclusive_mode_only():
    tree = ast.parse(HEALING.read_text())
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not used & (TOUCHING - {"connect", "execute", "lockf"})
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    statements = [text for text in texts if re.match(r"(PRAGMA|SELECT) ", text)]
    assert statements[0] == "PRAGMA locking_mode = EXCLUSIVE"
    assert not any(re.match(r"(DELETE|UPDATE|INSERT|DROP|VACUUM)\b", text) for text in texts)


def code_of(path: Path) -> str:
    """The module without its docstrings, comments and texts."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return ast.unparse(tree)
