"""A first run: what is seen, that nothing is touched, and how to begin; at every size."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from healmon import events as ev
from healmon.service.starter.model import Database, Found, Session, Worker
from healmon.world.survey import FileSystem
from healmon_tui.screens.ask import AskSheet
from healmon_tui.screens.firstrun import FirstRunScreen
from healmon_tui.screens.help import HelpSheet
from healmon_tui.screens.overview import Overview
from tests.helpers.examples import first_fast
from tests.helpers.firstruns import ScriptedFirstRun, sights
from tests.helpers.screen import check_golden, open_screen
from tests.helpers.scripted import ScriptedLink, world
from tests.tui.test_hostile import HOSTILE, acts

SIZES = [(80, 24), (60, 15), (120, 36), (200, 50)]


def looking_on():
    """Return the past of a healer without a configuration."""
    kept = ("disk:/", "session:claude_docs", "session:scratch")
    mine = [
        record.event
        for record in world()
        if isinstance(record.event, ev.EngineStarted | ev.CycleFinished)
        or (isinstance(record.event, ev.Observed) and record.event.component in kept)
    ]
    return [ev.Recorded(n, world()[-1].wall, event) for n, event in enumerate(mine, 1)]


def run(scenario, first=None, *, size=(80, 24), **options):
    first = first or ScriptedFirstRun()

    async def whole():
        link = ScriptedLink(looking_on())
        async with open_screen(link, size, first=first, **options) as screen:
            return await scenario(screen)

    return asyncio.run(whole())


async def text(screen):
    return screen.text()


@pytest.mark.parametrize("size", first_fast(*SIZES))
def test_it_shows_what_it_sees_and_how_to_begin(size):
    shown = run(text, size=size)
    check_golden(f"first-run-{size[0]}x{size[1]}", shown)
    for words in ("No configuration", "touches nothing", "DISKS 2", "TMUX SESSIONS 2",
                  "SQLITE DATABASES 3", "PROGRAMS LIKE WORKERS 2", "write a starter",
                  "look around", "? help", "NO CONFIGURATION"):  # fmt: skip
        assert words in shown, words
    assert all(len(line) <= size[0] for line in shown.splitlines())


@pytest.mark.parametrize("size", first_fast(*SIZES))
def test_a_host_with_much_still_says_how_to_begin(size):
    many = Found(
        host="h",
        disks=tuple(FileSystem(f"/mnt/{n}", "xfs", 10**9, 10**8) for n in range(30)),
        databases=sights(60).databases,
        sessions=tuple(Session("default", f"s{n}", "bash", attached=False) for n in range(60)),
        workers=tuple(Worker(pid=n, age=1.0, argv=(f"d{n}",)) for n in range(60)),
        unseen=tuple(map(str, range(60))),
    )
    shown = run(text, ScriptedFirstRun(many), size=size)
    assert "write a starter" in shown
    assert "more" in shown


def test_a_host_with_nothing_says_so():
    shown = run(text, ScriptedFirstRun(Found(host="h")))
    for words in (
        "none that can be measured",
        "none that healmon may see",
        "none open",
        "none that run",
    ):
        assert words in shown


@pytest.mark.slow
def test_i_shows_path_and_content_and_writes_only_on_yes():
    first = ScriptedFirstRun()

    async def scenario(screen):
        await screen.press("I")
        assert isinstance(screen.app.screen, AskSheet)
        plan = screen.text()
        assert "~/.config/healmon/healmon.toml" in plan
        assert "[monitor]" in plan
        assert "architect.db" in plan
        await screen.press("n")
        assert first.written == 0
        assert "nothing was written" in screen.app.screen.answer
        await screen.press("I", "enter", "I", "escape", "I", "q")
        assert first.written == 0
        await screen.press("I", "y")
        assert first.written == 1
        after = screen.text()
        assert "A configuration is there now" in after
        assert "start again, with it" in after
        # there is nothing to write any more
        await screen.press("I")
        assert isinstance(screen.app.screen, FirstRunScreen)
        await screen.press("enter")
        return first.again

    assert run(scenario, first)


def test_long_lines_of_the_content_are_shown_whole():
    first = ScriptedFirstRun()
    first.text = "command = [" + ", ".join(f'"word{n}"' for n in range(40)) + "]\n"

    async def scenario(screen):
        await screen.press("I")
        return screen.text()

    shown = run(scenario, first, size=(100, 40))
    assert all(f'"word{n}"' in shown for n in range(40))


def test_what_cannot_be_written_is_said():
    first = ScriptedFirstRun()
    first.fault = "/etc/healmon/healmon.toml: Permission denied"

    async def scenario(screen):
        await screen.press("I")
        assert isinstance(screen.app.screen, FirstRunScreen)
        assert "Permission denied" in screen.app.screen.answer
        first.fault = ""
        await screen.press("I")
        first.fault = "No space left on device"
        await screen.press("y")
        return screen.app.screen.answer, screen.text()

    answer, shown = run(scenario, first)
    assert "No space left" in answer
    assert "write a starter" in shown


@pytest.mark.slow
@pytest.mark.parametrize("key", ["enter", "escape"])
def test_one_can_look_around_and_come_back(key):
    first = ScriptedFirstRun()

    async def scenario(screen):
        await screen.press(key)
        assert isinstance(screen.app.screen, Overview)
        assert "NO CONFIGURATION" in screen.lines()[0]
        assert "I begin" in screen.lines()[-1]
        await screen.press("I")
        assert isinstance(screen.app.screen, FirstRunScreen)
        await screen.press("question_mark")
        assert isinstance(screen.app.screen, HelpSheet)
        assert not first.again
        return screen.link.asked

    assert run(scenario, first, size=(120, 36)) == []


def test_it_vanishes_once_there_is_a_configuration():
    first = ScriptedFirstRun()

    async def scenario(screen):
        first.there = Path("/etc/healmon/healmon.toml")
        await screen.settle()
        return screen.text()

    shown = run(scenario, first)
    assert "/etc/healmon/healmon.toml" in shown
    assert "write a starter" not in shown


def test_with_a_configuration_there_is_no_such_screen_and_no_such_key():
    async def scenario():
        async with open_screen(ScriptedLink(world()), (120, 36)) as screen:
            await screen.press("I")
            assert isinstance(screen.app.screen, Overview)
            assert "NO CONFIGURATION" not in screen.text()
            await screen.press("question_mark")
            return screen.app.screen.body(80)

    lines = ["".join(span.text for span in line.spans) for line in asyncio.run(scenario())]
    assert not any("starter configuration" in line for line in lines)


def test_a_screen_for_reading_writes_nothing():
    first = ScriptedFirstRun()

    async def scenario(screen):
        shown = screen.text()
        await screen.press("I", "y")
        assert isinstance(screen.app.screen, FirstRunScreen)
        return shown

    assert "write a starter" not in run(scenario, first, read_only=True)
    assert first.written == 0


def test_it_looks_again_when_asked_and_changes_its_theme():
    first = ScriptedFirstRun()

    async def scenario(screen):
        first.seen = Found(host="h", disks=(FileSystem("/new", "xfs", 9, 3),))
        await screen.press("ctrl+r")
        assert "/new" in screen.text()
        await screen.press("t")
        assert "light" in screen.app.screen.answer
        return first.looks

    assert run(scenario, first) == 2


def test_q_leaves():
    async def scenario(screen):
        await screen.press("q")
        return screen.link.closed

    assert run(scenario) == 1


@pytest.mark.slow
@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("size", first_fast((60, 15), (200, 50)))
def test_nothing_foreign_drives_it(size, ascii_only):
    bad = "".join(part[:60] for part in HOSTILE)
    found = Found(
        host=bad,
        disks=(FileSystem(bad, bad, 2, 1),),
        databases=(Database(path=bad, users=((3, bad),)),),
        sessions=(Session(bad, bad, bad, attached=True),),
        workers=(
            Worker(pid=3, age=1.0, argv=(bad,), pid_file=bad),
            Worker(pid=4, age=1.0, argv=()),
        ),
        unseen=(bad,),
    )
    first = ScriptedFirstRun(found, where=bad)
    first.text = bad

    async def scenario(screen):
        for keys in ((), ("I",), ("escape", "ctrl+r"), ("question_mark",)):
            await screen.press(*keys)
            strips = screen.app.screen._compositor.render_strips()
            for strip in strips:
                assert strip.cell_length == size[0]
                assert all(acts(segment.text) == [] for segment in strip)
                if ascii_only:
                    assert strip.text.isascii()
        first.there = Path(bad.replace("\0", ""))
        await screen.settle()
        return screen.app.is_running

    assert run(scenario, first, size=size, ascii_only=ascii_only)
