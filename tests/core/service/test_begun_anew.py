"""A link to another process's healer whose store is begun anew."""

from __future__ import annotations

import asyncio

import pytest

from healmon import events as ev
from healmon.service.takeover import Relay
from healmon.state import apply
from tests.helpers.storekit import Engine, opened_store, started
from tests.helpers.wait import until


@pytest.mark.slow
def test_a_store_begun_anew_is_noticed_and_read_from_its_beginning(tmp_path):
    path = tmp_path / "healmon.db"
    with opened_store(path) as kept:
        engine = Engine(kept)
        engine.tell(started(), *(ev.AlertArchived(f"k{n}") for n in range(20)))
    link, told = Relay(tmp_path, "", None), []
    try:
        before = link.open(told.append)
        with opened_store(path) as kept:  # one that goes on is no other
            engine = Engine(kept)
            engine.tell(ev.AlertArchived("more"))
        until(lambda: len(told) == 1, 30, "what was stored meanwhile")
        assert not link.begun_anew()
        for left in (path, *tmp_path.glob("healmon.db-*")):
            left.unlink()
        with opened_store(path) as kept:
            engine = Engine(kept)
            engine.tell(started())
        until(link.begun_anew, 30, "the new store noticed")
        assert [record.id for record in told] == [before.last_id + 1]
        snapshot = link.open(told.append)
        assert not link.begun_anew()
        assert snapshot.last_id == 1
        with opened_store(path) as kept:
            engine = Engine(kept)
            engine.tell(ev.AlertArchived("of the new one"))
        until(lambda: told[-1].id == 2, 30, "what comes in the new one")
        assert apply(snapshot, told[-1]).last_id == 2
    finally:
        asyncio.run(link.close())
