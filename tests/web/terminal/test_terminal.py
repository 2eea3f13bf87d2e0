"""`/tui/` for real: the server and its programs, asked as a browser asks."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from healmon.config.facesettings import Web
from healmon.web import tokens
from healmon.web.terminal import page, program, socket
from healmon.world import tabs
from tests.helpers import scripted
from tests.helpers.tabs import GONE, environment, programs, words
from tests.helpers.wait import until
from tests.helpers.webstage import Browser, WebStage, staged


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("web") / "state"
    settings = Web(tui=True, tui_tabs=1)
    with staged(folder, past=scripted.lived_world(), settings=settings) as made:
        yield made
    assert not programs(folder)


@asynccontextmanager
async def opened(stage: WebStage, cookie: str, **headers: str) -> AsyncIterator[Any]:
    """A tab's websocket, as a browser asks for it from our own page unless told otherwise."""
    told = {"Origin": stage.url, "Cookie": cookie, **headers}
    told = {name: value for name, value in told.items() if value}
    address = f"{stage.url}/tui/ws?width=90&height=30"
    async with aiohttp.ClientSession() as session, session.ws_connect(address, headers=told) as tab:
        yield tab


async def until_drawn(tab: Any, wanted: bytes) -> None:
    drawn = b""
    while wanted not in drawn:
        message = await tab.receive(timeout=60)
        assert message.type is aiohttp.WSMsgType.BINARY, (message, drawn[-500:])
        drawn += message.data


async def closed(tab: Any) -> tuple[int, str]:
    """Wait until the tab is closed; returns the code and the reason."""
    while (message := await tab.receive(timeout=60)).type is aiohttp.WSMsgType.BINARY:
        pass
    assert message.type is aiohttp.WSMsgType.CLOSE, message
    return message.data, message.extra


def must_be_over(stage: WebStage, browser: Browser) -> None:
    """Wait until no program of a tab is left, and its place is free."""
    until(lambda: not programs(stage.state_dir), GONE, "the end of the tab's program")
    until(lambda: browser.get("/tui/ws").status == 426, GONE, "the place to be free")


def refused(stage: WebStage, cookie: str, **headers: str) -> int:
    async def ask() -> int:
        try:
            async with opened(stage, cookie, **headers):
                return 101
        except aiohttp.WSServerHandshakeError as error:
            return error.status

    return asyncio.run(ask())


def test_no_page_but_ours_and_nobody_unknown_gets_a_tab(stage):
    cookie = stage.login("operator").cookie
    assert refused(stage, cookie, Origin="http://evil.example") == 403
    assert refused(stage, cookie, Origin="null") == 403
    assert refused(stage, cookie, Origin="") == 403
    assert refused(stage, cookie, Origin=stage.url.replace("http:", "https:")) == 403
    assert refused(stage, cookie, Origin=f"{stage.url}0") == 403
    assert refused(stage, cookie, Host="evil.example", Origin="http://evil.example") == 421
    assert refused(stage, "") == 401
    assert refused(stage, "healmon=guessed") == 401
    assert refused(stage, "", Authorization=f"Bearer {stage.token()}") == 403
    assert not programs(stage.state_dir)


def test_the_page_loads_nothing_from_elsewhere_and_lists_nothing(stage):
    browser = stage.login("viewer")
    shown = browser.get("/tui/")
    assert shown.status == 200
    policy = shown.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "script-src 'nonce-" in policy
    assert "unsafe-eval" not in policy
    assert "//" not in shown.text
    for name in page.ASSETS:
        assert browser.get(f"/tui/static/{name}").status == 200
    for path in ("", "css/xterm.css", "..%2f..%2f__init__.py", "%2e%2e/server.py", "service.py"):
        assert browser.get(f"/tui/static/{path}").status == 404
    assert stage.ask("GET", "/tui/").status == 401
    assert stage.ask("GET", "/tui/static/textual.js").status == 401


def test_it_is_off_unless_it_is_switched_on(tmp_path):
    with staged(tmp_path / "state", settings=Web()) as stage:
        browser = stage.login()
        for path in ("/tui", "/tui/", "/tui/ws", "/tui/static/textual.js"):
            reply = browser.get(path)
            assert reply.status == 404
            assert "tui = true" in reply.json["remedy"]
        assert refused(stage, browser.cookie) == 404


def test_a_program_that_hears_nothing_is_ended_all_the_same(monkeypatch):
    monkeypatch.setattr(tabs, "LEAVE", 0.2)
    deaf = (
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('x' * 100_000, flush=True)\nwhile True: time.sleep(60)"
    )

    async def run() -> int:
        process = await tabs.start((sys.executable, "-c", deaf), {})
        await process.stdout.readexactly(1)
        return await tabs.end(process)

    assert asyncio.run(run()) == -signal.SIGKILL


@pytest.mark.slow
def test_who_only_looks_gets_a_screen_that_only_looks(stage, monkeypatch):
    monkeypatch.setenv("HEALMON_WEB_SECRET", "told to nobody")
    browser = stage.login("viewer")

    async def one_more() -> None:
        with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
            async with opened(stage, browser.cookie):
                pass

    async def look() -> None:
        async with opened(stage, browser.cookie) as tab:
            await tab.receive(timeout=60)
            (pid,) = programs(stage.state_dir)
            assert not [word for word in words(pid) if word.startswith("--asker")]
            told = environment(pid)
            assert b"told to nobody" not in told
            assert stage.token("viewer").encode() not in told
            await one_more()
            reply = await asyncio.to_thread(browser.get, "/tui/ws")
            assert "web.tui_tabs" in reply.json["remedy"]
            await until_drawn(tab, b"READ ONLY")
            await tab.send_str(json.dumps(["resize", {"width": 140, "height": 40}]))
            await until_drawn(tab, b"JOURNAL")  # there is room for it only now
            await tab.send_str('["stdin", 5]')
            code, reason = await closed(tab)
            assert code == aiohttp.WSCloseCode.POLICY_VIOLATION
            assert reason == "that is no message"

    asyncio.run(look())
    must_be_over(stage, browser)


@pytest.mark.slow
def test_a_logout_closes_the_tab_and_frees_its_place(stage, monkeypatch):
    monkeypatch.setattr(socket, "AGAIN", 0.05)
    browser = stage.login()

    async def out() -> tuple[int, str]:
        async with opened(stage, browser.cookie) as tab:
            await tab.receive(timeout=60)
            stage.run(end_login(browser.cookie))
            return await closed(tab)

    async def end_login(cookie: str) -> None:
        stage.context.logins.end(cookie.partition("=")[2])

    assert asyncio.run(out()) == (socket.LOGGED_OUT, "you are logged out")
    must_be_over(stage, stage.login())


def test_other_tokens_close_the_tab_though_nobody_asks_for_anything(stage, monkeypatch):
    idle = (
        "import sys, time\nsys.stdout.buffer.write(b'__GANGLION__\\nD\\0\\0\\0\\1x')\n"
        "sys.stdout.flush()\ntime.sleep(60)"
    )
    monkeypatch.setattr(socket, "AGAIN", 0.05)
    monkeypatch.setattr(program, "words", lambda *_: (sys.executable, "-I", "-S", "-c", idle))
    browser = stage.login()

    async def renew() -> tuple[int, str]:
        async with opened(stage, browser.cookie) as tab:
            await until_drawn(tab, b"x")
            tokens.known(stage.state_dir, renew=True)
            return await closed(tab)

    assert asyncio.run(renew()) == (socket.LOGGED_OUT, "you are logged out")
    must_be_over(stage, stage.login())
