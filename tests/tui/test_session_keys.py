"""What the keys do with one session: its screen, its answers, its peace, its evidence."""

from __future__ import annotations

import asyncio

import pytest

from healmon import events as ev
from healmon.plans import Answer
from healmon.service.link import Peek
from healmon.state import FOREVER
from healmon_tui.screens.answer import AnswerSheet
from healmon_tui.screens.detail import Detail
from healmon_tui.screens.overview import Overview
from healmon_tui.screens.page import PageSheet
from healmon_tui.screens.plan import PlanSheet
from healmon_tui.screens.replay import Replay
from tests.helpers.examples import first_fast
from tests.helpers.screen import open_screen
from tests.helpers.scripted import NOW, ScriptedLink, clear_plan, world

pytestmark = pytest.mark.slow
ASKING = "session:claude_tests"
STUCK = "session:claude_architect"
MENU = (
    "── Bash command",
    "",
    " make clean",
    "",
    " Do you want to proceed?",
    " ❯ 1. Yes",
    "   3. No",
)


def run(scenario, *, size=(120, 36), keys=("2", "j"), **options):
    """Run a scenario with the cursor on the session that asks; return the link."""
    link = ScriptedLink(world())

    async def whole():
        async with open_screen(link, size, **options) as screen:
            await screen.press(*keys)
            await scenario(screen)

    asyncio.run(whole())
    return link


def answer_plan():
    return clear_plan(ASKING, action="answer_session", why="claude_tests asks: Do you want to …")


def test_an_answer_is_picked_verbatim_planned_and_given():
    async def scenario(screen):
        screen.link.answers["offer"] = Answer(ok=True, text="", plan=answer_plan())
        screen.link.answers["apply"] = Answer(ok=True, text="under way")
        await screen.press("i")
        assert isinstance(screen.app.screen, AnswerSheet)
        shown = screen.text()
        assert "Do you want to proceed? (make clean)" in shown
        assert "2. Yes, and always allow access to proj/" in shown
        await screen.press("j", "j", "enter")
        assert isinstance(screen.app.screen, PlanSheet)
        await screen.press("y")

    link = run(scenario)
    assert link.asked == [
        ("offer", ASKING, {
            "verb": "answer", "number": 3, "text": "3. No", "rule": "claude/approval-proceed",
            "question": "Do you want to proceed? (make clean)",
        }),
        ("apply", answer_plan().id, {}),
    ]  # fmt: skip


def test_what_the_healer_refuses_is_said_and_nothing_is_given():
    async def scenario(screen):
        refused = Answer(ok=False, text="claude_tests asks something else now: Are you sure?")
        screen.link.answers["offer"] = refused
        await screen.press("i", "1")
        assert isinstance(screen.app.screen, Overview)
        assert screen.answer == refused.text

    assert [verb for verb, _, _ in run(scenario).asked] == ["offer"]


@pytest.mark.parametrize("keys", [("i", "escape"), ("i", "1", "n"), ("i", "1", "escape")])
def test_thinking_better_of_an_answer_gives_none(keys):
    async def scenario(screen):
        screen.link.answers["offer"] = Answer(ok=True, text="", plan=answer_plan())
        await screen.press(*keys)
        assert isinstance(screen.app.screen, Overview)

    assert "apply" not in [verb for verb, _, _ in run(scenario).asked]


def test_a_session_that_asks_nothing_gets_no_answer():
    async def scenario(screen):
        await screen.press("k", "i")
        assert screen.answer == "claude_architect asks nothing"

    assert run(scenario).asked == []


def test_text_that_was_never_sent_can_be_sent_by_hand():
    facts = {
        "state": "unsent", "text": "mend the roof", "matched": "claude/unsent", "tasks": [79],
        "pane": "%12", "choices": [{"text": "press Enter: send it", "keys": ["Enter"]}],
    }  # fmt: skip

    async def scenario(screen):
        screen.link.emit(ev.Observed("sessions", ASKING, "warning", "unsent", "t", "v", facts))
        await screen.settle()
        assert "mend the roof" in screen.line_of("claude_tests")
        screen.link.answers["offer"] = Answer(ok=True, text="", plan=answer_plan())
        await screen.press("i")
        assert "mend the roof" in screen.app.screen.box.text()
        await screen.press("1")

    (asked,) = run(scenario).asked
    assert asked[2]["text"] == "press Enter: send it"
    assert asked[2]["question"] == ""


@pytest.mark.parametrize("key", ["i", "o", "T", "b"])
def test_keys_of_sessions_want_a_session(key):
    async def scenario(screen):
        await screen.press("1", key)
        assert "select a row of panel 2 (sessions) first" in screen.answer

    link = run(scenario)
    assert (link.asked, link.visited) == ([], [])


def test_one_is_left_alone_for_as_long_as_is_picked():
    async def scenario(screen):
        screen.link.answers["snooze"] = Answer(ok=True, text="left alone for 4h00m")
        await screen.press("Z", "3")
        assert "left alone for 4h00m" in screen.answer

    assert run(scenario).asked == [("snooze", ASKING, {"for": 4 * 3600.0})]


def test_never_touch_and_touch_are_one_key():
    async def scenario(screen):
        await screen.press("T")
        screen.link.emit(ev.MaintenanceStarted(ASKING, FOREVER, "olga"))
        await screen.settle()
        assert "never touched" in screen.line_of("claude_tests")
        await screen.press("T")

    asked = [("never-touch", ASKING, {}), ("touch", ASKING, {})]
    assert run(scenario).asked == asked


def test_the_person_is_taken_to_the_pane():
    async def scenario(screen):
        await screen.press("o")
        assert screen.answer == "back"

    link = run(scenario)
    assert [facts["pane"] for facts in link.visited] == ["%12"]


def test_a_way_that_cannot_be_gone_is_said():
    async def scenario(screen):
        async def visit(facts, leave):
            with leave():
                raise AssertionError("nobody leaves a screen without a terminal")

        screen.link.visit = visit
        await screen.press("o")
        assert screen.answer.startswith("cannot go there: ")

    run(scenario)


def test_its_screen_is_looked_at_again_and_again_only_while_it_is_shown():
    looks = []

    async def scenario(screen):
        async def peek(facts):
            looks.append(facts["pane"])
            return Peek(at=NOW, painted=2, lines=(*MENU, f"look {len(looks)}"))

        screen.link.peek = peek
        await screen.press("enter")
        assert isinstance(screen.app.screen, Detail)
        assert "│  make clean" in screen.text()
        seen = len(looks)
        screen.app.watching.look()
        await screen.settle()
        assert f"look {len(looks)}" in screen.text()
        assert len(looks) > seen
        await screen.press("escape", "1")
        seen = len(looks)
        screen.app.watching.look()
        await screen.settle()
        assert len(looks) == seen

    run(scenario, size=(100, 40))
    assert set(looks) == {"%12"}


@pytest.mark.parametrize("size", first_fast((100, 40), (200, 50)))
def test_drawing_anew_is_no_reason_to_look_again(size):
    looks = []

    async def scenario(screen):
        async def peek(facts):
            looks.append(facts["pane"])
            return Peek(at=NOW, lines=MENU)

        screen.link.peek = peek
        await screen.press("enter")
        assert isinstance(screen.app.screen, Detail)
        seen = len(looks)
        for _ in range(50):
            screen.app.redraw()
            await asyncio.sleep(0.001)
        assert len(looks) - seen < 10, "but for a tick now and then"

    run(scenario, size=size)


def test_the_column_beside_the_panels_shows_the_screen_of_the_row_under_the_cursor():
    async def scenario(screen):
        screen.link.screens["%12"] = Peek(at=NOW, lines=MENU)
        await screen.press("k", "j")
        assert "│  make clean" in screen.text()
        await screen.press("k")
        assert "│  make clean" not in screen.text()

    run(scenario, size=(200, 50))


def test_a_frozen_view_shows_no_screen_of_now():
    looks = []

    async def scenario(screen):
        async def peek(facts):
            looks.append(facts["pane"])
            return Peek(at=NOW, lines=MENU)

        screen.link.peek = peek
        await screen.press("p", "enter")
        screen.app.watching.look()
        await screen.settle()
        assert isinstance(screen.app.screen, Detail)
        assert "make clean)" in screen.text()
        assert "│  make clean" not in screen.text()

    run(scenario, size=(100, 40))
    assert looks == []


def test_a_secret_is_no_more_shown_than_told():
    async def scenario(screen):
        reason = "it asks for a secret: only its prompt is shown"
        screen.link.screens["%12"] = Peek(at=NOW, lines=("Password:",), reason=reason)
        await screen.press("enter")
        assert reason in screen.text()
        assert "│ Password:" in screen.text()

    run(scenario, size=(120, 40))


def test_why_it_is_in_its_state():
    async def scenario(screen):
        why = ("  ✓ claude/approval-proceed: tail", "  ✗ claude/idle: footer has no line")
        screen.link.screens["%12"] = Peek(at=NOW, lines=MENU, title="✳ Claude", why=why)
        await screen.press("e")
        assert isinstance(screen.app.screen, PageSheet)
        shown = screen.text()
        for word in ("it asks for approval", "claude/approval-proceed (pack claude 3)", *why):
            assert word.strip() in shown
        await screen.press("escape")
        assert isinstance(screen.app.screen, Overview)

    run(scenario)


def test_the_newest_act_is_replayed_before_beside_after():
    async def scenario(screen):
        screen.link.kept["4711.40.1"] = {
            "before": {"at": NOW, "screen": "✻ Sorting…"},
            "after": {"at": NOW + 1, "screen": "❯ ready"},
            "verdict": {"result": "cleared"},
        }  # fmt: skip
        await screen.press("k", "b")
        assert isinstance(screen.app.screen, Replay)
        assert "✻ Sorting…" in screen.line_of("❯ ready")
        assert "cleared" in screen.text()
        await screen.press("escape")
        assert isinstance(screen.app.screen, Overview)

    run(scenario)


@pytest.mark.parametrize(
    ("keys", "said"),
    [(("b",), "nothing was kept of claude_tests"), (("k", "b"), "the evidence 4711.40.1 is not")],
)
def test_without_evidence_there_is_nothing_to_replay(keys, said):
    async def scenario(screen):
        await screen.press(*keys)
        assert screen.answer.startswith(said)
        assert isinstance(screen.app.screen, Overview)

    run(scenario)


def test_all_of_it_works_in_the_detail_too():
    async def scenario(screen):
        screen.link.answers["offer"] = Answer(ok=True, text="", plan=clear_plan(ASKING))
        await screen.press("enter", "x")
        assert isinstance(screen.app.screen, PlanSheet)
        await screen.press("n", "T", "o", "e")
        assert isinstance(screen.app.screen, PageSheet)
        await screen.press("escape", "i")
        assert isinstance(screen.app.screen, AnswerSheet)
        await screen.press("escape", "escape")
        assert isinstance(screen.app.screen, Overview)

    link = run(scenario)
    assert [(verb, target) for verb, target, _ in link.asked] == [
        ("offer", ASKING), ("never-touch", ASKING),
    ]  # fmt: skip
    assert len(link.visited) == 1


def test_reading_only_shows_and_explains_and_touches_nothing():
    async def scenario(screen):
        await screen.press("i", "Z", "s", "m", "T", "x", "enter", "i", "Z", "s", "m", "T", "x")
        assert isinstance(screen.app.screen, Detail)
        await screen.press("e")
        assert isinstance(screen.app.screen, PageSheet)

    link = run(scenario, read_only=True)
    assert (link.asked, link.visited) == ([], [])


def test_the_footer_offers_an_answer_where_there_is_a_question():
    async def scenario(screen):
        assert "i answer" in screen.lines()[-1]
        assert "x clear" not in screen.lines()[-1]
        await screen.press("k")
        assert "x clear" in screen.lines()[-1]

    run(scenario)
