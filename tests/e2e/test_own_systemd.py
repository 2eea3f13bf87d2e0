"""The unit under a real systemd: whatever ends healmon, its workers live on."""

from __future__ import annotations

import sys

import pytest

from healmon.service.systemd_units import Service, command, render
from tests.helpers.ownsystemd import systemd
from tests.helpers.wait import until

pytestmark = pytest.mark.slow

UNIT = "healmon.service"
QUICK = "[Service]\nRestartSec=0\nWatchdogSec=6\n"
"""The same unit with less patience, but with more than a busy machine may make it wait."""


@pytest.fixture
def manager(tmp_path):
    (tmp_path / "manager").mkdir()
    with systemd(tmp_path / "manager") as made:
        yield made


def test_a_unit_that_is_killed_hung_reloaded_and_stopped_leaves_its_worker_alone(box, manager):
    box.write(box.worker("a"), interval="1s")
    service = Service(
        command=command(sys.executable), config=str(box.config), state_dir=str(box.state),
        system=True,
    )  # fmt: skip
    (manager.units / UNIT).write_text(render(service))
    (manager.units / f"{UNIT}.d").mkdir()
    (manager.units / f"{UNIT}.d" / "quick.conf").write_text(QUICK)

    def main() -> str:
        return manager.property(UNIT, "MainPID")

    def again(before: str, how: str) -> str:
        until(lambda: main() not in {"0", before}, 60, f"another one after {how}")
        until(lambda: manager.property(UNIT, "ActiveState") == "active", 60, "it is up")
        return main()

    started = manager.ctl("start", UNIT)
    assert started.returncode == 0, started.stderr
    (worker,) = until(box.started_pids, 60, "the worker")
    until(lambda: "looks after 1 component" in manager.property(UNIT, "StatusText"), 60)

    first = main()
    manager.run("kill", "-KILL", first)
    second = again(first, "kill -9")
    manager.run("kill", "-STOP", second)
    third = again(second, "its watchdog's patience")

    good = box.config.read_text()
    box.config.write_text("nonsense = ")
    assert manager.ctl("reload", UNIT).returncode
    box.config.write_text(good)
    assert manager.ctl("reload", UNIT).returncode == 0
    assert main() == third

    assert manager.ctl("stop", UNIT).returncode == 0
    assert manager.property(UNIT, "ActiveState") == "inactive"
    assert manager.property(UNIT, "Result") == "success"
    assert manager.run("test", "-d", f"/proc/{worker}").returncode == 0, "it lives on"
    assert box.started_pids() == [worker], "and was never started anew"
