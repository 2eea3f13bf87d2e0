"""Rows of every kind, of whatever facts come."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from healmon import events as ev
from healmon.service.link import Peek
from healmon.sessions.words import State as SessionState
from healmon.state import Snapshot, replay
from healmon.workers.words import State
from healmon_tui import context, live, stale, status
from healmon_tui import session as session_lines
from healmon_tui.chronicle import Chronicle
from healmon_tui.facts import Facts
from healmon_tui.paint import dump, fill
from healmon_tui.rows import sessions, workers
from healmon_tui.rows.scene import Scene
from healmon_tui.viewmodel import PANELS, Order, ViewModel
from tests.helpers.scripted import NOW, Story, key, restart_plan, world


def scene(*seen, now=NOW):
    story = Story()
    story.records = list(seen)
    return Scene.of(replay(story.done()), now)


def panels(this, chronicle=None, *, settled=True):
    return ViewModel().panels(this, chronicle or Chronicle(), settled=settled)


def one(this, panel="workers"):
    return panels(this)[panel].rows[0]


def text(row, column):
    return "".join(span.text for span in row.cells[column])


def observed(status="healthy", summary="", *, ago=0.0, healer="workers", name="w", **facts):
    event = ev.Observed(healer, name, status, summary, "t", "v", facts)
    return ev.Recorded(1, NOW - ago, event)


def after(*more):
    """Return records of later moments."""
    return [ev.Recorded(10 + i, NOW - ago, event) for i, (ago, event) in enumerate(more)]


def test_a_worker_that_is_up():
    row = one(
        scene(observed(state="healthy", pid=7, since=NOW - 3720, cpu=4, rss=118e6, restarts=1))
    )
    assert [text(row, c) for c in ("state", "pid", "up", "cpu", "mem", "rst", "why")] == [
        "healthy", "7", "1h02m", "4%", "118M", "1", "",
    ]  # fmt: skip
    assert row.mark.glyph == "●"


def test_uptime_goes_on_between_two_looks():
    row = one(scene(observed(state="healthy", age=10.0, ago=50.0)))
    assert text(row, "up") == "1m00s"


@pytest.mark.parametrize(
    ("state", "desired", "word"),
    [("down", "down", "stopped"), ("completed", "up", "completed")],
)
def test_a_worker_at_rest_is_no_trouble(state, desired, word):
    row = one(scene(observed(state=state, desired=desired, pid=7)))
    assert row.mark.glyph == "○"
    assert text(row, "pid") == "-"
    assert text(row, "state") == word


@pytest.mark.parametrize("state", get_args(State))
def test_every_state_of_a_worker_has_a_word_that_fits_and_a_tone(state):
    this = scene(observed("unhealthy", "s", state=state, pid=7, desired="up"))
    row, column = one(this), next(c for c in workers.columns(12, 80) if c.key == "state")
    assert 0 < len(text(row, "state")) <= column.cells
    assert state in workers._TONES
    assert (text(row, "pid") == "7") == (state in workers.ALIVE)


def test_a_worker_that_hangs_is_not_counted_as_up():
    states = ["healthy", "trial", "unhealthy", "stop_failed", "backoff", "completed"]
    records = [
        ev.Recorded(
            n, NOW, ev.Observed("workers", state, "healthy", "", "t", "v", {"state": state})
        )
        for n, state in enumerate(states, 1)
    ]
    assert workers.tally(scene(*records)) == (2, 5)


def test_all_that_is_known_of_a_worker_is_beside_it():
    facts = {
        "state": "unhealthy", "pid": 7, "proved": "V3", "desired": "up", "delay": 10.0,
        "failures": 2, "max_failures": 5, "failure_window": 600.0,
        "slow": 3, "max_slow": 10, "slow_window": 21600.0,
        "level": 2, "trials": 1, "max_trials": 6, "cause": "exit 1; its last words: oh",
        "use": {"processes": 3, "rss": 4 << 20, "over": 0, "slope": 1 << 20},
        "liveness": {"ok": False, "failures": 3, "text": "no answer", "hard": True},
        "blockers": [{"what": "port 80", "identity": {"pid": 9}, "command": "nginx"}, "odd"],
    }  # fmt: skip
    this = scene(observed("unhealthy", "s", **facts))
    lines = context.now(this, context.Subject("w"), 100)
    text_ = "\n".join("".join(span.text for span in line.spans) for line in lines)
    for words in (
        "4.2 MB with the 2 below it, +1.0 MB an hour", "3 in a row failed · no answer",
        "ready", "2 of 5 in 10m", "3 of 10 in 6h", "opened again 2 times · 1 of 6 trials failed",
        "its last words: oh", "pid 9 (nginx): port 80", "10s",
    ):  # fmt: skip
        assert words in text_, words


def test_the_fuller_window_of_failures_is_shown():
    budget = {"failures": 1, "max_failures": 5, "slow": 9, "max_slow": 10}
    assert text(one(scene(observed(state="backoff", **budget))), "rst") == "9/10"


@pytest.mark.parametrize(
    ("status_word", "glyph"),
    [
        ("healthy", "●"),
        ("recovered", "✓"),
        ("warning", "▲"),
        ("unhealthy", "✗"),
        ("error", "✗"),
        ("critical", "✗"),
        ("unknown", "?"),
    ],
)
def test_the_sign_of_a_status_without_alerts(status_word, glyph):
    assert one(scene(observed(status_word, "why"))).mark.glyph == glyph


def test_the_alert_says_how_bad_it_is_and_acknowledging_makes_it_calm():
    down = key("w", "down")
    opened = ev.AlertOpened(down, "WARNING", "w", "down")
    row = one(scene(observed("unhealthy", state="down"), *after((1, opened))))
    assert (row.mark.glyph, row.mark.tone) == ("▲", "warn")
    acked = ev.AlertAcknowledged(down, "olga")
    row = one(scene(observed("unhealthy", state="down"), *after((1, opened), (0, acked))))
    assert (row.mark.glyph, row.mark.tone) == ("◐", "calm")


def test_a_pause_is_a_persons_wish_and_is_said():
    seen = observed("unhealthy", "down", state="down", why="exit 1")
    for component in ("w", "*"):
        paused = ev.MaintenanceStarted(component, NOW + 3600, "olga")
        row = one(scene(seen, *after((1, paused))))
        assert row.mark.tone == "calm"
        assert text(row, "why") == "paused till 21:47 · exit 1"
    over = ev.MaintenanceStarted("w", NOW - 1, "olga")
    assert one(scene(seen, *after((10, over)))).mark.tone == "bad"


def test_a_refused_plan_is_said():
    seen = observed("unhealthy", "down", state="down")
    refused = ev.PlanRefused(restart_plan("w"), "dry run")
    assert text(one(scene(seen, *after((1, refused)))), "why") == "not done: dry run"


def test_a_failed_remedy_stays_until_somebody_knows():
    failed = ev.ActionFailed("p", "w", "restart_worker", "no such file", 1.0)
    seen = observed("unhealthy", "down", state="down")
    assert "restart failed: no such file" in text(one(scene(seen, *after((900, failed)))), "why")
    well = observed("healthy", "up", state="healthy")
    stays = "restart failed 15m ago: no such file"
    assert text(one(scene(well, *after((900, failed)))), "why") == stays
    assert text(one(scene(seen, *after((900, failed)))), "state") == "restart failed"
    known = replace(scene(well, *after((900, failed))), known={"w": NOW - 900})
    assert text(one(known), "why") == ""
    assert text(one(known), "state") == "healthy"
    opened, acked = ev.AlertOpened("k", "WARNING", "w", "down"), ev.AlertAcknowledged("k", "olga")
    told = scene(seen, *after((900, failed), (880, opened), (9, acked)))
    assert text(one(told), "state") == "down"


BEGUN = ev.EngineStarted("h", "1", 7, "daemon", dry_run=False, interval=60.0, boot="b",
                        steady_offset=0.0)  # fmt: skip


def begun_anew(seen, finished, *, ago=900):
    """Return the scene after healmon has begun anew since something was done."""
    return scene(seen, *after((ago, finished), (ago - 1, BEGUN), (0, seen.event)))


def test_a_row_tells_what_was_done_before_healmon_began_anew():
    down = observed("unhealthy", "down", state="down")
    failed = ev.ActionFailed("p", "w", "restart_worker", "no such file", 1.0)
    this = begun_anew(down, failed)
    assert stale.bind(this.snapshot, "w").acted == NOW - 900
    assert text(one(this), "state") == "restart failed"
    assert text(one(this), "why") == "restart failed: no such file"
    well = observed("healthy", "up", state="healthy")
    assert text(one(begun_anew(well, failed)), "why") == "", "nobody needs to know any more"
    done = ev.ActionVerified("p", "w", "restart_worker", "pid 8 alive", 2.0)
    assert text(one(begun_anew(well, done, ago=9)), "state") == "verified 2.0 s"
    row = one(begun_anew(well, done))
    assert (text(row, "state"), text(row, "why")) == ("healthy", "")


@pytest.mark.parametrize(
    ("ago", "now", "acting", "wanted"),
    [
        (0, 0, False, "restart in 20s"),
        (0, 19.5, False, "restart in 1s"),
        (0, 20, False, "restart now"),
        (0, 22, True, "restarting 2s…"),
        (0, 20 + 125, True, "restarting 2m05s…"),
    ],
)
def test_a_plan_in_flight(ago, now, acting, wanted):
    plan = restart_plan("w")
    steps = [(ago, ev.PlanMade(plan, NOW + 20, NOW + 20))]
    if acting:
        steps.append((ago, ev.ActionStarted(plan.id, "w")))
    this = scene(observed("unhealthy", state="down"), *after(*steps), now=NOW + now)
    assert text(one(this), "state") == wanted


def test_a_session_is_as_quiet_as_the_clock_says_unless_it_works():
    def row(state):
        facts = {"state": state, "quiet": 100, "tasks": [77, "b"], "pane": "%5", "window": 0}
        return one(
            scene(observed(healer="sessions", name="session:a", ago=20, **facts)), "sessions"
        )

    assert text(row("stalled"), "quiet") == "2m"
    assert text(row("working"), "quiet") == "1m40s"
    assert text(row("stalled"), "task") == "77+1"
    assert text(row("stalled"), "pane") == "0 %5"


def session(**facts):
    facts = {"state": "stalled", "quiet": 60, "tasks": [7], "pane": "%5", **facts}
    return observed(healer="sessions", name="session:a", ago=20, **facts)


def test_progress_and_repaint_have_an_age_each():
    hung = one(scene(session(painted=0.2)), "sessions")
    assert [text(hung, c) for c in ("quiet", "painted")] == ["1m20s", "0s"]
    dark = one(scene(session(painted=59)), "sessions")
    assert [text(dark, c) for c in ("quiet", "painted")] == ["1m20s", "1m19s"]
    nothing_to_do = one(scene(session(state="idle", tasks=[], quiet=0, painted=3)), "sessions")
    assert [text(nothing_to_do, c) for c in ("quiet", "painted")] == ["-", "3s"]


def test_new_lines_per_minute_are_bars_on_one_scale_for_all():
    assert sessions.spark((0, 1, 2, 4, 8, 16, 32, 64, 10**9), 12) == "▁▂▃▄▅▆▇██"
    assert sessions.spark((5, 0, 1), 2) == "▁▂"
    assert sessions.spark((), 12) == ""


def test_a_question_is_shown_and_so_is_the_line_behind_a_retry():
    row = one(
        scene(session(state="approval", question="Do you want to?", last_line="x")), "sessions"
    )
    assert text(row, "line") == "Do you want to?"
    row = one(scene(session(state="retrying", text="attempt 9/10", last_line="x")), "sessions")
    assert text(row, "line") == "attempt 9/10"
    assert text(one(scene(session(text="a spinner", last_line="x")), "sessions"), "line") == "x"


def test_why_nothing_is_done_is_told_before_the_rule():
    row = one(scene(session(held="an outage", rule="nothing new")), "sessions")
    assert text(row, "why") == "an outage"


@pytest.mark.parametrize("state", get_args(SessionState))
def test_every_state_of_a_session_has_a_word_that_fits_and_a_place_in_the_order(state):
    row = one(scene(session(state=state)), "sessions")
    assert 0 < len(text(row, "state")) <= 14
    assert "_" not in text(row, "state")
    assert row.order[0] == sessions.need_of(state)


def test_who_needs_somebody_comes_first_and_nobody_else_does():
    states = ["protected", "idle", "tool", "quiet", "unknown", "retrying", "question", "frozen"]
    story = Story()
    for number, state in enumerate(states):
        story.seen(9, "sessions", f"session:{number}", "healthy", state=state, tasks=[1], quiet=5)
    found = panels(Scene.of(replay(story.done()), NOW))["sessions"]
    assert [row.key for row in found.rows] == [f"session:{n}" for n in reversed(range(8))]
    # a tool past its limit is stuck, as its alert says; one that somebody knows of is not in front
    story.add(8, ev.AlertOpened("h/session:2/stuck", "WARNING", "session:2", "stuck"))
    found = panels(Scene.of(replay(story.done()), NOW))["sessions"]
    assert [row.key for row in found.rows][:2] == ["session:2", "session:7"]
    assert status_tally(story) == (2, 1, 8)
    story.add(7, ev.AlertAcknowledged("h/session:2/stuck", "olga", "", NOW + 60))
    found = panels(Scene.of(replay(story.done()), NOW))["sessions"]
    assert [row.key for row in found.rows].index("session:2") == 5
    assert status_tally(story) == (1, 1, 8)


def status_tally(story):
    return sessions.tally(Scene.of(replay(story.done()), NOW))


def test_a_task_database_that_owes_is_a_row_and_no_session():
    facts = {"state": "idle", "tasks": [7, 8], "quiet": 0, "rule": "2 tasks owed in 3m"}
    this = scene(observed(healer="sessions", name="tasks:assigner", **facts))
    row = one(this, "sessions")
    told = [text(row, column) for column in ("state", "quiet", "task", "line")]
    assert told == ["owes", "-", "7+1", "2 tasks owed in 3m"]
    assert sessions.tally(this) == (0, 0, 0)


def test_a_session_that_ended_without_tasks_needs_nobody():
    row = one(scene(session(state="gone", tasks=[])), "sessions")
    assert row.order[0] == sessions.IDLE


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        ({"act_at": 1800, "keys": [["C-c"]]}, "press C-c after 30m without progress: in 28m"),
        ({"act_at": 60, "keys": [["Escape", "Escape"]]}, "press Escape Escape, when a last look"),
        ({"act_at": 1800}, "settle its tasks, no key after 30m without progress: in 28m"),
        ({"held": "cool-down", "act_at": 60}, "not act: cool-down"),
        ({"hands_off": "a person is at it"}, "not touch it: a person is at it"),
        ({}, ""),
    ],
)
def test_what_healmon_will_do_and_when(facts, wanted):
    this = scene(session(**facts))
    view = this.snapshot.components["session:a"]
    said = session_lines.will(this, view, Facts(view.facts))
    assert said.startswith(wanted) if wanted else not said


def test_a_screen_is_shown_from_its_end_without_runs_of_blank_lines():
    seen = Peek(at=NOW, painted=3, lines=("a", "", "", *map(str, range(20)), "", ""))
    part = live.part(live.Seen(peek=seen), NOW, 60)
    assert dump(part.lines, 60).startswith(" │ a\n │\n │ 0\n")
    shown = dump(part.drawn(60, 4), 60)
    assert shown.split("\n")[1:] == [" │ 16", " │ 17", " │ 18", " │ 19"]
    assert "captured 20:47:01, painted 3s before  +18 more" in shown
    assert live.part(live.Seen(), NOW, 40) is None
    private = live.part(live.Seen(peek=Peek(at=NOW, reason="it asks for a secret")), NOW, 40)
    assert "it asks for a secret" in dump(private.lines, 40)


def test_an_act_is_told_again_from_what_was_kept_whatever_that_is():
    kept = {
        "action": "clear_stuck_session", "why": "nothing new", "opened": NOW, "origin": "healmon",
        "before": {"at": NOW, "screen": "spinner\n\n"}, "after": {"at": NOW + 5, "screen": "❯"},
        "verdict": {"result": "cleared", "how": "it is idle", "keys": ["C-c"],
                    "tasks": {"7": "requeued"}},
        "touches": [{"at": NOW, "work": "press", "text": "press C-c"},
                    {"at": NOW, "work": "press", "text": "press C-c again", "held": "it is idle"}],
    }  # fmt: skip
    before, after = (dump(lines, 60) for lines in session_lines.replayed(kept, 60))
    assert " │ spinner" in before
    assert "nothing new" in before
    assert " │ ❯" in after
    for word in ("cleared", "7: requeued", "20:47:01 press C-c", "not done: it is idle"):
        assert word in after
    for odd in ({}, {"before": "text", "verdict": [1]}, {"touches": [1, {}], "opened": 1e300}):
        before, after = (dump(lines, 60) for lines in session_lines.replayed(odd, 60))
        assert "nothing was kept" in before
        assert "not known" in after


def test_a_database_and_who_holds_it():
    facts = {
        "verdict": "idle-in-transaction", "since": NOW - 90, "wal_size": 4_200_000,
        "holder": {"pid": 99, "name": "python3", "command": "python3 -m app"},
    }  # fmt: skip
    seen = observed("warning", healer="databases", name="database:a", **facts)
    row = one(scene(seen), "databases")
    assert text(row, "state") == "idle-in-transaction"
    assert text(row, "holder") == "python3 99"
    assert text(row, "for") == "1m30s"
    assert text(row, "wal") == "4.2 MB"


def test_the_holder_and_all_that_hangs_on_its_lock():
    from healmon_tui.facts import Facts
    from healmon_tui.rows.databases import tree

    facts = {
        "holder": {
            "pid": 9, "name": "app", "command": "app -x", "user": "joe", "cwd": "/srv",
            "tty": "pts/3", "pane": "s:0.1 (%5)", "worker": "w",
        },
        "locks": ["RESERVED", "SHARED"], "waits_for": [4], "waiting": [5, 6],
        "others": list(range(10, 20)), "deleted": [7], "pinned_frames": 1500,
        "warning": "old", "kept": "/state/x",
    }  # fmt: skip
    told = {label: value for label, value in tree(Facts(facts), "today") if value}
    assert told == {
        "holder": "app 9", "runs": "app -x", "as": "joe in /srv", "started": "today",
        "at": "s:0.1 (%5)", "worker": "w", "holds": "RESERVED, SHARED",
        "pins": "1500 frames of the -wal", "waits for": "reader pid 4", "waiting": "pid 5, 6",
        "open too": "pid 10, 11, 12, 13, 14, 15, 16, 17 and 2 more",
        "deleted": "in use by pid 7", "sqlite": "old", "copy": "/state/x",
    }  # fmt: skip
    assert not [value for _, value in tree(Facts({}), "") if value]


def test_a_free_database_is_not_locked_for_any_time():
    seen = observed(healer="databases", name="database:a", verdict="free", since=NOW - 90)
    assert text(one(scene(seen), "databases"), "for") == "-"


def test_a_disk():
    facts = {"percent": 86.9, "free": 121e9, "size": 923e9, "inode_percent": 91.0, "kind": "budget"}
    row = one(scene(observed(healer="disks", name="disk:/", **facts)), "disks")
    assert text(row, "used") == "86.9%"
    assert text(row, "why") == "budget · inodes 91.0%"
    assert row.meter[0] == 86.9


def test_worst_first():
    story = Story()
    for name in "abcdefg":
        story.seen(9, "workers", name, "healthy", state="healthy")
    story.add(8, ev.AlertOpened("kc", "CRITICAL", "c", "down"))
    story.add(8, ev.AlertOpened("kf", "CRITICAL", "f", "down"))
    story.add(8, ev.AlertOpened("kb", "WARNING", "b", "flaps"))
    story.add(8, ev.AlertOpened("kg", "WARNING", "g", "flaps"))
    story.add(7, ev.AlertAcknowledged("kg", "olga"))
    story.add(7, ev.PlanMade(restart_plan("c"), NOW, NOW))
    found = panels(Scene.of(replay(story.done()), NOW))["workers"]
    assert [row.key for row in found.rows] == ["f", "c", "b", "g", "a", "d", "e"]
    assert found.loud == 4


JUNK: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**30, max_value=10**40)
    | st.floats()
    | st.text(st.characters(), max_size=30),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = [
    "state", "pid", "since", "age", "cpu", "rss", "restarts", "failures", "max_failures", "next_at",
    "why", "tasks", "quiet", "pane", "window", "command", "last_line", "verdict", "holder",
    "locked_for", "wal_bytes", "wal_size", "mode", "kind", "percent", "free", "size", "level",
    "inode_percent", "locks", "others", "question", "candidates", "candidate_bytes", "pinned",
    "painted", "novelty", "choices", "keys", "act_at", "held", "hands_off", "text", "matched",
    "pack", "version", "evidence",
]  # fmt: skip


@given(
    st.sampled_from(["workers", "sessions", "databases", "disks", "a fifth one"]),
    st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), JUNK, max_size=12),
    st.sampled_from(["healthy", "unhealthy", "unknown", "critical"]),
    st.integers(20, 220),
)
def test_no_facts_are_too_odd(healer, facts, status_word, cells):
    seen = ev.Recorded(1, NOW, ev.Observed(healer, "x", status_word, "s", "t", "v", facts))
    this = scene(seen)
    chronicle = Chronicle()
    chronicle.add(seen)
    for panel in panels(this, chronicle).values():
        panel.columns(cells)
        for row in panel.rows:
            for spans in row.cells.values():
                fill(spans, 20)
    status.line(this, status.Looking(), cells)
    for line in context.now(this, context.Subject("x"), cells):
        fill(line.spans, cells)


@given(JUNK)
def test_facts_answer_with_the_kind_that_was_asked_for(value):
    facts = Facts({"a": value})
    assert isinstance(facts.text("a"), str)
    assert facts.number("a") is None or abs(facts.number("a")) < 1e18
    assert all(isinstance(item, str) for item in facts.texts("a"))
    assert isinstance(facts.inner("a"), Facts)


def test_the_order_stays_while_somebody_is_at_the_keys():
    order, story = Order(), Story()
    for name in "abc":
        story.seen(9, "workers", name, "healthy", state="healthy")
    calm = panels(Scene.of(replay(story.done()), NOW))["workers"].rows
    assert [row.key for row in order.arrange(list(calm), settled=True)] == ["a", "b", "c"]
    story.add(1, ev.AlertOpened("kc", "CRITICAL", "c", "down"))
    story.seen(1, "workers", "0 new", "critical", state="down")
    worse = list(panels(Scene.of(replay(story.done()), NOW))["workers"].rows)
    assert [row.key for row in order.arrange(worse, settled=False)] == ["a", "b", "c", "0 new"]
    gone = [row for row in worse if row.key != "a"]
    assert [row.key for row in order.arrange(gone, settled=False)] == ["b", "c", "0 new"]
    assert [row.key for row in order.arrange(gone, settled=True)][:2] == ["0 new", "c"]


def test_a_log_holds_back_what_is_new_while_somebody_is_at_the_keys():
    order = Order()
    rows = list(panels(Scene.of(replay(world()), NOW))["workers"].rows)
    order.arrange(rows[:2], settled=True)
    assert len(order.arrange(rows, settled=False, hold=True)) == 2
    assert len(order.arrange(rows, settled=True, hold=True)) == len(rows)


def test_nothing_at_all_is_drawn_too():
    this = Scene.of(Snapshot(), NOW)
    found = panels(this)
    assert set(found) == set(PANELS)
    assert all("waiting" in "".join(s.text for s in found[p].badge) for p in PANELS[:4])
    assert len("".join(s.text for s in status.line(this, status.Looking(), 80))) == 80


@given(st.integers(1, 250))
def test_the_status_line_fits_every_width(cells):
    this = Scene.of(replay(world()), NOW)
    looking = status.Looking("pid 4711", read_only=True, frozen=NOW, unseen=12_345, skipped=3)
    spans = status.line(this, looking, cells)
    assert sum(len(span.text) for span in spans) == cells


def test_notices_that_a_channel_does_not_take_are_said():
    story = Story()
    story.add(9, ev.NoticeMade("ops", "opened", "t", "b"))
    line = "".join(s.text for s in status.line(scene(*story.done()), status.Looking(), 120))
    assert "untold" not in line
    story.add(1, ev.NoticeFailed(story.done()[-1].id, "ops", "down", NOW))
    line = "".join(s.text for s in status.line(scene(*story.done()), status.Looking(), 120))
    assert "untold 1" in line


def test_a_check_that_is_late_is_said():
    records = world()
    late = Scene.of(replay(records), NOW + 90)
    line = "".join(s.text for s in status.line(late, status.Looking(), 120))
    assert "check overdue 1m18s" in line


def disk(**outlook):
    return one(
        scene(observed(healer="disks", name="disk:/", percent=60.0, outlook=outlook)), "disks"
    )


@pytest.mark.parametrize(
    ("outlook", "told", "tone"),
    [
        ({"eta": 33_120.0, "rate": 1.0, "way": "trend"}, "↗ 9h12m", "warn"),
        ({"eta": 200_000.0, "rate": 0.1, "way": "trend"}, "↗ 2d07h", "dim"),
        ({"eta": 600.0, "rate": 9.0, "way": "young"}, "↗ 10m", "dim"),
        ({"eta": None, "rate": -1.0, "way": "trend"}, "↘", "faint"),
        ({"eta": None, "rate": 0.0, "way": "trend"}, "→", "faint"),
        ({"eta": None, "way": "young"}, "-", "faint"),
        ({"eta": "soon", "rate": []}, "-", "faint"),
        ({}, "-", "faint"),
    ],
)
def test_a_disk_tells_its_trend_and_its_time_to_full(outlook, told, tone):
    row = disk(**outlook)
    assert text(row, "full") == told
    assert row.cells["full"][0].tone == tone


def test_all_that_holds_a_disk_is_beside_it():
    this = Scene.of(replay(world()), NOW)
    row = one(this, "disks")
    lines = dump(context.now(this, context.subject(row), 110), 110)
    for part in ("about 9h12m (6h00m to 14h00m)", "/var/log  +12.4 GB/h", "app (812)",
                 "nginx (411)", "restart nginx"):  # fmt: skip
        assert part in lines, lines


def badge(this, panel, chronicle=None):
    return "".join(span.text for span in panels(this, chronicle)[panel].badge)


def test_the_locks_that_are_counted_are_locks_and_the_same_in_both_places():
    seen = [
        observed(healer="databases", name="database:a", verdict="free", status="warning"),
        observed(healer="databases", name="database:b", verdict="cannot-look", status="unknown"),
        observed(healer="databases", name="database:c", verdict="working"),
    ]
    assert badge(scene(*seen), "databases") == "2 free · 1 unknown"
    held = observed(healer="databases", name="database:d", verdict="stopped", status="critical")
    this = scene(*seen, held)
    assert badge(this, "databases") == "1 of 4 locked · 1 unknown"
    line = "".join(span.text for span in status.line(this, status.Looking(), 120))
    assert "locks 1 " in line


def test_what_is_mended_and_not_over_is_counted_as_the_status_line_counts_it():
    plan = restart_plan("w", id="1.2.3")
    seen = after(
        (9, ev.EngineStarted("h", "1", 1, "t", dry_run=False, interval=60, boot="b",
                             steady_offset=0.0)),
        (8, ev.AlertOpened(key("w", "down"), "CRITICAL", "w", "it is down")),
        (7, ev.PlanMade(plan, NOW - 7, NOW - 7)),
        (6, ev.ActionStarted(plan.id, "w")),
        (5, ev.ActionVerified(plan.id, "w", "restart_worker", "alive", 1.0)),
    )  # fmt: skip
    chronicle = Chronicle()
    for record in seen:
        chronicle.add(record)
    this = Scene.of(replay(seen), NOW, {}, chronicle)
    assert "".join(span.text for span in status.counts(this)) == "✗1"
    assert badge(this, "alerts", chronicle) == "0 open · 1 mended"
