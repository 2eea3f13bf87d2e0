"""What the keys do: what is asked of the healer, and what is said about it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from healmon import events as ev
from healmon.plans import Answer, describe
from healmon_tui.screens.ask import AskSheet
from healmon_tui.screens.detail import Detail
from healmon_tui.screens.help import HelpSheet
from healmon_tui.screens.menu import MenuSheet
from healmon_tui.screens.overview import Overview
from healmon_tui.screens.plan import PlanSheet
from tests.helpers.screen import open_screen
from tests.helpers.scripted import (
    ScriptedLink,
    clean_plan,
    clear_plan,
    locked,
    restart_plan,
    world,
)

pytestmark = pytest.mark.slow

NAMES = {"+": "plus", "_": "underscore", "-": "minus"}


def run(scenario, *, size=(120, 36), past=None, **options):
    """Run a scenario on a fresh screen and return the link for a last look."""
    link = ScriptedLink(world() if past is None else past, attached=options.pop("attached", ""))

    async def whole():
        async with open_screen(link, size, **options) as screen:
            await scenario(screen)

    asyncio.run(whole())
    return link


def offering(link, plan, text=""):
    link.answers["offer"] = Answer(ok=True, text=text, plan=plan)


@pytest.mark.parametrize(
    ("panel", "key", "verb", "component", "plan"),
    [
        ("1", "r", "restart", "mail_worker", restart_plan("mail_worker")),
        ("2", "x", "clear", "session:claude_architect", clear_plan()),
        ("3", "c", "clean", "disk:/", clean_plan(tier=1)),
        ("4", "u", "unlock", "database:architect", restart_plan("database:architect")),
    ],
)
def test_an_act_asks_for_its_plan_shows_it_and_applies_it_on_yes(panel, key, verb, component, plan):
    async def scenario(screen):
        offering(screen.link, plan)
        screen.link.answers["apply"] = Answer(ok=True, text="under way")
        await screen.press("2" if panel == "1" else "1", panel, key)
        assert screen.link.asked == [("offer", component, {"verb": verb})]
        sheet = screen.app.screen
        assert isinstance(sheet, PlanSheet)
        shown = " ".join(sheet.box.text().replace("│", " ").split())
        for line in describe(plan):
            assert " ".join(line.split()) in shown
        await screen.press("y")
        assert screen.link.asked[1:] == [("apply", plan.id, {})]
        assert isinstance(screen.app.screen, Overview)
        assert screen.answer == f"{verb} {component}: under way"

    run(scenario)


@pytest.mark.parametrize("key", ["n", "escape", "q", "enter"])
def test_the_default_is_no(key):
    async def scenario(screen):
        offering(screen.link, restart_plan("mail_worker"))
        await screen.press("r", key)
        assert isinstance(screen.app.screen, Overview)
        assert [verb for verb, _, _ in screen.link.asked] == ["offer"]
        assert "not done" in screen.answer

    run(scenario)


@pytest.mark.parametrize("key", ["space", "j", "x", "r", "1", "a", "Y"])
def test_no_other_key_says_yes(key):
    async def scenario(screen):
        offering(screen.link, restart_plan("mail_worker"))
        await screen.press("r", key)
        assert [verb for verb, _, _ in screen.link.asked] == ["offer"]
        assert isinstance(screen.app.screen, PlanSheet)

    run(scenario)


def test_what_destroys_asks_for_the_name_to_be_typed():
    async def scenario(screen):
        plan = clean_plan()
        offering(screen.link, plan)
        await screen.press("3", "c")
        assert "type disk:/" in screen.app.screen.box.text()
        await screen.press("y", "enter")
        assert isinstance(screen.app.screen, Overview)
        assert [verb for verb, _, _ in screen.link.asked] == ["offer"]
        await screen.press("c", *"disk", "colon", "slash", "enter")
        assert screen.link.asked[-1] == ("apply", plan.id, {})

    run(scenario)


def test_a_destroying_plan_for_a_longer_name_takes_the_short_or_the_whole_name():
    for typed in ("data", "disk:data"):

        async def scenario(screen, typed=typed):
            offering(screen.link, clean_plan("disk:data"))
            await screen.press("3", "c")
            keys = ["colon" if letter == ":" else letter for letter in typed]
            await screen.press(*keys, "enter")
            assert screen.link.asked[-1][0] == "apply"

        run(scenario)


@pytest.mark.parametrize("plan", [clean_plan(), clean_plan(tier=1)])
def test_on_a_small_screen_it_is_said_that_there_is_more_of_the_plan(plan):
    async def scenario(screen):
        offering(screen.link, plan)
        await screen.press("3", "c")
        text = screen.app.screen.box.text()
        assert "more lines" in text
        assert ("type disk:/ and press enter" if plan.tier == 2 else "y do it") in text

    run(scenario, size=(40, 10))


def test_a_dry_run_shows_the_same_sheet_without_yes():
    async def scenario(screen):
        for plan, component in ((restart_plan("mail_worker"), "1"), (clean_plan(), "3")):
            offering(screen.link, plan, "dry run")
            await screen.press(component, {"1": "r", "3": "c"}[component])
            text = screen.app.screen.box.text()
            assert "dry run" in text
            assert "do it" not in text
            await screen.press("y", "enter")
            assert isinstance(screen.app.screen, Overview)
        assert [verb for verb, _, _ in screen.link.asked] == ["offer", "offer"]

    run(scenario, size=(80, 24))


def test_a_dry_run_of_the_healer_is_enough_to_take_yes_away():
    async def scenario(screen):
        screen.link.emit(
            ev.EngineStarted("atlas", "0.1.0", 1, "tui", dry_run=True, interval=60, boot="b",
                             steady_offset=0.0)
        )  # fmt: skip
        await screen.settle()
        assert "DRY RUN" in screen.lines()[0]
        offering(screen.link, restart_plan("mail_worker"))
        await screen.press("r", "y")
        assert [verb for verb, _, _ in screen.link.asked] == ["offer"]

    run(scenario)


def test_a_refusal_is_one_line_and_no_sheet():
    async def scenario(screen):
        screen.link.answers["offer"] = Answer(ok=False, text="mail_worker is up: nothing to do")
        await screen.press("r")
        assert isinstance(screen.app.screen, Overview)
        assert screen.answer == "mail_worker is up: nothing to do"
        assert screen.lines()[-1].startswith(" mail_worker is up: nothing to do  ")

    run(scenario)


def test_a_stale_plan_refuses_itself():
    async def scenario(screen):
        offering(screen.link, restart_plan("mail_worker"))
        screen.link.answers["apply"] = Answer(
            ok=False, text="mail_worker restarted by itself 3 s ago, nothing to do"
        )
        await screen.press("r", "y")
        assert "restarted by itself 3 s ago, nothing to do" in screen.lines()[-1]

    run(scenario)


def test_a_link_that_breaks_is_an_answer_too():
    async def scenario(screen):
        def broken(*_):
            raise OSError(5, "gone [/] \x1b[31m")

        screen.link.answers["offer"] = broken
        await screen.press("r")
        assert "gone" in screen.answer
        assert "\x1b" not in screen.text()
        offering(screen.link, restart_plan("mail_worker"))
        await screen.press("r")
        assert isinstance(screen.app.screen, PlanSheet)

    run(scenario)


def test_an_act_on_the_wrong_kind_says_where_to_go():
    async def scenario(screen):
        await screen.press("2", "r")
        assert screen.link.asked == []
        assert "panel 1 (workers)" in screen.answer

    run(scenario)


def test_an_act_in_the_alert_log_is_about_the_alerts_component():
    async def scenario(screen):
        await screen.press("5")
        row = screen.app.overview.row()
        assert row.component == "mail_worker"
        await screen.press("r")
        assert screen.link.asked == [("offer", "mail_worker", {"verb": "restart"})]
        await screen.press("x")
        assert len(screen.link.asked) == 1

    run(scenario)


def test_acknowledge_is_immediate_and_can_be_taken_back():
    async def scenario(screen):
        alert = next(a for a in screen.app.snapshot.alerts.values() if a.component == "mail_worker")
        screen.link.answers["acknowledge"] = Answer(ok=True, text="acknowledged for 4h: mail")
        await screen.press("a")
        assert screen.link.asked == [("acknowledge", str(alert.id), {})]
        assert "acknowledged for 4h: mail" in screen.lines()[-1]
        assert "z undo" in screen.lines()[-1]
        await screen.press("z")
        assert screen.link.asked[-1] == ("unacknowledge", str(alert.id), {})
        await screen.press("z")
        assert len(screen.link.asked) == 2

    run(scenario)


def test_acknowledge_with_a_note():
    async def scenario(screen):
        await screen.press("A")
        assert isinstance(screen.app.screen, AskSheet)
        await screen.press(*"on", "space", *"it", "enter")
        assert [(v, a) for v, _, a in screen.link.asked] == [("acknowledge", {"note": "on it"})]
        await screen.press("A", "x", "escape")
        assert len(screen.link.asked) == 1

    run(scenario)


def test_there_is_nothing_to_acknowledge_twice():
    async def scenario(screen):
        await screen.press("2", "j", "a")
        assert screen.app.overview.row().component == "session:claude_tests"
        assert screen.link.asked == []
        assert screen.answer == "acknowledged already"
        await screen.press("G", "a")
        assert screen.answer == "no open alert here"

    run(scenario)


def test_check_now():
    async def scenario(screen):
        await screen.press("ctrl+r")
        assert screen.link.asked == [("check", "", {})]
        assert screen.answer == "looking now"

    run(scenario)


def test_reading_only_asks_nothing():
    async def scenario(screen):
        assert "READ ONLY" in screen.lines()[0]
        offering(screen.link, restart_plan("mail_worker"))
        for panel, key in (("1", "r"), ("2", "x"), ("3", "c"), ("4", "u"), ("5", "a")):
            await screen.press(panel, key, "A", "s", "S", "m", "Z", "z", "D", "T", "ctrl+r")
            assert isinstance(screen.app.screen, Overview)
        assert screen.link.asked == []
        assert "restart" not in screen.lines()[-1]
        await screen.press("question_mark")
        assert "restart" not in screen.app.screen.box.text()

    run(scenario, read_only=True)


def test_attached_says_so_and_still_asks():
    async def scenario(screen):
        assert "ATTACHED pid 4711" in screen.lines()[0]
        await screen.press("ctrl+r")
        assert screen.link.asked == [("check", "", {})]

    run(scenario, attached="pid 4711")


def test_moving():
    async def scenario(screen):
        overview = screen.app.overview

        def here():
            return overview.row().key

        order = [row.key for row in overview._panels["workers"].view.rows]
        await screen.press("j")
        assert here() == order[1]
        await screen.press("down", "k", "up")
        assert here() == order[0]
        await screen.press("k")
        assert here() == order[0]
        await screen.press("G")
        assert here() == order[-1]
        await screen.press("j", "g")
        assert here() == order[0]
        await screen.press("ctrl+d")
        assert here() == order[3]
        await screen.press("ctrl+u")
        assert here() == order[0]
        await screen.press("tab")
        assert overview.panel == "sessions"
        await screen.press("shift+tab", "shift+tab")
        assert overview.panel == "alerts"

    run(scenario)


def test_a_panel_fills_the_screen_and_gives_it_back():
    async def scenario(screen):
        everything = screen.text()
        for bigger, smaller in (("+", "_"), ("11", "1"), ("+", "-"), ("k11", "q")):
            await screen.press(*(NAMES.get(key, key) for key in bigger))
            assert "[1 Workers" in screen.lines()[1]
            await screen.press(NAMES.get(smaller, smaller))
            screen.app.overview.hush()
            assert screen.text() == everything
        assert screen.link.closed == 0

    run(scenario)


def test_one_digit_only_goes_to_the_panel():
    async def scenario(screen):
        await screen.press("1")
        assert "2 SESSIONS" in screen.text()
        await screen.press("2", "j", "2")
        assert "1 WORKERS" in screen.text()

    run(scenario)


def test_detail_and_back():
    async def scenario(screen):
        await screen.press("j", "enter")
        assert isinstance(screen.app.screen, Detail)
        text = screen.text()
        for word in ("assigner_worker", "PLAN", "pgrep", "TIMELINE", "exited with code 1"):
            assert word in text
        await screen.press("escape")
        assert isinstance(screen.app.screen, Overview)

    run(scenario, size=(80, 36))


def test_the_detail_is_live():
    async def scenario(screen):
        await screen.press("j", "enter")
        assert "restart in 8s" in screen.text()
        screen.link.clock.advance(6)
        await screen.settle()
        assert "restart in 2s" in screen.text()

    run(scenario, size=(80, 36))


def test_the_context_follows_the_cursor_and_can_be_put_away():
    async def scenario(screen):
        assert any(line.startswith(" mail_worker ") for line in screen.lines())
        await screen.press("j")
        assert any(line.startswith(" assigner_worker ") for line in screen.lines())
        await screen.press("v")
        assert not any(line.startswith(" assigner_worker ") for line in screen.lines())
        await screen.press("v")
        assert any(line.startswith(" assigner_worker ") for line in screen.lines())

    run(scenario)


def test_help_knows_every_key_and_the_focused_panel_first():
    async def scenario(screen):
        await screen.press("2", "question_mark")
        assert isinstance(screen.app.screen, HelpSheet)
        text = screen.app.screen.box.text()
        assert text.index("interrupt the selected") < text.index("restart the selected")
        await screen.press("escape")
        assert isinstance(screen.app.screen, Overview)

    run(scenario, size=(100, 60))


def test_help_scrolls_on_a_small_terminal():
    async def scenario(screen):
        await screen.press("question_mark")
        first = screen.app.screen.box.text()
        assert "more lines" in first
        await screen.press("space")
        assert screen.app.screen.box.text() != first
        await screen.press("q")
        assert isinstance(screen.app.screen, Overview)

    run(scenario, size=(60, 15))


def test_a_frozen_view_stands_still_and_counts_what_it_misses():
    async def scenario(screen):
        before = screen.lines()[1:]
        await screen.press("p")
        assert "FROZEN 20:47:01" in screen.lines()[0]
        locked(screen.link)
        screen.link.clock.advance(30)
        screen.idle()
        await screen.settle()
        assert "FROZEN 20:47:01 +2" in screen.lines()[0]
        assert screen.lines()[1:] == before
        await screen.press("p")
        assert "LIVE 20:47:31" in screen.lines()[0]
        assert "1 of 2 locked" in screen.text()

    run(scenario)


def test_themes_go_round():
    async def scenario(screen):
        seen = [screen.app.theme]
        for _ in range(5):
            await screen.press("t")
            seen.append(screen.app.theme)
        assert seen[0] == seen[5]
        assert len(set(seen)) == 5

    run(scenario)


def test_the_demos_faults():
    made = []

    def stop_one():
        made.append(threading.current_thread() is threading.main_thread())
        return "stopped [/] it"

    async def later():
        made.append("later")

    def impossible():
        raise RuntimeError("cannot")

    async def scenario(screen):
        await screen.press("F")
        assert isinstance(screen.app.screen, MenuSheet)
        assert "stop a worker" in screen.app.screen.box.text()
        await screen.press("enter")
        assert made == [False]
        assert "stopped [/] it" in screen.answer
        await screen.press("F", "2")
        assert made == [False, "later"]
        await screen.press("F", "j", "j", "enter")
        assert "cannot" in screen.answer
        await screen.press("F", "escape", "F", "q")
        assert len(made) == 2

    faults = [("stop a worker", stop_one), ("later", later), ("impossible", impossible)]
    run(scenario, demo_faults=faults)
    run(scenario_without_faults)


async def scenario_without_faults(screen):
    await screen.press("F")
    assert isinstance(screen.app.screen, Overview)
    assert "fault" not in screen.lines()[-1]


def test_quit_lets_the_healer_finish_first():
    link = ScriptedLink(world())
    let_go = asyncio.Event()

    async def slow():
        link.closed += 1
        await let_go.wait()

    link.close = slow

    async def scenario():
        async with open_screen(link) as screen:
            await screen.press("q")
            assert link.closed == 1
            assert "finished first" in screen.answer
            assert screen.app.is_running
            await screen.press("j")
            assert screen.app.overview.row().key == "assigner_worker"
            let_go.set()
            await screen.until(lambda: screen.app.return_code == 0)
            assert screen.app.ended

    asyncio.run(scenario())


def test_quit_twice_does_not_wait():
    link = ScriptedLink(world())

    async def never():
        link.closed += 1
        await asyncio.Event().wait()

    link.close = never

    async def scenario():
        async with open_screen(link) as screen:
            await screen.press("q")
            await screen.pilot.press("q")
            await screen.until(lambda: screen.app.return_code == 130)
            assert link.closed == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("keys", [["ctrl+q"], ["question_mark", "ctrl+q"], ["enter", "ctrl+q"]])
def test_quit_from_anywhere(keys):
    async def scenario(screen):
        await screen.pilot.press(*keys)
        await screen.until(lambda: screen.app.return_code == 0)

    assert run(scenario).closed == 1


def test_ctrl_c_does_not_quit_and_ctrl_z_does_nothing():
    async def scenario(screen):
        await screen.press("ctrl+c")
        assert screen.app.is_running
        assert screen.answer == "q quits"
        await screen.press("ctrl+z")
        assert screen.app.is_running

    assert run(scenario).closed == 0


def test_the_engine_down_is_said_in_red_until_it_is_up():
    async def scenario(screen):
        screen.link.sick = "OSError: [Errno 28] No space left; next try in 5 s"
        await screen.settle()
        assert "ENGINE DOWN" in screen.lines()[1]
        assert "No space left" in screen.lines()[1]
        assert "DOWN" in screen.lines()[0]
        assert "LIVE" not in screen.lines()[0]
        screen.link.sick = ""
        await screen.settle()
        assert "ENGINE DOWN" not in screen.text()

    run(scenario)


def test_a_store_fault_and_a_blind_healer_are_said():
    async def scenario(screen):
        screen.link.emit(ev.StoreFaulted("disk full"))
        await screen.settle()
        assert "STORE FAULT" in screen.lines()[1]
        screen.link.emit(ev.StoreRecovered(0))
        screen.link.emit(ev.HealerFailed("sessions", "tmux does not answer"))
        await screen.settle()
        assert "CANNOT LOOK" in screen.lines()[1]
        assert "tmux does not answer" in screen.lines()[1]
        screen.link.emit(ev.HealerRecovered("sessions"))
        await screen.settle()
        assert "tmux does not answer" not in screen.text()

    run(scenario)


def test_the_pause_of_the_row_under_the_cursor_counts_down_and_no_panel_moves():
    def places(lines):
        return [n for n, line in enumerate(lines) if "WORKERS" in line or "SESSIONS" in line]

    async def scenario(screen):
        screen.app.overview.put(("workers", "mail_worker"))
        screen.link.emit(ev.MaintenanceStarted("mail_worker", screen.link.now + 600, "olga"))
        await screen.settle()
        before = screen.lines()
        assert "◫ 10m left ━" in before[0]
        screen.app.overview.put(("workers", "api_worker"))
        await screen.settle()
        assert "left" not in screen.lines()[0]
        assert places(before) == places(screen.lines()) != []

    run(scenario)


def test_maintenance_of_everything_is_in_the_status_line():
    async def scenario(screen):
        screen.link.emit(ev.MaintenanceStarted("*", screen.link.now + 600, "olga"))
        await screen.settle()
        assert "PAUSED 10m" in screen.lines()[0]
        screen.link.clock.advance(601)
        await screen.settle()
        assert "PAUSED" not in screen.lines()[0]

    run(scenario)


def test_the_mouse_picks_rows_and_tabs():
    async def scenario(screen):
        await screen.pilot.click("#sessions", offset=(5, 2))
        await screen.settle()
        assert screen.app.overview.panel == "sessions"
        assert screen.app.overview.row().component == "session:claude_tests"
        await screen.press("plus")
        await screen.pilot.click("#tabs", offset=(2, 0))
        await screen.settle()
        assert screen.app.overview.panel == "workers"
        await screen.pilot.click("#tabs", offset=(58, 0))
        await screen.settle()
        assert screen.app.overview.panel in {"alerts", "databases"}

    run(scenario)
