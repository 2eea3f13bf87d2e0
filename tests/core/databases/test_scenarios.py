"""Thirty situations of SQLite locks by their numbers, with real processes: looking and ending.

Numbers 20 to 25 and 28, what a crash left, are in `test_healing`.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest
from msgspec.structs import replace

from healmon.databases import ending, remedy
from healmon.databases.model import Order
from healmon.errors import DataError, RemedyError, VetoError
from healmon.plans import pack, unpack
from tests.helpers.dbactor import PINNING, PROGRAM, ask, create, whole
from tests.helpers.dbstory import Notebook
from tests.helpers.dbwatch import files
from tests.helpers.tmuxes import PrivateTmux
from tests.helpers.wait import until

pytestmark = pytest.mark.slow

SOON = {"busy_for": 0.3, "act_after": 0.6}
LIBRARY = f"SQLite {sqlite3.sqlite_version}"


def test_01_a_clean_database_is_free_and_stays_as_it_is(tmp_path, watch, mode):
    path = tmp_path / "data" / "a.db"
    path.parent.mkdir()
    create(path, mode)
    before = files(path)
    eyes = watch(path, state=tmp_path / "state")
    assert [eyes.word() for _ in range(10)] == ["free"] * 10
    assert files(path) == before
    assert [entry.name for entry in path.parent.iterdir()] == ["a.db"]


def test_02_idle_connections_are_free(tmp_path, actors, watch, mode):
    path = tmp_path / "a.db"
    create(path, mode)
    for _ in range(3):
        actors(path).does("SELECT count(*) FROM rows")
    assert watch(path).word() == "free"


@pytest.mark.parametrize("writers", [1, 3])
def test_03_fast_writers_are_busy_and_never_alarm(tmp_path, actors, watch, mode, writers):
    path = tmp_path / "a.db"
    create(path, mode)
    for _ in range(writers):
        actors(path).loop()
    # shorter than all looks take together, longer than a busy disk may take for a commit
    eyes = watch(path, may_kill=("*",), busy_for=2.0, act_after=2.5)
    seen = [eyes.look() for _ in range(40)]
    assert not [v for v in seen if v.findings or v.plan]
    words = [v.metric_value for v in seen]
    # a look may fall on a writer that waits for its disk: the busier that is, the more often
    assert sum(word in {"free", "busy", "working"} for word in words) >= 0.5 * len(words), words
    assert "busy" in words


def test_04_one_long_statement_is_work(tmp_path, actors, watch, mode):
    path = tmp_path / "a.db"
    create(path, mode)
    holder = actors(path)
    holder.does("BEGIN IMMEDIATE")
    # it never waits for a disk, and comes to no end
    holder.send(
        "INSERT INTO rows(text) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "SELECT count(*) FROM n"
    )
    eyes = watch(path, may_kill=("*",), **SOON)
    eyes.until(lambda v: v.metric_value == "working", "the work")
    for _ in range(4):
        verdict = eyes.look()
        assert verdict.metric_value == "working"
        assert verdict.plan is None


def test_05_an_idle_worker_is_named_ended_and_costs_no_row(tmp_path, actors, watch, mode):
    path = tmp_path / "a.db"
    create(path, mode)
    for _ in range(3):
        actors(path).does("SELECT count(*) FROM rows")
    holder = actors(path)
    holder.does("BEGIN IMMEDIATE")
    holder.does("INSERT INTO rows(text) VALUES ('not committed')")
    eyes = watch(path, **SOON)
    eyes.employ(holder.pid)
    plan = eyes.due()
    facts = eyes.facts()
    assert facts.holder is not None
    assert (facts.holder.pid, facts.holder.worker) == (holder.pid, "w")
    assert len(facts.others) == 3
    assert LIBRARY in facts.warning or not facts.warning
    (finding,) = eyes.look().findings
    for key in ("pid", "started", "user", "command", "cwd", "locks", "wal_size", "since", "worker"):
        assert finding.evidence[key] not in ("", None), key
    hand = Notebook()
    proof = eyes.carry_out(plan, hand)
    assert hand.told[0].startswith(f"send SIGTERM to pid {holder.pid} (python")
    assert not any("SIGKILL" in text for text in hand.told)
    assert "lock released" in proof.text
    assert proof.details["released"] is True
    assert holder.process.wait(60) == -signal.SIGTERM
    whole(path, 500)


DEAF = "import signal\nfor n in (2, 15): signal.signal(n, signal.SIG_IGN)\n" + PROGRAM


def test_06_one_that_ignores_sigterm_is_killed(tmp_path, actors, watch, mode, monkeypatch):
    monkeypatch.setattr(ending, "TERM_WAIT", 1.0)
    path = tmp_path / "a.db"
    create(path, mode)
    holder = actors(path, DEAF)
    holder.does("BEGIN IMMEDIATE")
    holder.does("INSERT INTO rows(text) VALUES ('not committed')")
    eyes = watch(path, **SOON)
    eyes.employ(holder.pid)
    hand = Notebook()
    proof = eyes.carry_out(eyes.due(), hand)
    assert [text.split()[1] for text in hand.told[:2]] == ["SIGTERM", "SIGKILL"]
    assert proof.details["sigkill"] >= 1.0
    assert holder.process.wait(60) == -signal.SIGKILL
    whole(path, 500)


def test_07_spilled_pages_leave_a_hot_journal_that_is_healed(tmp_path, actors, watch):
    path = tmp_path / "a.db"
    create(path, rows=3000)
    holder = actors(path)
    holder.does("PRAGMA cache_size=5")
    holder.does("BEGIN")
    holder.does("UPDATE rows SET text = 'spilled pages'")
    before = files(path)
    eyes = watch(path, **SOON)
    eyes.employ(holder.pid)
    proof = eyes.carry_out(eyes.due())
    assert "hot journal rolled back, quick_check ok" in proof.text
    assert proof.details["quick_check"] == ["ok"]
    assert "-journal" not in files(path)
    (copy,) = eyes.copies()
    assert (copy / "a.db-journal").stat().st_size == before["-journal"][1]
    assert ask(path, "SELECT count(*) FROM rows WHERE text = 'x'") == [[3000]]
    whole(path, 3000)


def test_08_a_stopped_holder_is_continued_and_nothing_else(tmp_path, actors, watch, mode):
    path = tmp_path / "a.db"
    create(path, mode)
    holder = actors(path)
    holder.does("BEGIN IMMEDIATE")
    holder.does("INSERT INTO rows(text) VALUES ('the 501st')")
    holder.stop()
    # it will read this only once it runs again
    holder.send("COMMIT")
    before = files(path)
    eyes = watch(path, may_kill=("*",), **SOON)
    plan = eyes.due()
    assert eyes.word() == "stopped"
    assert files(path) == before
    hand = Notebook()
    proof = eyes.carry_out(plan, hand)
    assert [text.split()[1] for text in hand.told] == ["SIGCONT"]
    # the look may fall into its commit: the file has changed, the lock is not let go yet
    assert "lock released" in proof.text or "commits again" in proof.text
    assert holder.answer() == []
    assert holder.state() != "T"
    whole(path, 501)


def test_08b_one_that_holds_on_after_sigcont_is_told_and_left_alone_for_ten_minutes(
    tmp_path, actors, watch, monkeypatch
):
    monkeypatch.setattr(remedy, "WITHIN", 1.0)
    path = tmp_path / "a.db"
    create(path)
    holder = actors(path)
    holder.does("BEGIN IMMEDIATE")
    holder.stop()
    eyes = watch(path, **SOON)
    eyes.employ(holder.pid)
    proof = eyes.carry_out(eyes.due())
    assert "still holds" in proof.text
    assert proof.message == ""
    verdict = eyes.finding()
    eyes.until(lambda v: v.status == "critical", "the end of its time")
    assert verdict.plan is None
    assert eyes.facts().why_not == "healmon has continued it within ten minutes"
    assert holder.does("COMMIT") == []


def test_09_a_zombie_holds_nothing(tmp_path, actors, watch, mode):
    path = tmp_path / "a.db"
    create(path, mode)
    holder = actors(path)
    holder.does("BEGIN IMMEDIATE")
    holder.does("INSERT INTO rows(text) VALUES ('x')")
    holder.stop()
    eyes = watch(path, may_kill=("*",), **SOON)
    assert eyes.word() == "stopped"
    os.kill(holder.pid, signal.SIGKILL)
    until(lambda: holder.state() == "Z", what="the zombie")
    assert eyes.look().metric_value in {"free", "leftover"}
    assert eyes.facts().holder is None


HEADLESS = """
import ctypes, json, sqlite3, sys, threading, time
def hold():
    connection = sqlite3.connect(sys.argv[1], isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    print(json.dumps("ready"), flush=True)
    time.sleep(600)
threading.Thread(target=hold).start()
ctypes.CDLL(None).pthread_exit(None)
"""


def test_10_a_process_whose_first_thread_has_ended_is_named_and_ended(tmp_path, actors, watch):
    path = tmp_path / "a.db"
    create(path)
    holder = actors(path, HEADLESS)
    until(lambda: holder.state() == "Z", what="the end of its first thread")
    if shutil.which("lsof"):
        seen = subprocess.run(["lsof", "-t", path], capture_output=True, text=True).stdout.split()
        assert str(holder.pid) not in seen
    eyes = watch(path, **SOON)
    eyes.employ(holder.pid)
    plan = eyes.due()
    facts = eyes.facts()
    assert facts.holder is not None
    assert facts.holder.pid == holder.pid
    assert "lock released" in eyes.carry_out(plan).text
    whole(path, 500)


def test_11_a_pool_that_forked_is_one_holder(tmp_path, actors, watch):
    path = tmp_path / "a.db"
    create(path)
    holder = actors(path)
    holder.does("BEGIN IMMEDIATE")
    children = holder.does("FORK 2")
    verdict = watch(path, **SOON).finding()
    assert verdict.findings[0].evidence["pid"] == holder.pid
    assert set(verdict.findings[0].evidence["open_too"]) == set(children)
    assert verdict.plan is None


ORPHAN = """
import json, os, sqlite3, sys, time
if os.fork():
    sys.stdin.readline()
    os._exit(0)
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print(json.dumps("ready"), flush=True)
print(json.dumps(os.getpid()), flush=True)
time.sleep(600)
"""


def test_12_an_orphan_of_a_worker_is_its_workers(tmp_path, actors, watch, mode):
    path = tmp_path / "a.db"
    create(path, mode)
    parent = actors(path, ORPHAN)
    orphan = parent.answer()
    try:
        eyes = watch(path, **SOON)
        eyes.employ(parent.pid)
        parent.send("end")
        parent.process.wait(60)
        plan = eyes.due()
        facts = eyes.facts()
        assert facts.holder is not None
        assert (facts.holder.pid, facts.holder.worker) == (orphan, "w")
        assert "lock released" in eyes.carry_out(plan).text
        whole(path, 500)
    finally:
        with suppress(ProcessLookupError):
            os.kill(orphan, signal.SIGKILL)


@pytest.fixture
def tmux(tmp_path_factory):
    if not (shutil.which("tmux") and shutil.which("sqlite3")):
        pytest.skip("needs tmux and the sqlite3 shell")
    import tempfile

    with tempfile.TemporaryDirectory(prefix="hm", dir="/tmp") as base:
        server = PrivateTmux(Path(base))
        yield server
        server.run("kill-server")


def written_to(path: Path) -> bool:
    """Return whether somebody may write; who tried it instead would be in the way."""
    rows = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    number = str(path.stat().st_ino)
    return any(row[3] == "WRITE" and row[5].split(":")[2] == number for row in rows)


def shell(tmux: PrivateTmux, path: Path) -> tuple[str, int]:
    pane = tmux.new("people", f"sqlite3 {path}")
    until(lambda: tmux.screen(pane).rstrip().endswith("sqlite>"), what="the prompt")
    tmux.run("send-keys", "-t", pane, "-l", "BEGIN IMMEDIATE\\;")
    tmux.run("send-keys", "-t", pane, "Enter")
    until(lambda: written_to(path), what="its lock")
    return pane, int(tmux.ask(pane, "pane_pid"))


def test_13_a_forgotten_shell_is_told_to_roll_back(tmp_path, watch, tmux):
    path = tmp_path / "a.db"
    create(path)
    pane, pid = shell(tmux, path)
    eyes = watch(path, sockets=[tmux.socket], rollback_shells=True, **SOON)
    plan = eyes.due()
    facts = eyes.facts()
    assert facts.holder is not None
    assert (facts.holder.pid, facts.holder.name) == (pid, "sqlite3")
    assert facts.holder.tty.startswith("pts/")
    assert facts.holder.pane == f"people:0.0 ({pane})"
    proof = eyes.carry_out(plan)
    assert "told to ROLLBACK; lock released" in proof.text
    assert "the shell lives on" in proof.text
    assert Path(f"/proc/{pid}").exists()
    assert ask(path, "BEGIN IMMEDIATE") == []


def test_13b_a_half_typed_statement_is_left_alone(tmp_path, watch, tmux):
    path = tmp_path / "a.db"
    create(path)
    pane, _ = shell(tmux, path)
    tmux.run("send-keys", "-t", pane, "-l", "DELETE FROM rows WHERE")
    until(lambda: "WHERE" in tmux.screen(pane), what="the text")
    eyes = watch(path, sockets=[tmux.socket], rollback_shells=True, **SOON)
    with pytest.raises(VetoError, match=r"prompt|terminal"):
        eyes.carry_out(eyes.due())
    assert "ROLLBACK" not in tmux.screen(pane)


def test_13c_without_the_option_a_shell_is_only_told(tmp_path, watch, tmux):
    path = tmp_path / "a.db"
    create(path)
    pane, _ = shell(tmux, path)
    eyes = watch(path, sockets=[tmux.socket], **SOON)
    verdict = eyes.finding()
    assert verdict.plan is None
    assert f"ROLLBACK; or COMMIT; at its prompt on people:0.0 ({pane})" in (
        verdict.findings[0].message
    )


APART = ["unshare", "--pid", "--fork", "--mount-proc"]


def in_namespace() -> bool:
    if os.geteuid() != 0 or not shutil.which("unshare"):
        return False
    return subprocess.run([*APART, "true"], capture_output=True).returncode == 0


def test_14_a_holder_in_a_container_is_named_and_left_alone(tmp_path, actors, watch):
    if not in_namespace():
        pytest.skip("needs root and pid namespaces")
    path = tmp_path / "a.db"
    create(path)
    inner = actors(path, under=[*APART, "--kill-child"])
    inner.does("BEGIN IMMEDIATE")
    eyes = watch(path, may_kill=("*",), **SOON)
    verdict = eyes.finding()
    pid = verdict.findings[0].evidence["pid"]
    assert pid not in {0, inner.pid}
    assert str(path) in Path(f"/proc/{pid}/cmdline").read_text()
    assert verdict.plan is None
    assert "pid namespace" in eyes.facts().why_not
    with pytest.raises(DataError, match="namespace"):
        eyes.offer()


INSIDE = """
import sys
sys.path[:0] = sys.argv[1:3]
from pathlib import Path
from tests.helpers.dbwatch import Watch
eyes = Watch(Path(sys.argv[3]), busy_for=0.3, act_after=0.6, may_kill=("*",))
verdict = eyes.finding()
print(verdict.metric_value, verdict.plan, eyes.facts().holder.pid)
print(verdict.findings[0].message)
eyes.close()
"""


def test_15_a_monitor_in_a_container_says_that_it_cannot_name_the_holder(tmp_path, actors):
    if not in_namespace():
        pytest.skip("needs root and pid namespaces")
    path = tmp_path / "a.db"
    create(path)
    holder = actors(path)
    holder.does("BEGIN IMMEDIATE")
    root = Path(__file__).parents[3]
    out = subprocess.run(
        [*APART, sys.executable, "-c", INSIDE, root, root / "core", path],
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert out.stdout.startswith("other-namespace None 0\n"), out.stderr
    assert "another container or host" in out.stdout


def test_16_another_process_with_the_same_pid_is_left_alone(tmp_path, actors, watch):
    path = tmp_path / "a.db"
    create(path)
    holder = actors(path)
    holder.does("BEGIN IMMEDIATE")
    eyes = watch(path, **SOON)
    eyes.employ(holder.pid)
    plan = eyes.due()
    order = unpack(plan.order, Order)
    assert order.hold is not None
    former = replace(order, hold=replace(order.hold, ticks=order.hold.ticks - 1))
    with pytest.raises(VetoError, match="another process"):
        eyes.carry_out(replace(plan, order=pack(former)))
    assert holder.does("COMMIT") == []


def test_17_a_lock_released_in_between_ends_nobody(tmp_path, actors, watch, mode):
    path = tmp_path / "a.db"
    create(path, mode)
    holder = actors(path)
    holder.does("BEGIN IMMEDIATE")
    eyes = watch(path, **SOON)
    eyes.employ(holder.pid)
    plan = eyes.due()
    # also after the first of the two last looks
    with pytest.raises(VetoError, match="free"):
        eyes.carry_out(plan, Notebook(lambda: holder.does("COMMIT")))
    assert holder.does("SELECT count(*) FROM rows") == [[500]]


@pytest.mark.parametrize("kept", [True, False])
def test_18_an_exclusive_service_is_named_and_left_alone(tmp_path, actors, watch, mode, kept):
    path = tmp_path / "a.db"
    create(path, mode)
    service = actors(path)
    service.does("PRAGMA locking_mode=EXCLUSIVE")
    service.does("INSERT INTO rows(text) VALUES ('x')")
    settings = {"keep": ("*python*",)} if kept else {}
    eyes = watch(path, may_kill=("*",), **settings, **SOON)
    eyes.employ(service.pid)
    eyes.until(lambda v: v.status == "critical", "the end of its time")
    verdict = eyes.look()
    assert verdict.plan is None
    assert verdict.findings[0].evidence["pid"] == service.pid
    assert eyes.facts().why_not == (
        "it is on the keep list" if kept else "it may be in exclusive locking mode"
    )
    assert service.does("INSERT INTO rows(text) VALUES ('y')") == []


def test_18b_the_keep_list_wins_over_a_worker(tmp_path, actors, watch):
    path = tmp_path / "a.db"
    create(path)
    holder = actors(path)
    holder.does("BEGIN IMMEDIATE")
    eyes = watch(path, keep=("python*",), **SOON)
    eyes.employ(holder.pid)
    eyes.until(lambda v: v.status == "critical", "the end of its time")
    assert eyes.look().plan is None
    assert holder.does("COMMIT") == []


def test_19_the_older_of_two_readers_pins_the_wal(tmp_path, actors, watch):
    path = tmp_path / "a.db"
    create(path, "wal", rows=10)
    old, young, writer = actors(path), actors(path), actors(path)
    old.does("BEGIN")
    old.does("SELECT count(*) FROM rows")
    writer.does("PRAGMA wal_autocheckpoint=0")
    for turn in range(2):
        writer.does(PINNING)
        if not turn:
            young.does("BEGIN")
            young.does("SELECT count(*) FROM rows")
    eyes = watch(path, busy_for=0.3)
    verdict = eyes.finding("wal-growth")
    evidence = verdict.findings[0].evidence
    assert evidence["pid"] == old.pid
    assert evidence["pinned_frames"] >= 2800
    assert verdict.plan is None
    old.does("COMMIT")
    young.does("COMMIT")


DOTFILE = """
import json, sqlite3, sys
connection = sqlite3.connect(f"file:{sys.argv[1]}?vfs=unix-dotfile", uri=True, isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print(json.dumps("ready"), flush=True)
sys.stdin.readline()
"""


def test_26_a_dotfile_lock_is_stale_only_without_its_owner(tmp_path, actors, watch):
    path = tmp_path / "a.db"
    create(path)
    holder = actors(path, DOTFILE)
    eyes = watch(path, **SOON)
    verdict = eyes.finding()
    assert verdict.metric_value == "dotfile-lock"
    assert eyes.facts().others == (holder.pid,)
    assert f"pid {holder.pid} has it open" in verdict.findings[0].message
    assert verdict.plan is None
    with pytest.raises(DataError, match="somebody has it open"):
        eyes.offer()
    holder.end()
    assert Path(f"{path}.lock").is_dir()
    eyes.until(lambda v: not eyes.facts().others, "its end")
    # by itself healmon removes no directory that any script may have made
    assert eyes.look().plan is None
    if "rmdir" in eyes.facts().why_not:
        pytest.skip("some processes here cannot be looked into, even by root")
    assert "nobody has it open: stale" in eyes.look().summary
    proof = eyes.carry_out(eyes.offer())
    assert "gone" in proof.text
    assert not Path(f"{path}.lock").exists()
    whole(path, 500)


def test_26b_a_lock_directory_beside_other_locks_is_an_alarm(tmp_path, actors, watch):
    path = tmp_path / "a.db"
    create(path)
    actors(path, DOTFILE)
    other = actors(path)
    other.does("BEGIN IMMEDIATE")
    verdict = watch(path, busy_for=0.3).finding("mixed-locking")
    assert verdict.status == "critical"
    assert other.does("COMMIT") == []


def test_27_a_stale_snapshot_blames_nobody(tmp_path, actors, watch):
    path = tmp_path / "a.db"
    create(path, "wal")
    late, quick = actors(path), actors(path)
    late.does("BEGIN")
    late.does("SELECT count(*) FROM rows")
    quick.does("INSERT INTO rows(text) VALUES ('x')")
    assert "locked" in str(late.does("INSERT INTO rows(text) VALUES ('too late')"))
    eyes = watch(path, **SOON)
    assert [eyes.word() for _ in range(5)] == ["free"] * 5
    assert eyes.facts().holder is None


HUMBLE = """
import os, sys
sys.path[:0] = sys.argv[1:3]
from pathlib import Path
from tests.helpers.dbwatch import Watch
from healmon.errors import DataError
eyes = Watch(Path(sys.argv[3]), busy_for=0.3, act_after=0.6, may_kill=("*",))
eyes.look()
os.setresuid(65534, 65534, 65534)
verdict = eyes.finding()
eyes.until(lambda v: v.status == "critical", "the end of its time")
print(verdict.metric_value, eyes.look().plan, eyes.facts().holder.pid)
print(eyes.facts().why_not)
try:
    eyes.offer()
except DataError as error:
    print("refused")
sys.stdout.flush()
os._exit(0)
"""


def test_29_somebody_elses_holder_is_named_and_refused(tmp_path, actors):
    if os.geteuid() != 0:
        pytest.skip("needs root to be two people")
    path = tmp_path / "a.db"
    create(path)
    path.chmod(0o644)
    holder = actors(path)
    holder.does("BEGIN IMMEDIATE")
    root = Path(__file__).parents[3]
    out = subprocess.run(
        [sys.executable, "-c", HUMBLE, root, root / "core", path],
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert out.stdout.startswith(f"idle-in-transaction None {holder.pid}\n"), out.stderr
    assert "refused" in out.stdout
    assert holder.does("COMMIT") == []


def test_30_a_frozen_file_system_is_waited_for(small_disk, tmp_path, actors, watch):
    if not shutil.which("fsfreeze"):
        pytest.skip("needs fsfreeze")
    path = small_disk / "a.db"
    create(path)
    holder = actors(path)
    holder.does("BEGIN IMMEDIATE")
    holder.does("INSERT INTO rows(text) VALUES ('the 501st')")
    eyes = watch(path, state=tmp_path / "state", **SOON)
    eyes.employ(holder.pid)
    assert eyes.word() == "idle-in-transaction"
    subprocess.run(["fsfreeze", "-f", small_disk], check=True)
    try:
        holder.send("COMMIT")
        until(lambda: holder.state() == "D", what="the wait for the disk")
        verdict = eyes.until(lambda v: v.metric_value == "io-wait", "the word")
        eyes.until(lambda v: v.status == "critical", "the end of its time")
        assert verdict.plan is None
        assert eyes.look().plan is None
    finally:
        subprocess.run(["fsfreeze", "-u", small_disk], check=True)
    assert holder.answer() == []
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM rows").fetchone() == (501,)


def test_a_worker_that_works_on_after_sigterm_is_not_killed(tmp_path, actors, watch, monkeypatch):
    monkeypatch.setattr(ending, "TERM_WAIT", 1.0)
    path = tmp_path / "a.db"
    create(path)
    program = PROGRAM.replace(
        "cursors = []",
        "cursors = []\n"
        "import signal\n"
        "def busy(*_):\n"
        "    while not os.path.exists(sys.argv[1] + '.go'): pass\n"
        "    connection.execute('COMMIT')\n"
        "signal.signal(15, busy)",
    )
    holder = actors(path, program)
    holder.does("BEGIN IMMEDIATE")
    holder.does("INSERT INTO rows(text) VALUES ('the 501st')")
    eyes = watch(path, **SOON)
    eyes.employ(holder.pid)
    hand = Notebook()
    with pytest.raises(RemedyError, match="has worked since"):
        eyes.carry_out(eyes.due(), hand)
    Path(f"{path}.go").touch()
    until(lambda: ask(path, "SELECT count(*) FROM rows") == [[501]], 60, "its own commit")
    assert holder.process.poll() is None


def test_a_database_deleted_under_its_user_is_an_alarm(tmp_path, actors, watch, mode):
    path = tmp_path / "a.db"
    create(path, mode)
    user = actors(path)
    user.does("INSERT INTO rows(text) VALUES ('x')")
    eyes = watch(path)
    assert eyes.word() == "free"
    for end in ("", "-wal", "-shm"):
        Path(f"{path}{end}").unlink(missing_ok=True)
    verdict = eyes.look()
    conditions = {finding.condition: finding for finding in verdict.findings}
    assert set(conditions) == {"missing", "deleted-open"}
    assert conditions["deleted-open"].evidence["pids"] == [user.pid]
    assert verdict.status == "critical"
    # and likewise when another one has taken its name
    create(path, mode)
    assert [f.condition for f in eyes.look().findings] == ["deleted-open"]
    user.end()
    assert not eyes.look().findings


def test_a_wal_deleted_under_its_user_is_an_alarm(tmp_path, actors, watch):
    path = tmp_path / "a.db"
    create(path, "wal")
    user = actors(path)
    user.does("INSERT INTO rows(text) VALUES ('x')")
    eyes = watch(path)
    assert not eyes.look().findings
    Path(f"{path}-wal").unlink()
    assert [f.condition for f in eyes.look().findings] == ["deleted-open"]


def test_a_second_name_is_an_alarm(tmp_path, watch):
    path = tmp_path / "a.db"
    create(path)
    eyes = watch(path)
    assert not eyes.look().findings
    os.link(path, tmp_path / "b.db")
    assert [f.condition for f in eyes.look().findings] == ["hard-links"]


WAITER = """
import fcntl, json, sys
file = open(sys.argv[1], "r+b")
print(json.dumps("ready"), flush=True)
fcntl.lockf(file, fcntl.LOCK_EX, 1, 0x40000001)
"""


def test_who_waits_in_the_kernel_is_named(tmp_path, actors, watch):
    path = tmp_path / "a.db"
    create(path)
    holder = actors(path)
    holder.does("BEGIN IMMEDIATE")
    waiter = actors(path, WAITER)
    eyes = watch(path, **SOON)
    eyes.until(lambda v: eyes.facts().waiting == (waiter.pid,), "the waiter")
    assert eyes.finding().findings[0].evidence["waiting"] == [waiter.pid]
    holder.does("COMMIT")


OFD = """
import fcntl, json, struct, sys
file = open(sys.argv[1], "r+b")
flock = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0x40000001, 1, 0)
fcntl.fcntl(file, 37, flock)
print(json.dumps("ready"), flush=True)
sys.stdin.readline()
"""


def test_who_has_an_ofd_lock_is_found_among_those_that_have_it_open(tmp_path, actors, watch):
    path = tmp_path / "a.db"
    create(path)
    holder = actors(path, OFD)
    eyes = watch(path, may_kill=("*",), **SOON)
    verdict = eyes.finding()
    assert verdict.metric_value == "ofd-lock"
    assert verdict.plan is None
    assert str(holder.pid) in str(verdict.findings[0].evidence)
