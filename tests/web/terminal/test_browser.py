"""The terminal screen in a real Chromium, and what is left when tab or server go."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from healmon import events as ev
from healmon.config.facesettings import Web
from healmon.service import instance
from healmon.store import read
from healmon.web import tokens
from tests.helpers import scripted
from tests.helpers.browser import launched
from tests.helpers.storekit import Engine, observed, opened_store, started
from tests.helpers.tabs import GONE, programs, words
from tests.helpers.wait import until
from tests.helpers.webstage import staged

LISTEN = """
window.heard = "";
const Plain = window.WebSocket;
window.WebSocket = class extends Plain {
  constructor(address) {
    super(address);
    const decoder = new TextDecoder();
    this.addEventListener("message", (event) => {
      if (typeof event.data !== "string")
        window.heard += decoder.decode(new Uint8Array(event.data), { stream: true });
    });
  }
};
"""
"""What a page's terminal was given to draw."""
HOSTILE = '<img src=x onerror="window.owned=1">\x1b]52;c;b3duZWQ=\x07\x1b[2J'


@pytest.mark.slow
def test_the_screen_in_a_browser(tmp_path):
    world = scripted.lived_world()
    facts = {"state": "working", "tasks": ["9"], "session": HOSTILE, "last_line": HOSTILE}
    hostile = ev.Observed("sessions", f"session:{HOSTILE}", "warning", HOSTILE, "t", "v", facts)
    world.append(ev.Recorded(world[-1].id + 1, world[-1].wall + 1, hostile))
    settings = Web(tui=True, tui_tabs=2)
    with staged(tmp_path / "s", past=world, settings=settings) as stage, launched() as browser:
        tab = browser.tab(width=1200, height=800)
        tab.call("Page.addScriptToEvaluateOnNewDocument", source=LISTEN)
        tab.go(stage.login_url())
        tab.until("!location.pathname.startsWith('/login')")
        tab.requests.clear()
        tab.complaints.clear()
        tab.go(f"{stage.url}/tui/")
        tab.until("window.heard?.includes('mail_worker')", 60)
        tab.until("document.body.classList.contains('-first-byte')")
        # a key works at once, and asks nothing of anybody
        tab.press("?")
        tab.until("window.heard.includes('one row down')")
        tab.press("Escape")
        # the screen follows the window
        tab.run("window.heard = ''")
        tab.size(520, 300)
        tab.until("window.heard.includes('newest alert')")  # only where one panel is all there is
        # what is foreign stays text
        tab.run("window.heard = ''")
        tab.size(1400, 900)
        tab.until("window.heard.includes('<img src=x')")
        assert tab.run("document.querySelectorAll('img').length") == 0
        assert tab.run("window.owned ?? 0") == 0
        assert "\x1b]52" not in tab.run("window.heard")
        # an act is asked of the healer that runs, in the name of who is logged in
        tab.press("D")
        until(lambda: _asked(stage.state_dir), 60, "the question in the healer's queue")
        assert _asked(stage.state_dir)[0][1:] == ("web operator from 127.0.0.1", "dry-run")
        # what wants a terminal is refused in words
        tab.press("2", "o")
        tab.until("window.heard.includes('tab cannot go to a pane')")
        # nothing but our own server was asked for anything
        own = (stage.url, stage.url.replace("http:", "ws:"), "data:")
        assert [url for url in tab.requests if not url.startswith(own)] == []
        assert [one for one in tab.complaints if "Security" in one or "Refused" in one] == []
        assert len(programs(stage.state_dir)) == 1
        tab.close()
        until(lambda: not programs(stage.state_dir), GONE, "the end of the tab's program")


def _asked(state) -> list[tuple]:
    connection = read.open_reader(state / "healmon.db")
    try:
        return connection.execute("SELECT id, origin, verb FROM commands").fetchall()
    finally:
        connection.close()


@pytest.mark.slow
def test_a_server_that_is_killed_takes_its_tabs_along_and_none_of_them_heals(tmp_path):
    state, config = tmp_path / "state", tmp_path / "healmon.toml"
    state.mkdir(mode=0o700)
    config.write_text("[web]\ntui = true\n[ui]\ntheme = 'light'\n")
    with opened_store(state / "healmon.db") as store:
        Engine(store).tell(started(), observed("task_worker"))
    argv = (
        sys.executable, "-c", "from healmon.cli import entry; entry()", "serve", "127.0.0.1:0",
        "--config", str(config), "--state-dir", str(state),
    )  # fmt: skip
    server = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        base = server.stdout.readline().split()[-1].removesuffix("/#health")
        drawn = asyncio.run(_until_killed(state, base, server))
        assert b"NO HEALER" in drawn
        until(lambda: not programs(state), GONE, "the end of the tab's program")
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
        for pid in programs(state):
            os.kill(pid, signal.SIGKILL)


async def _until_killed(state: Path, base: str, server: subprocess.Popen) -> bytes:
    """Kill the server once a tab of it has drawn that nobody heals; returns what it drew."""
    token, drawn = tokens.known(state).operator, b""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        told = {"Origin": base}
        async with session.post(f"{base}/login", json={"token": token}, headers=told) as reply:
            assert reply.status == 200
        async with session.ws_connect(f"{base}/tui/ws?width=100&height=30", headers=told) as tab:
            while b"NO HEALER" not in drawn:
                message = await tab.receive(timeout=60)
                assert message.type is aiohttp.WSMsgType.BINARY, (message, drawn[-300:])
                drawn += message.data
            (pid,) = programs(state)
            assert str(state.parent / "healmon.toml") in words(pid)
            # the key that takes over in a terminal heals nothing here
            await tab.send_str('["stdin", "\\r"]')
            await tab.send_str('["stdin", "y"]')
            assert instance.holder(state) is None
            server.kill()
    return drawn
