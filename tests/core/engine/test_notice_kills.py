"""Killed at every step between the decision on a notice and the record that it has arrived."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.sinks import WebhookSink

ROOT = Path(__file__).parents[3]
STEPS = [
    "about to keep NoticeMade", "kept NoticeMade", "on disk: True", "about to deliver",
    "delivered", "about to keep NoticeSent", "kept NoticeSent",
]  # fmt: skip


class Lives:
    """Runs lives, one after the other, without a new interpreter for each."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.helpers.noticekills"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip

    def live(self, state: Path, url: str, kill_at: int = 0) -> tuple[int, list[str]]:
        self._process.stdin.write(f"{state} {url} {kill_at}\n")
        self._process.stdin.flush()
        status, told = json.loads(self._process.stdout.readline())
        return status, told

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()


def stored(state: Path) -> list[tuple[int, str]]:
    connection = sqlite3.connect(f"file:{state}/healmon.db?mode=ro", uri=True)
    try:
        return connection.execute("SELECT id, state FROM notices").fetchall()
    finally:
        connection.close()


@pytest.mark.slow
def test_killed_anywhere_a_notice_arrives_and_always_under_one_id(tmp_path):
    sink, lives = WebhookSink(), Lives()
    try:
        for kill_at in range(1, len(STEPS) + 1):
            state = tmp_path / str(kill_at)
            state.mkdir()
            sink.got.clear()
            status, told = lives.live(state, sink.url, kill_at)
            assert (status, told) == (9, STEPS[:kill_at]), "it dies at its step"
            before = len(sink.got)
            assert before == (1 if "delivered" in told else 0)
            for _ in range(2):
                status, _ = lives.live(state, sink.url)
                assert status == 0
            ids = [body["id"] for body in sink.bodies]
            assert len(set(ids)) == 1, "duplicates have the same id"
            assert len(ids) == 1 + before if told[-1] != "kept NoticeSent" else len(ids) <= 2
            ((number, end),) = stored(state)
            assert end == "sent"
            assert sink.bodies[-1]["notice"] == number
    finally:
        lives.close()
        sink.close()
