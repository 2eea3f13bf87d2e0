"""Who healmon's workers are, by their records."""

from __future__ import annotations

import msgspec

from healmon.workers.model import StartRecord
from healmon.workers.records import Records
from healmon.world import notes
from healmon.world.processes import Ended, Identity
from healmon.world.shimrecords import ENDS, START, Begun
from healmon.world.shims import ShimEnd
from healmon.world.supervised import STARTED, SystemSupervised

ONE, TWO, THREE, FOUR = (Identity("boot", pid, pid * 10) for pid in (1, 2, 3, 4))


def test_workers_with_and_without_shims_of_this_run_and_of_those_before(tmp_path):
    records = Records(tmp_path)
    records.put_start(
        "plain", StartRecord(number=1, wall=0.0, steady=0.0, worker=ONE, former=(TWO,))
    )
    folder = tmp_path / notes.folder_name("with shim")
    folder.mkdir()
    begun = Begun(number=1, shim=THREE, worker=FOUR, wall=0.0)
    (folder / START).write_bytes(msgspec.json.encode(begun))
    child = ShimEnd(identity=TWO, ended=Ended(code=0), wall=0.0, main=False)
    main = ShimEnd(identity=ONE, ended=Ended(code=0), wall=0.0)
    ends = b"\n".join(msgspec.json.encode(end) for end in (child, main))
    (folder / ENDS).write_bytes(ends + b"\nnonsense\n")
    known = SystemSupervised(tmp_path, ("plain", "with shim", "never started")).known()
    assert known == {"plain": (ONE, TWO), "with shim": (ONE, THREE, FOUR)}


def test_records_of_workers_that_are_not_configured_count_no_more(tmp_path):
    Records(tmp_path).put_start("gone", StartRecord(number=1, wall=0.0, steady=0.0, worker=ONE))
    assert SystemSupervised(tmp_path, ()).known() == {}


def test_what_cannot_be_read_makes_nobody_a_worker(tmp_path):
    folder = tmp_path / "w"
    folder.mkdir()
    (folder / STARTED).write_bytes(b"{")
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / STARTED).mkdir()
    assert SystemSupervised(tmp_path, ("w", "v")).known() == {}
