"""The judgement on databases, in a made-up world on a made-up clock."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healmon.plans import describe
from tests.helpers.dbstory import PATH, Story
from tests.helpers.examples import examples


@pytest.fixture(params=["rollback", "wal"])
def mode(request):
    return request.param


@pytest.fixture
def tell():
    stories = []

    def begin(*args, **knobs):
        stories.append(Story(*args, **knobs))
        return stories[-1]

    yield begin
    for story in stories:
        story.close()


def test_free_with_idle_connections_and_readers(tell, mode):
    story = tell(mode)
    assert story.look().metric_value == "free"
    story.locks.connect(PATH, story.somebody().pid)
    story.locks.read(PATH, story.somebody().pid)
    verdict = story.look()
    assert (verdict.metric_value, verdict.status, verdict.memory) == ("free", "healthy", {})
    assert story.report() == ["   ✅ No database locks"]


def test_a_lock_directory_beside_other_locks_is_an_alarm_once_it_is_no_longer_young(tell, mode):
    story = tell(mode)
    story.locks.read(PATH, story.somebody().pid)
    for _ in range(3):
        story.look(after=60)
    assert story.rests
    story.locks.lock_by_directory(PATH, int((story.clock.read().wall + 57) * 1e9))
    assert story.look(after=60).findings == ()
    assert story.diagnose().look_again == pytest.approx(story.database.busy_for - 3 + 0.1, abs=0.01)
    (finding,) = story.look(after=8).findings  # nothing but time has passed
    assert finding.condition == "mixed-locking"


def test_an_idle_transaction_is_named_only_after_busy_for(tell, mode):
    story = tell(mode)
    holder = story.holder("sqlite3", "x.db")
    first = story.look()
    assert (first.metric_value, first.status, first.findings) == (
        "idle-in-transaction", "healthy", (),
    )  # fmt: skip
    assert story.report() == [
        f"   ⏳ architect: locked 0 s by pid {holder.pid} (sqlite3), idle in a transaction"
    ]
    assert not story.look(after=5).findings
    verdict = story.look(after=5)
    (finding,) = verdict.findings
    assert (finding.condition, finding.severity, verdict.status) == ("locked", "WARNING", "warning")
    assert f"pid {holder.pid} (sqlite3)" in finding.message
    assert f"kill -TERM {holder.pid}" in finding.message
    assert "healmon ends nobody" in finding.message
    assert verdict.plan is None
    lock = "WAL_WRITE" if mode == "wal" else "RESERVED"
    assert lock in finding.evidence["locks"]
    assert finding.evidence["pid"] == holder.pid
    assert finding.evidence["command"] == "sqlite3 x.db"
    assert finding.evidence["journal_mode"] == mode
    assert story.report() == [
        f"   ⚠️  architect: locked 11 s by pid {holder.pid} (sqlite3), idle in a transaction"
    ]


def test_it_becomes_critical_after_act_after(tell):
    story = tell(act_after=120.0)
    story.holder()
    story.look()
    assert story.look(after=119).findings[0].severity == "WARNING"
    verdict = story.look(after=1)
    assert (verdict.findings[0].severity, verdict.status) == ("CRITICAL", "critical")
    assert "🚨" in story.report()[0]


def test_the_alert_says_the_same_as_long_as_nothing_changes(tell):
    story = tell()
    story.holder()
    story.look()
    one = story.look(after=11)
    other = story.look(after=20)
    assert one.findings == other.findings
    assert (one.summary, one.facts, one.memory) == (other.summary, other.facts, other.memory)


def test_one_look_never_accuses(tell):
    story = tell(busy_for=0.0, act_after=0.0)
    story.holder()
    assert not story.look().findings


@pytest.mark.parametrize("life", ["commit", "growth", "cpu", "another", "recreated", "other lock"])
def test_any_sign_of_life_starts_a_new_clock(tell, life):
    story = tell()
    holder = story.holder()
    story.look()
    story.clock.advance(8)
    if life == "commit":
        story.locks.commit(PATH, holder.pid)
        story.locks.begin(PATH, holder.pid)
    elif life == "growth":
        story.locks.write(PATH, holder.pid)
    elif life == "cpu":
        story.machine.change(holder, cpu_seconds=0.5)
    elif life == "recreated":
        story.locks.create(PATH)
        story.locks.begin(PATH, holder.pid)
    elif life == "another":
        story.locks.commit(PATH, holder.pid)
        story.holder()
    else:
        story.locks.end(holder.pid)
        story.locks.begin(PATH, holder.pid)
        story.locks.write(PATH, holder.pid)
    assert not story.look().findings
    assert not story.look(after=9).findings
    assert story.look(after=2).findings


def test_a_waiter_that_polls_is_not_at_work(tell):
    story = tell()
    holder = story.holder()
    story.look()
    # 1 % of a CPU: timers, polling
    story.machine.change(holder, cpu_seconds=0.1)
    assert story.look(after=10.5).findings


def test_a_reused_pid_is_somebody_else(tell):
    story = tell()
    holder = story.holder()
    story.look()
    story.clock.advance(9)
    story.machine.end(holder)
    again = story.somebody(pid=holder.pid)
    story.locks.begin(PATH, again.pid)
    assert not story.look().findings
    assert not story.look(after=9).findings


def test_work_is_calm_until_it_is_very_long(tell):
    story = tell("wal")
    holder = story.holder()
    growth = 0.0
    for _ in range(19):
        growth += 0.5
        story.machine.change(holder, cpu_seconds=growth * 10)
        verdict = story.look(after=30)
        assert not verdict.findings
    assert verdict.metric_value == "working"
    assert story.report() == ["   ✅ No database locks"]
    story.machine.change(holder, cpu_seconds=500.0)
    (finding,) = story.look(after=60).findings
    assert (finding.condition, finding.severity) == ("long-transaction", "WARNING")


def test_a_commit_seen_between_samples_is_busy(tell, mode):
    story = tell(mode)
    holder = story.holder()
    real = story.locks.look
    turns = []

    def look(path):
        turns.append(path)
        if len(turns) > 1:
            story.locks.commit(path, holder.pid)
            story.locks.begin(path, holder.pid)
        return real(path)

    story.locks.look = look
    verdict = story.look()
    assert (verdict.metric_value, verdict.status, verdict.memory) == ("busy", "healthy", {})
    # and it is not looked at longer than needed
    assert len(turns) == 2


def test_a_standing_lock_is_looked_at_four_times(tell):
    story = tell()
    story.holder()
    before = story.clock.read().steady
    story.look()
    assert story.clock.read().steady - before == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("pid", "word", "said"),
    [
        (0, "other-namespace", "another container or host"),
        (-1, "ofd-lock", "OFD"),
        (-4711, "other-namespace", "another container or host"),
    ],
)
def test_holders_without_a_name_are_alerts_only(tell, pid, word, said):
    story = tell()
    story.locks.begin(PATH, pid)
    assert story.look().metric_value == word
    verdict = story.look(after=11)
    (finding,) = verdict.findings
    assert said in finding.message
    assert verdict.plan is None
    assert said in story.report()[0]
    with pytest.raises(Exception, match="locked"):
        story.offer()


def test_waiting_for_storage_is_said_and_left_alone(tell):
    story = tell()
    holder = story.holder()
    story.machine.change(holder, state="D")
    assert story.look().metric_value == "io-wait"
    verdict = story.look(after=11)
    assert "check the disk" in verdict.findings[0].message
    assert verdict.plan is None


def test_a_stopped_holder_gets_a_plan_that_waits_out_busy_for(tell, mode):
    story = tell(mode)
    holder = story.stopped_holder()
    verdict = story.look()
    assert verdict.metric_value == "stopped"
    assert not verdict.findings
    plan = verdict.plan
    assert plan is not None
    assert (plan.action, plan.component) == ("clear_database_lock", "database:architect")
    assert plan.delay == 10.0
    assert [step.command for step in plan.steps] == [f"kill -CONT {holder.pid}"]
    assert str(holder.pid) in plan.subject
    assert str(holder.ticks) in plan.subject
    later = story.look(after=20)
    assert later.findings
    assert later.plan is not None
    assert later.plan.delay == 0.0
    assert later.plan.subject == plan.subject
    assert "file" in "\n".join(describe(plan))


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("traced", "debugger"),
        ("init", "pid 1"),
        ("self", "healmon itself"),
        ("ancestor", "inside it"),
        ("container", "pid namespace"),
        ("stranger", "belongs to"),
        ("unreadable", "cannot be read"),
    ],
)
def test_whom_healmon_never_touches(tell, case, said):
    story = tell()
    pids = {"init": 1, "self": 100, "ancestor": 90}
    if case in pids:
        who = story.machine.identify(pids[case])
        story.locks.begin(PATH, who.pid)
        story.machine.change(who, state="T")
    elif case == "unreadable":
        story.locks.begin(PATH, 4242)
        story.locks._alive = lambda _: True
    else:
        knobs = {"namespace": 2} if case == "container" else {}
        who = story.stopped_holder(**knobs)
        changes = {"traced": {"state": "t"}, "stranger": {"uid": 33}}
        story.machine.change(who, **changes.get(case, {}))
    assert story.look().plan is None
    verdict = story.look(after=11)
    assert verdict.plan is None
    (finding,) = verdict.findings
    if case != "unreadable":
        assert said in finding.message
        assert verdict.metric_value == "stopped"
    with pytest.raises(Exception, match="locked"):
        story.offer()


def test_on_stale_alert_only_tells(tell):
    story = tell(on_stale="alert")
    story.stopped_holder()
    story.look()
    verdict = story.look(after=11)
    assert verdict.plan is None
    assert "healmon unlock architect" in verdict.findings[0].message
    # but a person may
    assert story.offer().action == "clear_database_lock"


def test_stopping_starts_a_new_clock(tell):
    story = tell()
    holder = story.holder()
    story.look()
    story.clock.advance(8)
    story.machine.change(holder, state="T")
    verdict = story.look()
    assert verdict.plan is not None
    assert verdict.plan.delay == 10.0
    assert not verdict.findings


def test_a_missing_database_is_a_warning_and_says_where_to_look(tell):
    story = tell()
    story.locks.remove(PATH)
    verdict = story.look()
    assert (verdict.metric_value, verdict.status) == ("missing", "warning")
    assert "databases.architect.path" in verdict.findings[0].message
    assert story.report() == ["   ⚠️  architect: missing: No such file or directory"]


@pytest.mark.parametrize("word", ["not-permitted", "not-sqlite", "empty", "hangs", "no-child"])
def test_what_cannot_be_looked_at_is_unknown_and_keeps_its_memory(tell, word):
    story = tell()
    story.holder()
    story.look()
    remembered = story.known.memory["database:architect"]
    story.locks.refuse(PATH, word)
    verdict = story.look(after=5)
    assert (verdict.metric_value, verdict.status) == ("cannot-look", "unknown")
    assert [finding.severity for finding in verdict.findings] == ["INFO"]
    assert verdict.plan is None
    assert verdict.memory == remembered
    assert story.report()[0].startswith("   ❓ architect: cannot look")
    story.locks.refuse(PATH, None)
    # nothing moved meanwhile: the clock of the hold ran on
    assert story.look(after=5).findings


def test_a_commit_waiting_for_a_reader_does_not_blame_the_writer():
    from healmon.databases import wording
    from healmon.databases.classify import waited_for
    from healmon.databases.model import Facts, Holder, Sample
    from healmon.world.dbreading import DatabaseReading, FileSeen, Lock

    locks = (
        Lock(7, "PENDING", exclusive=True, exact=True),
        Lock(7, "RESERVED", exclusive=True, exact=True),
        Lock(7, "SHARED", exclusive=False, exact=True),
        Lock(9, "SHARED", exclusive=False, exact=False),
    )
    reading = DatabaseReading(
        path=PATH, mode="rollback", device=1, inode=1, links=1, page_size=4096,
        db=FileSeen(1, 1), locks=locks,
    )  # fmt: skip
    assert waited_for((Sample(reading), Sample(reading))) == (9,)
    facts = Facts(
        verdict="idle-in-transaction", path=PATH, holder=Holder(pid=7), waits_for=(9,), since=0.0
    )
    assert "reader pid 9" in wording.summary(facts)
    assert "not the writer" in wording.advise(facts)


def test_a_reader_that_pins_a_large_wal_is_reported_and_left_alone(tell):
    story = tell("wal")
    writer, reader = story.somebody("app"), story.somebody("report")
    for turn in range(2):
        story.locks.begin(PATH, writer.pid)
        for _ in range(1200 * turn + 1):
            story.locks.write(PATH, writer.pid)
        story.locks.commit(PATH, writer.pid)
        if not turn:
            assert story.look().metric_value == "free"
            story.locks.read(PATH, reader.pid)
    # readers that come and go have old marks, too: one look says nothing
    assert story.look().metric_value == "free"
    verdict = story.look(after=11)
    assert (verdict.metric_value, verdict.status) == ("reader-pins-wal", "warning")
    (finding,) = verdict.findings
    assert (finding.condition, finding.severity) == ("wal-growth", "WARNING")
    assert f"reader pid {reader.pid} (report)" in finding.message
    assert finding.evidence["pinned_frames"] == 1201
    assert finding.evidence["pid"] == reader.pid
    assert verdict.plan is None
    assert story.report() == [
        "   ✅ No database locks",
        f"   ⚠️  architect: pid {reader.pid} (report) reads and pins 4.9 MB of the -wal",
    ]
    # as it grows the alert says the same
    story.locks.begin(PATH, writer.pid)
    story.locks.write(PATH, writer.pid)
    story.locks.commit(PATH, writer.pid)
    assert story.look(after=5).findings[0].message == finding.message
    story.locks.commit(PATH, reader.pid)
    assert not story.look().findings


def crash(story):
    holder = story.holder()
    story.locks.write(PATH, holder.pid)
    if story.locks.look(PATH).mode == "wal":
        story.locks.commit(PATH, holder.pid)
    story.machine.end(holder)


def test_what_a_crash_left_is_explained_and_waits_for_its_users(tell, mode):
    story = tell(mode)
    crash(story)
    verdict = story.look()
    assert (verdict.metric_value, verdict.status) == ("leftover", "healthy")
    assert ("committed rows" if mode == "wal" else "rolls its transaction back") in verdict.summary
    assert not verdict.findings
    assert verdict.plan is not None
    assert verdict.plan.delay == 10.0
    assert story.look(after=4).plan.delay == 6.0
    # whoever opens it takes it over, and healmon keeps out
    story.locks.connect(PATH, story.somebody("app").pid)
    verdict = story.look()
    assert verdict.plan is None
    assert story.diagnose().hold == ("database:architect",)


def test_leftovers_are_only_told_where_alerts_are_wanted(tell):
    story = tell("wal", on_stale="alert")
    crash(story)
    verdict = story.look()
    assert verdict.plan is None
    assert story.offer().steps[1].text.startswith("check every frame")


def test_leftovers_of_another_crash_begin_a_new_wait(tell):
    story = tell("wal")
    crash(story)
    assert story.look().plan.delay == 10.0
    story.clock.advance(8)
    crash(story)
    assert story.look().plan.delay == 10.0


def test_hostile_titles_and_paths_are_harmless(tell):
    story = tell()
    story.stopped_holder("evil\x1b[2J\u202e\n[red]", "-x\x07")
    story.look()
    verdict = story.look(after=11)
    shown = [verdict.summary, *story.report(), *describe(verdict.plan)]
    shown += [str(verdict.findings), str(verdict.facts)]
    assert all(text.isprintable() for text in shown)


def test_a_database_taken_out_of_the_configuration_is_gone(tell):
    story = tell()
    story.look()
    story.healer._databases = ()
    found = story.diagnose()
    assert (found.verdicts, found.gone) == ((), ("database:architect",))
    assert story.report() == ["   No databases to watch"]


def test_looks_come_sooner_while_a_lock_stands(tell):
    story = tell()
    assert story.diagnose().look_again is None
    story.holder()
    again = story.diagnose().look_again
    assert again is not None
    assert 9 < again < 11
    story.clock.advance(again)
    found = story.diagnose()
    assert found.verdicts[0].findings
    assert found.look_again == 5.0


def test_memory_of_another_layout_is_forgotten(tell):
    from healmon import events as ev

    story = tell()
    story.holder()
    story.look()
    story.tell(ev.Remembered("database:architect", {"hold": "what?"}))
    story.tell(ev.Observed("databases", "database:architect", "healthy", "old", "x", "y", {"z": 1}))
    assert story.report()
    with pytest.raises(Exception, match="old"):
        story.offer()
    assert not story.look(after=60).findings


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["begin", "write", "commit", "cpu", "wait", "stop", "end"]),
        st.integers(0, 2),
        st.floats(0.1, 8.0),
    ),
    max_size=25,
)


@pytest.mark.slow
@settings(max_examples=examples(60))
@given(STEPS)
def test_nobody_is_accused_within_busy_for_of_a_sign_of_life(steps):
    story = Story()
    people = [story.somebody() for _ in range(3)]
    try:
        life = story.clock.read().steady
        holder: int | None = None
        for verb, number, seconds in steps:
            who = people[number]
            here = story.machine.identify(who.pid) is not None
            if verb == "begin" and holder is None and here:
                story.locks.begin(PATH, who.pid)
                holder, life = number, story.clock.read().steady
            elif verb == "write" and holder == number:
                story.locks.write(PATH, who.pid)
                life = story.clock.read().steady
            elif verb == "commit" and holder == number:
                story.locks.commit(PATH, who.pid)
                holder = None
            elif verb == "end" and here:
                story.machine.end(who)
                holder = None if holder == number else holder
            elif verb == "stop" and here:
                story.machine.change(who, state="T")
            verdict = story.look(after=seconds)
            locked = [f for f in verdict.findings if f.condition == "locked"]
            if locked:
                assert holder is not None
                assert locked[0].evidence["pid"] == people[holder].pid
                assert story.clock.read().steady - life >= story.database.busy_for
            if verdict.plan is not None:
                # who ended in the midst of writing left a hot journal that nobody has open
                assert verdict.metric_value == ("leftover" if holder is None else "stopped")
    finally:
        story.close()
