"""The house rules that a linter cannot express."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.sources import CORE, SOURCES, calls, imports, mentioning, named, rooms


def who_calls(paths: list[Path], forbidden: set[str]) -> dict[str, set[str]]:
    """The calls that no module of these may make, by module."""
    assert len(paths) > 100
    maybe = mentioning(paths, {f"{name.rpartition('.')[2]}(" for name in forbidden})
    return {named(path): found for path in maybe if (found := calls(path) & forbidden)}


def test_no_clock_outside_the_clock() -> None:
    forbidden = {"time.time", "time.monotonic", "datetime.now", "datetime.utcnow", "time.sleep"}
    assert who_calls(rooms("clock.py", "programs"), forbidden) == {}


def test_only_the_doors_touch_processes() -> None:
    forbidden = {
        "os.kill", "os.killpg", "os.unlink", "os.remove", "shutil.rmtree",
        "signal.pidfd_send_signal", "os.system", "os.pidfd_open",
    }  # fmt: skip
    outside = rooms("world", "demo")
    assert who_calls(outside, forbidden) == {}
    assert [
        named(p) for p in mentioning(outside, {"subprocess"}) if "subprocess" in imports(p)
    ] == []


def test_only_the_store_and_the_doors_speak_sql() -> None:
    outside = rooms("store", "world", "demo", "service")
    assert len(outside) > 100
    assert [named(p) for p in mentioning(outside, {"sqlite3"}) if "sqlite3" in imports(p)] == []


@pytest.mark.parametrize(
    "path", [p for p in SOURCES if p.name in {"diagnose.py", "gate.py", "state.py"}], ids=str
)
def test_decisions_are_pure(path: Path) -> None:
    effects = {
        "os",
        "time",
        "subprocess",
        "sqlite3",
        "socket",
        "pathlib",
        "shutil",
        "signal",
        "asyncio",
    }
    assert not imports(path) & effects


def loaded(code: str) -> set[str]:
    program = f"import sys\n{code}\nprint('\\n'.join(sys.modules))"
    out = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=300
    )
    return set(out.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import healmon.cli, healmon.registry, healmon.service.host, healmon.report",
        "import healmon_tui.cli",
    ],
)
def test_the_core_and_the_command_line_load_no_screen(code: str) -> None:
    assert not {m.partition(".")[0] for m in loaded(code)} & {"textual", "rich"}


def test_status_stays_light(tmp_path: Path) -> None:
    code = f"""
from healmon.cli import main
main(["status", "--state-dir", {str(tmp_path / "none")!r}])
"""
    heavy = {"msgspec", "asyncio", "psutil", "textual", "rich", "logging", "argparse", "inspect"}
    heavy.add("unicodedata")  # of healmon.text
    assert not {m.partition(".")[0] for m in loaded(code)} & heavy


def test_modules_are_of_a_size_to_love() -> None:
    long = {named(p): n for p in SOURCES if (n := p.read_text().count("\n")) > 400}
    assert not long


def test_no_journal_or_wal_is_ever_removed_or_checkpointed() -> None:
    for path in rooms("demo"):
        text = path.read_text()
        if "-wal" not in text and "wal_checkpoint" not in text:
            continue
        assert not calls(path) & {"os.unlink", "os.remove", "os.truncate"}, path


HANDS = {"open", "os.open", "io.open", "shutil.copy", "shutil.copyfile", "shutil.move"}
METHODS = {"open", "read_bytes", "read_text", "write_bytes", "write_text", "touch"}


def opens_by_hand(path: Path) -> bool:
    """Whether a module opens a file itself; methods of our own classes are not counted."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            method = isinstance(node.func, ast.Attribute) and node.func.attr in METHODS
            if name in HANDS or (method and name != "Store.open"):
                return True
    return False


def test_who_opens_the_store_by_hand_is_known_by_name() -> None:
    """Closing any descriptor of its file drops all locks that the healer has on it.

    `ballast` has a file of its own, `backup` a new copy, `carving` a damaged file that nobody in
    this process has open (`Held.ready` keeps the connection beside it closed meanwhile), `begun`
    the file that will take its place, before SQLite opens that; `rescue` looks through a -wal
    before anybody here opens its database, `spill` has a file of its own.
    """
    found = {p.name for p in (CORE / "store").glob("*.py") if opens_by_hand(p)}
    known = {"ballast.py", "backup.py", "begun.py", "carving.py", "rescue.py", "spill.py"}
    assert found == known
    users = {p.name for p in CORE.rglob("*.py") if "Carver(" in p.read_text()}
    assert users == {"salvage.py"}


def test_who_connects_to_the_store_is_known_by_name() -> None:
    speak = [p for p in rooms("world", "demo") if "sqlite3" in p.read_text()]
    found = {p.name for p in speak if "sqlite3.connect" in calls(p)}
    assert found == {"opening.py", "read.py", "beside.py", "backup.py", "begun.py"}
    # in the healer's process: the writer's and the one beside it; readers are other programs
    for name in ("host.py", "commands.py"):
        assert not calls(CORE / "service" / name) & {"read.open_reader", "opening.connect"}
