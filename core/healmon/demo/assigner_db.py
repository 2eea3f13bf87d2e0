"""Builds `assigner.db`: prompts, sessions and the history of assignments.

What is awkward in it was found in real ones: 85 old prompts with gaps in their ids, 38 history rows
of prompts that are gone, five ways to write a time, wishes (`target_session`) that nobody followed,
sessions whose names begin alike, many active prompts on one session, and texts that drive a
terminal.
"""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

from healmon.demo.rows import HOSTILE_TEXTS, local, prose, utc, zulu

HOUR = 3600.0
Drift = Literal["", "early", "archived", "no-sessions"]
SCHEMA = """
CREATE TABLE prompts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    content TEXT NOT NULL,
    source TEXT DEFAULT 'api',
    priority INTEGER DEFAULT 0,
    status TEXT DEFAULT 'pending',
    assigned_session TEXT,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    assigned_at TIMESTAMP,
    completed_at TIMESTAMP,
    response TEXT,
    error TEXT,
    metadata TEXT
);
CREATE TABLE sessions (
    name TEXT PRIMARY KEY,
    status TEXT DEFAULT 'unknown',
    last_activity TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    current_task_id INTEGER,
    working_dir TEXT,
    is_claude INTEGER DEFAULT 0,
    provider TEXT,
    last_output TEXT,
    updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    FOREIGN KEY (current_task_id) REFERENCES prompts(id)
);
CREATE TABLE assignment_history (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    prompt_id INTEGER NOT NULL,
    session_name TEXT NOT NULL,
    action TEXT NOT NULL,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    details TEXT,
    FOREIGN KEY (prompt_id) REFERENCES prompts(id)
);
CREATE INDEX idx_prompts_status ON prompts(status);
CREATE INDEX idx_prompts_priority ON prompts(priority DESC, created_at ASC);
CREATE INDEX idx_sessions_status ON sessions(status);
"""
LATE_PROMPTS = (
    "target_session TEXT",
    "target_provider TEXT",
    "retry_count INTEGER DEFAULT 0",
    "max_retries INTEGER DEFAULT 3",
    "timeout_minutes INTEGER DEFAULT 30",
)
LATE_SESSIONS = (
    "current_dir TEXT",
    "git_branch TEXT",
    "last_context_update TIMESTAMP",
    "env_vars TEXT",
)
ARCHIVED = """
ALTER TABLE prompts ADD COLUMN archived INTEGER DEFAULT 0;
ALTER TABLE prompts ADD COLUMN archived_at TIMESTAMP;
CREATE INDEX idx_prompts_archived ON prompts(archived);
CREATE INDEX idx_prompts_status_archived ON prompts(status, archived);
"""
LAST_ID = 105
OLD_PROMPTS = 85
ORPHANS = 38
ASSIGNED, STARTED = 198, 195
TIMED_OUT = "Assignment timed out"
ACTIVE: Mapping[str, int] = {
    "foundation": 18,
    "claude_architect": 3,
    "architect": 2,
    "architect2": 1,
    "claude_vanished": 1,
}
"""Active prompts per session in a fixture; 18 on one, some on sessions that tmux never had."""
BUSIEST = ("foundation", "inspector", "dev_typing_1")
"""The three sessions that all timed-out prompts went to; two of them must not be disturbed."""
WISHES = ("comet", "claude_premium", "dev_math_1", "claude_codex", "no-such-session")
NAMED_SESSIONS = (
    "architect", "architect2", "claude_architect", "codex_worker", "inspector", "foundation",
    "dev_typing_1", "dev_math_1", "dev_math_10", "claude_codex", "claude_task_worker1",
    "assigner_worker", "health_monitor", "comet_1", "task_worker1", "task_worker2", "task_worker3",
    "task_worker4", "task_worker5",
)  # fmt: skip
SESSION_STATES = ("busy",) * 52 + ("idle",) * 12 + ("needs_restart", "unknown", "waiting_input")


def build_assigner(
    path: Path,
    *,
    now_wall: float,
    seed: int = 1,
    active: Mapping[str, int] = ACTIVE,
    drift: Drift = "",
) -> None:
    """Make a new assigner database in WAL mode.

    Args:
        path: the file; it must not exist, its directory must.
        now_wall: the wall clock; all times in it are before this, but for one.
        seed: decides texts, ids and order.
        active: how many prompts each session has in work.
        drift: another age of the schema: `early` lacks the columns that were added later,
            `archived` has the ones added by hand, `no-sessions` lacks that table.

    Raises:
        FileExistsError: something is there already.
    """
    path.touch(mode=0o600, exist_ok=False)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.executescript(SCHEMA)
        if drift != "early":
            for table, columns in (("prompts", LATE_PROMPTS), ("sessions", LATE_SESSIONS)):
                for column in columns:
                    database.execute(f"ALTER TABLE {table} ADD COLUMN {column}")
        maker = _Maker(seed, now_wall)
        known = {row[1] for row in database.execute("PRAGMA table_info(prompts)")}
        database.execute("BEGIN")
        old, new = maker.old_prompts(), maker.new_prompts(active)
        for prompt in (*old, *new):
            _insert(database, "prompts", {k: v for k, v in prompt.items() if k in known})
        # text that is not UTF-8: whoever reads this row's content as text gets an error
        database.execute(
            "UPDATE prompts SET content = CAST(? AS TEXT) WHERE id = ?",
            (b"bytes \xff\xfe that are no text", old[0]["id"]),
        )
        for entry in (*maker.history(old), *maker.sent(new)):
            _insert(database, "assignment_history", entry)
        for session in maker.sessions():
            _insert(database, "sessions", session)
        database.execute("COMMIT")
        if drift == "archived":
            database.executescript(ARCHIVED)
        elif drift == "no-sessions":
            database.execute("DROP TABLE sessions")


def _insert(database: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> None:
    columns, marks = ", ".join(row), ", ".join("?" * len(row))
    database.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", tuple(row.values()))  # noqa: S608 - our own words


class _Maker:
    """Thinks up the rows; every draw comes from one seeded source, in one order."""

    def __init__(self, seed: int, now: float) -> None:
        self.random = random.Random(seed)  # noqa: S311 - made-up data
        self.now = now
        draw = self.random.sample(range(1, LAST_ID), OLD_PROMPTS - 1)
        self.ids = [*sorted(draw), LAST_ID]

    def old_prompts(self) -> list[dict[str, Any]]:
        """Return the 85 old prompts: 79 failed, 3 completed, 3 pending."""
        kinds = ["failed"] * 79 + ["completed"] * 3
        self.random.shuffle(kinds)
        prompts = [
            self._prompt(number, kind, self.now - (OLD_PROMPTS - i) * 0.6 * HOUR - 48 * HOUR)
            for i, (number, kind) in enumerate(
                zip(self.ids, [*kinds, *["pending"] * 3], strict=True)
            )
        ]
        failed = [p for p in prompts if p["status"] == "failed"]
        completed = [p for p in prompts if p["status"] == "completed"]
        for prompt in failed[:4]:
            prompt |= {"assigned_session": None, "target_session": None}
        for prompt in failed[4:8]:
            prompt["target_provider"] = None
        for prompt in failed[8:10]:
            prompt["target_session"] = prompt["assigned_session"]
        for prompt in failed[10:34]:
            prompt["target_session"] = "codex"
        completed[0]["completed_at"] = completed[1]["completed_at"] = None
        completed[2]["error"] = TIMED_OUT
        for prompt, stamp in zip(failed[40:], self._odd_times(self.now - 60 * HOUR), strict=False):
            prompt["assigned_at"] = stamp
        for prompt, text in zip(failed[50:], HOSTILE_TEXTS, strict=False):
            prompt["content"] = text + "\n" + prompt["content"]
        failed[60]["metadata"] = '{"cut off": tr'
        return prompts

    def _odd_times(self, wall: float) -> tuple[str | None, ...]:
        return (local(wall), zulu(wall), None, "", utc(self.now + 2 * HOUR))

    def _prompt(self, number: int, status: str, created: float) -> dict[str, Any]:
        waiting = status == "pending"
        return {
            "id": number,
            "content": prose(self.random, self.random.randrange(100, 4100)),
            "source": "cli",
            "priority": self.random.choice((0, 0, 0, 5)),
            "status": status,
            "assigned_session": None if waiting else self.random.choice(BUSIEST),
            "created_at": utc(created),
            "assigned_at": None if waiting else utc(created + 4),
            "completed_at": None if waiting else utc(created + 0.5 * HOUR),
            "error": TIMED_OUT if status == "failed" else None,
            "metadata": json.dumps(self._metadata()),
            "target_session": None if waiting else self.random.choice(WISHES),
            "target_provider": self.random.choice(("claude", "codex", "ollama", "comet")),
            "retry_count": 0,
            "max_retries": 3,
            "timeout_minutes": self.random.choice((30, 30, 120)),
        }

    def _metadata(self) -> dict[str, Any]:
        return {
            "prefer_context_match": self.random.random() < 0.5,
            "environment_required": None,
            "delegated": True,
            "task_type": self.random.choice(("code", "review", "docs")),
            "suggested_agent": "any",
            "suggested_model": "any",
            "suggested_session": self.random.choice(WISHES),
            "delegation_reasoning": prose(self.random, 60),
        }

    def new_prompts(self, active: Mapping[str, int]) -> list[dict[str, Any]]:
        """Return two cancelled prompts, then those in work: assigned or in progress."""
        number, made = LAST_ID + 1, list[dict[str, Any]]()
        for _ in range(2):
            made.append(self._prompt(number, "cancelled", self.now - 5 * HOUR))
            number += 1
        for session, count in active.items():
            odd = self._odd_times(self.now - 0.25 * HOUR)
            for index in range(count):
                status = ("assigned", "in_progress")[index % 2]
                prompt = self._prompt(number, status, self.now - 0.3 * HOUR + 4 * index)
                prompt |= {
                    "assigned_session": session,
                    "completed_at": None,
                    "target_session": "codex",
                    # a chosen time-out makes a session's limit longer: only where there are many
                    "timeout_minutes": 120 if index == 3 else 30,
                }
                if 0 < index <= len(odd):
                    prompt["assigned_at"] = odd[index - 1]
                if index == count - 1 and index:
                    prompt |= {
                        "retry_count": 3,
                        "content": HOSTILE_TEXTS[number % len(HOSTILE_TEXTS)],
                    }
                made.append(prompt)
                number += 1
        return made

    def history(self, prompts: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return 198 `assigned` and 195 `started` rows, 38 of them of prompts that are gone."""
        gone = [n for n in range(1, LAST_ID) if n not in set(self.ids)]
        sent = [p["id"] for p in prompts if p["status"] != "pending"]
        rows: list[dict[str, Any]] = []
        for action, total in (("assigned", ASSIGNED), ("started", STARTED)):
            orphans = ORPHANS // 2
            numbers = [gone[i % len(gone)] for i in range(orphans)]
            numbers += [sent[0]] * 2  # one prompt was sent five times
            numbers += [sent[i % len(sent)] for i in range(total - orphans - 2)]
            rows += [
                {
                    "prompt_id": number,
                    "session_name": self.random.choice(BUSIEST),
                    "action": action,
                    "created_at": utc(self.now - 100 * HOUR + 600 * i),
                }
                for i, number in enumerate(numbers)
            ]
        return rows

    def sent(self, prompts: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the history row of each prompt in work."""
        return [
            {
                "prompt_id": prompt["id"],
                "session_name": prompt["assigned_session"],
                "action": "assigned",
                "created_at": prompt["created_at"],
            }
            for prompt in prompts
            if prompt["status"] != "cancelled"
        ]

    def sessions(self) -> list[dict[str, Any]]:
        """Return 67 sessions; their `last_activity` is the assigner's heartbeat, not theirs."""
        dynamic = [
            f"claude_dynamic-worker-{int(self.now) - 3600 * n}-{self.random.randrange(16**6):06x}"
            for n in range(len(SESSION_STATES) - len(NAMED_SESSIONS))
        ]
        return [
            {
                "name": name,
                "status": status,
                "last_activity": utc(self.now - 7),
                "updated_at": utc(self.now - 7),
                "is_claude": int("claude" in name),
                "provider": self.random.choice(("claude", "codex", "ollama", "unknown")),
                "last_output": HOSTILE_TEXTS[0] if name == "architect2" else None,
            }
            for name, status in zip((*NAMED_SESSIONS, *dynamic), SESSION_STATES, strict=True)
        ]
