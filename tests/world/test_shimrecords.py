"""What shims wrote is read again whenever it may be something else."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from healmon.world import notes, shimrecords
from healmon.world.processes import Identity
from healmon.world.shimrecords import SETTLED, START, Begun, begun


class Desk:
    """A folder with a record, a clock, and a count of how often the record was read."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.now, self.reads = folder, 100.0, 0
        read = notes.read_small

        def counted(path: str) -> bytes | None:
            self.reads += 1
            return read(path)

        monkeypatch.setattr(shimrecords.notes, "read_small", counted)
        monkeypatch.setattr(shimrecords, "process_seconds", lambda: self.now)

    def write(self, number: int) -> None:
        who = Identity("boot", 7, 8)
        record = Begun(number=number, shim=who, worker=who, wall=1.0)
        notes.write_record(self.folder / START, msgspec.json.encode(record))

    def number(self, after: float = 0.0) -> int | None:
        self.now += after
        found = begun(str(self.folder))
        return None if found is None else found.number


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, monkeypatch)


def test_one_that_is_the_same_for_long_is_read_no_more(desk: Desk) -> None:
    assert desk.number() is None
    desk.write(1)
    assert [desk.number(), desk.number(0.1), desk.number(SETTLED)] == [1, 1, 1]
    reads = desk.reads
    assert [desk.number(60) for _ in range(5)] == [1] * 5
    assert desk.reads == reads


def test_one_that_was_written_again_or_removed_is_seen(desk: Desk) -> None:
    desk.write(1)
    assert [desk.number(), desk.number(SETTLED), desk.number(60)] == [1, 1, 1]
    desk.write(2)
    assert desk.number(60) == 2
    assert desk.number(SETTLED) == 2
    (desk.folder / START).unlink()
    assert desk.number() is None
    desk.write(3)
    assert desk.number() == 3


def test_one_that_was_written_again_in_the_same_moment_is_seen(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shimrecords.notes, "mark_of", lambda _: (1, 2, 3, 4, 5))
    desk.write(1)
    assert desk.number() == 1
    desk.write(2)
    assert desk.number(SETTLED / 2) == 2
    desk.write(3)
    assert desk.number(SETTLED / 2) == 3
