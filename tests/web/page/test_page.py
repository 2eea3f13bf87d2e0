"""The health page in a real Chromium, before a healer that is made up."""

from __future__ import annotations

import json

import pytest

from healmon import events as ev
from healmon.config.facesettings import Web
from healmon.plans import Answer
from tests.helpers.scripted import clean_plan, world
from tests.helpers.wait import until
from tests.helpers.webstage import staged

pytestmark = pytest.mark.slow  # a browser

WORKERS = "[data-list=workers] .row"
ORDER = f"[...document.querySelectorAll('{WORKERS}')].map((row) => row.dataset.key)"
FOCUSED = "document.activeElement.closest('.row')?.dataset.key"
HOSTILE = (
    "<img src=http://evil.example/x onerror=document.hacked=1>",
    "</li></ul><script>document.hacked=2</script>",
    "{{nonce}}\" onfocus='document.hacked=3' autofocus x=\"",
    "javascript:document.hacked=4//&lt;b&gt;",
)
CONTRAST = """(() => {
  const light = (c) => { const p = c.map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * p[0] + 0.7152 * p[1] + 0.0722 * p[2]; };
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const ground = (node) => { for (; node; node = node.parentElement) {
    const c = parse(getComputedStyle(node).backgroundColor); if (c.length < 4 || c[3] === 1) return c; } return [255, 255, 255]; };
  const poor = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !node.checkVisibility({ visibilityProperty: true }) || node.closest('.sr')) continue;
    const ink = getComputedStyle(node)[node instanceof SVGElement ? 'fill' : 'color'];
    const [a, b] = [light(parse(ink)), light(ground(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push(`${walk.currentNode.data.trim()}: ${ratio.toFixed(2)}`);
  }
  return poor;
})()"""  # noqa: E501


UNFOLD = """for (const line of document.querySelectorAll('.line[aria-expanded=false]')) {
  if (line.offsetParent) line.click();
}"""


def observed(name: str, status: str = "unhealthy", summary: str = "down", **facts) -> ev.Observed:
    return ev.Observed("workers", name, status, summary, "t", "v", {"state": summary, **facts})


def test_what_is_known_is_there_and_nobody_else_is_asked(evening, enter):
    tab = enter()
    assert tab.text("#verdict").startswith("✗ 2 critical")
    assert tab.run(ORDER)[0] == "mail_worker", "the worst comes first"
    assert "quarantined" in tab.text(WORKERS)
    for name in ("alerts", "sessions", "disks", "databases", "actions"):
        assert tab.texts(f"[data-list={name}] .row"), name
    assert tab.run("document.querySelector('[data-list=disks] .bar > span').offsetWidth") > 10

    # told live, and only what is another is touched
    tab.run("document.querySelector('[data-key=api_worker]').dataset.mine = 'kept'")
    evening.emit(observed("api_worker", summary="backoff", pid=4))
    evening.emit(ev.AlertOpened("box/api_worker/down", "CRITICAL", "api_worker", "exit 9"))
    tab.until("document.querySelector('[data-key=api_worker][data-level=critical]')?.dataset.mine")
    tab.until("document.querySelector('#verdict').textContent.includes('3 critical')")
    assert "3 critical" in tab.run("document.querySelector('#spoken').textContent")
    assert tab.run("document.title").startswith("✗ 3 critical")

    tab.run("location.hash = 'constructor'")
    assert tab.run("document.querySelector('[data-view=health]').hidden") is False
    for view, seen in (("alerts", ".row"), ("status", "dd"), ("history", "figure svg path")):
        tab.run(f"location.hash = '{view}'")
        tab.until(f"document.activeElement === document.querySelector('[data-view={view}] h1')")
        tab.until(f"document.querySelector('[data-view={view}]:not([hidden]) {seen}')")
    assert "atlas" in tab.text("#host")
    # a chart is words and a table, too
    assert "verified 1" in tab.text("#charts")
    assert tab.run("document.querySelector('figure svg').getAttribute('aria-label')")
    tab.run("document.querySelector('figure').focus()")
    tab.press("ArrowLeft")
    assert ":" in tab.text("figcaption output")
    tab.run("document.querySelector('figure summary').click()")
    tab.until("document.querySelector('figure td')")

    # the way in leaves no trace of the token, and the page asks its own server alone
    token = evening.token("operator")
    assert token not in tab.run("document.documentElement.outerHTML + location.href")
    for address in tab.requests:
        assert address.startswith((f"{evening.url}/", "data:")), address
        assert token not in address.partition("#")[0]
    assert tab.complaints == []


def test_without_a_healer_it_says_so_and_it_outlives_its_server(evening, enter):
    tab = enter()
    evening.end_healer()
    tab.until("!document.querySelector('#trouble').hidden")
    assert "No healer runs" in tab.text("#trouble")
    assert "as of" in tab.text("#stamp-text")
    assert "no healer runs" in tab.text("#verdict")
    evening.begin_healer(evening.state_dir)
    tab.until("document.querySelector('#trouble').hidden")

    evening.restart(
        lambda: tab.until("document.querySelector('#stamp').innerText.includes('not connected')")
    )
    tab.until("document.querySelector('#stamp').innerText.includes('live')", 60)
    evening.emit(observed("born_later", "healthy", "healthy"))
    tab.until("document.querySelector('[data-key=born_later]')")

    # whose login has ended is told so, and not asked again and again
    tab.call("Network.clearBrowserCookies")
    tab.run("dispatchEvent(new Event('online'))")
    tab.until("document.querySelector('#stamp').innerText.includes('signed out')")
    assert "sign in again" in tab.text("#trouble")


def test_a_page_acts_on_after_a_login_in_another_tab(evening, enter, browser):
    """The cookie is the newer login's then, and the older page's CSRF value another's."""
    tab = enter()
    before = tab.run("document.documentElement.dataset.csrf")
    there = browser.another(tab.context)
    there.go(evening.login_url())
    there.until("location.pathname === '/' && document.documentElement.dataset.csrf")
    assert there.run("document.documentElement.dataset.csrf") != before
    there.close()
    tab.press("5", "a")
    tab.until("document.querySelector('#act').open")
    tab.run("document.querySelector('#act-do').click()")
    tab.until("document.querySelector('#answer').innerText.includes('acknowledge done')")
    assert [verb for verb, *_ in evening.asked] == ["acknowledge"]


def test_one_page_too_many_asks_instead(tmp_path, browser):
    with staged(tmp_path / "full", past=world(), settings=Web(max_viewers=1)) as full:
        first = browser.tab()
        first.go(full.login_url())
        first.until("document.querySelector('#stamp-text').textContent.startsWith('live')")
        second = browser.another(first.context)
        second.go(full.url)
        second.until("document.querySelector('.workers .row')")
        second.until("document.querySelector('#stamp-text').textContent.startsWith('as of')")
        first.close()
        second.until("document.querySelector('#stamp-text').textContent.startsWith('live')", 60)
        second.close()


def test_keys_lead_through_all_of_it(evening, enter):
    tab = enter()
    tab.press("Tab")
    assert tab.text(":focus") == "To what is wrong"
    tab.press("Enter")
    tab.until("document.activeElement.id === 'verdict'")
    tab.press("1")
    tab.until(f"{FOCUSED} === 'mail_worker'")
    tab.press("j", "ArrowDown", "k")
    assert tab.run(FOCUSED) == tab.run(ORDER)[1]
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert tab.run(outline) == "solid", "where one is, is seen"
    tab.press("Enter")
    expanded = "document.activeElement.getAttribute('aria-expanded')"
    assert tab.run(expanded) == "true"
    assert "why" in tab.text(f"{WORKERS}:nth-child(2) dl")
    tab.press("Enter")
    assert tab.run(expanded) == "false"
    # one stop of each list, then the next list
    tab.press("Tab")
    assert tab.run("document.activeElement.closest('[data-list]').dataset.list") == "sessions"
    tab.press("Home")
    assert tab.run("document.activeElement.closest('[data-list]').dataset.list") == "alerts"

    tab.press("/")
    tab.until("document.activeElement.id === 'filter'")
    tab.write("mail")
    tab.until(f"document.querySelectorAll('{WORKERS}:not([hidden])').length === 1")
    assert " of " in tab.text("#filtered")
    tab.press("Escape")
    tab.until(f"document.querySelectorAll('{WORKERS}:not([hidden])').length > 3")
    tab.press("?")
    tab.until("document.querySelector('#keys').open")
    tab.press("Escape")
    tab.until("!document.querySelector('#keys').open")
    tab.press("6")
    tab.until("location.hash === '#history'")
    # who speaks to a computer can have single letters do nothing
    tab.run("document.querySelector('#keys-on').click()")
    tab.press("7")
    assert tab.run("location.hash") == "#history"


def test_no_row_moves_under_a_hand(evening, enter):
    tab = enter(height=700)
    tab.point("[data-key=task_worker] .line")
    before = tab.run(ORDER)
    where = "document.querySelector('[data-key=task_worker]').getBoundingClientRect().top"
    top = tab.run(where)
    for name in ("index_worker", "a_new_one"):
        evening.emit(observed(name))
        evening.emit(ev.AlertOpened(f"box/{name}/down", "CRITICAL", name, f"{name} is down"))
    tab.until("document.querySelector('[data-key=index_worker][data-level=critical]')")
    tab.until("document.querySelector('[data-key=a_new_one]')")
    assert tab.run(ORDER) == [*before, "a_new_one"], "they change where they are; new ones are last"
    assert abs(tab.run(where) - top) < 2
    tab.move(2, 2)
    tab.until(f"{ORDER}[0] === 'a_new_one'")

    # a row that has the focus keeps it, whatever goes on around it
    tab.press("1", "j", "j")
    held = tab.run(FOCUSED)
    evening.emit(observed("aaa"))
    evening.emit(ev.AlertOpened("box/aaa/down", "CRITICAL", "aaa", "aaa is down"))
    tab.until("document.querySelector('[data-key=aaa]')")
    assert tab.run(FOCUSED) == held
    assert tab.run(ORDER)[-1] == "aaa"


def test_hostile_text_stays_text(evening, enter):
    tab = enter()
    for number, text in enumerate(HOSTILE):
        name = f"w{number}{text}"
        evening.emit(observed(name, summary=text, cause=text))
        evening.emit(ev.AlertOpened(f"box/{name}/down", "CRITICAL", name, text))
        evening.emit(
            ev.Observed("sessions", f"session:{text}", "warning", text, "t", "v",
                        {"state": "waiting", "question": text, "last_line": text, "pack": text})
        )  # fmt: skip
    tab.until(f"document.querySelectorAll('.sessions .row').length >= {len(HOSTILE)}")
    tab.until("document.querySelector('main').innerText.includes('document.hacked=4')")
    tab.run(UNFOLD)
    seen = tab.text("main")
    for text in HOSTILE[:3]:
        assert text in seen
    made = "main :is(img, script, iframe, object, embed, b, a[href^='javascript'])"
    assert tab.run(f"document.querySelectorAll(`{made}`).length") == 0
    assert tab.run("document.querySelectorAll('[onfocus], [onerror], [autofocus]').length") == 0
    assert tab.run("document.hacked") is None
    assert not [address for address in tab.requests if "evil" in address]


def test_a_phone_and_a_wall_both_schemes(evening, enter):
    tab = enter(width=360, height=740, prefers_color_scheme="dark")
    for view in ("health", "alerts", "history", "status"):
        for width, scheme in ((360, "dark"), (1920, "light")):
            tab.run(f"location.hash = '{view}'")
            tab.size(width, 740)
            tab.media(prefers_color_scheme=scheme)
            tab.until(f"!document.querySelector('[data-view={view}]').hidden")
            tab.run(UNFOLD)
            wide = tab.run("document.documentElement.scrollWidth")
            assert wide <= tab.run("innerWidth"), f"{view} at {width} scrolls sideways: {wide}"
            assert tab.run(CONTRAST) == [], f"{view}, {scheme}"
    assert tab.run("document.querySelector('#help').textContent") == "? keys"
    tab.media("print")
    assert tab.run("getComputedStyle(document.querySelector('nav')).display") == "none"


def test_what_destroys_wants_its_name_typed(evening, enter):
    evening.answers["offer"] = Answer(ok=True, text="", plan=clean_plan())
    tab = enter()
    tab.press("3", "Enter")
    tab.point("[data-list=disks] [data-verb=clean]", click=True)
    tab.until("document.querySelector('#plan').open")
    assert "delete 214 files" in tab.text("#plan-steps")
    tab.write("disk:")
    tab.press("Enter")
    assert tab.run("document.querySelector('#plan').open"), "that is not its name"
    tab.write("/")
    tab.press("Enter")
    tab.until("document.querySelector('#answer').innerText.includes('apply done')")
    assert [(verb, target) for verb, target, *_ in evening.asked] == [
        ("offer", "disk:/"), ("apply", clean_plan().id),
    ]  # fmt: skip


def test_who_only_looks_has_nothing_to_press(evening, enter):
    tab = enter("viewer")
    tab.press("1", "Enter")
    tab.until("document.querySelector('.more:not([hidden]) dl').innerText.includes('state')")
    tab.press("5", "Enter", "a", "s", "m")
    assert tab.run("document.querySelectorAll('.acts button').length") == 0
    assert tab.run("document.querySelector('#act').open") is False
    assert "acknowledge" not in tab.text("footer")
    # and pressing what is not there is refused
    sent = tab.run(
        "import('/assets/acts.js').then((acts) => acts.override('acknowledge', '1', {}))"
        ".then((said) => JSON.stringify(said))"
    )
    assert json.loads(sent)["ok"] is False
    assert tab.run("fetch('/api/v1/me').then((me) => me.json())")["may_act"] is False


def test_a_tab_that_was_opened_behind_others_holds_no_line_and_claims_nothing(evening, enter):
    """A browser has six lines for a host: tabs that nobody has looked at yet must not take all."""
    tab = enter()
    tab.call(
        "Page.addScriptToEvaluateOnNewDocument",
        source="""
      const wait = setTimeout;
      window.setTimeout = (doing, ms) => wait(doing, Math.min(ms, 1000));
      window.unseen = true;
      Object.defineProperty(document, "hidden", { get: () => window.unseen });
    """,
    )
    tab.go(f"{evening.url}/?again")
    tab.until("document.title.startsWith('○ not live')")
    assert tab.run("document.querySelector('#icon').getAttribute('href')").endswith("unknown.svg")
    until(lambda: evening.viewers() == 0)
    tab.run("unseen = false; document.dispatchEvent(new Event('visibilitychange'))")
    tab.until("document.title.startsWith('✗ 2 critical')")
