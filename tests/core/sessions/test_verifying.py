"""What a key did: every change of state counts, no change of the screen alone does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from healmon.sessions.signs import Sign
from healmon.sessions.verifying import ended, held, told
from healmon.sessions.viewing import View
from healmon.world.pane import Pane
from healmon.world.processes import Identity
from healmon.world.terminal import Terminal

PANE = Pane(
    socket="s", server_pid=1, server_start=1, session_id="$1", session_created=1, id="%1", pid=10,
    name="a", session="a", command="make",
)  # fmt: skip
COOKED = Terminal(signals=True, canonical=True, echo=True, foreground=20)
RAW = Terminal(signals=False, canonical=False, echo=False, foreground=10)
JOB, SHELL, AGENT = (Identity("b", pid, 1) for pid in (20, 10, 10))


def job(screen="working", **changes):
    return View(**{"pane": PANE, "sign": Sign(), "screen": screen, "terminal": COOKED,
                   "leader": JOB, **changes})  # fmt: skip


def agent(kind="busy", cancelled=0, **changes):
    sign = Sign(kind=kind, cancelled=cancelled)
    return View(**{"pane": PANE, "sign": sign, "agent": "claude", "terminal": RAW,
                   "leader": AGENT, **changes})  # fmt: skip


def test_a_pane_that_is_gone_or_dead_has_exited():
    assert ended(job(), None).result == "exited"
    dead = ended(job(), job(pane=replace(PANE, dead=True, status="ended with status 3")))
    assert (dead.result, dead.status) == ("exited", "ended with status 3")


def test_the_prompt_of_the_shell_is_a_job_cleared_and_an_agent_exited():
    prompt = {"terminal": replace(COOKED, foreground=10), "leader": SHELL, "shell": True}
    assert ended(job(), job(**prompt)).result == "cleared"
    assert ended(job(agent="claude"), job(**prompt)).result == "exited"


@pytest.mark.parametrize("kind", ["idle", "gave_up", "unsent"])
def test_an_agent_that_lets_go_is_cleared(kind):
    assert told(agent(), agent(kind)).result == "cleared"


def test_an_agent_that_says_so_is_cleared_while_its_screen_still_looks_busy():
    assert told(agent(), agent(cancelled=1)).result == "cleared"
    assert told(agent(cancelled=1), agent(cancelled=1)) is None


@pytest.mark.parametrize("kind", ["busy", "tool", "retrying", "none", "approval", "question"])
def test_nothing_else_that_a_screen_says_is_a_proof(kind):
    assert told(agent(), agent(kind)) is None


def test_what_is_unread_is_frozen_and_a_mode_has_swallowed():
    assert held(agent(), agent(terminal=replace(RAW, unread=1))).result == "frozen"
    assert held(agent(), agent(pane=replace(PANE, mode=True))).result == "swallowed"
    assert held(agent(), None).result == "unknown"


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=20))
def test_no_change_of_screen_or_title_alone_is_any_effect(before, after, title):
    then = job(before)
    now = job(after, pane=replace(PANE, title=title, window_activity=9))
    assert ended(then, now) is None
    assert told(then, now) is None
    assert held(then, now).result == "ignored"
