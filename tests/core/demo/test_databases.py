from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from healmon.demo.databases import build_architect, build_assigner
from healmon.demo.layout import ACTIVE
from healmon.demo.rows import utc

NOW = 1_770_000_000.0


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(query).fetchall()


def one(path: Path, query: str) -> object:
    return rows(path, query)[0][0]


def columns(path: Path, table: str) -> list[str]:
    return [str(row[1]) for row in rows(path, f"PRAGMA table_info({table})")]


def dump(path: Path) -> list[object]:
    with closing(sqlite3.connect(path)) as database:
        database.text_factory = bytes
        names = [
            r[0].decode()
            for r in database.execute("SELECT name FROM sqlite_master WHERE type='table'")
        ]
        return [database.execute(f"SELECT * FROM {name}").fetchall() for name in names]


@pytest.fixture(scope="module")
def assigner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("assigner") / "assigner.db"
    build_assigner(path, now_wall=NOW)
    return path


def test_the_assigner_has_the_columns_of_the_real_one_in_their_order(assigner: Path) -> None:
    assert " ".join(columns(assigner, "prompts")) == (
        "id content source priority status assigned_session created_at assigned_at completed_at"
        " response error metadata target_session target_provider retry_count max_retries"
        " timeout_minutes"
    )
    assert " ".join(columns(assigner, "sessions")) == (
        "name status last_activity current_task_id working_dir is_claude provider last_output"
        " updated_at current_dir git_branch last_context_update env_vars"
    )
    history = "id prompt_id session_name action created_at details"
    assert " ".join(columns(assigner, "assignment_history")) == history


def test_it_is_in_wal_mode_with_nothing_left_beside_it(assigner: Path) -> None:
    assert assigner.read_bytes()[18:20] == b"\x02\x02"
    assert one(assigner, "PRAGMA integrity_check") == "ok"


def test_old_prompts_are_as_counted_in_the_wild(assigner: Path) -> None:
    old = "FROM prompts WHERE id <= 105"
    assert rows(assigner, f"SELECT count(*), max(id) {old}") == [(85, 105)]
    assert dict(rows(assigner, f"SELECT status, count(*) {old} GROUP BY 1")) == {
        "failed": 79, "completed": 3, "pending": 3,
    }  # fmt: skip
    assert (
        one(assigner, f"SELECT count(*) {old} AND status = 'completed' AND completed_at IS NULL")
        == 2
    )
    assert (
        one(assigner, f"SELECT count(*) {old} AND status = 'completed' AND error IS NOT NULL") == 1
    )
    assert one(assigner, f"SELECT count(*) {old} AND target_provider IS NULL") == 4
    both = f"{old} AND target_session IS NOT NULL AND assigned_session IS NOT NULL"
    assert one(assigner, f"SELECT count(*) {both}") == 78
    assert one(assigner, f"SELECT count(*) {both} AND target_session <> assigned_session") == 76
    assert one(assigner, f"SELECT count(*) {old} AND target_session = 'codex'") == 24
    nobody = f"{old} AND status = 'failed' AND assigned_session IS NULL"
    assert one(assigner, f"SELECT count(*) {nobody} AND assigned_at IS NOT NULL") == 4


def test_history_has_orphans(assigner: Path) -> None:
    orphans = (
        "SELECT count(*) FROM assignment_history WHERE prompt_id NOT IN (SELECT id FROM prompts)"
    )
    assert one(assigner, orphans) == 38
    old = "FROM assignment_history WHERE prompt_id <= 105"
    assert dict(rows(assigner, f"SELECT action, count(*) {old} GROUP BY 1")) == {
        "assigned": 198, "started": 195,
    }  # fmt: skip
    assert one(assigner, f"SELECT max(n) FROM (SELECT count(*) n {old} AND action = 'assigned' AND"
               " prompt_id IN (SELECT id FROM prompts) GROUP BY prompt_id)") == 5  # fmt: skip


def test_many_prompts_are_active_on_one_session_with_every_kind_of_time(assigner: Path) -> None:
    active = (
        "FROM prompts WHERE assigned_session = 'foundation'"
        " AND status IN ('assigned', 'in_progress')"
    )
    assert one(assigner, f"SELECT count(*) {active}") == 18
    stamps = [row[0] for row in rows(assigner, f"SELECT assigned_at {active}")]
    assert {None, ""} < set(stamps)
    texts = [s for s in stamps if isinstance(s, str) and s]
    assert any("T" in s and s.endswith("Z") for s in texts)
    assert any("T" in s and "." in s for s in texts)
    assert any(len(s) == 19 and s[10] == " " for s in texts)
    # as text, the one with a T would count too
    assert sum(s > utc(NOW) for s in texts if s[10] == " ") == 1
    assert one(assigner, f"SELECT count(*) {active} AND retry_count = max_retries") == 1


def test_a_demo_begins_with_tasks_that_nobody_gave_another_time_out(tmp_path: Path) -> None:
    build_assigner(tmp_path / "a.db", now_wall=NOW, active=ACTIVE)
    query = (
        "SELECT assigned_session, count(*), max(timeout_minutes) FROM prompts"
        " WHERE status IN ('assigned', 'in_progress') GROUP BY 1"
    )
    found = {str(name): (count, most) for name, count, most in rows(tmp_path / "a.db", query)}
    assert found == {name: (count, 30) for name, count in ACTIVE.items()}


def test_sessions_are_as_counted_in_the_wild(assigner: Path) -> None:
    assert one(assigner, "SELECT count(*) FROM sessions") == 67
    assert one(assigner, "SELECT count(DISTINCT last_activity) FROM sessions") == 1
    assert one(assigner, "SELECT count(current_task_id) FROM sessions") == 0
    states = {row[0] for row in rows(assigner, "SELECT DISTINCT status FROM sessions")}
    assert states == {"busy", "idle", "needs_restart", "unknown", "waiting_input"}
    names = {row[0] for row in rows(assigner, "SELECT name FROM sessions")}
    assert {"architect", "architect2", "dev_math_1", "dev_math_10", "codex_worker"} <= names
    assert "codex" not in names


def test_content_is_hostile(assigner: Path) -> None:
    for pattern in ("\x1b[", "[bold red]", "\u202e", "'; DROP", '"quoted"'):
        query = "SELECT count(*) FROM prompts WHERE instr(CAST(content AS BLOB), ?) > 0"
        with closing(sqlite3.connect(assigner)) as database:
            marks = (pattern.lstrip("'").encode(),)
            assert database.execute(query, marks).fetchone()[0], pattern
    with pytest.raises(sqlite3.OperationalError, match="UTF-8"):
        rows(assigner, "SELECT content FROM prompts")


def test_the_same_seed_gives_the_same_rows(tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        build_assigner(tmp_path / name, now_wall=NOW, seed=seed)
    assert dump(tmp_path / "a") == dump(tmp_path / "b") != dump(tmp_path / "c")


def test_a_schema_may_have_drifted(tmp_path: Path) -> None:
    build_assigner(tmp_path / "early", now_wall=NOW, drift="early")
    assert "retry_count" not in columns(tmp_path / "early", "prompts")
    assert one(tmp_path / "early", "SELECT count(*) FROM prompts WHERE id <= 105") == 85
    build_assigner(tmp_path / "archived", now_wall=NOW, drift="archived")
    assert columns(tmp_path / "archived", "prompts")[-2:] == ["archived", "archived_at"]
    build_assigner(tmp_path / "none", now_wall=NOW, drift="no-sessions")
    assert columns(tmp_path / "none", "sessions") == []


def test_nothing_is_ever_written_over(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    for build in (lambda p: build_assigner(p, now_wall=NOW), build_architect):
        with pytest.raises(FileExistsError):
            build(tmp_path / "there")
    assert (tmp_path / "there").read_text() == "mine"


def test_the_first_monitor_left_its_bad_night(tmp_path: Path) -> None:
    path = tmp_path / "architect.db"
    build_architect(path, variant="v1")
    assert one(path, "SELECT count(*) FROM health_metrics") == 857
    assert one(path, "SELECT count(*) FROM health_alerts") == 910
    assert (
        one(path, "SELECT count(*) FROM health_alerts WHERE component IS NULL AND resolved = 0")
        == 910
    )
    assert one(path, "SELECT count(*) FROM health_alerts WHERE severity = 'critical'") == 852
    first, second = rows(path, "SELECT DISTINCT timestamp FROM health_metrics ORDER BY 1 LIMIT 2")
    assert (first[0], second[0]) == ("2026-02-07 22:26:00", "2026-02-07 22:27:15")
    assert "recovery_successful" in columns(path, "health_metrics")
    assert one(path, "SELECT count(*) FROM workers") == 0
    assert "parent_id" not in columns(path, "task_queue")


def test_health_tables_come_in_other_shapes(tmp_path: Path) -> None:
    build_architect(tmp_path / "v2", variant="v2")
    assert " ".join(columns(tmp_path / "v2", "health_metrics")) == (
        "id timestamp component metric_type metric_value status action_taken details"
    )
    assert "T" in str(one(tmp_path / "v2", "SELECT timestamp FROM health_metrics"))
    assert "parent_id" in columns(tmp_path / "v2", "task_queue")
    build_architect(tmp_path / "none", variant="none")
    assert columns(tmp_path / "none", "health_metrics") == []
    build_architect(tmp_path / "ci", variant="ci")
    assert "workers_running" in columns(tmp_path / "ci", "health_metrics")
    assert one(tmp_path / "ci", "SELECT count(*) FROM health_metrics") == 155
