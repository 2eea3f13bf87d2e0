"""What the page is made of, without a browser."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from healmon.web.context import Visitor
from healmon.web.page import pages
from healmon_tui.looks import DARK, LIGHT, Look

HERE = Path(pages.__file__).parent
SCRIPTS = {path.name: path.read_text() for path in (HERE / "assets").glob("*.js")}
ALL = {**SCRIPTS, **{name: pages.text(name) for name in ("page.html", "login.html")}}
VISITOR = Visitor("operator", 'c"><script>', "127.0.0.1")


class Seen(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def test_all_of_it_is_served_and_of_a_size_to_love():
    there = {path.name for path in (HERE / "assets").iterdir()}
    assert there == set(pages.ASSETS)
    for name, script in SCRIPTS.items():
        assert set(re.findall(r'from "\./([\w.]+)"', script)) <= there, name
        assert script.count("\n") < 300, name


def test_foreign_text_has_no_way_to_become_markup():
    ways = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|DOMParser"
    for name, script in SCRIPTS.items():
        assert not re.search(ways, script), name
        assert not re.search(r"createElement|\.textContent =", script) or name == "dom.js", name


@pytest.mark.parametrize("name", ALL)
def test_nobody_else_is_asked_for_anything(name):
    assert set(re.findall(r"\w+://[^\s\"'`<]+", ALL[name])) <= {"http://www.w3.org/2000/svg"}


def test_what_a_script_looks_for_is_in_the_page():
    document = Seen(pages.text("page.html"))
    ids = [attrs["id"] for _, attrs in document.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    wanted = {found for script in SCRIPTS.values() for found in re.findall(r'"#([\w-]+)', script)}
    assert wanted - set(ids) == set()
    lists = {attrs["data-list"] for _, attrs in document.tags if "data-list" in attrs}
    kinds = SCRIPTS["kinds.js"].partition("export const KINDS = {")[2]
    assert all(re.search(rf"\b{name}\b", kinds) for name in lists)


def test_what_is_put_in_is_never_markup():
    document = Seen(pages.document("n0nce", VISITOR, tui=False))
    assert document.tags[0] == ("html", {"lang": "en", "data-role": "operator",
                                         "data-csrf": 'c"><script>'})  # fmt: skip
    nonces = [a for tag, a in document.tags if tag == "script" or a.get("rel") == "stylesheet"]
    assert [attrs["nonce"] for attrs in nonces] == ["n0nce", "n0nce"]
    assert any("hidden" in attrs for _, attrs in document.tags if attrs.get("href") == "/tui/")
    assert not any("style" in attrs for _, attrs in document.tags)
    said = pages.login("n0nce", "<b>no</b>")
    assert "&lt;b&gt;no" in said
    assert "{{" not in said + pages.document("n", VISITOR, tui=True)


@pytest.mark.parametrize("look", [DARK, LIGHT], ids=lambda look: look.name)
def test_its_colours_are_those_of_the_screen(look: Look):
    style = pages.text("assets/page.css")
    dark, light = style.split("@media (prefers-color-scheme: light)")[:2]
    told = dict(
        re.findall(r"--(\w+): (#\w+);", dark if look.dark else light.partition("@media")[0])
    )
    for name in ("text", "strong", "dim", "faint", "ok", "warn", "bad", "heal", "calm", "accent"):
        assert told[name] == look.tones[name], name
    for name in ("base", "bar", "cursor", "sheet", "alarm"):
        assert told[name] == look.grounds[name], name
