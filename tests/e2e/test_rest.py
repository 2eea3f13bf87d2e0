"""What a daemon at rest has in memory: nothing that it has no use for."""

from __future__ import annotations

import json
import os
import signal

import pytest

from benchmarks.service.stage import Stage
from healmon import lean
from tests.helpers.wait import until

pytestmark = pytest.mark.slow

TELLING = """
import signal, sys
def tell(*_):
    from healmon import lean
    names = [n for n, m in [*sys.modules.items()] if type(m) is not lean._Later]
    with open({path!r}, "w") as file:
        print(*names, file=file)
signal.signal(signal.SIGUSR2, tell)
"""
FOR_PEOPLE = {
    "argparse", "gettext", "healmon.service.commandtable", "healmon.service.parsers",
    "healmon.service.status", "healmon.report",
}  # fmt: skip
FOR_SOME = {
    "healmon.sessions.packs.trials", "healmon.world.dbprivate",
}  # fmt: skip
HEAVY = {
    "ast", "attr", "cryptography", "decimal", "dis", "email", "http", "psutil", "rich", "ssl",
    "textual", "token", "typing_extensions", "uuid", "_hashlib",
}  # fmt: skip


@pytest.fixture
def stage(tmp_path):
    class Telling(Stage):
        def argv(self, *words):
            python, flag, code, *more = super().argv(*words)
            telling = TELLING.format(path=str(tmp_path / "modules"))
            return [python, flag, telling + code, *more]

    made = Telling(tmp_path, "1s")
    made.build()
    yield made
    made.close()


def rounds(stage):
    return json.loads((stage.state / "healmon.heartbeat").read_text())["round"]


def test_a_resting_daemon_has_loaded_nothing_that_it_does_not_need(stage, tmp_path) -> None:
    stage.start()
    until(lambda: [*(stage.state / "workers").glob("*/output.log")], 60, "the start of a worker")
    began = rounds(stage)
    until(lambda: rounds(stage) > began + 2, 60, "a few rounds")
    os.kill(stage.daemon, signal.SIGUSR2)
    told = tmp_path / "modules"
    until(lambda: told.exists() and told.read_text().endswith("\n"), 60, "what is loaded")
    loaded = {*told.read_text().split()}

    assert {"asyncio", "healmon.registry", "msgspec"} <= loaded
    assert not loaded & (lean.LAZY | FOR_PEOPLE | FOR_SOME | HEAVY)
