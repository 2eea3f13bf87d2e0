"""All about one component, on a screen of its own; and why it is as it is."""

from __future__ import annotations

import asyncio

import pytest

from healmon import events as ev
from healmon.plans import Answer
from healmon.service.link import Tail
from healmon_tui.screens.detail import Detail
from healmon_tui.screens.page import PageSheet
from healmon_tui.screens.plan import PlanSheet
from tests.helpers.examples import first_fast, first_sets_fast
from tests.helpers.screen import check_golden, open_screen
from tests.helpers.scripted import (
    NOW,
    ScriptedLink,
    key,
    lived_world,
    locked,
    restart_plan,
    showing,
)

MAIL = key("mail_worker", "quarantined")


def run(scenario, keys, size=(120, 36), **options):
    link = ScriptedLink(lived_world())
    showing(link)

    async def whole():
        async with open_screen(link, size, **options) as screen:
            if "4" in keys:
                locked(link)
                screen.idle()
                await screen.settle()
            await screen.press(*keys)
            return await scenario(screen)

    return asyncio.run(whole())


@pytest.mark.parametrize(
    ("name", "keys"),
    [("worker", "enter"), ("session", "2 j enter"), ("disk", "3 enter"),
     ("database", "4 enter"), ("alert", "5 j j enter")],
)  # fmt: skip
@pytest.mark.parametrize("size", first_fast((80, 24), (120, 36)))
def test_a_screen_of_every_kind(name, keys, size):
    async def scenario(screen):
        assert isinstance(screen.app.screen, Detail)
        return screen.text()

    check_golden(f"detail-{name}-{size[0]}x{size[1]}", run(scenario, keys.split(), size))


@pytest.mark.slow
def test_the_last_lines_of_a_log_all_of_them_and_the_end_is_followed():
    async def scenario(screen):
        def write(count):
            lines = tuple(f"line {number}" for number in range(count))
            screen.link.logs["mail_worker"] = Tail(at=NOW, lines=lines, size=9)

        write(200)
        screen.app.watching.look()
        await screen.settle()
        assert "line 199" in screen.text(), "the newest are in sight at once"
        await screen.press("G")
        assert "line 199" in screen.lines()[-2]
        assert "line 180" in screen.text()
        write(230)
        screen.app.watching.look()
        await screen.settle()
        assert "line 229" in screen.lines()[-2]
        await screen.press("k", "k")
        before = screen.lines()[2:-1]
        write(260)
        screen.app.watching.look()
        await screen.settle()
        assert screen.lines()[2:-1] == before, "whoever reads is not pulled away"
        await screen.press("g")
        assert "quarantined since" in screen.lines()[2]
        return screen.link

    run(scenario, ["enter"], (80, 24))


def test_an_alert_is_told_from_beginning_to_end():
    async def scenario(screen):
        screen.link.emit(ev.AlertAcknowledged(MAIL, "olga", "on it", NOW + 60))
        made = screen.link.emit(ev.NoticeMade("mail", "opened", "t", "b", (MAIL,)))
        screen.link.emit(ev.NoticeFailed(made.id, "mail", "refused", NOW + 60))
        screen.link.emit(ev.NoticeSent(made.id, "mail"))
        plan = restart_plan("mail_worker", id="p", delay=0.0)
        screen.link.emit(ev.PlanMade(plan, NOW, NOW))
        screen.link.emit(ev.StepTaken("p", "mail_worker", "start it once more"))
        screen.link.emit(ev.ActionVerified("p", "mail_worker", "restart_worker", "alive", 1.5))
        await screen.settle()
        return screen.text()

    shown = run(scenario, ["5", "enter"])
    assert "alert 54 · mail_worker" in shown
    assert "acknowledged by olga till 20:48: on it" in shown
    chain = shown[shown.index("CHAIN") :]
    for part in ("quarantined: 5 failures", "restart worker", "start it once more",
                 "✓ 1.5 s · alive", "mail: opened", "mail: opened not taken: refused"):  # fmt: skip
        assert part in chain, part


@pytest.mark.parametrize(
    ("keys", "press", "asked"),
    first_sets_fast(
        ("enter", "r", ("mail_worker", "restart")),
        ("3 enter", "c", ("disk:/", "clean")),
        ("4 enter", "u", ("database:assigner", "unlock")),
        ("2 enter", "x", ("session:claude_architect", "clear")),
    ),
)
def test_the_keys_that_heal_it_act_there(keys, press, asked):
    async def scenario(screen):
        screen.link.answers["offer"] = Answer(ok=True, text="", plan=restart_plan())
        await screen.press(press)
        assert isinstance(screen.app.screen, PlanSheet)
        return screen.link.asked

    ((verb, target, arguments),) = run(scenario, keys.split())
    assert (verb, target, arguments["verb"]) == ("offer", *asked)


def test_reading_only_nothing_acts():
    async def scenario(screen):
        await screen.press("r", "e")
        return screen.link.asked, screen.lines()[-1]

    asked, keys = run(scenario, ["enter"], read_only=True)
    assert asked == []
    assert "restart" not in keys


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keys", "target"),
    [
        ("e", "mail_worker"), ("enter e", "mail_worker"), ("3 e", "disk:/"),
        ("4 e", "database:assigner"), ("5 j e", None), ("5 enter e", None),
    ],
)  # fmt: skip
def test_e_says_what_explain_says(keys, target):
    async def scenario(screen):
        return screen.text(), screen.app.screen

    link = ScriptedLink(lived_world())
    asked = []

    async def explain(wanted):
        asked.append(wanted)
        return ("because:", "  it is so, " + "and so on " * 20, "    54  12-01 10:00:00  event")

    link.explain = explain

    async def whole():
        async with open_screen(link, (100, 30)) as screen:
            if "4" in keys:
                locked(link)
                screen.idle()
                await screen.settle()
            await screen.press(*keys.split())
            return screen.text(), screen.app.screen

    text, sheet = asyncio.run(whole())
    assert isinstance(sheet, PageSheet)
    assert "it is so, and so on" in text
    (found,) = asked
    assert found == target if target else found.isdecimal()


def test_what_nothing_is_known_of_is_said():
    async def scenario(screen):
        await screen.press("e")
        return screen.answer

    assert "nothing is known of mail_worker" in run(scenario, [])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (("a",), "acknowledged for 4h"),
        (("r",), "mail_worker is up: nothing to do"),
        (("x",), "clear mail_worker: it is of another kind"),
        (("z",), "nothing to take back"),
    ],
)
def test_what_came_of_a_key_is_said_where_it_was_pressed(keys, said):
    async def scenario():
        link = ScriptedLink(lived_world())
        link.answers["acknowledge"] = Answer(ok=True, text="acknowledged for 4h")
        link.answers["offer"] = Answer(ok=False, text="mail_worker is up: nothing to do")
        async with open_screen(link, (80, 24)) as screen:
            await screen.press("enter", *keys)
            assert isinstance(screen.app.screen, Detail)
            assert said in screen.lines()[-1]
            await screen.press("escape")
            assert said in screen.lines()[-1]

    asyncio.run(scenario())
