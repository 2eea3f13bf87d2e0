"""The acceptance scenarios by their numbers: real tmux, small programs, a whole healmon.

What is asserted of keys is what the programs themselves have read.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import psutil
import pytest

from healmon import events as ev
from healmon.plans import unpack
from healmon.sessions import diagnose
from healmon.sessions.verdict import Verdict
from tests.helpers.sessionstage import HUNG, INTERVAL
from tests.helpers.tmuxes import HANG, PrivateTmux, python
from tests.helpers.wait import until

pytestmark = pytest.mark.slow
AGENTS = ("claude", "codex", "gemini", "opencode")
KEYS = {
    "claude": ["C-c"],
    "codex": ["Escape"],
    "gemini": ["Escape"],
    "opencode": ["Escape", "Escape"],
}
ALERT = {"on_stuck": "alert"}
LOOP = "while :; do date +%N; sleep 0.4; done"
SLOW = "30s"
"""How long a starved program may take to show a key that it takes: nobody waits for the rest."""
NO_CAPS = {"acts_per_hour": 1000, "acts_per_session": 100, "outage": 1000}


def counted(log, code: int = 0) -> str:
    """A program that counts its interrupt in a file and ends with a code."""
    return (
        f"import signal\ndef on(*_):\n    open({str(log)!r}, 'a').write('C-c\\n')\n"
        f"    raise SystemExit({code})\nsignal.signal(signal.SIGINT, on)\n{HANG}"
    )


def verdict(of) -> Verdict:
    return unpack(of.details["verdict"], Verdict)


def alerted(healmon, condition, limit=90.0):
    return until(lambda: healmon.alerts(condition), limit, f"an alert {condition}")


def stands(healmon, session, state, limit=90.0):
    until(
        lambda: healmon.state(session) == state,
        limit,
        f"{session} {state}, not {healmon.state(session)}",
    )


def quiet_for(healmon, seconds):
    """Let so many seconds of cycles go by."""
    healmon.cycles(int(seconds / INTERVAL) + 1)


def test_01_agents_that_stream_work_however_long_nobody_looked(stage):
    for kind in AGENTS:
        stage.agent(kind, kind, "stream")
        stage.task(kind)
    with stage.healmon(**NO_CAPS) as healmon:
        for kind in AGENTS:
            stands(healmon, kind, "working")
        quiet_for(healmon, 3)
        states = {(e.component, e.metric_value) for e in healmon.events(ev.Observed)}
        assert {healmon.state(kind) for kind in AGENTS} == {"working"}, states
        assert not healmon.events(ev.PlanMade)
        assert not healmon.alerts("stuck")
    assert not any(stage.keys(kind) for kind in AGENTS)


def test_02_a_spinner_and_a_counter_are_no_progress(stage):
    for kind in AGENTS:
        stage.agent(kind, kind, "hung")
        stage.task(kind)
    with stage.healmon(**NO_CAPS, **ALERT) as healmon:
        for kind in AGENTS:
            stands(healmon, kind, "stalled")
        until(lambda: len(healmon.alerts("stuck")) == 4, 60, "four alerts")
        for kind in AGENTS:
            facts = healmon.facts(kind)
            assert facts.quiet >= 2
            assert facts.painted < facts.quiet, "it repaints all the time"
            assert sum(facts.novelty) == 0
            assert facts.pack == kind
    assert not any(stage.keys(kind) for kind in AGENTS)


def test_03_a_title_that_spins_over_a_still_screen_is_no_progress(stage):
    stage.agent("a", "codex", "title")
    stage.task("a")
    with stage.healmon(**ALERT) as healmon:
        stands(healmon, "a", "stalled")
        alerted(healmon, "stuck")
        assert healmon.facts("a").painted < healmon.facts("a").quiet


def test_04_clocks_are_no_progress_and_counters_are(stage):
    clock = (
        "import time\nn = 900\nwhile True:\n    n -= 1\n"
        "    print('\\r' + time.strftime('%H:%M:%S'), n, 'left', end='  ', flush=True)\n"
        "    time.sleep(1)"
    )
    files = (
        "import time\nn = 0\nwhile True:\n    n += 37\n"
        "    print('\\r' + str(n) + ' files', end='', flush=True)\n    time.sleep(.3)"
    )
    stage.job("clock", clock)
    stage.job("files", files)
    for name in ("clock", "files"):
        stage.task(name)
    with stage.healmon(**ALERT) as healmon:
        stands(healmon, "clock", "stalled")
        quiet_for(healmon, 3)
        assert healmon.state("files") == "working"
        assert healmon.state("clock") == "stalled"


def test_05_trying_again_and_again_is_its_own_state_and_the_alert_says_so(stage):
    for kind in ("claude", "codex", "opencode"):
        stage.agent(kind, kind, "retry")
        stage.task(kind)
    with stage.healmon(**NO_CAPS) as healmon:
        until(lambda: len(healmon.alerts("retrying")) == 3, 60, "three alerts")
        states = {healmon.state(kind) for kind in ("claude", "codex", "opencode")}
        assert states == {"retrying"}
        said = " ".join(alert.message for alert in healmon.alerts("retrying"))
        assert "Retrying in" in said
        assert "Reconnecting" in said
        quiet_for(healmon, 2)
        assert not healmon.events(ev.PlanMade)
    assert not any(stage.keys(kind) for kind in AGENTS)


def test_06_work_of_a_child_counts_and_that_of_the_painter_does_not(stage):
    burn = "while True: pass"
    make = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {burn!r}])"
    stage.job("make", make)
    stage.agent("tui", "claude", "hung", "burn")
    for name in ("make", "tui"):
        stage.task(name)
    with stage.healmon(**ALERT) as healmon:
        stands(healmon, "tui", "stalled")
        quiet_for(healmon, 3)
        assert healmon.state("make") == "working"
        assert healmon.state("tui") == "stalled"


def test_07_an_approval_is_never_interrupted_and_stops_the_clock(stage):
    for kind in AGENTS:
        stage.agent(kind, kind, "approval")
        stage.task(kind)
    with stage.healmon(**NO_CAPS) as healmon:
        until(lambda: len(healmon.alerts("waiting")) == 4, 60, "four alerts")
        quiet_for(healmon, 4)
        for kind in AGENTS:
            assert healmon.state(kind) == "approval"
            assert healmon.facts(kind).question
        assert not healmon.events(ev.PlanMade)
        assert not any(stage.keys(kind) for kind in AGENTS)
        # the clock begins anew once it is answered
        answered = time.time()
        stage.tell("claude", "hung")
        until(lambda: healmon.state("claude") != "approval", 90, "the answer seen")
        assert healmon.facts("claude").quiet_since >= answered - 1
        until(lambda: stage.keys("claude"), 60, "the hung one cleared")
    assert stage.keys("claude") == ["C-c"]
    assert not any(stage.keys(kind) for kind in AGENTS[1:])


def test_07_the_answer_that_a_person_chooses_is_given_verbatim_and_once(stage):
    stage.agent("a", "claude", "approval")
    stage.task("a")
    with stage.healmon(verify_within="30s") as healmon:
        alerted(healmon, "waiting")
        choices = [choice.text for choice in healmon.facts("a").choices]
        assert choices[0] == "1. Yes"
        wrong = healmon.ask("answer", "session:a", number=1, text="1. No")
        assert not wrong.ok
        answer = healmon.ask("answer", "session:a", number=1, text="1. Yes")
        assert answer.ok, answer.text
        assert "its question is gone" in answer.text
        until(lambda: not healmon.alerts("waiting"), 60)
        assert not healmon.ask("answer", "session:a", number=1, text="1. Yes").ok
    assert stage.keys("a") == ["1"]
    kept = stage.evidence()[0]
    assert kept["origin"] == "tester"
    assert "Do you want to proceed?" in kept["before"]["screen"]


def test_08_a_password_prompt_is_secret_and_nothing_else_of_its_screen_is_kept(stage):
    pane = stage.tmux.new("a")
    stage.tmux.type(pane, "echo hunter2-on-the-screen")
    stage.tmux.type(pane, python("import getpass; getpass.getpass('Vault password: ')"))
    until(lambda: "Vault password:" in stage.tmux.screen(pane), 60)
    stage.task("a")
    with stage.healmon() as healmon:
        alerted(healmon, "waiting")
        facts = healmon.facts("a")
        assert facts.state == "secret"
        assert "Vault password" in facts.question
        quiet_for(healmon, 4)
        assert not healmon.events(ev.PlanMade)
    kept = b"".join(p.read_bytes() for p in stage.state.rglob("*") if p.is_file())
    assert b"Vault password" in kept
    assert b"hunter2" not in kept


@pytest.mark.parametrize("state", ["idle", "gave_up"])
def test_09_an_idle_agent_loses_its_task_without_a_key(stage, state):
    pane = stage.agent("a", "codex", state)
    task = stage.task("a")
    with stage.healmon() as healmon:
        until(healmon.done, 60, "its task settled")
        assert verdict(healmon.done()[0]).result == "settled"
        until(lambda: stage.status(task) == "pending", 60, "given back")
    assert stage.keys("a") == []
    assert stage.tmux.ask(pane, "pane_dead") == "0"
    said = stage.sql("SELECT error, details FROM prompts JOIN assignment_history h"
                     " ON prompt_id = prompts.id")  # fmt: skip
    if state == "gave_up":
        assert "401 Unauthorized" in str(said)


def test_10_a_job_behind_copy_mode_is_reached_when_the_person_is_away(stage):
    pane = stage.hung("a")
    task = stage.task("a")
    stage.tmux.attach("a")
    stage.tmux.run("copy-mode", "-t", pane)
    with stage.healmon(quiet_client="2s", verify_within=SLOW) as healmon:
        until(healmon.done, 60, "the job cleared")
        assert verdict(healmon.done()[0]).result == "cleared"
        until(lambda: stage.status(task) == "pending", 60, "given back")
    assert stage.tmux.ask(pane, "pane_in_mode") == "0"
    assert stage.keys("a") == ["C-c"]
    assert [t["work"] for t in stage.evidence()[0]["touches"]][:2] == ["leave mode", "press"]


def test_11_a_person_who_types_is_left_alone_and_one_who_only_looks_is_no_person(stage):
    stage.hung("typed")
    stage.task("typed")
    stage.tmux.attach("typed")
    _, terminal = stage.tmux._clients[0]
    over = threading.Event()

    def types() -> None:
        while not over.wait(0.5):
            os.write(terminal, b" ")

    typist = threading.Thread(target=types)
    typist.start()
    try:
        with stage.healmon(quiet_client="20s") as healmon:
            stands(healmon, "typed", "human")
            quiet_for(healmon, 5)
            assert healmon.state("typed") == "human"
            assert not healmon.events(ev.PlanMade)
    finally:
        over.set()
        typist.join()
    assert stage.keys("typed") == []


def test_11_a_reader_and_a_control_client_block_nothing(stage):
    for name in ("read", "control"):
        stage.hung(name)
        stage.task(name)
    stage.tmux.attach("read", "-r")
    stage.tmux.attach("control", "-C")
    with stage.healmon(**NO_CAPS, verify_within=SLOW) as healmon:
        until(lambda: len(healmon.done()) == 2, 60, "both cleared")
    assert stage.keys("read") == ["C-c"]
    assert stage.keys("control") == ["C-c"]


@pytest.mark.long(15)
def test_12_a_job_that_ignores_its_interrupt_gets_one_repeat_and_a_person_is_called(stage):
    stage.hung("a", deaf=True)
    task = stage.task("a")
    with stage.healmon(cooldown="0s") as healmon:
        until(healmon.failed, 90, "the attempt failed")
        said = verdict(healmon.failed()[0])
        assert said.result == "ignored"
        until(lambda: any(a.severity == "CRITICAL" for a in healmon.alerts("stuck")), 60)
        quiet_for(healmon, 3)
        presses = [t["at"] for e in stage.evidence() for t in e["touches"] if t["work"] == "press"]
        assert len(presses) == 2
        assert max(presses) - min(presses) >= 5
    assert stage.keys("a") == ["C-c", "C-c"]
    assert stage.status(task) != "in_progress"


def test_13_a_frozen_program_is_proved_by_what_it_leaves_unread(stage):
    stage.agent("a", "claude", "frozen")
    task = stage.task("a")
    with stage.healmon(cooldown="0s") as healmon:
        until(healmon.failed, 90, "the attempt failed")
        said = verdict(healmon.failed()[0])
        assert said.result == "frozen"
        assert said.elsewhere
        until(lambda: healmon.alerts("quarantined"), 60, "the quarantine told")
        quiet_for(healmon, 4)
        assert stage.evidence()[0]["after"]["terminal"]["unread"] >= 1
    assert stage.keys("a") == []
    assert stage.status(task) != "in_progress"


def test_13_who_ended_its_program_by_hand_has_ended_the_quarantine(stage):
    pane = stage.hung("a", deaf=True)
    stage.task("a")
    with stage.healmon(cooldown="0s", verify_within="2s") as healmon:
        until(healmon.failed, 90, "the attempt failed")
        until(lambda: healmon.alerts("quarantined"), 60, "the quarantine told")
        for child in psutil.Process(int(stage.tmux.ask(pane, "pane_pid"))).children():
            child.kill()
        until(lambda: not (healmon.alerts("quarantined") or healmon.alerts("stuck")), 60, "its end")


def test_14_each_agent_gets_the_key_that_cancels_and_none_ends(stage):
    panes = {kind: stage.agent(kind, kind, "hung") for kind in AGENTS}
    for kind in AGENTS:
        stage.task(kind)
    with stage.healmon(**NO_CAPS, verify_within=SLOW) as healmon:
        until(lambda: len(healmon.done()) >= 4, 60, "all cleared")
        assert {verdict(e).result for e in healmon.done()} <= {"cleared", "given_back"}
    assert {kind: stage.keys(kind) for kind in AGENTS} == KEYS
    assert all(stage.tmux.ask(pane, "pane_dead") == "0" for pane in panes.values())


def test_15_what_turns_idle_between_decision_and_key_feels_no_key(stage):
    stage.agent("a", "codex", "hung")
    task = stage.task("a")
    with stage.healmon(idle_after="60s") as healmon:

        def turn(record: ev.Recorded) -> None:
            if isinstance(record.event, ev.StepTaken):
                stage.tell("a", "idle")

        healmon.host.engine.subscribe(turn)
        until(lambda: healmon.events(ev.PlanVetoed), 90, "a veto")
        assert "idle" in healmon.events(ev.PlanVetoed)[0].reason
        quiet_for(healmon, 2)
        assert not healmon.done()
    assert stage.keys("a") == []
    assert stage.status(task) == "in_progress"


def test_16_a_session_of_the_same_name_is_somebody_else(stage):
    stage.tmux.new("other")
    stage.agent("a", "claude", "hung")
    stage.task("a")
    with stage.healmon(stuck_after="6s") as healmon:
        stands(healmon, "a", "stalled")
        key = healmon.facts("a").key
        stage.tmux.run("kill-session", "-t", "=a")
        born = time.time()
        stage.agent("a", "claude", "hung")
        is_new(healmon, key, born)
        quiet_for(healmon, 2)
        assert not early(healmon, born)


def test_17_after_a_restart_of_the_server_the_same_ids_are_others(stage):
    before = stage.agent("a", "claude", "hung")
    stage.task("a")
    with stage.healmon(stuck_after="6s") as healmon:
        stands(healmon, "a", "stalled")
        key = healmon.facts("a").key
        stage.tmux.run("kill-server")
        until(lambda: "no server" in stage.tmux.run("list-sessions")
              or "error connecting" in stage.tmux.run("list-sessions"), 60)  # fmt: skip
        born = time.time()
        assert stage.agent("a", "claude", "hung") == before, "the same pane id"
        is_new(healmon, key, born)
        quiet_for(healmon, 2)
        assert not early(healmon, born)


def is_new(healmon, key, born):
    """The newcomer is seen as one: another identity, its clock begun after its birth."""
    until(lambda: healmon.facts("a").key not in {key, ""}, 60, "the newcomer seen")
    assert healmon.facts("a").quiet_since >= born - 1


def early(healmon, born):
    """Acts that began before the newcomer itself could be stuck (6 s)."""
    begun = [r.wall for r in healmon.records if isinstance(r.event, ev.ActionStarted)]
    # the one before may have had its turn while it was there
    return [wall for wall in begun if born <= wall < born + 5.5]


def test_18_a_stopped_server_is_unknown_and_comes_back_by_itself(stage):
    other = PrivateTmux(stage.base, "other")
    other.new("b", f"exec sh -c '{LOOP}'")
    stage.agent("a", "claude", "stream")
    task = stage.task("a")
    stage.task("b")
    sockets = [stage.tmux.socket, other.socket]
    try:
        with stage.healmon(sockets=sockets) as healmon:
            stands(healmon, "a", "working")
            stage.tmux.stop()
            stands(healmon, "a", "unknown", 60)
            assert len(alerted(healmon, "unreadable")) == 1
            healmon.cycles(1)
            assert healmon.state("b") == "working", "the other server is still watched"
            assert not any(e.late for e in healmon.events(ev.CycleFinished)), "nobody waits for it"
            stage.tmux.go_on()
            stands(healmon, "a", "working", 60)
            until(lambda: not healmon.alerts("unreadable"), 60)
            told = [e for e in healmon.events(ev.Observed) if e.component == "session:a"]
            assert "gone" not in {e.metric_value for e in told}
    finally:
        stage.tmux.go_on()
        other.close()
    assert stage.status(task) == "in_progress"


def test_19_sockets_that_cannot_be_used_are_told_apart_and_hinder_no_other(stage):
    import socket

    stage.agent("a", "claude", "stream")
    stage.task("a")
    stale, strange = stage.base / "stale", stage.base / "strange"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(stale))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(strange))
    listener.listen()
    listener.settimeout(0.2)
    over = threading.Event()

    def hang_up() -> None:
        while not over.is_set():
            try:
                listener.accept()[0].close()
            except TimeoutError:
                continue

    rude = threading.Thread(target=hang_up)
    rude.start()
    sockets = [stage.tmux.socket, str(stage.base / "absent"), str(stale), str(strange)]
    try:
        with stage.healmon(sockets=sockets) as healmon:
            stands(healmon, "a", "working")
            healmon.cycles(2)
            faults = [a.message for a in healmon.alerts("unreadable")]
            assert len(faults) == len(set(faults))
            assert "Traceback" not in str(faults)
            assert healmon.host.engine.snapshot.failing == {}
            assert healmon.state("a") == "working"
    finally:
        over.set()
        rude.join()
        listener.close()


HOSTILE = (
    "with space", "$5", "-x", "a|b", "=eq", "x;y", "'quoted'", "*", "%3", "ünï", "y" * 300,
    "[red]markup[/red]",
)  # fmt: skip


def test_20_hostile_names_are_listed_and_reached_and_nobody_else_is(stage):
    stage.tmux.new("other")
    panes = {}
    for number, name in enumerate(HOSTILE):
        log = stage.log(f"n{number}")
        code = counted(log).replace(HANG, f"print('\\x1b]2;a\\u241eb|c\\x07', flush=True)\n{HANG}")
        panes[name] = stage.tmux.run(
            "new-session", "-d", "-P", "-F", "#{pane_id}", "-x", "90", "-y", "20", "-s", name,
            f"exec {python(code)}",
        )  # fmt: skip
    names = stage.tmux.run("list-sessions", "-F", "#{session_name}").split("\n")
    assert len(names) == len(HOSTILE) + 1
    victims = [names.index(n) for n in ("$5", "*") if n in names]
    assert len(victims) == 2
    titles = ("list-panes", "-a", "-F", "#{pane_title}")
    until(lambda: stage.tmux.run(*titles).count("b|c") == len(HOSTILE), 60, "all that count keys")
    for name in ("$5", "*"):
        stage.task(name)
    with stage.healmon(**NO_CAPS, verify_within=SLOW) as healmon:
        until(lambda: len(healmon.done()) >= 2, 60, "both settled")
        listed = {c for c in healmon.host.engine.snapshot.components if c.startswith("session:")}
        assert len(listed) >= len(HOSTILE) - 1
        assert all(c.isprintable() for c in listed)
    pressed = [HOSTILE[n] for n in range(len(HOSTILE)) if stage.keys(f"n{n}")]
    assert sorted(pressed) == ["$5", "*"]


def test_21_a_neighbour_pane_that_talks_does_not_hide_a_hung_agent(stage):
    log = stage.base / "log"
    log.write_text("")
    pane = stage.agent("a", "claude", "hung")
    stage.tmux.run("split-window", "-d", "-t", pane, f"tail -f {log}")
    stage.task("a")
    with stage.healmon(**ALERT) as healmon:
        over = threading.Event()

        def talk() -> None:
            n = 0
            while not over.wait(0.2):
                n += 7919
                with log.open("a") as file:
                    file.write(f"line {n}\n")

        talker = threading.Thread(target=talk)
        talker.start()
        try:
            stands(healmon, "a", "stalled")
            assert healmon.facts("a").pane == pane
        finally:
            over.set()
            talker.join()


def test_21_grouped_sessions_are_one_row_synchronised_panes_are_refused(stage):
    stage.agent("a", "claude", "hung")
    stage.tmux.run("new-session", "-d", "-t", "a", "-s", "twin")
    task = stage.task("a")
    stage.tmux.run("set-option", "-w", "-t", "a", "synchronize-panes", "on")
    pane = stage.tmux.run("list-panes", "-t", "=a:", "-F", "#{pane_id}").split("\n")[0]
    stage.tmux.run("split-window", "-d", "-t", pane, "sleep 1000")
    with stage.healmon() as healmon:
        until(lambda: healmon.alerts("stuck"), 60, "an alert")
        assert len([c for c in healmon.host.engine.snapshot.components if "session:" in c]) == 1
        assert "synchronised" in healmon.facts("a").hands_off
        assert not healmon.events(ev.ActionStarted)
    assert stage.keys("a") == []
    assert stage.status(task) == "in_progress"


@pytest.mark.parametrize("watched", [False, True])
def test_21_a_nested_tmux_is_judged_inside_and_never_keyed_from_outside(stage, watched):
    inner = PrivateTmux(stage.base, "in")
    try:
        job = HUNG.format(log=str(stage.log("in")), then="sys.exit(0)")
        inner.start(inner.new("in"), job)
        attach = f"env -u TMUX tmux -f /dev/null -S {inner.socket} attach -t in"
        outer = stage.tmux.new("out", attach)
        task = stage.task("out")
        sockets = [stage.tmux.socket, *([inner.socket] if watched else [])]
        with stage.healmon(sockets=sockets, verify_within=SLOW) as healmon:
            if watched:
                until(healmon.done, 90, "the inner job cleared")
                until(lambda: stage.status(task) == "pending", 60, "given back")
            else:
                until(lambda: healmon.alerts("stuck"), 60, "an alert")
                quiet_for(healmon, 2)
                assert "another tmux" in healmon.facts("out").hands_off
                assert stage.status(task) == "in_progress"
            pressed = [e.text for e in healmon.events(ev.StepTaken) if "press" in e.text]
            assert len(pressed) == watched
        assert stage.keys("in") == ["C-c"] * watched
        assert stage.tmux.ask(outer, "pane_current_command") == "tmux"
    finally:
        inner.close()


@pytest.mark.parametrize("how", ["status", "signal"])
def test_22_a_program_that_died_is_dead_and_gets_no_key(stage, how):
    end = "import sys; sys.exit(3)" if how == "status" else "import os; os.kill(os.getpid(), 9)"
    stage.tmux.new("other")
    pane = stage.tmux.new("a", "exec sleep 1000")
    stage.tmux.run("set-option", "-w", "-t", pane, "remain-on-exit", "on")
    stage.tmux.run("respawn-pane", "-k", "-t", pane, f"exec {python(end)}")
    known = f"pane_dead_{how}"

    def ended() -> bool:
        stage.tmux.reap()
        return stage.tmux.ask(pane, known) in {"3", "9"}

    until(ended, 60, "how it ended")
    task = stage.task("a")
    with stage.healmon() as healmon:
        stands(healmon, "a", "dead")
        told = "status 3" if how == "status" else "signal 9"
        until(lambda: told in healmon.facts("a").rule, 60, "how it ended")
        until(healmon.done, 90, "its task settled")
        assert not any("press" in s.text for s in healmon.events(ev.StepTaken))
        until(lambda: stage.status(task) == "pending", 60, "given back")


def test_22_a_pane_that_is_gone_after_its_key_gets_no_other(stage):
    stage.tmux.new("other")
    log = stage.log("a")
    code = counted(log, 3)
    stage.tmux.new("a", f"exec {python(code)}")
    task = stage.task("a")
    with stage.healmon(verify_within=SLOW) as healmon:
        until(healmon.done, 90, "its task settled")
        assert verdict(healmon.done()[0]).result == "exited"
        until(lambda: stage.status(task) == "pending", 60, "given back")
        quiet_for(healmon, 3)
        assert len([e for e in healmon.done() if e.action == "clear_stuck_session"]) == 1
    assert stage.keys("a") == ["C-c"]


def test_22_a_session_that_is_out_of_sight_is_not_gone_while_its_program_runs(stage, monkeypatch):
    monkeypatch.setattr(diagnose, "CONFIRM", 1.0)
    stage.tmux.new("other")
    stage.tmux.new("a", f"exec sh -c '{LOOP}'")
    task, server = stage.task("a"), stage.tmux.pid()
    with stage.healmon() as healmon:
        stands(healmon, "a", "working")
        stage.tmux.run("rename-session", "-t", "=a", "b")
        until(lambda: "is session b now" in alerted(healmon, "gone")[0].message, 90, "renamed")
        stage.tmux.run("rename-session", "-t", "=b", "a")
        stands(healmon, "a", "working")
        Path(stage.tmux.socket).unlink()  # the server and its programs run on
        try:
            until(lambda: "runs on" in healmon.facts("a").rule, 90, "its program looked after")
            alerted(healmon, "server-gone")
            healmon.cycles(2)
        finally:
            os.kill(server, signal.SIGUSR1)
        stands(healmon, "a", "working")
        assert not [e for e in healmon.events(ev.PlanMade) if e.plan.component == "session:a"]
        assert stage.status(task) == "in_progress"
        stage.tmux.run("kill-session", "-t", "=a")
        until(lambda: stage.status(task) == "pending", 90, "given back: now it has ended")


def test_23_an_outage_is_one_alert_and_no_key_and_a_straggler_is_handled(stage):
    for number in range(20):
        name = f"s{number}"
        hung = number < 12
        stage.tmux.new(name, "exec sleep 1000" if hung else f"exec sh -c '{LOOP}'")
        stage.task(name)
    with stage.healmon(acts_per_hour=1000) as healmon:
        alerted(healmon, "outage", 90)
        quiet_for(healmon, 5)
        assert len(healmon.alerts("outage")) == 1
        assert not healmon.events(ev.ActionStarted)
        # the others go on, one stays behind
        for number in range(1, 12):
            pane = stage.tmux.run("list-panes", "-t", f"=s{number}:", "-F", "#{pane_id}")
            stage.tmux.run("respawn-pane", "-k", "-t", pane, f"exec sh -c '{LOOP}'")
        until(lambda: not healmon.alerts("outage"), 90, "the end of the outage")
        until(healmon.done, 60, "the straggler handled")
        assert {e.component for e in healmon.events(ev.ActionStarted)} <= {
            "session:s0", "tasks:assigner",
        }  # fmt: skip


@pytest.mark.long(25)
def test_24_sleep_steps_resizes_and_restarts_confirm_anew(stage, monkeypatch):
    from healmon.clock import Reading, SystemClock

    class Jumping(SystemClock):
        slept = stepped = 0.0

        def read(self) -> Reading:
            now = super().read()
            ahead = Jumping.slept + Jumping.stepped
            return Reading(now.wall + ahead, now.steady, now.boot + Jumping.slept)

    monkeypatch.setattr("healmon.service.host.SystemClock", Jumping)
    pane = stage.agent("a", "claude", "hung")
    task = stage.task("a")

    def anew(since: float, why: str) -> float:
        until(lambda: healmon.facts("a").quiet_since > since, 60, f"the clock begun anew {why}")
        return healmon.facts("a").quiet_since

    with stage.healmon(stuck_after="14s") as healmon:
        stands(healmon, "a", "stalled")
        since = healmon.facts("a").quiet_since
        Jumping.slept = 7200.0
        since = anew(since, "after a sleep")
        Jumping.stepped = -86_400.0
        since = anew(since, "after a step of the clock")
        for width in (90, 120, 80):
            stage.tmux.run("resize-window", "-t", pane, "-x", str(width))
            since = anew(since, "after a resize")
        assert not healmon.events(ev.ActionStarted)
    assert stage.keys("a") == []
    with stage.healmon(
        stuck_after="4s", verify_within=SLOW
    ) as healmon:  # a restart: confirmed anew, handled once
        until(healmon.done, 60, "the hung one cleared")
        until(lambda: stage.status(task) == "pending", 60, "given back")
        started = next(r.wall for r in healmon.records if isinstance(r.event, ev.EngineStarted))
        acted = next(r.wall for r in healmon.records if isinstance(r.event, ev.ActionStarted))
        assert acted - started >= 1, "not before it is confirmed again"
    assert stage.keys("a") == ["C-c"]
    assert stage.sql("SELECT retry_count FROM prompts WHERE id = ?", task) == [(1,)]


def test_25_two_processes_of_tmux_for_each_cycle(stage, monkeypatch):
    import shutil

    calls = stage.base / "calls"
    wrapper = stage.base / "path" / "tmux"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\necho x >> {calls}\nexec {shutil.which("tmux")} "$@"\n')
    wrapper.chmod(0o755)
    for number in range(30):
        stage.tmux.new(f"s{number}", "exec sleep 1000" if number else f"exec sh -c '{LOOP}'")
        stage.task(f"s{number}")
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    with stage.healmon(stuck_after="1h", warn_after="1h", interval=1.0) as healmon:
        healmon.cycles(3)
        cycle, before = healmon.host.engine.snapshot.cycle.number, calls.read_text().count("x")
        healmon.cycles(5)
        after, then = calls.read_text().count("x"), healmon.host.engine.snapshot.cycle.number
    assert after - before <= 2 * (then - cycle) + 2


def test_25_to_observe_is_to_press_nothing(stage):
    for kind in AGENTS:
        stage.agent(kind, kind, "hung")
    stage.hung("job")
    stage.agent("idle", "codex", "idle")
    stage.agent("asks", "claude", "approval")
    names = (*AGENTS, "job", "idle", "asks")
    tasks = [stage.task(name) for name in names]
    with stage.healmon(dry_run=True, **NO_CAPS) as healmon:
        until(lambda: {p.plan.component for p in healmon.events(ev.PlanRefused)}
              >= {f"session:{n}" for n in ("claude", "job", "idle")}
              or healmon.host.engine.snapshot.cycle.number > 60, 60)  # fmt: skip
        assert healmon.events(ev.PlanRefused)
        assert {p.reason for p in healmon.events(ev.PlanRefused)} == {"dry run"}
        assert not healmon.events(ev.StepTaken)
    assert not any(stage.keys(name) for name in names)
    assert {stage.status(task) for task in tasks} == {"in_progress"}
    assert not stage.evidence()
