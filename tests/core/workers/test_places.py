"""Where a worker lives: what lies on a mount whose server is gone is never waited for."""

from __future__ import annotations

import threading
from pathlib import Path

from healmon.clock import SystemClock
from healmon.workers import changes, places
from healmon.world.farmounts import mounts
from tests.helpers.deadmount import network_mount
from tests.helpers.workerbench import a_worker


def test_a_worker_on_a_dead_mount_keeps_nobody_waiting(tmp_path: Path) -> None:
    place, link = tmp_path / "far", tmp_path / "link"
    place.mkdir()
    link.symlink_to(place)
    assert not places.far(str(place)), "the mounts are known before one more comes"
    with network_mount(place) as server:
        server.die()
        script = str(link / "held")
        worker = a_worker(script=script, argv=("/bin/true", script), cwd=str(link))
        told: list[object] = []

        def look() -> None:
            told.append(places.devices_of(worker, tmp_path / "output.log"))
            told.append(changes.since(worker, 0.0, SystemClock().read()))

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        thread.join(10)
        assert len(told) == 2, "it hangs"
        devices = told[0]
        assert isinstance(devices, tuple)
        assert mounts().far(str(place)) in devices
        assert tmp_path.stat().st_dev in devices


def test_a_near_one_is_looked_at(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("")
    worker = a_worker(script=str(script), argv=("/bin/true", str(script)))
    told = changes.since(worker, 1.0, SystemClock().read())
    assert "script.py changed" in told
    assert not places.far(str(script))
