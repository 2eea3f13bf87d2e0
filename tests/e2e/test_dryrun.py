"""A running healer told only to plan: nobody starts anything, not even a worker's own shim."""

from __future__ import annotations

import os
import signal

import pytest

from tests.helpers.box import alive
from tests.helpers.wait import until

pytestmark = pytest.mark.slow


def test_a_dry_run_that_is_switched_on_keeps_all_hands_off_until_it_is_off(box):
    box.write(box.worker("task_worker", restart_delay="1s", restart_delay_max="1s"))
    assert box.run("--daemon").returncode == 0
    (worker,) = until(box.started_pids, 60, "the worker's start")
    until(lambda: box.events("actionverified"), 60, "its proof")
    assert box.inside("dry-run", "on").returncode == 0
    os.kill(worker, signal.SIGKILL)
    refused = "SELECT 1 FROM health_metrics WHERE metric_type = 'plan_refused'"
    until(lambda: box.rows(refused), 60, "what would have been done")
    cycles = len(box.events("cyclefinished"))
    until(lambda: len(box.events("cyclefinished")) > cycles + 3, 60, "more looks")
    assert box.started_pids() == [worker], "nobody started it again"
    assert box.inside("dry-run", "off").returncode == 0
    until(lambda: any(map(alive, box.started_pids())), 60, "its restart")
    assert box.inside("stop").returncode == 0
    # the mode is the running healer's, not the next one's
    assert box.inside("dry-run", "on").returncode == 75
