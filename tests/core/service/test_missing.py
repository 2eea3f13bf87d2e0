"""A store that lacks what had been written is told from the sign that each round leaves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from healmon.clock import boot_id, format_utc
from healmon.service.heartbeat import FILE
from healmon.service.host import Host
from healmon.service.missing import missing
from healmon.state import Snapshot
from healmon.state.views import CycleView
from tests.core.service.test_host import settings_of

WALL = 1_770_000_000.0


def sign(folder: Path, at: float, number: int, boot: str) -> None:
    told = {"at": format_utc(at), "round": number, "boot": boot}
    (folder / FILE).write_text(json.dumps(told))


@pytest.mark.parametrize(
    ("after", "number", "boot", "says"),
    [
        (0.0, 7, "here", ""),
        (900.0, 7, "here", ""),  # the clock was set after that round
        (4.0, 8, "here", ""),
        (60.0, 8, "here", "lacks the newest"),
        (60.0, 8, "another", ""),  # a power cut
        (900.0, 8, "another", "lacks the newest"),
    ],
)
def test_it_is_told_when_a_round_is_missing(
    tmp_path: Path, after: float, number: int, boot: str, says: str
) -> None:
    sign(tmp_path, WALL + after, number, boot_id() if boot == "here" else boot)
    known = Snapshot(last_id=9, at=WALL, cycle=CycleView(8, running=True, finished_at=WALL))
    told = missing(tmp_path, known)
    assert (says in told) if says else not told


def test_it_is_told_when_the_whole_store_is(tmp_path: Path) -> None:
    assert not missing(tmp_path, Snapshot())  # a first start
    sign(tmp_path, WALL, 3, boot_id())
    assert "what it knew is lost" in missing(tmp_path, Snapshot())
    (tmp_path / FILE).write_text("{")
    assert not missing(tmp_path, Snapshot())


def test_a_healer_that_starts_without_its_store_says_so(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    Host.open(settings, tmp_path / "state", mode="tui", dry_run=False).close()
    sign(tmp_path / "state", WALL, 3, boot_id())
    (tmp_path / "state" / "healmon.db").unlink()
    host = Host.open(settings, tmp_path / "state", mode="tui", dry_run=False)
    try:
        assert "there was no health store" in host.engine._run.repaired
    finally:
        host.close()
