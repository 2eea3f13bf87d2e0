"""The screen with everything that healmon did to the world."""

from __future__ import annotations

import asyncio

import pytest

from healmon import events as ev
from healmon_tui.screens.journal import Journal
from healmon_tui.screens.overview import Overview
from tests.helpers.examples import first_fast
from tests.helpers.screen import check_golden, open_screen
from tests.helpers.scripted import ScriptedLink, world


def run(scenario, size=(120, 36), keys=("J",), **options):
    link = ScriptedLink(world())

    async def whole():
        async with open_screen(link, size, **options) as screen:
            await screen.press(*keys)
            assert isinstance(screen.app.screen, Journal)
            return await scenario(screen)

    return asyncio.run(whole())


def cursor(screen):
    return screen.line_of("▸")


def touch(link, text, component="mail_worker"):
    link.emit(ev.StepTaken(f"p{text}", component, text))


@pytest.mark.parametrize("size", first_fast((80, 24), (60, 15), (120, 36)))
def test_every_touch_the_newest_last_with_its_proof(size):
    async def scenario(screen):
        return screen.text()

    check_golden(f"journal-{size[0]}x{size[1]}", run(scenario, size))


@pytest.mark.slow
def test_it_follows_what_comes_until_somebody_scrolls():
    async def scenario(screen):
        assert "send Ctrl+C to pane %14" in cursor(screen)
        for number in range(40):
            touch(screen.link, f"touch {number}")
        await screen.settle()
        assert "touch 39" in cursor(screen)
        await screen.press("k", "k")
        assert "touch 37" in cursor(screen)
        assert "follow again" in screen.text()
        for number in range(40, 60):
            touch(screen.link, f"touch {number}")
        await screen.settle()
        assert "touch 37" in cursor(screen)
        assert "touch 59" not in screen.text()
        await screen.press("g")
        assert "send Ctrl+C to pane %9" in cursor(screen)
        await screen.press("G")
        touch(screen.link, "the last")
        await screen.settle()
        assert "the last" in cursor(screen)

    run(scenario)


@pytest.mark.slow
def test_f_shows_only_what_was_done_to_the_selected_one():
    async def scenario(screen):
        assert "only index_worker" in screen.text()
        await screen.press("f")
        lines = [line for line in screen.lines() if "23 Nov" in line]
        assert len(lines) == 1
        assert "index_worker" in lines[0]
        assert "JOURNAL index_worker 1 of 5" in screen.text()
        await screen.press("f")
        assert "codex_review" in screen.text()

    run(scenario, keys=("j", "j", "j", "J"))


def test_y_copies_the_whole_line():
    async def scenario(screen):
        copied = []
        screen.app.copy_to_clipboard = copied.append
        await screen.press("k", "y")
        assert "copied" in screen.text()
        return copied

    (line,) = run(scenario, (60, 15))
    assert line == (
        "2026-11-23 20:46:35  index_worker  start workers/index_worker.py --daemon  "
        "✓ 1.2 s · pid 50122 alive after 1.0 s, heartbeat fresh"
    )


def test_a_touch_gets_its_proof_when_it_comes():
    async def scenario(screen):
        touch(screen.link, "press Enter")
        await screen.settle()
        assert "under way…" in cursor(screen)
        screen.link.emit(ev.ActionVerified("ppress Enter", "mail_worker", "x", "it answered", 0.3))
        await screen.settle()
        assert "✓ 0.3 s · it answered" in cursor(screen)

    run(scenario)


@pytest.mark.slow
def test_esc_goes_back_and_a_frozen_view_has_no_later_touches():
    async def scenario(screen):
        touch(screen.link, "a later touch")
        screen.link.clock.advance(5)
        touch(screen.link, "an even later touch")
        await screen.settle()
        assert "later touch" not in screen.text()
        await screen.press("escape")
        assert isinstance(screen.app.screen, Overview)

    async def later(screen):
        screen.link.clock.advance(5)
        return await scenario(screen)

    run(later, keys=("p", "J"))


def test_nothing_was_done_yet():
    link = ScriptedLink()

    async def whole():
        async with open_screen(link, (80, 24)) as screen:
            await screen.press("J", "j", "k", "g", "G", "y", "f")
            return screen.text()

    assert "nothing was done to the world yet" in asyncio.run(whole())


def test_reading_only_shows_it_too():
    async def scenario(screen):
        return screen.text()

    assert "delete 214 files" in run(scenario, read_only=True)
