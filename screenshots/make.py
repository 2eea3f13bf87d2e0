"""Makes the pictures beside it: the real screen over a scripted healer with a fixed clock.

`python screenshots/make.py` writes an SVG and a PNG of every scene, and `demo.gif`, the recording
of `demo.py`; the same input gives the same bytes. Names of scenes, `demo`, or `web` for the health
page, make those alone. The PNGs need cairosvg, the recording Pillow, both the font DejaVu Sans Mono
(Debian: fonts-dejavu-core), and the page Chromium.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

os.environ["TZ"] = "UTC"
time.tzset()
os.environ.pop("NO_COLOR", None)
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from textual.pilot import Pilot  # noqa: E402

from healmon import events as ev  # noqa: E402 - the path is set above
from healmon.plans import Answer, Overlays  # noqa: E402
from healmon.service.link import Gone  # noqa: E402
from healmon.service.screenlook import ScreenLook  # noqa: E402
from healmon_tui.app import HealmonApp  # noqa: E402
from healmon_tui.screens import modal  # noqa: E402
from healmon_tui.widgets import panel  # noqa: E402
from tests.helpers.firstruns import ScriptedFirstRun  # noqa: E402
from tests.helpers.plotted import plotted_world  # noqa: E402
from tests.helpers.scripted import (  # noqa: E402
    ScriptedLink,
    calm_world,
    clean_plan,
    key,
    lived_world,
    locked,
    restart_plan,
    showing,
)

modal.READ = 0.0  # type: ignore[misc] # nobody reads here
panel.SEEN = 0.0  # type: ignore[misc] # likewise
FONT = "DejaVu Sans Mono"
FILM = "demo"
"""The recording, beside the pictures."""
PAGES = "web"
"""All pictures of the health page; `web-…` is one of them."""
Steps = Callable[[Pilot[Any], ScriptedLink], Awaitable[None]]


async def nothing(pilot: Pilot[Any], link: ScriptedLink) -> None:
    """Take the picture as it is."""


def pressing(*keys: str) -> Steps:
    """Return steps that press keys."""

    async def press(pilot: Pilot[Any], _link: ScriptedLink) -> None:
        for name in keys:
            await pilot.press(name)
            await pilot.pause(0.1)

    return press


async def lock(pilot: Pilot[Any], link: ScriptedLink) -> None:
    """Let a database get locked, and look at it."""
    locked(link)
    await pilot.pause(0.3)
    await pilot.press("4")


async def locked_detail(pilot: Pilot[Any], link: ScriptedLink) -> None:
    """Look at a locked database on a screen of its own."""
    await lock(pilot, link)
    await pressing("enter")(pilot, link)


async def broken(_pilot: Pilot[Any], link: ScriptedLink) -> None:
    """Let the engine be down."""
    link.sick = "OSError: [Errno 28] No space left on device; next try in 5 s"


async def in_256(pilot: Pilot[Any], _link: ScriptedLink) -> None:
    """Let the terminal know 256 colours only, and show the colours that it shows then."""
    app = pilot.app
    assert isinstance(app, HealmonApp)
    app.dress(app.wardrobe.worn, "256")
    app.redraw()
    for widget in app.screen.query("*"):
        widget.refresh()


async def hushed(pilot: Pilot[Any], link: ScriptedLink) -> None:
    """Let one alert be silenced, one component be paused and one alert be known."""
    stuck, full = key("session:claude_architect", "stuck"), key("disk:/", "full")
    quiet = ev.SilenceStarted("component=session:*", link.now + 7200, "olga", "new agents")
    silence = link.emit(quiet)
    link.emit(ev.AlertOverlaid(stuck, Overlays(silenced_by=str(silence.id))))
    link.emit(ev.MaintenanceStarted("disk:*", link.now + 3600, "ann", "moving /var/log"))
    link.emit(ev.AlertOverlaid(full, Overlays(maintenance="disk:*")))
    await pilot.pause(0.3)


async def inbox(pilot: Pilot[Any], link: ScriptedLink) -> None:
    """Look at the inbox with all that people say of alerts."""
    await hushed(pilot, link)
    await pressing("5", "5", "space", "j")(pilot, link)


def first_run() -> list[ev.Recorded]:
    """Return the past of a healer that was started a minute ago, without a configuration."""
    kept = ("disk:/", "session:claude_docs", "session:scratch", "session:architect")
    mine = [
        record
        for record in lived_world()
        if isinstance(record.event, ev.EngineStarted | ev.CycleFinished)
        or (isinstance(record.event, ev.Observed) and record.event.component in kept)
    ]
    return [ev.Recorded(number, record.wall, record.event) for number, record in enumerate(mine, 1)]


async def back(pilot: Pilot[Any], link: ScriptedLink) -> None:
    """Go to where an incident began a while ago, and let something happen meanwhile."""
    await pressing("left_curly_bracket", "left_curly_bracket")(pilot, link)
    await pilot.app.workers.wait_for_complete()
    link.clock.advance(900)
    link.emit(ev.Observed("workers", "api_worker", "healthy", "up", "t", "v", {}))
    link.emit(ev.AlertOpened(key("api_worker", "down"), "CRITICAL", "api_worker", "killed"))
    await pilot.pause(0.3)


async def listed(pilot: Pilot[Any], link: ScriptedLink) -> None:
    """Look at the list of what there is to go to."""
    await pressing("6")(pilot, link)
    await pilot.app.workers.wait_for_complete()
    await pressing("j")(pilot, link)


def plotting(*keys: str) -> Steps:
    """Return steps that open the plots and press keys there."""

    async def press(pilot: Pilot[Any], link: ScriptedLink) -> None:
        for name in ("P", *keys):
            await pressing(name)(pilot, link)
            await pilot.app.workers.wait_for_complete()

    return press


async def left_alone(_pilot: Pilot[Any], link: ScriptedLink) -> None:
    """Let the healer that is looked at be killed."""
    link.ended = Gone("pid 4711", link.now - 123, "was killed or crashed", offered=True)


async def taking_over(pilot: Pilot[Any], link: ScriptedLink) -> None:
    """Look at the offer."""
    await left_alone(pilot, link)
    await pressing("enter")(pilot, link)


async def beginning(pilot: Pilot[Any], link: ScriptedLink) -> None:
    """Let one restart be proved, one be under way, one have failed, one be called off."""
    for name, number in (("task_worker", 1), ("milestone_worker", 2), ("index_worker", 3)):
        plan = restart_plan(name, id=f"p{number}", delay=0.0, origin="olga on pts/3")
        link.emit(ev.PlanMade(plan, link.now - 3, link.now - 3))
        link.emit(ev.ActionStarted(plan.id, name))
        link.emit(ev.StepTaken(plan.id, name, f"send SIGTERM to pid 4821{number} ({name})"))
        if name != "milestone_worker":
            link.emit(ev.StepTaken(plan.id, name, f"start {name}"))
    proof = "pid 50201 is ready and makes progress"
    link.emit(ev.ActionVerified("p1", "task_worker", "restart_worker", proof, 1.2))
    late = restart_plan("api_worker", id="p4", delay=0.0, origin="olga on pts/3")
    link.emit(ev.PlanMade(late, link.now, link.now))
    link.emit(ev.PlanVetoed("p4", "api_worker", "pid 48310 is another process by now"))
    await pilot.pause(0.3)


async def overtaken(pilot: Pilot[Any], link: ScriptedLink) -> None:
    """Let a worker restart by itself while its plan is read."""
    await pressing("1", "G", "k", "k", "r")(pilot, link)
    sheet = pilot.app.screen
    name = getattr(sheet, "plan").component  # noqa: B009 - the sheet of the key above
    facts = {"state": "healthy", "pid": 50_330, "since": link.now - 3}
    link.emit(ev.Observed("workers", name, "healthy", "healthy", "t", "v", facts))
    link.clock.advance(3)
    await pilot.pause(0.3)


async def maintained(pilot: Pilot[Any], link: ScriptedLink) -> None:
    """Let everything be paused."""
    began = link.now - 1_080
    link.emit(ev.MaintenanceStarted("*", link.now + 2_530, "ann on pts/1", "new disks"), began)
    for name in ("mail_worker", "assigner_worker"):
        link.emit(ev.PlanRefused(restart_plan(name), "maintenance"))
    await pilot.pause(0.3)


async def resumed(pilot: Pilot[Any], link: ScriptedLink) -> None:
    """Let that be over."""
    await maintained(pilot, link)
    would = ("restart_worker mail_worker, 3 times", "clean_disk disk:/")
    link.emit(ev.MaintenanceEnded("*", "its time is over", would))
    await pilot.pause(0.3)


SCENES: dict[str, tuple[tuple[int, int], Steps, dict[str, Any]]] = {
    "overview-60x15": ((60, 15), nothing, {}),
    "overview-80x24": ((80, 24), nothing, {}),
    "overview-120x36": ((120, 36), nothing, {}),
    "overview-200x50": ((200, 50), nothing, {}),
    "calm-80x24": ((80, 24), nothing, {"calm": True}),
    "locked-120x36": ((120, 36), lock, {}),
    "engine-down-80x24": ((80, 24), broken, {}),
    "plan-80x24": ((80, 24), pressing("j", "r"), {}),
    "plan-destroys-100x30": ((100, 30), pressing("3", "c"), {}),
    "inbox-80x24": ((80, 24), inbox, {}),
    "inbox-120x36": ((120, 36), inbox, {}),
    "inbox-200x50": ((200, 50), inbox, {}),
    "silence-80x24": ((80, 24), pressing("5", "space", "space", "s"), {}),
    "silence-60x15": ((60, 15), pressing("5", "s"), {}),
    "pause-120x36": ((120, 36), pressing("j", "m", "enter"), {}),
    "help-80x36": ((80, 36), pressing("question_mark"), {}),
    "detail-80x24": ((80, 24), pressing("j", "enter"), {}),
    "worker-120x36": ((120, 36), pressing("enter"), {}),
    "disk-120x36": ((120, 36), pressing("3", "enter"), {}),
    "database-120x36": ((120, 36), locked_detail, {}),
    "alert-120x36": ((120, 36), pressing("5", "j", "j", "enter"), {}),
    "journal-120x36": ((120, 36), pressing("J"), {}),
    "disk-200x50": ((200, 50), pressing("3"), {}),
    "sessions-100x30": ((100, 30), pressing("2", "2"), {}),
    "sessions-80x24": ((80, 24), pressing("2", "2"), {}),
    "sessions-200x50": ((200, 50), pressing("2", "j"), {}),
    "session-80x24": ((80, 24), pressing("2", "j", "enter"), {}),
    "session-120x36": ((120, 36), pressing("2", "j", "enter"), {}),
    "answer-100x30": ((100, 30), pressing("2", "j", "i"), {}),
    "explain-100x30": ((100, 30), pressing("2", "j", "e"), {}),
    "replay-120x36": ((120, 36), pressing("2", "b"), {}),
    "history-80x24": ((80, 24), back, {}),
    "history-120x36": ((120, 36), back, {}),
    "history-200x50": ((200, 50), back, {}),
    "history-list-80x24": ((80, 24), listed, {}),
    "history-list-120x36": ((120, 36), listed, {}),
    "plots-80x24": ((80, 24), plotting(), {"plots": True}),
    "plots-120x36": ((120, 36), plotting("j", "j", "j", *["left"] * 33), {"plots": True}),
    "plots-200x50": ((200, 50), plotting("3"), {"plots": True}),
    "plots-one-120x36": ((120, 36), plotting("enter"), {"plots": True}),
    "plots-ascii-80x24": ((80, 24), plotting("2"), {"plots": True, "ascii_only": True}),
    "no-healer-120x36": ((120, 36), left_alone, {"attached": "pid 4711"}),
    "take-over-80x24": ((80, 24), taking_over, {"attached": "pid 4711"}),
    "filter-80x24": ((80, 24), pressing("slash", *"worker"), {}),
    "filter-120x36": (
        (120, 36),
        pressing("2", "slash", "exclamation_mark", *"claude", "enter"),
        {},
    ),
    "command-80x24": ((80, 24), pressing("colon"), {}),
    "command-120x36": ((120, 36), pressing("colon", *"restart", "space", *"w"), {}),
    "command-60x15": ((60, 15), pressing("colon", *"pause", "space", *"mail", "tab"), {}),
    "command-read-only-100x30": ((100, 30), pressing("colon", *"re"), {"read_only": True}),
    "many-100x30": ((100, 30), pressing("1", "space", "space", "space", "r"), {}),
    "feedback-120x36": ((120, 36), beginning, {}),
    "overtaken-80x24": ((80, 24), overtaken, {}),
    "maintenance-80x24": ((80, 24), maintained, {}),
    "maintenance-200x50": ((200, 50), maintained, {}),
    "resumed-120x36": ((120, 36), resumed, {}),
    "half-120x36": ((120, 36), pressing("2", "plus"), {}),
    "light-120x36": ((120, 36), pressing("t"), {}),
    "safe-120x36": ((120, 36), pressing(), {"look": ScreenLook(theme="safe")}),
    "safe-light-80x24": ((80, 24), pressing(), {"look": ScreenLook(theme="safe-light")}),
    "nord-120x36": ((120, 36), pressing(), {"look": ScreenLook(theme="nord")}),
    "256-colours-120x36": ((120, 36), in_256, {}),
    "256-light-80x24": ((80, 24), in_256, {"look": ScreenLook(theme="light")}),
    "first-run-60x15": ((60, 15), nothing, {"first": True}),
    "first-run-80x24": ((80, 24), nothing, {"first": True}),
    "first-run-120x36": ((120, 36), nothing, {"first": True}),
    "first-run-200x50": ((200, 50), nothing, {"first": True}),
    "first-run-plan-100x30": ((100, 30), pressing("I"), {"first": True}),
    "tiny-39x9": ((39, 9), nothing, {}),
    "no-colour-80x24": ((80, 24), nothing, {"plain": True}),
    "ascii-80x24": ((80, 24), nothing, {"ascii_only": True}),
}


async def picture(name: str) -> str:
    """Return a scene as SVG."""
    size, steps, options = SCENES[name]
    options = {"plain": False, "ascii_only": False, **options}
    attached = options.pop("attached", "")
    if options.pop("first", False):
        options["first"] = ScriptedFirstRun()
        past = first_run()
    elif options.pop("plots", False):
        past = plotted_world()
    else:
        past = calm_world() if options.pop("calm", False) else lived_world()
    link = ScriptedLink(past, attached=attached)
    link.answers["offer"] = lambda target, _: Answer(
        ok=True,
        text="",
        plan=clean_plan()
        if target == "disk:/"
        else restart_plan(target, delay=0.0, id=f"4711.7.{len(target)}"),
    )
    showing(link)
    app = HealmonApp(link, clock=link.clock, **options)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await steps(pilot, link)
        await pilot.pause(0.3)
        app.overview.hush()
        app.redraw()
        await pilot.pause()
        return plain_font(app.export_screenshot(title=f"healmon {size[0]}x{size[1]}"))


def plain_font(svg: str) -> str:
    """Return the SVG with a font that is here, instead of one from the net."""
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    # the cells are 12.2 wide; this is the size at which the font's letters are, too
    svg = svg.replace("font-size: 20px", "font-size: 20.266px")
    return svg.replace("Fira Code", FONT).replace("arial", FONT)


def font_is_here() -> bool:
    """Tell whether the font can be drawn; without it the cells would not line up."""
    lister = shutil.which("fc-list")
    if lister is None:
        return False
    fonts = subprocess.run([lister], capture_output=True, text=True, check=False)
    return FONT in fonts.stdout


def recorded(*, drawable: bool) -> None:
    """Make the recording, where the font is there to draw it with."""
    if drawable:
        from screenshots import demo, film  # noqa: PLC0415 - they need Pillow, which SVGs do not

        film.write(demo.frames(), HERE / f"{FILM}.gif")
        print(FILM)


def web(wanted: list[str]) -> None:
    """Make pictures of the health page, where there is a browser to do it with."""
    from screenshots import pages  # noqa: PLC0415 - needs Pillow and aiohttp
    from tests.helpers import browser  # noqa: PLC0415 - only for these

    if not browser.found():
        print("no Chromium: no pictures of the page are made (Debian: apt-get install chromium)")
        return
    for name, png in pages.pictures(wanted):
        (HERE / f"{name}.png").write_bytes(png)
        print(name)


def main(wanted: list[str]) -> int:
    """Make all pictures, or those named."""
    drawable = font_is_here()
    if not drawable:
        print(f"no font {FONT!r}: only SVGs are made (Debian: apt-get install fonts-dejavu-core)")
    for name in wanted or (*SCENES, FILM, PAGES):
        if name.startswith(PAGES):
            web([] if name == PAGES else [name])
            continue
        if name == FILM:
            recorded(drawable=drawable)
            continue
        svg = asyncio.run(picture(name))
        (HERE / f"{name}.svg").write_text(svg, "utf-8")
        if drawable:
            import cairosvg  # noqa: PLC0415 - not needed for SVGs

            # cairo rounds each letter to whole pixels: the rest of a cell goes between them
            spaced = svg.replace("line-height: 24.4px", "line-height: 24.4px; letter-spacing: 0.2")
            cairosvg.svg2png(bytestring=spaced.encode(), write_to=str(HERE / f"{name}.png"))
        print(name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
