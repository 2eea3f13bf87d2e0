"""The house rules that a linter cannot express."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "core" / "healmon"
TUI = ROOT / "tui" / "healmon_tui"
SOURCES = sorted([*CORE.rglob("*.py"), *TUI.rglob("*.py")])


def calls(path: Path) -> set[str]:
    """Every dotted name that a module calls."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            found.add(ast.unparse(node.func))
    return found


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def rooms(*names: str) -> list[Path]:
    """All modules but those in the named rooms."""
    return [p for p in SOURCES if not any(part in names for part in p.relative_to(ROOT).parts)]


@pytest.mark.parametrize("path", rooms("clock.py", "programs"), ids=str)
def test_no_clock_outside_the_clock(path: Path) -> None:
    forbidden = {"time.time", "time.monotonic", "datetime.now", "datetime.utcnow", "time.sleep"}
    assert not calls(path) & forbidden


@pytest.mark.parametrize("path", rooms("world", "demo"), ids=str)
def test_only_the_doors_touch_processes(path: Path) -> None:
    forbidden = {
        "os.kill", "os.killpg", "os.unlink", "os.remove", "shutil.rmtree",
        "signal.pidfd_send_signal", "os.system", "os.pidfd_open",
    }  # fmt: skip
    assert not calls(path) & forbidden
    assert "subprocess" not in imports(path)


@pytest.mark.parametrize("path", rooms("store", "world", "demo", "service"), ids=str)
def test_only_the_store_and_the_doors_speak_sql(path: Path) -> None:
    assert "sqlite3" not in imports(path)


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
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
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
    heavy = {"msgspec", "asyncio", "psutil", "textual", "rich", "logging"}
    assert not {m.partition(".")[0] for m in loaded(code)} & heavy


def test_modules_are_of_a_size_to_love() -> None:
    long = {str(p.relative_to(ROOT)): n for p in SOURCES if (n := p.read_text().count("\n")) > 400}
    assert not long


def test_no_journal_or_wal_is_ever_removed_or_checkpointed() -> None:
    for path in rooms("demo"):
        text = path.read_text()
        if "-wal" not in text and "wal_checkpoint" not in text:
            continue
        assert not calls(path) & {"os.unlink", "os.remove", "os.truncate"}, path
