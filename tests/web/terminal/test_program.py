"""What a tab starts, and what may be said to it: decisions without a process."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual_serve import app_service

from healmon.web.terminal import page, program, service, socket
from tests.helpers.examples import examples

SECRETS = {
    "HEALMON_WEB_TOKEN": "t", "AWS_SECRET_ACCESS_KEY": "t", "HEALMON_NOTIFY__URL": "t",
    "TMUX": "/tmp/t,1,0", "TEXTUAL": "devtools", "TEXTUAL_LOG": "/tmp/log", "LD_PRELOAD": "t",
    "DISPLAY": ":0", "SSH_AUTH_SOCK": "t",
}  # fmt: skip


def test_a_tab_gets_nothing_that_could_be_a_secret():
    ours = {**SECRETS, "PATH": "/bin", "HOME": "/root", "HEALMON_UI__THEME": "light", "LANG": "C"}
    told = {**ours, "TEXTUAL_DRIVER": "d:WebDriver", "COLUMNS": "80", "ROWS": "24"}
    found = program.environment(ours, told)
    assert not set(SECRETS) & set(found)
    assert found["PATH"] == "/bin"
    assert found["HEALMON_UI__THEME"] == "light"
    assert found["TEXTUAL_DRIVER"] == "d:WebDriver"
    assert found["LC_ALL"] == "C.UTF-8"


def test_what_is_nested_without_end_is_no_message():
    assert socket.read('["stdin", ' + "[" * 30_000 + "]" * 30_000 + "]") is None


def test_who_only_looks_is_not_asked_for():
    looking = program.words(Path("/s"), "", "", 7)
    assert looking[1:] == ("-P", "-m", "healmon_tui.tab", "--state-dir", "/s", "--parent", "7")
    acting = program.words(Path("/s"), "/c.toml", "web operator from ::1; rm -rf /", 7)
    assert acting[-3:] == ("--config", "/c.toml", "--asker=web operator from ::1; rm -rf /")


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        (("120", "36"), (120, 36)),
        ((120, 36), (120, 36)),
        (("-1", "x"), (80, 24)),
        (("999999999999", "0"), (80, 1)),
        ((10**9, -5), (500, 1)),
        ((None, True), (80, 24)),
        (("１２０", 3.5), (80, 24)),
    ],
)
def test_a_terminal_is_of_a_size_within_reason(asked, size):
    assert program.size_of(*asked) == size


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (["stdin", "x"], ("stdin", b"x")),
        (["resize", {"width": 9999, "height": 20}], ("resize", (500, 20))),
        (["ping", "123"], ("ping", "123")),
        (["focus"], ("focus", None)),
        (["stdin", 1], None),
        (["stdin"], None),
        (["stdin", "a", "b"], None),
        (["resize", {"width": "1", "height": 2}], None),
        (["resize", [1, 2]], None),
        (["ping", "9" * 100], None),
        (["deliver_chunk_request", "k"], None),
        ([], None),
        ({"stdin": "x"}, None),
    ],
)
def test_only_the_protocols_messages_are_heard(said, heard):
    assert socket.read(json.dumps(said)) == heard


@settings(max_examples=examples(60), deadline=None)
@given(st.text(max_size=60) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=8,
).map(json.dumps))  # fmt: skip
def test_no_message_breaks_the_reader(text):
    heard = socket.read(text)
    assert heard is None or heard[0] in {"stdin", "resize", "ping", "focus", "blur"}


def test_textual_serve_is_as_it_is_used_here():
    """The parts of textual-serve that are not its public face; a clear word when they change."""
    base = app_service.AppService
    changed = "textual-serve changed what `web/terminal/service.py` relies on: "
    for name in ("_build_environment", "_open_app_process", "run", "on_meta", "on_packed",
                 "send_meta", "send_bytes", "set_terminal_size", "focus", "blur",
                 "start"):  # fmt: skip
        assert callable(getattr(base, name, None)), changed + name
    wanted = {"write_bytes", "write_str", "close", "download_manager"}
    assert wanted <= set(inspect.signature(base.__init__).parameters), changed + "__init__"
    text = inspect.getsource(base)
    for name in ("self._process", "self._stdin", "self._task", "process.stdout", "process.stderr",
                 'b"__GANGLION__\\n"', "await self._open_app_process(", "self.run()"):  # fmt: skip
        assert name in text, changed + name
    assert set(inspect.signature(base._open_app_process).parameters) == {"self", "width", "height"}
    # what a program may say beyond drawing is ours to decide
    for name in ("on_meta", "on_packed", "run", "stop", "_open_app_process"):
        assert name in vars(service.Tab), name


def test_the_script_of_textual_serve_is_as_the_page_uses_it():
    script = page.Asset(*page.ASSETS["textual.js"])
    from importlib.resources import files

    text = files(script.package).joinpath(script.path).read_text("utf-8")
    for name in ("sessionWebsocketUrl", ".textual-terminal", "-first-byte", "-closed",
                 "new WebSocket(", '["stdin",', '["resize",', "xterm-helper-textarea"):  # fmt: skip
        assert name in text, f"textual-serve's script changed: {name}"
    # nothing is fetched but on a wish in the address, and that the page's policy refuses
    assert text.count("fetch(") == 1
    assert "fetch(this.ping" in text
