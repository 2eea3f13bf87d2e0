"""What the status says of whoever holds a state directory."""

from __future__ import annotations

import json

import pytest

from healmon import cli
from healmon.clock import SystemClock, boot_id, format_utc
from healmon.events import CycleFinished, MaintenanceStarted
from healmon.service import instance
from healmon.state import FOREVER
from tests.helpers.shapes import fits
from tests.helpers.storekit import Engine, opened_store, started


@pytest.fixture
def status(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HEALMON_STATE_DIR", raising=False)
    (tmp_path / "state").mkdir(mode=0o700)
    with opened_store(tmp_path / "state" / "healmon.db") as kept:
        Engine(kept).tell(started())

    def told(mode: str):
        lock = instance.Lock.acquire(tmp_path / "state", version="9.9", mode=mode)
        try:
            where = ["--state-dir", str(tmp_path / "state")]
            codes = [cli.main(["status", *where]), cli.main(["status", *where, "--json"])]
        finally:
            lock.release()
        text, _, answer = capsys.readouterr().out.rpartition("\n{")
        return codes, text, json.loads("{" + answer)

    return told


@pytest.mark.parametrize(("mode", "does"), [("now", "does one override"), ("import", "imports")])
def test_who_is_there_for_one_thing_is_no_healer_and_is_named(status, mode, does):
    codes, text, told = status(mode)
    assert codes == [3, 3]
    assert "no healer runs on" in text
    assert f"pid {told['pid']} {does}" in text
    fits("status", told)
    assert (told["running"], told["hung"], told["uptime"]) == (False, False, None)
    assert (told["mode"], told["version"], told["exit_code"]) == (mode, "9.9", 3)


@pytest.mark.parametrize("mode", ["daemon", "once"])
def test_a_healer_is_one(status, mode, tmp_path):
    _, text, told = status(mode)
    log = f"\nlog: {tmp_path / 'state' / 'healmon.log'}\n"
    assert (log in text + "\n") == (mode == "daemon"), "what runs in the foreground has none"
    assert f"healmon 9.9 runs: pid {told['pid']}, {mode}" in text
    fits("status", told)
    assert (told["running"], told["mode"]) == (True, mode)


def test_a_store_that_cannot_be_read_is_not_told_as_nothing_wrong(status, tmp_path):
    (tmp_path / "state" / "healmon.db").write_bytes(b"not a database, by far" * 999)
    codes, text, told = status("daemon")
    assert codes == [3, 3]
    assert "nothing is wrong" not in text
    assert "what is wrong is not known: the health store" in text
    assert "file is not a database" in told["unreadable"]
    assert told["running"]
    fits("status", told)


def test_before_the_first_cycle_nobody_says_that_nothing_is_wrong(status):
    _, text, _ = status("daemon")
    assert "none has finished yet" in text
    assert "nothing is wrong" not in text


def test_nothing_is_wrong_is_not_said_of_a_healer_that_stands_still(status, tmp_path, monkeypatch):
    with opened_store(tmp_path / "state" / "healmon.db") as kept:
        Engine(kept, SystemClock().read().wall).tell(started(), CycleFinished(1, 0.1, 60.0))
    _, text, _ = status("daemon")
    assert text.endswith("nothing is wrong")
    monkeypatch.setattr(instance, "stands_still", lambda _holder: True)
    codes, text, _ = status("daemon")
    assert codes == [2, 2]
    assert "IT STANDS STILL" in text
    assert "nothing is wrong" not in text


def test_what_is_paused_is_told(status, tmp_path):
    with opened_store(tmp_path / "state" / "healmon.db") as kept:
        Engine(kept).tell(
            MaintenanceStarted("*", FOREVER - 1e9, "olga"), MaintenanceStarted("w", FOREVER, "olga")
        )
    _, text, told = status("daemon")
    assert "not acted on:\n  everything: paused till 9967-" in text
    assert "  w: never touched" in text
    assert [one["component"] for one in told["paused"]] == ["*", "w"]
    fits("status", told)


def test_a_healer_whose_store_cannot_be_written_neither_hangs_nor_is_all_well(status, tmp_path):
    """Its heartbeat tells of cycles that the store does not know: a full disk, say."""
    now = SystemClock().read()
    with opened_store(tmp_path / "state" / "healmon.db") as kept:
        Engine(kept, now.wall - 500).tell(started(), CycleFinished(1, 0.1, 60.0))
    codes, text, _ = status("daemon")
    assert codes == [2, 2]
    assert "IT HANGS" in text
    beat = {
        "at": format_utc(now.wall), "round": 9, "interval": 60.0, "boot": boot_id(),
        "boot_seconds": now.boot,
    }  # fmt: skip
    (tmp_path / "state" / "healmon.heartbeat").write_text(json.dumps(beat))
    codes, text, told = status("daemon")
    assert codes == [2, 2]
    assert "last cycle: #9, " in text
    assert "what is wrong is not known: the health store cannot be written since" in text
    assert "HANGS" not in text
    assert "nothing is wrong" not in text
    fits("status", told)
    assert (told["hung"], told["cycle"]) == (False, 9)
    assert "cannot be written" in told["unreadable"]
    # that of a healer before says nothing of this one
    (tmp_path / "state" / "healmon.heartbeat").write_text(json.dumps({**beat, "boot_seconds": 1}))
    codes, text, _ = status("daemon")
    assert "IT HANGS" in text
