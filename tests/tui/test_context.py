"""What stands beside and below the panels: the row under the cursor, live."""

from __future__ import annotations

import asyncio

import pytest

from healmon import events as ev
from healmon.service.link import Peek, Run, Tail
from tests.helpers.examples import first_fast
from tests.helpers.screen import check_golden, open_screen
from tests.helpers.scripted import NOW, ScriptedLink, key, lived_world, locked, showing


def evening():
    link = ScriptedLink(lived_world())
    showing(link)
    return link


def see(scenario, size=(200, 50), **options):
    link = evening()

    async def whole():
        async with open_screen(link, size, **options) as screen:
            return await scenario(screen)

    return asyncio.run(whole())


def side(screen):
    return screen.app.overview._side.text()


@pytest.mark.parametrize("size", first_fast((120, 36), (200, 50)))
def test_a_lived_evening(size):
    async def scenario(screen):
        return screen.text()

    check_golden(f"lived-{size[0]}x{size[1]}", see(scenario, size))


@pytest.mark.parametrize("panel", ["2", "3", "4"])
def test_the_right_column_of_each_kind(panel):
    async def scenario(screen):
        locked(screen.link)
        screen.idle()
        await screen.settle()
        await screen.press(panel)
        return "\n".join(line.rstrip() for line in side(screen).split("\n")) + "\n"

    check_golden(f"column-{panel}-200x50", see(scenario))


def test_the_log_under_the_cursor_is_live_and_no_other_is_read():
    read = []

    async def scenario(screen):
        async def tail(worker, lines):
            read.append((worker, lines))
            return Tail(at=NOW, written=NOW - 5, size=10, lines=(f"read {len(read)} of {worker}",))

        screen.link.tail = tail
        await screen.press("j")
        assert "of assigner_worker" in side(screen)
        assert "written 5s ago" in side(screen)
        before = len(read)
        screen.app.watching.look()
        await screen.settle()
        assert len(read) == before + 1
        assert f"read {len(read)} of assigner_worker" in side(screen)
        await screen.press("3")
        before = len(read)
        screen.app.watching.look()
        await screen.settle()
        assert len(read) == before
        assert "LOG" not in side(screen)

    see(scenario)
    assert {lines for _, lines in read} == {200}
    assert {worker for worker, _ in read} <= {"mail_worker", "assigner_worker"}


def test_what_came_of_a_look_does_not_draw_the_panels_anew():
    async def scenario(screen):
        drawn = []
        screen.app._views.panels, kept = (
            lambda *a, **k: drawn.append(1) or kept(*a, **k),
            screen.app._views.panels,
        )
        screen.link.logs["mail_worker"] = Tail(at=NOW + 1, lines=("something new",))
        screen.app.watching.look()
        await screen.app.workers.wait_for_complete()
        await screen.pilot.pause()
        assert "something new" in side(screen)
        assert drawn == []

    see(scenario)


@pytest.mark.slow
def test_a_pane_keeps_its_colours_and_they_are_readable_on_a_light_ground():
    async def scenario(screen):
        runs = ((Run("orange ", "#d77757"), Run("white", "15", "", "b"), Run(" none")),)
        screen.link.screens["%14"] = Peek(at=NOW, lines=("orange white none",), runs=runs)
        await screen.press("2")
        screen.app.watching.look()
        await screen.settle()

        def colours():
            strips = screen.app.screen._compositor.render_strips()
            return {
                segment.text.strip(): segment.style
                for strip in strips
                for segment in strip
                if segment.text.strip() in ("orange", "white", "none")
            }

        dark = colours()
        await screen.press("t")
        return dark, colours()

    dark, light = see(scenario)
    assert dark["orange"].color.get_truecolor() == (0xD7, 0x77, 0x57)
    assert dark["white"].bold
    assert sum(dark["white"].color.get_truecolor()) > 600
    assert sum(light["white"].color.get_truecolor()) < 400


def test_a_frozen_view_shows_neither_log_nor_what_came_later():
    async def scenario(screen):
        await screen.press("p")
        screen.link.clock.advance(60)
        screen.link.emit(ev.StepTaken("x", "mail_worker", "a later touch"))
        screen.link.emit(
            ev.AlertOpened(key("mail_worker", "late"), "WARNING", "mail_worker", "later")
        )
        screen.app.watching.look()
        await screen.settle()
        return side(screen)

    shown = see(scenario)
    assert "LOG" not in shown
    assert "later" not in shown


def test_the_journal_beside_says_whether_each_touch_was_proved():
    async def scenario(screen):
        return side(screen)

    shown = see(scenario).split("\n")
    started = next(line for line in shown if "start workers/index" in line)
    assert started.rstrip().endswith("✓ 1.2 s")
    failed = next(line for line in shown if "delete 214" in line)
    assert failed.rstrip().endswith("✗ failed")


def test_a_strip_at_the_bottom_has_the_log_at_the_right():
    async def scenario(screen):
        return side(screen)

    assert "MailError: [Errno 111]" in see(scenario, (120, 36))


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"plain": True}, {"ascii_only": True}])
def test_strips_and_sparks_without_colours_and_without_signs(options):
    async def scenario(screen):
        await screen.press("1", "1")
        return screen.line_of("quarantined  "), screen.text()

    row, text = see(scenario, (200, 50), **options)
    if "ascii_only" in options:
        assert text.isascii()
        assert ".....=..===####" in row
    else:
        assert "▂▂▂▂▂▅▂▂▅▅▅████" in row


def test_what_is_drawn_of_the_time_before_is_read_when_there_is_something_to_see():
    past = lived_world()
    link = ScriptedLink(past, history=20)
    asked = []

    def older(before, count):
        asked.append(before)
        return [record for record in past if record.id < before][-count:]

    link.older = older

    async def scenario():
        async with open_screen(link, (200, 50)) as screen:
            await screen.settle()
            return screen.line_of("quarantined  "), screen.app.bridge.chronicle.ledger.touches()

    row, touches = asyncio.run(scenario())
    assert asked[0] == past[-20].id
    assert "▂▂▂▂▂▅▂▂▅▅▅████" in row
    assert touches[0].text == "send Ctrl+C to pane %9"
