"""Readers that pin a large -wal: whom healmon ends, and whom never."""

from __future__ import annotations

import asyncio
import signal

import pytest
from msgspec.structs import replace

from healmon.databases.model import Memory, Order
from healmon.databases.policy import why_reader_stays
from healmon.errors import DataError, ProbeError, RemedyError, VetoError
from healmon.plans import unpack
from healmon.world.simulated.processes import Program
from tests.helpers.dbactor import PINNING, ask, create
from tests.helpers.dbstory import PATH, Notebook, Story
from tests.helpers.dbwatch import files
from tests.helpers.examples import first_fast

LIMITS = {"busy_for": 10.0, "act_after": 120.0, "end_readers": True}
ENDED = "it has just ended"
DEAF = Program(ignores=frozenset({signal.SIGTERM}))


@pytest.fixture
def tell():
    made = []

    def begin(**settings):
        made.append(Story("wal", **{**LIMITS, **settings}))
        return made[-1]

    yield begin
    for one in made:
        one.close()


def grow(story, writer, frames=1200):
    story.locks.begin(PATH, writer.pid)
    for _ in range(frames):
        story.locks.write(PATH, writer.pid)
    story.locks.commit(PATH, writer.pid)


def pinned(story, *argv, **knobs):
    """A worker that reads behind a large -wal, and somebody who wrote it."""
    reader, writer = story.somebody(*(argv or ("report",)), **knobs), story.somebody("writer")
    story.employ(reader)
    story.locks.read(PATH, reader.pid)
    grow(story, writer)
    return reader, writer


def watched(story, seconds=125):
    verdict = story.look()
    for _ in range(seconds // 5):
        verdict = story.look(after=5)
    return verdict


def due(story):
    plan = watched(story).plan
    assert plan is not None
    story.clock.advance(plan.delay)
    return plan


def test_a_worker_that_only_reads_is_ended_after_act_after(tell):
    story = tell()
    reader, _ = pinned(story)
    assert story.look().plan is None
    assert story.look(after=5).plan is None
    verdict = story.look(after=6)
    assert verdict.metric_value == "reader-pins-wal"
    plan = verdict.plan
    assert plan is not None
    assert 108 < plan.delay < 110
    assert (plan.tier, plan.action) == (2, "end_database_reader")
    assert "keeps 1200 frames of the -wal of architect" in plan.why
    assert [step.command for step in plan.steps[:2]] == [
        f"kill -TERM {reader.pid}", f"kill -KILL {reader.pid}",
    ]  # fmt: skip
    story.clock.advance(plan.delay)
    hand = Notebook()
    proof = story.carry_out(plan, hand)
    assert hand.told == [f"send SIGTERM to pid {reader.pid} (report)"]
    assert story.machine.signals == [(reader, signal.SIGTERM)]
    assert f"pid {reader.pid} (report) ended; 1200 frames free 0.0 s after SIG" in proof.text
    assert "nobody pins the -wal" in proof.text
    assert proof.details["ended"] is True
    assert proof.message.startswith("architect: ")
    # no lock was cleared: nobody was kept from writing
    assert "released" not in proof.details
    assert story.look().metric_value == "free"


def test_a_pid_that_another_process_bears_by_now_is_nobody_to_end(tell):
    story = tell()
    pinned(story)
    watched(story)
    (seen,) = asyncio.run(story.healer.look()).databases
    mine = seen.pin.identity
    for identity, why in ((mine, ""), (replace(mine, ticks=mine.ticks + 1), ENDED), (None, ENDED)):
        found = replace(seen, pin=replace(seen.pin, identity=identity))
        assert why_reader_stays(story.database, found, Memory()) == why


def test_a_writer_at_work_meanwhile_changes_nothing(tell):
    story = tell()
    _, writer = pinned(story)
    story.look()
    for number in range(25):
        grow(story, writer, 3)
        if number % 5 == 4:
            # one look falls on a long commit
            story.locks.begin(PATH, writer.pid)
            assert story.look(after=5).metric_value != "reader-pins-wal"
            story.locks.commit(PATH, writer.pid)
        verdict = story.look(after=5)
    assert verdict.plan is not None
    assert verdict.plan.delay == 0.0


def test_what_the_last_one_leaves_is_taken_over(tell):
    story = tell()
    _, writer = pinned(story)
    story.machine.end(writer)
    proof = story.carry_out(due(story))
    assert "quick_check ok" in proof.text
    assert story.mender.healed == [PATH]


def test_the_next_that_pins_is_told(tell):
    story = tell()
    reader, writer = pinned(story)
    other = story.somebody("later")
    story.locks.read(PATH, other.pid)
    grow(story, writer, 1100)
    proof = story.carry_out(due(story))
    assert f"pid {other.pid} pins 1100 frames still" in proof.text
    assert proof.details["pinned_by"] == other.pid
    assert story.machine.signals == [(reader, signal.SIGTERM)]
    # and it is judged for itself: it is nobody's
    assert watched(story).plan is None


def test_one_that_ignores_sigterm_gets_sigkill(tell):
    story = tell()
    reader, _ = pinned(story, program=DEAF)
    proof = story.carry_out(due(story))
    assert [number for _, number in story.machine.signals] == [signal.SIGTERM, signal.SIGKILL]
    assert proof.details["sigkill"] >= 5.0
    assert story.machine.identify(reader.pid) is None


def test_one_that_ends_its_transaction_after_sigterm_lives_on(tell):
    story = tell()
    reader, _ = pinned(story, program=DEAF)
    plan = due(story)
    story.machine.on_signal = lambda: story.locks.commit(PATH, reader.pid)
    proof = story.carry_out(plan)
    assert "let go and lives on; 1200 frames free 0.0 s after SIGTERM; nobody pins" in proof.text
    assert "ended" not in proof.text
    assert proof.details["ended"] is False
    assert [number for _, number in story.machine.signals] == [signal.SIGTERM]


def test_one_that_lives_on_and_reads_anew_is_told_as_it_is(tell):
    story = tell()
    reader, writer = pinned(story, program=DEAF)
    plan = due(story)

    def begins_anew():
        story.locks.commit(PATH, reader.pid)
        story.locks.read(PATH, reader.pid)
        grow(story, writer, 1300)

    story.machine.on_signal = begins_anew
    proof = story.carry_out(plan)
    assert "let go and lives on; 1200 frames free" in proof.text
    assert "it reads anew and pins 1300 frames" in proof.text
    assert (proof.details["ended"], proof.details["pinned_by"]) == (False, reader.pid)
    assert [number for _, number in story.machine.signals] == [signal.SIGTERM]


@pytest.mark.parametrize("deed", ["unpin", "end"])
def test_one_that_can_be_seen_no_more_is_not_told_as_ended(tell, monkeypatch, deed):
    story = tell()
    if deed == "unpin":
        pinned(story, program=DEAF)
        plan = due(story)
    else:
        story.employ(story.holder("w", program=DEAF))
        plan = due(story)

    def blind(identity):
        raise ProbeError("too many open files")

    story.machine.on_signal = lambda: monkeypatch.setattr(story.machine, "inspect", blind)
    with pytest.raises(RemedyError, match=r"nothing can be seen|cannot be read"):
        story.carry_out(plan)
    assert [number for _, number in story.machine.signals] == [signal.SIGTERM]


def test_one_that_works_after_sigterm_is_not_killed(tell):
    story = tell()
    reader, _ = pinned(story, program=DEAF)
    plan = due(story)
    story.machine.on_signal = lambda: story.machine.change(reader, cpu_seconds=60.0)
    with pytest.raises(RemedyError, match=r"did not let go after SIGTERM, but .* has worked since"):
        story.carry_out(plan)
    assert [number for _, number in story.machine.signals] == [signal.SIGTERM]


def test_what_cannot_be_killed_is_a_failure_and_not_tried_again(tell):
    story = tell()
    reader, _ = pinned(story)
    plan = due(story)
    story.machine._world[reader.pid].program = Program(stuck=True)
    with pytest.raises(RemedyError, match="still pins frames"):
        story.carry_out(plan)
    assert story.look(after=120).plan is None
    assert story.facts().why_not == "healmon has acted on it within ten minutes"


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("not asked for", "without end_readers"),
        ("a stranger", "but its own workers and whom may_kill names"),
        ("keep", "keep list"),
        ("container", "namespace"),
        ("D", "waits for its storage"),
        ("T", "is stopped"),
        ("t", "debugger"),
        ("network", "nfs"),
        ("writes", "it writes, too"),
    ],
)
def test_never(tell, case, said, monkeypatch):
    settings = {"end_readers": False} if case == "not asked for" else {}
    if case == "keep":
        settings |= {"keep": ("report",), "may_kill": ("*",)}
    story = tell(**settings)
    reader, _ = pinned(story, **({"namespace": 5} if case == "container" else {}))
    if case == "a stranger":
        story.workers.clear()
    if case in set("DTt"):
        story.machine.change(reader, state=case)
    look = story.locks.look

    def seen(path):
        reading = look(path)
        if case == "network":
            return replace(reading, network="nfs")
        if case == "writes":
            lock = replace(reading.locks[0], pid=reader.pid, name="WAL_WRITE", exclusive=True)
            return replace(reading, locks=(*reading.locks, replace(lock, exact=False)))
        return reading

    monkeypatch.setattr(story.locks, "look", seen)
    verdict = watched(story)
    assert verdict.plan is None
    assert said in story.facts().why_not
    (finding,) = [f for f in verdict.findings if f.condition == "wal-growth"]
    assert finding.evidence["left_alone"] == story.facts().why_not
    if case != "container":
        assert f"kill -TERM {reader.pid}" in finding.message
    with pytest.raises(DataError, match=said):
        story.offer()


def test_whom_may_kill_names_is_ended_and_unlock_may_do_it_at_once(tell):
    story = tell(may_kill=("rep*",), on_stale="alert")
    reader, _ = pinned(story)
    story.workers.clear()
    verdict = watched(story, 20)
    assert verdict.plan is None
    assert "type: healmon unlock architect" in verdict.findings[0].message
    assert "frames free" in story.carry_out(story.offer()).text
    assert story.machine.identify(reader.pid) is None


def test_one_that_works_through_its_rows_is_never_planned_for(tell):
    story = tell()
    reader, _ = pinned(story)
    story.look()
    for number in range(30):
        story.machine.change(reader, cpu_seconds=1.0 * (number + 1))
        verdict = story.look(after=5)
        assert verdict.plan is None or verdict.plan.delay > 100
    assert verdict.metric_value == "reader-pins-wal"


def let_go(story, reader, _writer):
    story.locks.commit(PATH, reader.pid)


def read_anew(story, reader, _writer):
    story.locks.commit(PATH, reader.pid)
    story.locks.read(PATH, reader.pid)


def work(story, reader, _writer):
    story.machine.change(reader, cpu_seconds=60.0)


def write(story, reader, _writer):
    story.locks._databases[PATH].writer = reader.pid


def stop(story, reader, _writer):
    story.machine.change(reader, state="T")


def wait_for_the_disk(story, reader, _writer):
    story.machine.change(reader, state="D")


def dismiss(story, _reader, _writer):
    story.workers.clear()


def reuse(story, reader, _writer):
    mark = story.locks._databases[PATH].readers[reader.pid]
    story.machine.end(reader)
    story.employ(story.somebody("report", pid=reader.pid))
    story.locks.read(PATH, reader.pid)
    story.locks._databases[PATH].readers[reader.pid] = mark


def recreate(story, reader, writer):
    story.locks.create(PATH, "wal")
    story.locks.read(PATH, reader.pid)
    grow(story, writer, 1300)


def hide(story, _reader, _writer):
    story.locks.refuse(PATH, "hangs")


@pytest.mark.parametrize(
    "change",
    [let_go, read_anew, work, write, stop, wait_for_the_disk, dismiss, reuse, recreate, hide],
)
@pytest.mark.parametrize(
    "late", first_fast(True, False), ids=["during the journal", "before the journal"]
)
def test_any_change_before_sigterm_is_a_veto(tell, change, late):
    story = tell()
    reader, writer = pinned(story)
    plan = due(story)
    if late:
        hand = Notebook(lambda: change(story, reader, writer))
    else:
        change(story, reader, writer)
        hand = Notebook()
    with pytest.raises(VetoError):
        story.carry_out(plan, hand)
    assert not story.machine.signals


def test_one_that_begins_to_work_is_not_ended(tell):
    story = tell()
    reader, _ = pinned(story)
    plan = due(story)
    inspect = story.machine.inspect

    def seen(identity):
        if identity == reader:
            story.machine.change(reader, cpu_seconds=inspect(reader).cpu_seconds + 0.02)
        return inspect(identity)

    story.machine.inspect = seen
    with pytest.raises(VetoError, match="at work"):
        story.carry_out(plan)
    assert not story.machine.signals


# With real readers


@pytest.mark.slow
def test_a_real_reader_is_ended_and_the_wal_shrinks(tmp_path, actors, watch):
    path = tmp_path / "a.db"
    create(path, "wal", rows=10)
    old, young, writer = actors(path), actors(path), actors(path)
    old.does("BEGIN")
    old.does("SELECT count(*) FROM rows")
    writer.does(PINNING)
    young.does("BEGIN")
    young.does("SELECT count(*) FROM rows")
    eyes = watch(path, busy_for=0.2, act_after=0.4, end_readers=True)
    eyes.employ(old.pid)
    # nobody can copy back what it pins
    assert writer.does("PRAGMA wal_checkpoint(PASSIVE)")[0][2] == 0
    plan = eyes.due()
    assert unpack(plan.order, Order).pin.pid == old.pid
    hand = Notebook()
    proof = eyes.carry_out(plan, hand)
    assert [text.split()[1] for text in hand.told] == ["SIGTERM"]
    assert old.process.wait(10) == -signal.SIGTERM
    assert "nobody pins the -wal" in proof.text
    # the later reader and the writer are as they were, and the -wal shrinks by itself
    assert young.does("SELECT count(*) FROM rows") == [[1410]]
    young.does("COMMIT")
    assert writer.does("PRAGMA wal_checkpoint(TRUNCATE)")[0][0] == 0
    assert files(path)["-wal"][1] == 0
    assert eyes.look().metric_value == "free"
    assert ask(path, "SELECT count(*) FROM rows") == [[1410]]
    assert ask(path, "PRAGMA integrity_check") == [["ok"]]


STUBBORN = """
import json, signal, sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)


def begin(*_):
    if c.in_transaction:
        c.execute("COMMIT")
    c.execute("BEGIN")
    c.execute("SELECT count(*) FROM rows").fetchall()


signal.signal(signal.SIGTERM, begin)
print(json.dumps("ready"), flush=True)
for line in sys.stdin:
    begin()
    print(json.dumps("reads"), flush=True)
"""


@pytest.mark.slow
def test_a_real_reader_that_begins_anew_is_not_told_as_ended(tmp_path, actors, watch):
    path = tmp_path / "a.db"
    create(path, "wal", rows=10)
    old, writer = actors(path, STUBBORN), actors(path)
    assert old.does("") == "reads"
    writer.does(PINNING)
    eyes = watch(path, busy_for=0.2, act_after=0.4, end_readers=True)
    eyes.employ(old.pid)
    proof = eyes.carry_out(eyes.due())
    assert "let go and lives on" in proof.text
    assert "nobody pins the -wal" in proof.text
    assert proof.details["ended"] is False
    assert old.process.poll() is None
    # what it reads now pins the rest for as long as it likes; that is judged anew
    writer.does(PINNING)
    assert eyes.look().plan is None


@pytest.mark.slow
def test_a_real_reader_that_is_nobodys_or_kept_is_left_alone(tmp_path, actors, watch):
    path = tmp_path / "a.db"
    create(path, "wal", rows=10)
    reader, writer = actors(path), actors(path)
    reader.does("BEGIN")
    reader.does("SELECT count(*) FROM rows")
    writer.does(PINNING)
    for settings in ({"end_readers": False}, {"keep": ("python*",)}):
        eyes = watch(path, **{"busy_for": 0.2, "act_after": 0.4, "end_readers": True, **settings})
        eyes.employ(reader.pid)
        assert f"kill -TERM {reader.pid}" in eyes.finding("wal-growth").findings[0].message
        assert eyes.look().plan is None
    assert reader.does("SELECT count(*) FROM rows") == [[10]]
