"""The page before a real healer with real workers: what happens there is seen and done here."""

from __future__ import annotations

import os
import signal

import pytest

from tests.helpers.box import Box
from tests.helpers.wait import until
from tests.helpers.webstage import Served

pytestmark = pytest.mark.slow

INBOX = "SELECT id, acknowledged_by, note FROM health_alerts WHERE resolved = 0 AND component = 'a'"


@pytest.fixture
def box(tmp_path):
    made = Box(tmp_path)
    yield made
    made.close()


@pytest.fixture
def served(box):
    box.write(
        box.worker("b", restart_delay="2s"),
        box.worker("a", script=str(box.base / "none.py")),
        interval="1h",
    )
    assert box.run("--daemon").returncode == 0
    made = Served(box.state)
    yield made
    made.close()


def test_a_crash_is_seen_and_an_alert_acknowledged(box, served, browser):
    (alert, *_) = until(lambda: box.rows(INBOX), 60, "the alert of a worker that is not there")[0]
    tab = browser.tab()
    tab.go(served.login_url())
    tab.until("document.querySelector('[data-key=b][data-level=ok]')", 60)

    # down for as long as it cannot be started: how soon that is seen is not asked
    (pid,), script = until(box.started_pids), box.base / "b.py"
    aside = script.rename(box.base / "aside")
    os.kill(pid, signal.SIGKILL)
    tab.until("document.querySelector('[data-list=workers] [data-key=b]:not([data-level=ok])')")
    aside.rename(script)
    tab.until("document.querySelector('[data-key=b][data-level=ok]')", 60)
    tab.until("document.querySelector('[data-list=actions]').innerText.includes('alive after')")

    # the plan is read first; who does not want it has lost nothing
    tab.run("document.querySelector('[data-list=workers] [data-key=b] .line').focus()")
    tab.press("Enter")
    tab.point("[data-list=workers] [data-key=b] [data-verb=restart]", click=True)
    tab.until("document.querySelector('#plan').open")
    assert tab.texts("#plan-steps li")
    assert "proof" in tab.text("#plan-proof")
    tab.press("Escape")
    tab.until("!document.querySelector('#plan').open")

    # known, with a reason, by keys alone
    tab.run(f"document.querySelector('[data-list=alerts] [data-key=\"{alert}\"] .line').focus()")
    tab.press("a")
    tab.until("document.querySelector('#act').open")
    tab.write("the script <b>moved</b>")
    tab.press("Enter")
    tab.until("document.querySelector('#answer').innerText.includes('✓')", 60)
    until(lambda: box.rows(INBOX)[0][1], 60, "it is in the store")
    ((number, by, note),) = box.rows(INBOX)
    assert (number, note) == (alert, "the script <b>moved</b>")
    assert by.startswith("web operator")
    tab.until(f"document.querySelector('[data-key=\"{alert}\"][data-level=known]')")
    assert "the script <b>moved</b>" in tab.text(f"[data-key='{alert}']")

    tab.run("location.hash = 'history'")
    tab.until("document.querySelector('figure svg path, figure svg circle, figure svg rect')")
    assert "Restarts" in tab.text("#charts") or "Open alerts" in tab.run(
        "document.querySelector('#charts').textContent"
    )
    tab.close()
