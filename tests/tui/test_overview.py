"""The whole overview as text, at every size, against golden files."""

from __future__ import annotations

import asyncio

import pytest

from healmon import events as ev
from healmon.service.link import Gone
from tests.helpers.examples import first_fast
from tests.helpers.screen import check_golden, open_screen
from tests.helpers.scripted import NOW, ScriptedLink, calm_world, key, locked, world

SIZES = [(80, 24), (60, 15), (120, 36), (200, 50)]


def test_a_golden_file_is_nothing_but_what_is_on_the_screen():
    async def scenario():
        async with open_screen(ScriptedLink(world()), (80, 24)) as screen:
            return screen.lines()

    lines = asyncio.run(scenario())
    assert len(lines) == 24
    assert all(len(line) <= 80 for line in lines)


@pytest.mark.parametrize("size", first_fast(*SIZES))
def test_a_busy_evening(size):
    async def scenario():
        async with open_screen(ScriptedLink(world()), size) as screen:
            return screen.text()

    check_golden(f"busy-{size[0]}x{size[1]}", asyncio.run(scenario()))


@pytest.mark.parametrize("size", first_fast(*SIZES))
def test_a_calm_evening(size):
    async def scenario():
        async with open_screen(ScriptedLink(calm_world()), size) as screen:
            return screen.text()

    text = asyncio.run(scenario())
    assert "all well" in text
    assert "✗" not in text
    check_golden(f"calm-{size[0]}x{size[1]}", text)


def test_what_is_not_well_is_said_before_there_is_an_alert():
    """`healmon status` names it as unhealthy: here it is not all well either."""

    async def scenario():
        link = ScriptedLink(calm_world())
        async with open_screen(link, (80, 24)) as screen:
            link.emit(ev.Observed("workers", "task_worker", "unhealthy", "gone", "t", "v", {}))
            await screen.settle()
            down = screen.lines()[0]
            link.emit(ev.Observed("workers", "task_worker", "unknown", "no /proc", "t", "v", {}))
            await screen.settle()
            return down, screen.lines()[0]

    down, unknown = asyncio.run(scenario())
    assert "✗1 not well" in down
    assert "?1 unknown" in unknown
    assert "all well" not in down + unknown


@pytest.mark.slow
def test_where_nobody_looks_nothing_is_known_to_be_well():
    async def scenario():
        link = ScriptedLink(calm_world(), attached="pid 4711")
        async with open_screen(link, (120, 24)) as screen:
            link.ended = Gone("pid 4711", NOW, "was killed or crashed", offered=True)
            await screen.settle()
            gone = screen.lines()[0]
            link.ended = None
            link.emit(ev.HealerFailed("disks", "statvfs: it hangs"))
            await screen.settle()
            return gone, screen.lines()[0]

    gone, partly = asyncio.run(scenario())
    assert "? nobody looks" in gone
    assert "next" not in gone
    assert "? not all seen" in partly
    assert "all well" not in gone + partly


@pytest.mark.parametrize("size", first_fast(*SIZES))
def test_before_the_first_look_there_is_nothing_to_be_proud_of(size):
    async def scenario():
        async with open_screen(ScriptedLink(), size) as screen:
            return screen.text()

    text = asyncio.run(scenario())
    assert "all well" not in text
    assert "NO HEALER" in text
    check_golden(f"empty-{size[0]}x{size[1]}", text)


@pytest.mark.parametrize("keys", ["1", "2", "3", "4", "5"])
def test_every_panel_alone_on_a_small_terminal(keys):
    async def scenario():
        link = ScriptedLink(world())
        async with open_screen(link, (60, 15)) as screen:
            locked(link)
            await screen.settle()
            await screen.press(keys)
            return screen.text()

    text = asyncio.run(scenario())
    check_golden(f"single-{keys}-60x15", text)
    assert text.splitlines()[-1].lstrip().startswith("? help")


def test_under_40x10_the_status_and_the_worst_alerts_are_left():
    async def scenario():
        async with open_screen(ScriptedLink(world()), (39, 9)) as screen:
            return screen.lines()

    lines = asyncio.run(scenario())
    assert "✗2" in lines[0]
    assert "mail_worker" in lines[1]
    assert "quarantined" in lines[2]
    assert not any("help" in line for line in lines)


def test_one_line_is_enough_for_the_status():
    async def scenario():
        async with open_screen(ScriptedLink(world()), (20, 1)) as screen:
            return screen.lines()

    assert "✗2" in asyncio.run(scenario())[0]


@pytest.mark.slow
def test_it_follows_a_terminal_that_changes_its_size():
    async def scenario():
        async with open_screen(ScriptedLink(world()), (200, 50)) as screen:
            seen = {}
            for size in ((60, 15), (80, 24), (120, 36), (39, 9), (200, 50)):
                await screen.pilot.resize_terminal(*size)
                await screen.settle()
                seen[size] = screen.text()
            return seen

    seen = asyncio.run(scenario())
    for size in SIZES:
        check_golden(f"busy-{size[0]}x{size[1]}", seen[size])
    assert "help" not in seen[39, 9]


def test_everything_the_alert_log_says_about_one_story():
    link = ScriptedLink(world())

    async def scenario():
        async with open_screen(link, (200, 50)) as screen:
            down = key("task_worker", "down")
            link.emit(ev.AlertOpened(down, "CRITICAL", "task_worker", "exited with code 3"))
            await screen.settle()
            found = screen.line_of("exited with code 3")
            link.emit(ev.AlertAcknowledged(down, "olga", "", NOW + 60))
            await screen.settle()
            acknowledged = screen.line_of("exited with code 3")
            link.emit(ev.AlertResolved(down, "it came back"))
            await screen.settle()
            return found, acknowledged, screen.line_of("exited with code 3")

    found, acknowledged, over = asyncio.run(scenario())
    assert found.startswith(" ✗")
    assert acknowledged.startswith(" ◐")
    assert over.startswith(" ✓")
    assert "it came back" in over


def test_the_countdown_becomes_the_act_and_the_act_becomes_its_proof():
    link = ScriptedLink(world())

    async def scenario():
        async with open_screen(link, (120, 36)) as screen:
            seen = []

            async def look() -> None:
                screen.idle()
                await screen.settle()
                seen.append(screen.line_of("assigner_worker"))

            await look()
            link.clock.advance(5)
            await look()
            link.clock.advance(3)
            link.emit(ev.ActionStarted("4711.88.3", "assigner_worker"))
            link.emit(ev.StepTaken("4711.88.3", "assigner_worker", "start it"))
            link.clock.advance(2)
            await look()
            link.emit(
                ev.ActionVerified("4711.88.3", "assigner_worker", "restart_worker", "alive", 2.3)
            )
            facts = {"state": "healthy", "pid": 50200, "age": 1.0}
            link.emit(ev.Observed("workers", "assigner_worker", "healthy", "up", "t", "v", facts))
            link.emit(ev.AlertResolved(key("assigner_worker", "down"), "up again"))
            await look()
            link.clock.advance(40)
            await look()
            return seen

    waiting, sooner, acting, proved, later = asyncio.run(scenario())
    assert "✗ assigner_worker" in waiting
    assert "restart in 8s" in waiting
    assert "restart in 3s" in sooner
    assert "restarting 2s…" in acting
    assert "✓ assigner_worker" in proved
    assert "verified 2.3 s" in proved
    assert "● assigner_worker" in later
    assert " healthy " in later


def test_red_is_for_what_needs_a_person():
    link = ScriptedLink(world())

    async def scenario():
        async with open_screen(link, (120, 36)) as screen:
            rows = screen.app.overview._panels["workers"].view.rows
            return {row.key: row.mark for row in rows}

    marks = asyncio.run(scenario())
    assert marks["mail_worker"].tone == "bad"
    assert marks["assigner_worker"].tone == "heal"
    assert marks["assigner_worker"].glyph == marks["mail_worker"].glyph == "✗"
    assert marks["index_worker"].tone == "ok"


@pytest.mark.slow
def test_no_colour_leaves_no_colour_and_ascii_no_sign():
    async def scenario(**options):
        async with open_screen(ScriptedLink(world()), (80, 24), **options) as screen:
            strips = screen.app.screen._compositor.render_strips()
            return screen.text(), [seg.style for strip in strips for seg in strip]

    _, styles = asyncio.run(scenario(plain=True))
    for style in styles:
        assert style is None or style.color is None or style.color.is_default
        assert style is None or style.bgcolor is None or style.bgcolor.is_default
    text, _ = asyncio.run(scenario(ascii_only=True))
    assert text.isascii()
    check_golden("ascii-80x24", text)
