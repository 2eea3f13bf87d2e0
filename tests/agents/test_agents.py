"""The packs against the real programs, without a network: `make test-agents`."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from healmon.sessions.interrupt import CHORD
from healmon.sessions.packs import bundled, explain
from healmon.sessions.packs.catalog import Packs
from tests.agents.stage import Stage
from tests.helpers.wait import until

PROGRAMS = os.environ.get("HEALMON_AGENTS", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PROGRAMS, reason="real agents are tested by `make test-agents`"),
]
LIMIT = 180.0
"""Seconds that an agent may take; a cold OpenCode draws nothing for a minute on a busy machine."""
SIOCSIFFLAGS, IFF_UP, IFF_RUNNING = 0x8914, 0x1, 0x40


@pytest.fixture(scope="module", autouse=True)
def loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as some:
        fcntl.ioctl(some, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP | IFF_RUNNING))


@pytest.fixture
def stage() -> Iterator[Stage]:
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as folder:
        one = Stage(Path(folder), Path(PROGRAMS))
        try:
            yield one
        finally:
            one.close()


@pytest.mark.parametrize(
    ("agent", "mode", "kind"),
    [
        ("claude", "hang", "busy"),
        ("claude", "stream", "busy"),
        ("claude", "500", "retrying"),
        ("claude", "refuse", "retrying"),
        ("claude", "529", "gave_up"),
        ("claude", "tool", "approval"),
        ("claude", "background", "tool"),
        ("claude", "done", "idle"),
        ("codex", "hang", "busy"),
        ("codex", "stream", "busy"),
        ("codex", "stall", "busy"),
        ("codex", "500", "retrying"),
        ("codex", "401", "gave_up"),
        ("codex", "tool", "approval"),
        ("codex", "done", "idle"),
        ("gemini", "hang", "busy"),
        ("gemini", "stream", "busy"),
        ("gemini", "500", "busy"),
        ("gemini", "401", "gave_up"),
        ("gemini", "tool", "approval"),
        ("gemini", "done", "idle"),
        ("opencode", "hang", "busy"),
        ("opencode", "stream", "busy"),
        ("opencode", "500", "retrying"),
        ("opencode", "429", "rate_limited"),
        ("opencode", "401", "gave_up"),
        ("opencode", "tool", "approval"),
        ("opencode", "done", "idle"),
    ],
)
def test_a_real_agent_is_recognised(stage: Stage, agent: str, mode: str, kind: str) -> None:
    pane = stage.start(agent, mode)
    seen: list[str] = []

    def says() -> bool:
        found, title, sign, screen = stage.look(pane)
        asked = "please list" in screen
        line = f"{found}: {sign.kind} by {sign.rule} (title {title!r})"
        if seen[-1:] != [line]:
            seen.append(line)
        answered = kind != "idle" or "word3" in screen
        return found == agent and asked and answered and sign.kind == kind

    try:
        until(says, LIMIT, f"{agent} on an endpoint that does {mode}, read as {kind}")
    except AssertionError as error:
        _, title, _, screen = stage.look(pane)
        why = "\n".join([*seen, screen, *explain(bundled(), agent, screen, title, None)])
        raise AssertionError(f"{error}\n{why}") from None


@pytest.mark.parametrize("agent", ["claude", "codex", "gemini", "opencode"])
def test_text_that_was_not_sent_is_seen(stage: Stage, agent: str) -> None:
    pane = stage.start(agent, "done", ask="")
    until(lambda: stage.look(pane)[2].kind == "idle", LIMIT, f"{agent} at its prompt")

    def typed() -> bool:
        sign = stage.look(pane)[2]
        if sign.kind == "idle":
            stage.server.run("send-keys", "-t", pane, "-l", "hello")
        return sign.kind == "unsent" and sign.text.startswith("hello")

    until(typed, LIMIT, "its text")


@pytest.mark.parametrize("agent", ["claude", "codex", "gemini", "opencode"])
def test_its_own_keys_stop_a_turn_and_do_not_end_it(stage: Stage, agent: str) -> None:
    pane = stage.start(agent, "hang")
    until(lambda: stage.look(pane)[2].kind == "busy", LIMIT, f"{agent} at work")
    packs: Packs = bundled()
    steps = packs.interrupt(agent)
    assert steps is not None
    for step in steps:
        for i, key in enumerate(step):
            time.sleep(CHORD if i else 0.0)  # as the product does it
            stage.server.run("send-keys", "-t", pane, key)
    until(lambda: stage.look(pane)[2].kind in {"idle", "unsent"}, 30, "the end of the turn")
    assert stage.look(pane)[0] == agent


@pytest.mark.parametrize("agent", ["claude", "codex", "gemini", "opencode"])
def test_the_last_answer_of_an_approval_says_no(stage: Stage, agent: str) -> None:
    pane = stage.start(agent, "tool")
    until(lambda: stage.look(pane)[2].kind == "approval", LIMIT, f"{agent} asking")
    choice = stage.look(pane)[2].choices[-1]
    for key in choice.keys:
        stage.server.run("send-keys", "-t", pane, key)
    until(lambda: stage.look(pane)[2].kind in {"idle", "busy", "unsent"}, 30, choice.text)
    assert stage.look(pane)[0] == agent
    assert not list(stage.folder.glob("*/proj/made-up"))


@pytest.mark.parametrize("agent", ["claude", "codex", "gemini"])
def test_the_first_answer_of_an_approval_says_yes(stage: Stage, agent: str) -> None:
    pane = stage.start(agent, "tool")
    until(lambda: stage.look(pane)[2].kind == "approval", LIMIT, f"{agent} asking")
    choice = stage.look(pane)[2].choices[0]
    for key in choice.keys:
        stage.server.run("send-keys", "-t", pane, key)
    until(lambda: stage.look(pane)[2].kind == "tool", 30, choice.text)
