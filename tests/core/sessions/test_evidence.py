"""What is written down of an attempt: in time, without secrets, in bounds, also on a full disk."""

from __future__ import annotations

import asyncio
import threading
from functools import partial

import msgspec
import pytest
from msgspec.structs import replace

from healmon.clock import ManualClock
from healmon.errors import VetoError
from healmon.plans import Plan, pack
from healmon.redact import MARK
from healmon.sessions import dossier as module
from healmon.sessions import evidence as ev
from healmon.sessions.dossier import Archive, Dossier
from healmon.sessions.facts import Order, Row
from healmon.sessions.verdict import Verdict
from healmon.world.hands import Hands
from healmon.world.simulated.evidencefiles import SimulatedEvidenceFiles
from tests.helpers.made_up import Noted
from tests.helpers.sessionjudge import a_session, a_task

KEY = "1.1.$1.1.%1.10.77"
DAY = 86_400.0


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def files(clock):
    return SimulatedEvidenceFiles(clock)


def order(**more):
    words = {"session": "a", "pane": "%1", "key": KEY, "keys": (("C-c",),), "reason": "stuck"}
    return Order(**{**words, "rows": (Row("assigner", 77, "in_progress", "t77"),), **more})


def plan(of, ident="7.8.9", action="clear_stuck_session"):
    return Plan("sessions", "session:a", action, "", "why", (), "", "", pack(of), id=ident)


async def now(_what, call):
    return call()


async def begin(files, clock, hand, ident="7.8.9", keep=14 * DAY, **more):
    archive = Archive(files, now, clock, keep)
    one = order(**more)
    dossier = await Dossier.begin(archive, hand, clock, plan(one, ident), one)
    await dossier.saw(a_session(), [a_task()])
    return dossier


def stored(files, ident="7.8.9"):
    found = ev.decode(files.read(ident) or b"")
    assert found is not None
    return found


def test_a_touch_is_stored_before_it_is_announced(files, clock):
    seen = []

    class Hand(Noted):
        async def about_to(self, text):
            await super().about_to(text)
            seen.append(len(stored(files).touches))

    async def scene():
        hand = Hand()
        dossier = await begin(files, clock, hand)
        await dossier.about_to("press", "press C-c", 1)
        await dossier.about_to("settle", "requeue task 1")
        await dossier.close(Verdict(result="cleared", how="it is idle", keys=("C-c",)))
        return hand.steps

    steps = asyncio.run(scene())
    assert seen == [1, 2]
    assert steps == ["press C-c [evidence 7.8.9]", "requeue task 1 [evidence 7.8.9]"]
    assert stored(files).verdict.result == "cleared"
    assert stored(files).begun == 1


def test_what_was_held_back_was_not_pressed(files, clock):
    async def scene():
        dossier = await begin(files, clock, Noted())
        await dossier.about_to("press", "press C-c", 1)
        await dossier.not_done("it became idle")
        return dossier.begun

    assert asyncio.run(scene()) == 0
    assert stored(files).touches[0].held == "it became idle"


def test_the_next_healmon_counts_what_a_killed_one_began_and_only_about_this_program(files, clock):
    async def scene():
        killed = await begin(files, clock, Noted(), "1.1.1")
        await killed.about_to("press", "press C-c", 1)
        clock.advance(60)
        other = order(key="another program")
        archive = Archive(files, now, clock, DAY)
        stranger = await Dossier.begin(archive, Noted(), clock, plan(other, "2.2.2"), other)
        rows = (Row("assigner", 77, "in_progress", "another attempt"),)
        later = order(rows=rows)
        anew = await Dossier.begin(
            Archive(SimulatedEvidenceFiles(clock), now, clock, DAY), Noted(), clock,
            plan(later), later,
        )  # fmt: skip
        assert not ev.same_tasks(stored(files, "1.1.1"), later)
        after = await begin(files, clock, Noted(), "4.4.4")
        again = await begin(files, clock, Noted(), "5.5.5")
        return stranger.begun, anew.begun, after.begun, again.begun

    assert asyncio.run(scene()) == (0, 0, 1, 1)
    assert stored(files, "1.1.1").verdict.result == "unknown"
    assert stored(files, "4.4.4").verdict.result == "unknown"


def test_a_person_who_asks_has_seen_what_was_pressed(files, clock):
    async def scene():
        killed = await begin(files, clock, Noted(), "1.1.1")
        await killed.about_to("press", "press C-c", 1)
        return (await begin(files, clock, Noted(), "2.2.2", by_hand=True)).begun

    assert asyncio.run(scene()) == 0
    assert stored(files, "1.1.1").verdict.result == "unknown"


def test_what_was_closed_counts_for_nobody(files, clock):
    async def scene():
        first = await begin(files, clock, Noted(), "1.1.1")
        await first.about_to("press", "press C-c", 1)
        await first.close(Verdict(result="ignored", how="it is what it was"))
        return (await begin(files, clock, Noted(), "2.2.2")).begun

    assert asyncio.run(scene()) == 0


def test_a_full_disk_costs_the_evidence_and_nothing_else(files, clock):
    async def scene():
        hand = Noted()
        dossier = await begin(files, clock, hand)
        files.fault = "no space left on device"
        await dossier.about_to("press", "press C-c", 1)
        verdict = await dossier.close(Verdict(result="cleared", how="it is idle"))
        return hand.steps, verdict

    steps, verdict = asyncio.run(scene())
    assert steps == ["press C-c [no evidence: evidence cannot be stored: no space left on device]"]
    assert verdict.evidence == ""
    assert "no space left" in verdict.lost


def test_a_disk_that_does_not_answer_holds_nothing_up_but_hides_what_was_pressed(
    files, clock, monkeypatch
):
    hands, over = Hands("evidence"), threading.Event()

    async def never(_what, _call):
        await hands.call(partial(over.wait, 60))

    monkeypatch.setattr(module, "PATIENCE", 0.05)

    async def scene():
        dossier = await begin(files, clock, Noted())
        archive = Archive(files, never, clock, DAY)
        dossier._archive = archive
        for step in (1, 2):  # the second time the first one still hangs
            await dossier.about_to("press", "press C-c", step)
            assert dossier.lost == "its disk does not answer"
        await archive.tidy()
        with pytest.raises(VetoError, match="no answer from its disk"):
            await Dossier.begin(archive, Noted(), clock, plan(order()), order())

    try:
        asyncio.run(scene())
    finally:
        over.set()
        hands.close()


def test_what_was_called_off_is_no_act_that_a_killed_healmon_left(files, clock):
    async def scene():
        first = await begin(files, clock, Noted(), "1.1.1")
        await first.about_to("press", "press C-c", 1)
        await first.not_done("it shows something new")
        await first.called_off("it shows something new")
        second = await begin(files, clock, Noted(), "2.2.2")
        await second.about_to("press", "press C-c", 1)
        await second.called_off("a person came")  # what was pressed must not be forgotten
        return (await begin(files, clock, Noted(), "3.3.3")).begun

    assert asyncio.run(scene()) == 1
    assert stored(files, "1.1.1").verdict.how == "called off: it shows something new"
    assert "healmon ended" in stored(files, "2.2.2").verdict.how


def test_there_need_be_no_place_for_evidence(clock):
    async def scene():
        dossier = await begin(None, clock, Noted())
        return await dossier.close(Verdict(result="settled"))

    assert "no evidence is kept" in asyncio.run(scene()).lost


def test_old_evidence_goes_when_the_next_begins(files, clock):
    async def scene():
        await (await begin(files, clock, Noted(), "1.1.1")).close(Verdict(result="settled"))
        clock.advance(2 * DAY)
        await (await begin(files, clock, Noted(), "2.2.2", keep=DAY)).close(
            Verdict(result="settled")
        )

    asyncio.run(scene())
    assert files.idents() == ("2.2.2",)


def test_old_evidence_goes_also_when_nothing_happens(files, clock):
    async def scene():
        await (await begin(files, clock, Noted(), "1.1.1")).close(Verdict(result="settled"))
        clock.advance(2 * DAY)
        await Archive(files, now, clock, 3 * DAY).tidy()
        assert files.idents()
        await Archive(files, now, clock, DAY).tidy()

    asyncio.run(scene())
    assert files.idents() == ()


def made(**changes):
    one = ev.begin(plan(order()), order(), "7.8.9", 5.0)
    return replace(one, **changes)


def test_secrets_are_stored_nowhere():
    token = "ghp_" + "aB3dE6gH9jK2" * 3
    shown = ev.Shown(at=1.0, screen=f"export T={token}\nok", title=f"x {token}", text=token)
    world = {"argv": ["git", f"https://me:{token}@x.example"], "deep": [{"a": token}]}
    data = ev.encode(made(before=shown, after=shown, world=world, why=f"last line: {token}"))
    assert token.encode() not in data
    assert MARK.encode() in data
    assert ev.decode(data).before.screen.endswith("ok")


def test_where_a_password_is_asked_only_the_prompt_is_stored():
    shown = ev.private(
        ev.Shown(at=1.0, screen="$ cat secrets\nabc\nPassword: ", title="t", text="abc")
    )
    assert (shown.screen, shown.title, shown.text) == ("Password:", "", "")


@pytest.mark.slow
@pytest.mark.parametrize("size", [10, 5_000, 20_000])
def test_no_evidence_is_too_large(size):
    lines = "\n".join(f"{n} {'wörd ' * 200}" for n in range(size))
    shown = ev.Shown(at=1.0, screen=lines)
    touches = tuple(ev.Touch(work="press", text="x" * 200, at=1.0) for _ in range(size // 100))
    data = ev.encode(
        made(before=shown, after=shown, touches=touches, seen={"lines": ["x" * 100] * size})
    )
    assert len(data) <= ev.SIZE
    assert ev.decode(data).id == "7.8.9"


def test_another_version_of_it_is_none():
    assert ev.decode(b"{}") is None
    assert ev.decode(b"\xff") is None
    assert ev.decode(msgspec.json.encode({"id": 1})) is None
