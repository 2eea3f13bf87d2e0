"""Looking at one session: what of a screen may be shown, and who the pane is."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest

from healmon.plans import pack
from healmon.service import peek
from healmon.sessions.facts import SessionFacts
from healmon.world.evidencefiles import SystemEvidenceFiles
from healmon.world.tmux import SystemTmux
from tests.helpers.terminal import terminal
from tests.helpers.tmuxes import PrivateTmux
from tests.helpers.wait import until

VISIT = """
import asyncio, contextlib, json, sys
from healmon.service.visits import visit
print(asyncio.run(visit(json.loads(sys.argv[1]), contextlib.nullcontext)), flush=True)
"""


@pytest.fixture
def tmux():
    base = Path(tempfile.mkdtemp(prefix="hmp"))
    made = PrivateTmux(base)
    yield made
    made.close()
    shutil.rmtree(base, ignore_errors=True)


def facts(tmux, name, state="working"):
    pane = next(p for p in SystemTmux().panes(tmux.socket) if p.name == name)
    key = f"{pane.key}.4711"
    return pack(SessionFacts(state=state, session=name, socket=tmux.socket, pane=pane.id, key=key))


def test_a_screen_is_shown_without_what_acts_on_a_terminal():
    lines, reason = peek.shown("one\x1b[31m\n  two  \n\n\n", "working")
    assert lines == ("one␛[31m", "  two")
    assert reason == ""


@pytest.mark.parametrize(
    ("state", "screen", "wanted"),
    [
        ("secret", "$ login\nPassword: ", ("Password:",)),
        ("human", "old\n$ export TOKEN=abc", ("$",)),
        ("human", "old\nuser@box:~/x$ rm -rf", ("user@box:~/x$",)),
        ("human", "old\n[root@box ~]# rm -rf", ("[root@box ~]#",)),
        ("human", "old\n❯ my secret plan", ("❯",)),
        ("human", "old\nTOKEN abc", ()),
        ("human", "old\nmy secret is abc > file", ()),
        ("human", "", ()),
    ],
)
def test_of_what_somebody_types_only_the_prompt_is_shown(state, screen, wanted):
    lines, reason = peek.shown(screen, state)
    assert lines == wanted
    assert reason


@pytest.mark.parametrize("packed", [{}, {"state": 3}, {"state": "gone", "session": "x"}])
def test_facts_without_a_pane_are_no_error(packed):
    assert peek.peek(packed).reason


def test_a_pane_is_looked_at_as_it_is_now(tmux):
    tmux.new("a", "sh -c 'echo hello; exec sleep 600'")
    until(lambda: "hello" in tmux.screen("a:"), 30, "its words")
    seen = peek.peek(facts(tmux, "a"))
    assert seen.lines == ("hello",)
    assert seen.reason == ""
    assert seen.command == "sleep"
    assert seen.painted is not None
    assert any("pack" in line for line in seen.why)


def test_its_colours_are_kept_unless_something_is_hidden(tmux):
    tmux.new("a", r"printf 'a \033[32mgreen\033[0m'; exec sleep 600")
    until(lambda: "green" in tmux.screen("a:"), 30, "its words")
    seen = peek.peek(facts(tmux, "a"))
    assert seen.lines == ("a green",)
    assert [(run.text, run.fg) for run in seen.runs[0]] == [("a ", ""), ("green", "2")]
    hidden = peek.peek(facts(tmux, "a", state="human"))
    assert hidden.reason
    assert hidden.runs == ()


def test_a_password_prompt_hides_the_rest_though_the_facts_are_old(tmux):
    tmux.new("a", "bash -c 'echo the past; read -s -p \"Password: \"'")
    until(lambda: "Password" in tmux.screen("a:"), 30, "its prompt")
    until(lambda: peek.peek(facts(tmux, "a")).lines == ("Password:",), 30, "only the prompt")
    assert "secret" in peek.peek(facts(tmux, "a")).reason
    assert peek.peek(facts(tmux, "a")).why == ()


def test_a_newcomer_of_the_same_name_is_not_shown(tmux):
    tmux.new("keep", "sleep 600")
    tmux.new("a", "sleep 600")
    before = facts(tmux, "a")
    tmux.run("kill-session", "-t", "=a")
    tmux.new("a", "sh -c 'echo newcomer; exec sleep 600'")
    seen = peek.peek(before)
    assert seen.lines == ()
    assert "not there any more" in seen.reason


def test_a_restarted_server_that_counts_its_panes_anew_is_another_one(tmux):
    first = tmux.new("a", "sleep 600")
    before = facts(tmux, "a")
    tmux.run("kill-server")
    until(lambda: "no tmux server" in peek.peek(before).reason, 30, "the server gone")
    assert tmux.new("a", "sleep 600") == first
    assert peek.peek(before).lines == ()
    assert "not there any more" in peek.peek(before).reason


def test_without_a_server_there_is_a_reason(tmux):
    tmux.new("a", "sleep 600")
    before = facts(tmux, "a")
    tmux.run("kill-server")
    until(lambda: "no tmux server" in peek.peek(before).reason, 30, "the server gone")


def test_evidence_is_read_whatever_is_there(tmp_path):
    assert peek.evidence(tmp_path, "1.2.3") == {}
    files = SystemEvidenceFiles(tmp_path / "evidence")
    files.write("1.2.3", b'{"id": "1.2.3"}')
    files.write("odd", b"[1, 2]")
    files.write("broken", b"{")
    assert peek.evidence(tmp_path, "1.2.3") == {"id": "1.2.3"}
    for name in ("odd", "broken", "../evidence/1.2.3", "", "x" * 500, "a\x00b"):
        assert peek.evidence(tmp_path, name) == {}


@pytest.mark.slow
def test_outside_tmux_the_terminal_is_attached_until_the_person_detaches(tmux):
    tmux.new("other", "sleep 600")
    tmux.new("a", "sh -c 'echo here it is; exec sleep 600'")
    with terminal(VISIT, json.dumps(facts(tmux, "a"))) as there:
        client = until(lambda: tmux.run("list-clients", "-F", "#{client_session}"), 30, "a client")
        assert client == "a"
        there.shows("here it is")
        tmux.run("detach-client", "-s", "=a")
        there.shows("back from a")
        assert there.ends() == 0


@pytest.mark.slow
def test_who_is_told_to_end_while_away_comes_back_and_hears_of_it(tmux):
    tmux.new("a", "sleep 600")
    program = """
import asyncio, contextlib, json, signal, sys
from healmon.service.visits import visit
async def go():
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    print(await visit(json.loads(sys.argv[1]), contextlib.nullcontext))
    await asyncio.wait_for(told.wait(), 30)
    print("told", flush=True)
asyncio.run(go())
"""
    with terminal(program, json.dumps(facts(tmux, "a"))) as there:
        until(lambda: tmux.run("list-clients", "-F", "#{client_session}"), 30, "a client")
        there.signal(signal.SIGTERM)
        there.shows("told")
        assert there.ends() == 0
    assert tmux.run("list-clients") == ""


@pytest.mark.slow
def test_inside_the_same_tmux_its_client_is_switched(tmux):
    tmux.new("a", "sleep 600")
    wanted = json.dumps(facts(tmux, "a"))
    script = tmux.base / "visit.py"
    script.write_text(VISIT)
    (tmux.base / "facts").write_text(wanted)
    tmux.new("home")
    tmux.attach("home")
    tmux.type("home:", f'{sys.executable} {script} "$(cat facts)"')
    until(lambda: tmux.run("list-clients", "-F", "#{client_session}") == "a", 30, "the switch")
    assert "in a now" in until(
        lambda: "in a now" in (s := tmux.screen("home:")) and s, 30, "a word about it"
    )


def test_a_pane_that_is_gone_is_no_place_to_go(tmux):
    import asyncio

    from healmon.service.visits import visit

    tmux.new("keep", "sleep 600")
    tmux.new("a", "sleep 600")
    before = facts(tmux, "a")
    tmux.run("kill-session", "-t", "=a")

    def leave():
        raise AssertionError("nobody leaves for nowhere")

    said = asyncio.run(visit(before, lambda: contextlib.closing(leave())))
    assert "not there any more" in said
