"""Asking a healer that does not answer: what came of it, and the code that says so."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from healmon.cli import main
from healmon.errors import RefusedError
from healmon.service import asking, commands, instance
from tests.helpers.storekit import opened_store


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Path]:
    """A state directory whose healer is there and takes nothing."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    with opened_store(state / "healmon.db"):
        pass
    lock = instance.Lock.acquire(state, version="1", mode="daemon")
    yield state
    lock.release()


def _row(state: Path) -> tuple[str, str]:
    with sqlite3.connect(state / "healmon.db") as conn:
        found: tuple[str, str] = conn.execute("SELECT state, outcome FROM commands").fetchone()
    conn.close()
    return found


@pytest.mark.parametrize(
    ("text", "said"), [(b"", "nothing stands in it yet"), (b"rubbish" * 999, "not a database")]
)
def test_a_store_that_cannot_be_used_is_no_bad_data(
    held: Path, capsys: pytest.CaptureFixture[str], text: bytes, said: str
) -> None:
    (held / "healmon.db").write_bytes(text)
    assert main(["resume", "--state-dir", str(held)]) == 73
    assert main(["resume", "--json", "--state-dir", str(held)]) == 73
    assert main(["reload", "--state-dir", str(held)]) == 73
    err = capsys.readouterr().err
    assert said in err
    assert "\N{SYMBOL FOR NEWLINE}" not in err


def test_a_healer_that_takes_nothing_is_no_bad_data(
    held: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "ASK_PATIENCE", 0.05)
    assert main(["restart", "w", "--state-dir", str(held)]) == 75
    assert "nobody took it in time" in capsys.readouterr().err


def test_what_ctrl_c_ended_is_taken_back(held: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "wait", interrupted)
    with pytest.raises(RefusedError, match="called off: it will not be done") as ended:
        asking.ask_healer(held, "restart", "w", {})
    assert ended.value.exit_code == 130
    assert _row(held)[0] == "expired"
    assert "called off by who asked" in _row(held)[1]
