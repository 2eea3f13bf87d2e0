"""Pages of others in the browser of who is signed in: they can read, send and frame nothing."""

from __future__ import annotations

import contextlib
import http.server
import json
import sqlite3
import threading

import pytest

from healmon.web import logins
from tests.helpers.browser import FOREIGN
from tests.helpers.wait import until

pytestmark = pytest.mark.slow  # a browser

PAGE = b"<!doctype html><title>harmless</title><h1>kittens</h1>"
TRIES = """(async (victim) => {
  const tried = {};
  const attempt = async (name, doing) => { try { tried[name] = await doing(); } catch (error) { tried[name] = error.name; } };
  const all = { credentials: 'include' };
  const order = JSON.stringify({ verb: 'pause', target: '*', arguments: { for: 3600 } });
  await attempt('read', async () => (await fetch(`${victim}/api/v1/state`, all)).text());
  await attempt('page', async () => (await fetch(victim, all)).text());
  await attempt('post', async () => (await fetch(`${victim}/api/v1/overrides`,
    { ...all, method: 'POST', headers: { 'Content-Type': 'application/json' }, body: order })).text());
  await attempt('blind post', async () => (await fetch(`${victim}/api/v1/overrides`,
    { ...all, method: 'POST', mode: 'no-cors', headers: { 'Content-Type': 'text/plain' }, body: order })).type);
  await attempt('sign out', async () => (await fetch(`${victim}/logout`, { ...all, method: 'POST', mode: 'no-cors' })).type);
  await attempt('stream', () => new Promise((done) => {
    const source = new EventSource(`${victim}/api/v1/stream`, { withCredentials: true });
    source.onerror = () => { source.close(); done('refused'); };
    for (const kind of ['state', 'gone', 'beat', 'message', 'open']) source.addEventListener(kind, () => done(`heard ${kind}`));
  }));
  await attempt('script', () => new Promise((done) => {
    const script = document.createElement('script');
    script.src = `${victim}/api/v1/state`; script.onload = () => done('ran'); script.onerror = () => done('refused');
    document.body.append(script);
  }));
  await attempt('form', () => new Promise((done) => {
    document.body.insertAdjacentHTML('beforeend', `<iframe name=sink></iframe><form target=sink method=post
      enctype=text/plain action="${victim}/api/v1/overrides"><input name='{"verb":"pause","target":"*","x":"' value='"}'></form>`);
    document.querySelector('[name=sink]').onload = () => done('sent');
    document.forms[0].submit();
  }));
  await attempt('frame', () => new Promise((done) => {
    const frame = document.createElement('iframe');
    frame.onload = () => { let there = 'opaque'; try { there = frame.contentDocument ? 'read' : 'opaque'; } catch {} done(there); };
    frame.src = victim; document.body.append(frame);
  }));
  return tried;
})"""  # noqa: E501


class Kittens(http.server.BaseHTTPRequestHandler):
    """Somebody else's page."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_):
        pass


@pytest.fixture
def elsewhere():
    with http.server.HTTPServer(("127.0.0.1", 0), Kittens) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", FOREIGN])
def test_another_origin_gets_nothing_and_sends_nothing(name, elsewhere, browser, evening, enter):
    tab = enter()
    there = browser.another(tab.context)
    there.go(f"http://{name}:{elsewhere}/")
    tried = there.run(f"{TRIES}({json.dumps(evening.url)})")
    assert tried == {
        "read": "TypeError", "page": "TypeError", "post": "TypeError", "blind post": "TypeError",
        "sign out": "TypeError", "stream": "refused", "script": "refused", "form": "sent",
        "frame": "opaque",
    }  # fmt: skip
    with contextlib.closing(sqlite3.connect(evening.state_dir / "healmon.db")) as store:
        assert store.execute("SELECT count(*) FROM commands").fetchone() == (0,)
    # the console tells a moment later than the frame
    until(lambda: [line for line in there.complaints if "frame" in line.lower()], what="no frame")
    # who is signed in still is, and their page goes on
    assert tab.run("fetch('/api/v1/me').then((me) => me.json())")["role"] == "operator"
    tab.until("document.querySelector('#stamp-text').textContent.startsWith('live')")
    there.close()


def test_a_name_that_is_not_ours_is_refused(browser, evening):
    tab = browser.tab()
    tab.go(f"http://{FOREIGN}:{evening.port}/")
    assert "not known by that name" in tab.text("body")
    assert "healmon" not in tab.run("document.title")
    tab.close()


def test_a_wrong_token_is_told_and_the_right_one_typed_gets_in(browser, evening):
    tab = browser.tab()
    tab.go(evening.url)
    tab.until("document.activeElement?.name === 'token'")
    tab.write("not-it")
    tab.press("Enter")
    tab.until("document.querySelector('#said')?.innerText.includes('no token')")
    tab.until("document.activeElement?.name === 'token'")
    tab.write(evening.token("viewer"))
    tab.press("Enter")
    tab.until("location.pathname === '/' && document.querySelector('.row')")
    tab.run("location.hash = 'status'")
    tab.until("document.querySelector('#about').innerText.includes('look')")
    tab.run("document.querySelector('#leave').click()")
    tab.until("location.pathname === '/login' && document.querySelector('[name=token]')")
    tab.go(evening.url)
    assert tab.run("location.pathname") == "/login"
    tab.close()


def test_a_view_in_the_address_is_no_token_and_is_shown_after_the_login(browser, evening):
    """Browsers carry `#health`, which the specification names, over the way to the login."""
    tab = browser.tab()
    for _ in range(logins.TRIES + 1):
        tab.go(f"{evening.url}/#alerts")
        tab.until("location.pathname === '/login' && document.activeElement?.name === 'token'")
        assert tab.run("location.hash") == "#alerts"
        assert not tab.run("document.querySelector('#said').innerText")
    assert not evening.context.tries.counted
    tab.write(evening.token("viewer"))
    tab.press("Enter")
    tab.until("location.pathname === '/' && location.hash === '#alerts'")
    tab.until("!document.querySelector('[data-view=alerts]').hidden")
    tab.close()


def test_a_link_on_another_site_leads_to_what_it_names(elsewhere, browser, evening, enter):
    """The cookie does not come along there; who is logged in need not log in again all the same."""
    there = browser.another(enter("viewer").context)
    there.go(f"http://{FOREIGN}:{elsewhere}/")
    there.run(f"setTimeout(() => location.assign({json.dumps(evening.url)} + '/#history'))")
    there.until("location.pathname === '/' && location.hash === '#history'")
    there.until("!document.querySelector('[data-view=history]').hidden")
    there.close()
