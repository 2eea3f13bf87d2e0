"""What is painted past Textual's rounds: a terminal shows the same as if all were painted anew."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healmon import events as ev
from healmon_tui.app import HealmonApp
from healmon_tui.paint import Line, Span, differing, fill
from tests.helpers.examples import first_fast
from tests.helpers.glass import Glass
from tests.helpers.screen import Screen
from tests.helpers.scripted import ScriptedLink, lived_world, locked

LIMIT = 60.0
SAID = ["quiet", "日本語 " * 3, "x" * 300, "", "e\u0301 \u202e", "─" * 9]
SIZES = [(60, 15), (80, 24), (120, 36), (200, 50)]
WORDS = ["", "a", "ab", "abc", "  ", "─", "é", "日本", "a\x1b[31m", "e\u0301"]


def on_glass(size, work, **options):
    """Let the app paint on a terminal of ours, and do something with it."""

    async def whole():
        link = ScriptedLink(lived_world())
        options_ = {"plain": False, "ascii_only": False, "clock": link.clock, **options}
        app = HealmonApp(link, **options_)
        glass = Glass(app, size)
        async with app.run_test(size=size) as pilot:
            screen = Screen(app, pilot, link)
            await screen.settle()
            app.screen.refresh(layout=True)
            await pilot.pause()
            await pilot.pause(0.05)
            return await work(screen, glass)

    return asyncio.run(asyncio.wait_for(whole(), LIMIT))


def wrong(glass):
    """Return the places at which the terminal shows something else than is meant, with both."""
    return [
        (x, y, shown, meant)
        for y, lines in enumerate(zip(glass.shown(), glass.meant(), strict=True))
        for x, (shown, meant) in enumerate(zip(*lines, strict=True))
        if shown != meant
    ]


def happens(link, random_):
    """Let something happen to some rows: longer and shorter texts, foreign signs, other marks."""
    for number in random_.sample(range(6), 3):
        said = random_.choice(SAID)
        word = random_.choice(["working", "approval", "idle"])
        facts = {"state": word, "pane": f"%{number}", "quiet": random_.randrange(300),
                 "last_line": said, "command": "claude"}  # fmt: skip
        name = f"session:agent_{number}"
        link.emit(ev.Observed("sessions", name, "healthy", "", "t", "v", facts))
        worker = {"state": random_.choice(["healthy", "backoff", "quarantined"]), "pid": 10**number,
                  "cpu": random_.random() * 200, "rss": random_.random() * 1e9}  # fmt: skip
        status = random_.choice(["healthy", "unhealthy", "unknown"])
        link.emit(ev.Observed("workers", f"w{number}", status, "why", "t", "v", worker))


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_the_terminal_shows_what_is_meant(size):
    chance = random.Random(size[0])

    async def work(screen, glass):
        for turn in range(12):
            happens(screen.link, chance)
            screen.link.clock.advance(chance.choice([0.2, 1.0, 70.0]))
            if turn % 4 == 2:
                await screen.press(chance.choice("j123k"))
            screen.app.redraw()
            await screen.pilot.pause()
            await screen.pilot.pause(0.03)
            assert wrong(glass) == [], turn

    on_glass(size, work)


@pytest.mark.parametrize("options", first_fast({"plain": True}, {"ascii_only": True}))
def test_the_terminal_shows_what_is_meant_without_colours_or_signs(options):
    chance = random.Random(7)

    async def work(screen, glass):
        for turn in range(4):
            happens(screen.link, chance)
            screen.app.redraw()
            await screen.pilot.pause()
            await screen.pilot.pause(0.03)
            shown = [[char for char, _ in line] for line in glass.shown()]
            assert shown == [[char for char, _ in line] for line in glass.meant()], turn

    on_glass((120, 36), work, **options)


@pytest.mark.slow
def test_a_sheet_over_the_panels_is_not_painted_over():
    chance = random.Random(3)

    async def work(screen, glass):
        locked(screen.link)
        for keys in (["question_mark"], ["escape", "1", "r"], ["escape", "enter"], ["escape"]):
            await screen.press(*keys)
            for _ in range(3):
                happens(screen.link, chance)
                screen.app.redraw()
                await screen.pilot.pause()
                await screen.pilot.pause(0.05)
                assert wrong(glass) == [], keys

    on_glass((120, 36), work)


def test_a_second_in_which_little_changes_writes_little_and_wakes_no_widget():
    async def work(screen, glass):
        before, dirty = glass.bytes, []
        screen.app.screen._on_timer_update = lambda: dirty.append(1)
        screen.link.clock.advance(1.0)
        screen.app.redraw()
        assert 0 < glass.bytes - before < 1500
        assert wrong(glass) == []
        assert not screen.app.screen._dirty_widgets
        assert not dirty

    on_glass((200, 50), work)


SPANS = st.lists(st.builds(Span, st.sampled_from(WORDS), st.sampled_from(["text", "dim"])))


@given(SPANS, SPANS, SPANS, SPANS, st.integers(0, 12))
def test_what_differs_makes_the_line_before_the_line_after(head, before, after, tail, cells):
    old, new = Line((*head, *before, *tail)), Line((*head, *after, *tail))

    def drawn(spans):
        return [(char, span.tone) for span in spans for char in span.text]

    x, spans = differing(old, new, cells)
    there, part = drawn(fill(old.spans, cells)), drawn(spans)
    wanted = drawn(fill(new.spans, cells))
    got = (
        part
        if x == 0 and len(part) >= len(wanted)
        else [*there[:x], *part, *there[x + len(part) :]]
    )
    # what is behind the text is blank in any tone
    bare = [[(c, "" if c == " " else tone) for c, tone in one] for one in (got, wanted)]
    assert bare[0] == bare[1]


def test_another_ground_is_another_line():
    one, other = Line((Span("ab"),)), Line((Span("ab"),), "cursor")
    assert differing(one, other, 4) == (0, (Span("ab"), Span("  ")))
    assert differing(one, one, 4) == (2, ())
    assert differing(None, one, 2) == (0, (Span("ab"),))
