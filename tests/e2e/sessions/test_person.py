"""What a person does with sessions, by the command line and by the screen, with real panes."""

from __future__ import annotations

import asyncio
import json
import sqlite3

import pytest

from healmon import cli
from healmon.errors import HealmonError
from healmon.service.sessions_cli import session
from healmon.service.takeover import Relay
from healmon_tui.app import HealmonApp
from healmon_tui.screens.answer import AnswerSheet
from healmon_tui.screens.plan import PlanSheet
from tests.helpers.wait import until

pytestmark = pytest.mark.slow


@pytest.fixture
def healmon(stage, capsys):
    """The command, as typed; returns its exit code and what it printed."""

    def run(*words):
        where = ["--config", str(stage.config), "--state-dir", str(stage.state)]
        code = cli.main([words[0], *where, *words[1:]])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def asking(stage, healer, name="a"):
    """Wait until an approval is seen that some task waits for."""
    stage.task(name)
    until(lambda: healer.state(name) == "approval", 60, "the question seen")
    until(lambda: _stored(stage, name) == "approval", 60, "the question written down")


def _stored(stage, name):
    try:
        return session(stage.state, name).facts["state"]
    except HealmonError:
        return ""


def test_an_approval_is_answered_from_the_command_line(stage, healmon):
    stage.agent("a", "claude", "approval")
    with stage.healmon(verify_within="30s") as healer:
        asking(stage, healer)
        code, told, _ = healmon("answer", "a")
        assert code == 0
        assert "Do you want to proceed?" in told
        assert "  2  2. Yes, and don't ask again" in told
        assert stage.keys("a") == [], "listing presses nothing"
        code, told, _ = healmon("answer", "a", "1", "--json")
        assert code == 0, told
        assert json.loads(told)["ok"]
        assert stage.keys("a") == ["1"]
        until(lambda: _stored(stage, "a") != "approval", 60, "the question gone from the store")
        code, _, said = healmon("answer", "a", "1")
        assert code == 65
        assert "asks nothing" in said
    assert stage.keys("a") == ["1"]


def test_an_answer_that_is_not_offered_or_comes_too_late_presses_nothing(stage, healmon):
    stage.agent("a", "codex", "approval")
    with stage.healmon(interval=60.0) as healer:
        asking(stage, healer)
        code, _, said = healmon("answer", "a", "9")
        assert code == 65
        assert "it has: 1. Yes, proceed" in said
        # the store still shows the question, the pane does not
        stage.tell("a", "stream")
        code, _, said = healmon("answer", "a", "1")
        assert code == 65, said
    assert stage.keys("a") == []


def test_an_approval_is_answered_on_the_screen(stage):
    stage.agent("a", "claude", "approval")

    async def scenario():
        link = Relay(stage.state, "", None)
        app = HealmonApp(link)
        async with app.run_test(size=(160, 40)) as pilot:
            await _until(pilot, lambda: "session:a" in app.snapshot.components)
            await pilot.press("2")
            await _until(pilot, lambda: "make clean" in _text(app), "its screen, live")
            await pilot.press("i")
            assert isinstance(app.screen, AnswerSheet)
            await pilot.press("3")
            await _until(pilot, lambda: isinstance(app.screen, PlanSheet))
            await _until(pilot, lambda: "3. No" in app.screen.box.text(), "the plan sheet")
            assert stage.keys("a") == []
            await _until(pilot, lambda: not app.screen.unread, "time to read")
            await pilot.press("y")
            await _until(pilot, lambda: stage.keys("a"))
            await _until(pilot, lambda: "answer_session" in {a.action for a in app.snapshot.recent})
            await _until(pilot, lambda: app.snapshot.components["session:a"].facts["evidence"])
            await pilot.press("b")
            await _until(pilot, lambda: "WHAT CAME OF IT" in _text(app), "the evidence")
            assert "answered" in _text(app)
        await link.close()

    with stage.healmon(verify_within="30s") as healer:
        asking(stage, healer)
        asyncio.run(scenario())
    assert stage.keys("a") == ["3"]


async def _until(pilot, wanted, what="it"):
    for _ in range(900):
        await pilot.pause(0.1)
        pilot.app.redraw()
        if wanted():
            return
    raise AssertionError(f"{what} did not come; the screen shows:\n{_text(pilot.app)}")


def _text(app):
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


def test_never_touch_holds_until_touch(stage, healmon):
    stage.hung("a")
    task = stage.task("a")
    with stage.healmon(stuck_after="60s", warn_after="50s") as healer:
        until(lambda: healer.state("a") in {"working", "quiet"}, 60, "the session seen")
        assert healmon("never-touch", "a")[0] == 0
        until(lambda: healer.state("a") == "protected", 60, "it protected")
        code, _, said = healmon("clear", "a")
        assert code == 65
        assert "never to touch" in said
        assert stage.keys("a") == []
        assert stage.status(task) == "in_progress"
        assert healmon("touch", "a")[0] == 0
        until(lambda: healer.state("a") != "protected", 60, "it as others again")
        code, _, said = healmon("clear", "a", "--fail")
        assert code == 0, said
    assert stage.keys("a") == ["C-c"]
    assert stage.status(task) == "failed"


def test_snoozed_is_left_alone_for_that_long(stage, healmon):
    stage.hung("a")
    task = stage.task("a")
    with stage.healmon() as healer:
        until(lambda: healer.state("a") != "unknown", 60, "the session seen")
        code, told, _ = healmon("snooze", "a", "--for", "1h")
        assert code == 0
        assert "1h" in told
        until(lambda: healer.state("a") == "stalled", 60, "it standing still")
        healer.cycles(6)
        assert stage.keys("a") == []
        assert stage.status(task) == "in_progress"
        assert healmon("resume", "session:a")[0] == 0
        until(lambda: stage.keys("a"), 60, "its interrupt")


def test_why_a_session_is_in_its_state(stage, healmon):
    stage.agent("a", "claude", "approval")
    with stage.healmon() as healer:
        asking(stage, healer)
        code, told, _ = healmon("explain", "a")
        assert code == 0
        assert "approval" in told
        assert "✓ claude/approval-proceed" in told, "the rules, on its screen right now"
        code, told, _ = healmon("explain", "a", "--json")
        data = json.loads(told)
        assert data["facts"]["matched"] == "claude/approval-proceed"
        assert any("make clean" in line for line in data["now"]["lines"])
        code, _, said = healmon("explain", "nobody")
        assert code == 65
        assert "there are: session:a" in said


def test_the_evidence_of_an_act_and_the_chain_behind_an_alert(stage, healmon):
    stage.hung("a")
    stage.task("a")
    with stage.healmon() as healer:
        (done, *_) = until(healer.done, 90, "the session cleared")
        kept = done.details["verdict"]["evidence"]
        code, told, _ = healmon("explain", kept)
        assert code == 0
        assert "before:" in told
        assert "│ " in told
        assert "Sorting" in told
        assert "cleared" in told
        until(lambda: _stored_event(stage, done.plan_id), 60, "the act written down")
        number = _stored_event(stage, done.plan_id)
        code, told, _ = healmon("explain", str(number))
        assert code == 0
        assert "actionverified session:a" in told
        assert "planmade session:a" in told, "what led to it"
        code, told, _ = healmon("explain", str(number), "--json")
        assert number in [row["id"] for row in json.loads(told)]
        code, _, said = healmon("explain", "987654321")
        assert code == 65
        assert "no alert and no event" in said


def _stored_event(stage, plan):
    connection = sqlite3.connect(f"file:{stage.state / 'healmon.db'}?mode=ro", uri=True, timeout=30)
    try:
        rows = connection.execute(
            "SELECT id FROM events WHERE kind = 'actionverified' AND payload LIKE ?",
            (f"%{plan}%",),
        ).fetchall()
    finally:
        connection.close()
    return rows[0][0] if rows else 0


def test_how_a_saved_screen_is_read_without_any_healer(stage, healmon):
    stage.configure()
    saved = stage.base / "screen.txt"
    saved.write_text("# fields: title=[✳ Claude Code] dead=0\n\n  ? for shortcuts\n")
    code, told, _ = healmon("explain", str(saved), "--pack", "claude", "--json")
    assert code == 0
    assert json.loads(told)["sign"]["kind"] in {"idle", "none"}
    code, told, _ = healmon("explain", str(saved), "--pack", "claude", "--title", "⠐ busy")
    assert "busy by claude/busy-title" in told
    code, _, said = healmon("explain", str(saved), "--pack", "nobody")
    assert code == 65
    assert "claude" in said
