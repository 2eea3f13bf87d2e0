"""A second screen's link on a running daemon: the same state, and overrides that arrive."""

from __future__ import annotations

import asyncio
from functools import reduce

import pytest

from healmon.service.links import StoreLink
from healmon.state import apply
from tests.helpers.box import alive
from tests.helpers.wait import until

pytestmark = pytest.mark.slow


def test_an_attached_link_shows_the_daemons_state_and_asks_it(box):
    box.write(box.worker("a"))
    assert box.run("--daemon").returncode == 0
    until(lambda: box.events("actionverified"), 60, "the worker up")
    link = StoreLink(box.state)
    told = []
    snapshot = link.open(told.append)
    worker = until(box.started_pids, what="its own word")[0]
    try:
        offer = asyncio.run(link.ask("offer", "a", {"verb": "restart"}))
        assert offer.ok
        assert offer.plan is not None
        assert offer.plan.component == "a"
        assert asyncio.run(link.ask("apply", offer.plan.id, {})).ok
        until(lambda: any(type(r.event).__name__ == "ActionVerified" for r in told), 60, "proof")
        assert not alive(worker)
        # the program that is proved to run may have come to its first line later
        second = until(lambda: box.started_pids()[1:], 60, "the next one's own word")[-1]

        def shown() -> object:
            return reduce(apply, list(told), snapshot).components["a"].facts["pid"]

        until(lambda: shown() == second, 60, "its pid on the screen")
        assert link.attached.startswith("pid ")
        assert asyncio.run(link.tail("a", 10)).at
        assert asyncio.run(link.tail("nobody", 10)).reason
        for target in ("a", str(told[0].id)):  # a look may come between the two

            def the_same(one: str = target) -> bool:
                said = box.healmon("explain", one).stdout.splitlines()
                return list(asyncio.run(link.explain(one))) == said != []

            until(the_same, 60, "one path, one text")
        assert "there is no component" in asyncio.run(link.explain("nobody"))[0]
        older = link.older(told[0].id, 3)
        assert [record.id for record in older] == [told[0].id - n for n in (3, 2, 1)]
        box.run("--stop")
        until(link.trouble, 60, "the end of the healer told")
    finally:
        asyncio.run(link.close())
