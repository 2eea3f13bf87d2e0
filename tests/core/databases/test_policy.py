"""Whom healmon ends for a lock, and whom never, in a made-up world."""

from __future__ import annotations

import asyncio
import signal

import pytest
from msgspec.structs import replace

from healmon.databases.model import Order, Refusal
from healmon.databases.policy import worker_of
from healmon.errors import DataError, RemedyError, VetoError
from healmon.plans import describe, unpack
from healmon.state.views import PlanView
from healmon.world.mending import Mended
from healmon.world.simulated.processes import Program
from tests.helpers.dbstory import PATH, Notebook, Story
from tests.helpers.examples import first_fast

LIMITS = {"busy_for": 10.0, "act_after": 120.0}


@pytest.fixture(params=["rollback", "wal"])
def story(request):
    made = Story(request.param, **LIMITS)
    yield made
    made.close()


@pytest.fixture
def tell():
    made = []

    def begin(*args, **knobs):
        made.append(Story(*args, **{**LIMITS, **knobs}))
        return made[-1]

    yield begin
    for one in made:
        one.close()


def due(story, after=121):
    """Look as often as healmon would; return the plan that is due after so long."""
    story.look()
    for _ in range(after // 5):
        verdict = story.look(after=5)
    plan = verdict.plan
    assert plan is not None
    story.clock.advance(plan.delay)
    return plan


def worker(story, *argv, **knobs):
    who = story.holder(*(argv or ("app",)), **knobs)
    story.employ(who)
    return who


def test_a_worker_that_idles_is_ended_after_act_after(story):
    who = worker(story)
    story.look()
    assert story.look(after=5).plan is None
    verdict = story.look(after=6)
    assert verdict.findings[0].severity == "WARNING"
    assert 108 < verdict.plan.delay < 109
    assert verdict.plan.tier == 2
    assert "belongs to worker w" in verdict.plan.why
    assert [step.command for step in verdict.plan.steps[:2]] == [
        f"kill -TERM {who.pid}", f"kill -KILL {who.pid}",
    ]  # fmt: skip
    assert verdict.findings[0].evidence["worker"] == "w"
    story.clock.advance(109)
    hand = Notebook()
    proof = story.carry_out(verdict.plan, hand)
    assert story.machine.signals == [(who, signal.SIGTERM)]
    assert hand.told == [f"send SIGTERM to pid {who.pid} (app)"]
    assert "ended; lock released 0.0 s after SIGTERM; nothing was left beside it" in proof.text
    assert proof.message.startswith("architect: ")
    assert story.look().metric_value == "free"


def test_one_that_ignores_sigterm_gets_sigkill_after_another_look(story):
    who = worker(story, program=Program(ignores=frozenset({signal.SIGTERM})))
    hand = Notebook()
    proof = story.carry_out(due(story), hand)
    assert [number for _, number in story.machine.signals] == [signal.SIGTERM, signal.SIGKILL]
    assert [text.split()[1] for text in hand.told] == ["SIGTERM", "SIGKILL"]
    assert proof.details["sigkill"] >= 5.0
    assert story.machine.identify(who.pid) is None


def test_one_that_rolls_back_after_sigterm_and_lives_on_is_not_told_as_ended(story):
    who = worker(story, program=Program(ignores=frozenset({signal.SIGTERM})))
    plan = due(story)
    story.machine.on_signal = lambda: story.locks.commit(PATH, who.pid)
    proof = story.carry_out(plan)
    assert "let go and lives on; lock released 0.0 s after SIGTERM" in proof.text
    assert (proof.details["released"], proof.details["ended"]) == (True, False)


def test_one_that_commits_after_sigterm_is_no_target_any_more(story):
    who = worker(story, program=Program(ignores=frozenset({signal.SIGTERM})))

    def go_on():
        story.locks.commit(PATH, who.pid)
        story.locks.begin(PATH, who.pid)

    plan = due(story)
    story.machine.on_signal = go_on
    with pytest.raises(RemedyError, match=r"did not let go after SIGTERM, but .* moved on"):
        story.carry_out(plan)
    assert [number for _, number in story.machine.signals] == [signal.SIGTERM]


def test_what_cannot_be_killed_is_a_failure(story):
    who = worker(story)
    plan = due(story)
    story.machine._world[who.pid].program = Program(stuck=True)
    with pytest.raises(RemedyError, match=r"still holds .* after SIGKILL"):
        story.carry_out(plan)
    # nobody is tried again within ten minutes
    verdict = story.look(after=60)
    assert verdict.plan is None
    assert story.facts().why_not == "healmon has acted on it within ten minutes"


def test_what_it_leaves_is_taken_over_when_nobody_else_is_there(story):
    who = worker(story)
    story.locks.write(PATH, who.pid, spilled=True)
    if story.locks.look(PATH).mode == "wal":
        story.locks.commit(PATH, who.pid)
        story.locks.begin(PATH, who.pid)
    hand = Notebook()
    proof = story.carry_out(due(story), hand)
    assert story.mender.healed == [PATH]
    assert "quick_check ok, copy in /state/databases/architect/" in proof.text
    assert proof.details["quick_check"] == ["ok"]
    assert hand.told[-1] == "take over what a crash left beside architect"
    assert story.look().metric_value == "free"


def test_what_it_leaves_is_left_to_others_that_have_it_open(story):
    who = worker(story)
    story.locks.write(PATH, who.pid, spilled=True)
    story.locks.connect(PATH, story.somebody("other").pid)
    proof = story.carry_out(due(story))
    assert story.mender.healed == []
    assert proof.details["released"] is True


DAMAGED = Mended(word="damaged", text="the -wal is damaged", kept="/state/x")


def crashed(story):
    who = story.holder()
    story.locks.write(PATH, who.pid, spilled=True)
    if story.locks.look(PATH).mode == "wal":
        story.locks.commit(PATH, who.pid)
    story.machine.end(who)


@pytest.mark.parametrize("word", ["damaged", "mispaired"])
def test_damage_is_told_and_not_tried_again_while_it_is_the_same(story, word):
    crashed(story)
    story.look()
    story.mender.answers = [replace(DAMAGED, word=word)]
    plan = story.look(after=10).plan
    with pytest.raises(RemedyError, match="the -wal is damaged; all of it is copied to /state/x"):
        story.carry_out(plan)
    for _ in range(2):
        verdict = story.look(after=60)
        (finding,) = verdict.findings
        assert (finding.condition, finding.severity) == (f"left-{word}", "CRITICAL")
        assert "/state/x" in finding.message
        assert verdict.plan is None
    with pytest.raises(DataError):
        story.offer()
    # it outlives healmon, and ends with what it is about
    story.healer._refused.clear()
    assert story.look().findings
    story.locks.take_over(PATH)
    assert not story.look().findings


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (Mended(word="full", text="x"), VetoError, "free space first"),
        (Mended(word="live", text="x"), VetoError, "in use"),
        (Mended(word="failed", text="no idea"), RemedyError, "no idea"),
        (Mended(word="corrupt", check=("row 1 missing",)), RemedyError, "row 1 missing"),
    ],
)
def test_each_answer_of_the_mender_is_told_as_it_is(story, answer, error, said):
    crashed(story)
    story.look()
    story.mender.answers = [answer]
    with pytest.raises(error, match=said):
        story.carry_out(story.look(after=10).plan)


def test_what_came_to_nothing_is_not_tried_at_once_and_later_again(story):
    crashed(story)
    story.look()
    story.mender.answers = [Mended(word="full", text="x")]
    with pytest.raises(VetoError):
        story.carry_out(story.look(after=10).plan)
    verdict = story.look()
    assert verdict.plan is None
    (finding,) = verdict.findings
    assert (finding.condition, finding.severity) == ("left-full", "WARNING")
    assert story.look(after=30).plan is None
    # a person may at any time
    assert story.offer()
    plan = story.look(after=31).plan
    assert "quick_check ok" in story.carry_out(plan).text
    assert not story.look().findings


def test_a_mender_that_hangs_is_a_veto(story):
    crashed(story)
    story.look()
    story.mender.hangs = True
    with pytest.raises(VetoError, match="nothing is lost"):
        story.carry_out(story.look(after=10).plan)


@pytest.mark.parametrize("change", ["come", "crash again", "taken over", "dotfile", "network"])
def test_any_change_beside_a_leftover_is_a_veto(story, change, monkeypatch):
    crashed(story)
    story.look()
    plan = story.look(after=10).plan

    def change_it():
        if change == "come":
            story.locks.connect(PATH, story.somebody().pid)
        elif change == "crash again":
            crashed(story)
        elif change == "taken over":
            story.locks.take_over(PATH)
        elif change == "dotfile":
            story.locks.lock_by_directory(PATH, 5)
        else:
            look = story.locks.look
            monkeypatch.setattr(story.locks, "look", lambda p: replace(look(p), network="nfs"))

    hand = Notebook(change_it)
    with pytest.raises(VetoError):
        story.carry_out(plan, hand)
    assert story.mender.healed == []


# Who is a worker's


def test_what_a_worker_started_is_its_own(tell):
    story = tell()
    parent = story.somebody("app")
    story.employ(parent)
    child = story.holder("app", parent=parent.pid)
    plan = due(story)
    assert f"kill -TERM {child.pid}" in "\n".join(describe(plan))


def test_an_orphan_in_its_session_is_its_own_and_a_later_one_is_not(tell):
    story = tell()
    parent = story.somebody("app")
    story.machine.lead(parent)
    orphan = story.somebody("app", parent=parent.pid)
    line = (story.machine.inspect(orphan),)
    assert worker_of(line, {"w": (parent,)}) == "w"
    older = replace(parent, ticks=orphan.ticks + 1)
    assert worker_of(line, {"w": (older,)}) == ""
    assert worker_of(line, {"w": (replace(parent, boot="other"),)}) == ""
    # somebody else has the leader's pid: the session of that number is his
    assert worker_of(line, {"w": (parent,)}, parent) == "w"
    assert worker_of(line, {"w": (parent,)}, replace(parent, ticks=parent.ticks + 5)) == ""


def test_a_tmux_server_below_a_worker_and_what_runs_in_it_are_not(tell):
    story = tell()
    parent = story.somebody("app")
    story.employ(parent)
    server = story.somebody("tmux: server", parent=parent.pid)
    story.machine.lead(server)
    shell = story.somebody("bash", parent=server.pid)
    story.holder("sqlite3", parent=shell.pid)
    story.look()
    assert story.look(after=130).plan is None
    assert story.facts().holder.worker == ""


def test_nobody_elses_process_is_ended(story):
    story.holder("app")
    story.look()
    verdict = story.look(after=130)
    assert verdict.plan is None
    assert "but its own workers and whom may_kill names" in story.facts().why_not
    assert "kill -TERM" in verdict.findings[0].message


@pytest.mark.parametrize("pattern", ["report*", "*/report.py*", "python3 /x/report.py --all"])
def test_whom_may_kill_names_is_ended(tell, pattern):
    name = "report" if pattern == "report*" else "python3"
    story = tell(may_kill=(pattern,))
    story.holder(name, "/x/report.py", "--all")
    assert unpack(due(story).order, Order).deed == "end"


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("keep", "keep list"),
        ("container", "namespace"),
        ("exclusive", "exclusive locking mode"),
        ("reader", "waits for a reader"),
        ("network", "nfs"),
    ],
)
def test_never(tell, case, said, monkeypatch):
    settings = {"keep": ("app",)} if case == "keep" else {}
    story = tell(may_kill=("*",), **settings)
    knobs = {"namespace": 5} if case == "container" else {}
    who = worker(story, "app", **knobs)
    look = story.locks.look

    def seen(path):
        reading = look(path)
        if case == "network":
            return replace(reading, network="nfs")
        if case in {"exclusive", "reader"}:
            name = {"exclusive": "EXCLUSIVE", "reader": "PENDING"}[case]
            lock = replace(reading.writer, name=name) if reading.writer else None
            other = replace(lock, name="SHARED", pid=who.pid + 1, exact=False, exclusive=False)
            more = (lock, other) if case == "reader" else (lock,)
            return replace(reading, locks=tuple(sorted({*reading.locks, *more})))
        return reading

    monkeypatch.setattr(story.locks, "look", seen)
    story.look()
    verdict = story.look(after=130)
    assert verdict.plan is None
    assert said in story.facts().why_not
    assert verdict.status == "critical"


@pytest.mark.parametrize("state", ["D", "t"])
def test_neither_who_waits_for_a_disk_nor_who_is_debugged(tell, state):
    story = tell(may_kill=("*",))
    who = worker(story)
    story.machine.change(who, state=state)
    story.look()
    assert story.look(after=130).plan is None


def commit(story, who):
    story.locks.commit(PATH, who.pid)


def commit_and_begin(story, who):
    story.locks.commit(PATH, who.pid)
    story.locks.begin(PATH, who.pid)


def work(story, who):
    story.machine.change(who, cpu_seconds=60.0)


def work_a_little(story, who):
    """Less than would count over two minutes, but now."""
    inspect = story.machine.inspect

    def seen(identity):
        if identity == who:
            story.machine.change(who, cpu_seconds=inspect(who).cpu_seconds + 0.02)
        return inspect(identity)

    story.machine.inspect = seen


def stop(story, who):
    story.machine.change(who, state="T")


def wait_for_the_disk(story, who):
    story.machine.change(who, state="D")


def dismiss(story, who):
    story.workers.clear()


def reuse(story, who):
    story.machine.end(who)
    story.locks.end(who.pid)
    story.locks.begin(PATH, story.somebody("app", pid=who.pid).pid)


def move_away(story, who):
    story.machine.change(who, namespace=5)


def hide(story, who):
    story.locks.refuse(PATH, "hangs")


@pytest.mark.parametrize(
    "change",
    [commit, commit_and_begin, work, stop, wait_for_the_disk, dismiss, reuse, move_away, hide],
)
@pytest.mark.parametrize(
    "late", first_fast(True, False), ids=["during the journal", "before the journal"]
)
def test_any_change_before_sigterm_is_a_veto(story, change, late):
    who = worker(story)
    plan = due(story)
    if late:
        hand = Notebook(lambda: change(story, who))
    else:
        change(story, who)
        hand = Notebook()
    with pytest.raises(VetoError):
        story.carry_out(plan, hand)
    assert not story.machine.signals


def test_one_that_begins_to_work_again_is_not_ended(story):
    who = worker(story)
    plan = due(story)
    work_a_little(story, who)
    with pytest.raises(VetoError, match="at work"):
        story.carry_out(plan)
    assert not story.machine.signals


def test_at_most_one_is_ended_at_a_time(tell):
    from healmon.config.settings import Database
    from healmon.databases.diagnose import diagnose
    from healmon.databases.model import Seen

    story = tell()
    who = worker(story)
    story.look()
    story.clock.advance(30)
    seen = asyncio.run(story.healer.look()).databases[0]
    names = ("architect", "b", "c")
    databases = tuple(Database(name=name, path=PATH, **LIMITS) for name in names)
    known = replace(
        story.known,
        memory={f"database:{n}": story.known.memory["database:architect"] for n in names},
    )
    all_seen = Seen(tuple(replace(seen, name=name) for name in names))
    found = diagnose(all_seen, databases, known, story.clock.read())
    assert [v.plan is not None for v in found.verdicts] == [True, False, False]
    assert found.hold == ("database:b", "database:c")
    assert who
    # who has got its signal a moment ago gets none for another of its databases
    plan = replace(found.verdicts[0].plan, component="database:c")
    view = PlanView(plan, acting=True, made_at=0.0, due=0.0, due_wall=0.0)
    known = replace(known, plans={plan.component: view})
    found = diagnose(all_seen, databases, known, story.clock.read())
    assert [v.plan is not None for v in found.verdicts] == [False, False, True]


# Directories, deleted files, more names


def test_a_lock_directory_is_removed_only_when_asked(tell):
    story = tell()
    story.locks.lock_by_directory(PATH, 5)
    story.look()
    verdict = story.look(after=11)
    assert verdict.metric_value == "dotfile-lock"
    assert "healmon unlock architect" in verdict.findings[0].message
    assert verdict.plan is None
    assert story.report()[-1].strip().startswith("⚠️")
    plan = story.offer()
    assert "gone" in story.carry_out(plan).text
    assert story.look().metric_value == "free"


def test_a_lock_directory_that_has_changed_stays(tell):
    story = tell()
    story.locks.lock_by_directory(PATH, 5)
    story.look()
    story.look(after=11)
    plan = story.offer()
    story.locks.lock_by_directory(PATH, 6)
    with pytest.raises(VetoError):
        story.carry_out(plan)
    story.locks.connect(PATH, story.somebody().pid)
    story.look()
    with pytest.raises(DataError, match="has it open"):
        story.offer()
    assert story.locks.look(PATH).dotfile is not None


def test_a_refusal_of_another_file_is_forgotten(tell):
    story = tell()
    story.healer.keep_refused("architect", Refusal((1, 999, 1), "corrupt", "ill"))
    assert not story.look().findings
    reading = story.locks.look(PATH)
    mark = (reading.device, reading.inode, reading.db.size)
    story.healer.keep_refused("architect", Refusal(mark, "corrupt", "ill"))
    assert [f.condition for f in story.look().findings] == ["left-corrupt"]
    assert [f.condition for f in story.look().findings] == ["left-corrupt"]
    story.locks.remove(PATH)
    story.look()
    story.locks.create(PATH)
    assert not story.look().findings


@pytest.mark.parametrize("after", ["unseen", "unheard"])
def test_a_refusal_waits_for_a_look_that_sees_the_database_and_is_heard(tell, after):
    story = tell()
    reading = story.locks.look(PATH)
    mark = (reading.device, reading.inode, reading.db.size)
    story.healer.keep_refused("architect", Refusal(mark, "corrupt", "ill"))
    if after == "unseen":
        story.locks.refuse(PATH, "permission")
        assert story.look().metric_value == "cannot-look"
        story.locks.refuse(PATH, None)
    else:
        asyncio.run(story.healer.look())
    assert [f.condition for f in story.look().findings] == ["left-corrupt"]
