"""Charts of series: nothing hidden, nothing made up, every cell where it belongs."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healmon.errors import StoreFaultError
from healmon.service.archive import Archive
from healmon.service.series import Point, Series, Sums
from healmon_tui import glyphs, plotlines, plots
from healmon_tui.paint import dump, width
from tests.helpers.examples import examples, first_fast
from tests.helpers.plotted import plotted_world
from tests.helpers.screen import check_golden, open_screen
from tests.helpers.scripted import ScriptedLink, lived_world

BEGAN = 1_770_000_000
STEP = 600


def series(name: str, label: str, unit: str, *values: float | None) -> Series:
    points = tuple(
        Point(BEGAN + place * STEP, value, value, value)
        for place, value in enumerate(values)
        if value is not None
    )
    return Series(name, label, unit, points)


def sums(*made: Series, pieces: int = 144) -> Sums:
    return Sums(BEGAN, float(BEGAN + pieces * STEP), STEP, tuple(made))


COUNTS = st.lists(st.none() | st.integers(0, 900), min_size=1, max_size=144)


@settings(max_examples=examples(40), deadline=None)
@given(failed=COUNTS, verified=COUNTS, cells=st.integers(10, 220), rows=st.integers(1, 12))
def test_no_restart_is_lost_on_the_way_to_the_screen(failed, verified, cells, rows):
    made = sums(
        series("restarts", "verified", "count", *verified),
        series("restarts", "failed", "count", *failed),
    )
    chart = next(one for one in plots.charts(made, cells) if one.title == "RESTARTS")
    total = sum(value or 0 for value in (*failed, *verified))
    assert sum(column[-1].top for column in chart.columns if column) == total
    parted = (sum(value or 0 for value in values) for values in (failed, verified))
    assert chart.said == "{:g} failed, {:g} verified".format(*parted)
    drawn = plotlines.drawn(chart, cells, rows, None, front=True)
    assert len(drawn) == rows + 1
    assert all(width(line.spans) <= cells for line in drawn[1:])
    # a failure is seen wherever there was one, and a column of which nothing is known is empty
    bottom = drawn[-1].spans[2:]
    bad = any(span.tone == "bad" for span in bottom)
    assert bad == any(failed) or cells < len(chart.columns) + plots.LABEL + 1
    if cells >= len(chart.columns) + plots.LABEL + 1:
        text = "".join(span.text for span in bottom)
        room = plots.room_of(cells)
        for cell in range(room):
            column = chart.columns[cell * len(chart.columns) // room]
            assert (text[cell] == " ") == (not column)
            # also where there are no colours, a little is more than nothing
            assert (text[cell] == glyphs.BARS[0]) == (bool(column) and column[-1].top == 0)


def test_a_zero_that_is_known_is_not_an_unknown():
    made = sums(series("restarts", "verified", "count", 0, None, 3), pieces=3)
    chart = plots.charts(made, 11)[0]
    text = dump(plotlines.drawn(chart, 11, 1, None, front=False)[1:], 11)
    assert text == f"    5 {glyphs.WALL}{glyphs.BARS[0]} {glyphs.BARS[4]}"


def test_what_is_bad_is_seen_however_little_of_it_there_is():
    made = sums(
        series("restarts", "verified", "count", 900),
        series("restarts", "failed", "count", 1), pieces=1,
    )  # fmt: skip
    chart = plots.charts(made, 20)[0]
    cell = plotlines.drawn(chart, 20, 2, None, front=False)[-1].spans[2]
    assert cell.tone == "bad"


def test_the_fullest_disk_comes_first_on_a_scale_of_its_own():
    made = sums(
        series("disk_used_ratio", "/", "ratio", 0.31, 0.34),
        series("disk_used_ratio", "/srv", "ratio", None, 0.93),
    )
    first, second, *_ = plots.charts(made, 80)
    assert (first.title, first.bottom, first.top) == ("DISK /srv", 0.9, 1.0)
    assert (second.title, second.bottom, second.top) == ("DISK /", 0.3, 0.4)
    assert second.said == "last 34.0%, highest 34.0%"


@pytest.mark.parametrize(
    ("count", "lines", "rows"),
    [(7, 21, [2] * 7), (7, 33, [4, 4, 4, 4, 4, 3, 3]), (7, 9, [2, 2, 2]), (1, 30, [29]),
     (20, 2, [1]), (3, 99, [12, 12, 12])],
)  # fmt: skip
def test_the_room_is_shared(count, lines, rows):
    assert plotlines.shared(count, lines) == rows
    assert len(rows) + sum(rows) <= max(lines, 2)


@pytest.mark.parametrize(("value", "top"), [(0, 1), (1, 1), (1.1, 2), (3, 5), (7, 10), (101, 200)])
def test_scales_end_at_numbers_that_people_count_to(value, top):
    assert plots.nice(value) == top


def test_times_are_written_at_full_hours_of_the_persons_clock(monkeypatch):
    import time

    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    where = plots.Grid(BEGAN, STEP, 144)
    text = dump([plotlines.axis(where, BEGAN + 86_400.0, 100, None)], 100)
    words = text.split()
    assert len(words) >= 8
    assert all(word.endswith(":00") for word in words)
    month = dump(
        [plotlines.axis(plots.Grid(BEGAN, 21_600, 120), BEGAN + 30 * 86_400.0, 100, None)], 100
    )
    assert "Feb" in month


@pytest.mark.slow
def test_the_screen_of_plots():
    async def run() -> None:
        async with open_screen(ScriptedLink(plotted_world()), size=(80, 24)) as screen:
            await screen.press("P")
            check_golden("plots-80x24", screen.text())
            assert "[24 h]" in screen.lines()[-1]
            # other stretches of time
            await screen.press("1")
            assert "[1 h]" in screen.lines()[-1]
            hour = screen.line_of("RESTARTS")
            await screen.press("5")
            assert screen.line_of("RESTARTS") != hour
            assert "Nov" in screen.lines()[-2]
            # one chart alone, read with a marker
            await screen.press("3", "j", "enter")
            assert sum("DISK" in line for line in screen.lines()[1:]) == 1
            await screen.press("left", "left")
            assert " to " in screen.line_of("DISK /var/log") or "%" in screen.line_of("DISK")
            assert "23 Nov" in screen.lines()[-2]
            # one step back each: all charts, then the overview
            await screen.press("escape")
            assert "STUCK SESSIONS" in screen.text()
            await screen.press("escape")
            assert "1 WORKERS" in screen.text()
            # the palette knows it, too
            await screen.press("colon", *"plots", "enter")
            assert "STUCK SESSIONS" in screen.text()

    asyncio.run(run())


@pytest.mark.parametrize("size", first_fast((60, 15), (200, 50), (39, 9)))
def test_they_fit_any_terminal(size):
    async def run() -> None:
        async with open_screen(ScriptedLink(plotted_world(3.0)), size=size) as screen:
            await screen.press("P", "j", "j", "left", "G", "enter")
            lines = screen.lines()
            assert len(lines) == size[1]
            assert all(len(line) <= size[0] for line in lines)
            assert sum(glyphs.WALL in line for line in lines) >= min(size[1] - 5, 40)

    asyncio.run(run())


@pytest.mark.slow
def test_plots_of_the_past_end_with_it_and_frozen_ones_stand_still():
    async def run() -> None:
        asked: list[tuple[float, float]] = []
        link = ScriptedLink(lived_world())
        plain = Archive.sums

        def sums_of(self, begin: float, end: float, step: float = 0.0) -> Sums:
            asked.append((begin, end))
            return plain(self, begin, end, step)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Archive, "sums", sums_of)
            async with open_screen(link, size=(120, 36)) as screen:
                await screen.press("left_curly_bracket", "P")
                then = screen.app.travel.then
                assert then is not None
                assert asked[-1][1] == then.wall
                await screen.press("escape", "L", "P")
                assert asked[-1][1] == link.now
                # it goes on with the time, but not at every drawing
                count = len(asked)
                await screen.settle()
                assert len(asked) == count
                link.clock.advance(900)
                await screen.settle()
                assert asked[-1][1] == link.now

    asyncio.run(run())


def test_a_store_that_cannot_be_read_is_told_in_words():
    async def run() -> None:
        def fails(*_: object) -> Sums:
            raise StoreFaultError("the health store cannot be used now: locked")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Archive, "sums", fails)
            async with open_screen(ScriptedLink(lived_world()), size=(80, 24)) as screen:
                await screen.press("P")
                assert "cannot be used now: locked" in screen.text()

    asyncio.run(run())


@pytest.mark.slow
def test_ascii_fills_the_same_cells():
    async def run(ascii_only: bool) -> list[str]:
        link = ScriptedLink(plotted_world())
        async with open_screen(link, size=(80, 24), ascii_only=ascii_only) as screen:
            await screen.press("P")
            return screen.lines()

    signs, plain = asyncio.run(run(ascii_only=False)), asyncio.run(run(ascii_only=True))
    assert "\n".join(plain).isascii()
    for one, other in zip(signs, plain, strict=True):
        assert glyphs.to_ascii(one) == other
