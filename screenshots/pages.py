"""Makes the pictures of the health page: the real page in a real Chromium, over a posed server.

The server tells the same busy evening that the pictures of the screen show, and time stands still,
in the browser too. `python screenshots/make.py web` makes these alone.
"""

from __future__ import annotations

import asyncio
import io
import json
import math
import random
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import msgspec
from aiohttp import web
from PIL import Image

from healmon.config.facesettings import Web
from healmon.state import replay
from healmon.web import guard
from healmon.web.context import NONCE, VISITOR, Context, Handler, Visitor
from healmon.web.page import login, mount
from healmon.web.statejson import Holding, Seen, state_of
from healmon.web.when import moment
from tests.helpers.browser import Tab, launched
from tests.helpers.scripted import NOW, lived_world

STOPPED = f"Date.now = () => {int(NOW * 1000)}; Math.random = () => 0.5;"
"""Put into every page before its own script: time stands still."""
OPENED = "document.querySelector('[data-list=alerts] .line').click()"


class Scene(NamedTuple):
    """A picture: size, colours, view, what is done first, and whether all of the page is shown."""

    size: tuple[int, int]
    scheme: str
    view: str
    script: str = ""
    whole: bool = False


SCENES = {
    "web-health": Scene((1280, 800), "dark", "health"),
    "web-health-light": Scene((1280, 800), "light", "health"),
    "web-health-1920": Scene((1920, 1000), "dark", "health", OPENED),
    "web-health-phone": Scene((360, 780), "dark", "health", whole=True),
    "web-health-phone-light": Scene((360, 780), "light", "health"),
    "web-alerts": Scene((1280, 800), "dark", "alerts", OPENED.replace("alerts", "calling")),
    "web-alerts-phone": Scene((360, 780), "light", "alerts", OPENED.replace("alerts", "calling")),
    "web-history": Scene((1280, 800), "dark", "history"),
    "web-history-light": Scene((1280, 800), "light", "history"),
    "web-history-phone": Scene((360, 780), "dark", "history", whole=True),
    "web-no-healer": Scene((1280, 560), "dark", "health"),
    "web-login": Scene((1280, 560), "dark", "login"),
}


def told(*, running: bool = True) -> bytes:
    """Return the state of the busy evening."""
    holding = Holding(4711, "0.1.0", "daemon", moment(NOW - 15_130)) if running else None
    seen = Seen(replay(lived_world()), holding, "8f21c0de41b7")
    return msgspec.json.encode(state_of(seen, NOW))


def history(span: int, step: int) -> dict[str, Any]:
    """Return a day as it may well have been."""
    dice = random.Random(4)  # noqa: S311 - the same picture each time
    begin = int(NOW - span) // step * step
    times = range(begin, int(NOW), step)
    count = len(times)

    def disk(label: str, first: float, last: float, saw: int = 0) -> dict[str, Any]:
        rises = [(last - first) * (n % saw if saw else n) / (saw or count) for n in range(count)]
        levels = [first + rise + dice.uniform(0, 0.004) for rise in rises]
        points = [[t, v - 0.004, v + 0.004, v] for t, v in zip(times, levels, strict=True)]
        return {"name": "disk_used_ratio", "label": label, "unit": "ratio", "points": points}

    def counts(name: str, label: str, of: Callable[[float], float]) -> dict[str, Any]:
        numbers = [max(0, round(of(n / count))) for n in range(count)]
        points = [[t, v, v, v] for t, v in zip(times, numbers, strict=True)]
        return {"name": name, "label": label, "unit": "count", "points": points}

    heals = [(t, dice.uniform(0.6, 3)) for t in times if dice.random() < 0.18]
    seconds = [[t, v / 2, v * dice.uniform(1.2, 3), v] for t, v in heals]
    return {"from": begin, "to": int(NOW), "step": step, "series": [
        disk("/", 0.79, 0.869), disk("logs", 0.5, 0.66, count // 3), disk("/data", 0.41, 0.41),
        counts("restarts", "verified", lambda _: dice.choice([0, 0, 0, 0, 0, 0, 1, 1, 2])),
        counts("restarts", "failed", lambda x: dice.choice([0, 0, 1, 2]) if x > 0.9 else 0),
        counts("stuck_sessions", "", lambda x: 2.4 * math.sin(x * 9)),
        {"name": "heal_seconds", "label": "", "unit": "seconds", "points": seconds},
        counts("open_alerts", "CRITICAL", lambda x: 2 if x > 0.97 else 0),
        counts("open_alerts", "WARNING", lambda x: 1.6 + 1.4 * math.sin(x * 7)),
    ]}  # fmt: skip


async def _history(request: web.Request) -> web.StreamResponse:
    span = {"1h": 3_600, "8h": 28_800, "7d": 604_800}.get(request.query["since"], 86_400)
    return web.json_response(history(span, max(60, span // 120)))


async def _stream(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await answer.prepare(request)
    running = request.cookies.get("healer") != "gone"
    beat = json.dumps({"now": moment(NOW), "running": running}).encode()
    await answer.write(
        b"event: beat\ndata: %b\n\nevent: %b\ndata: %b\n\n"
        % (beat, b"state" if running else b"gone", told(running=running))
    )
    await asyncio.sleep(60)
    return answer


async def _ended(_request: web.Request) -> web.StreamResponse:
    return web.json_response({"alerts": []})


async def _login(_request: web.Request) -> web.StreamResponse:
    return web.Response(text=login("posed"), content_type="text/html")


@web.middleware
async def _known(request: web.Request, handler: Handler) -> web.StreamResponse:
    request[NONCE], request[VISITOR] = "posed", Visitor("operator", "posed", "127.0.0.1")
    return await handler(request)


async def _dressed(_request: web.BaseRequest, answer: web.StreamResponse) -> None:
    for name, value in guard.headers("posed", strict=False).items():
        answer.headers.setdefault(name, value)


@asynccontextmanager
async def _serving() -> AsyncIterator[str]:
    app = web.Application(middlewares=[_known])
    app.on_response_prepare.append(_dressed)

    mount(app, cast("Context", SimpleNamespace(settings=Web(tui=True))))
    app.router.add_get("/login", _login)
    app.router.add_get("/api/v1/stream", _stream)
    app.router.add_get("/api/v1/history", _history)
    app.router.add_get("/api/v1/alerts", _ended)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextmanager
def served() -> Iterator[str]:
    """Give the address of the posed server."""
    loop, ready, address = asyncio.new_event_loop(), threading.Event(), [""]
    end = asyncio.Event()

    async def run() -> None:
        async with _serving() as address[0]:
            ready.set()
            await end.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    try:
        assert ready.wait(10)
        yield address[0]
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()
        loop.close()


def posed(tab: Tab, address: str, name: str) -> bytes:
    """Return a scene as PNG of 256 colours."""
    scene = SCENES[name]
    tab.call("Page.addScriptToEvaluateOnNewDocument", source=STOPPED)
    if name == "web-no-healer":
        tab.call("Network.setCookie", name="healer", value="gone", url=address)
    tab.go(f"{address}/{'login' if scene.view == 'login' else f'#{scene.view}'}")
    if scene.view != "login":
        tab.until("document.querySelector('.row') || document.querySelector('figure .curve')")
        tab.until("document.querySelector('.trend path, [data-view=health][hidden]')")
    if scene.script:
        tab.run(scene.script)
    tab.run("document.fonts.ready.then(() => new Promise(requestAnimationFrame)).then(() => 1)")
    tab.run("Promise.all(document.getAnimations().map((one) => one.finished)).then(() => 1)")
    return packed(tab.picture(whole=scene.whole))


def packed(png: bytes) -> bytes:
    """Return a picture in the 256 colours that it has most of: all that are meant are there."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    there = sorted(picture.getcolors(1 << 24) or [], reverse=True)[:256]
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for _, colour in there for part in cast("tuple[int, ...]", colour)])
    made = io.BytesIO()
    picture.quantize(palette=palette, dither=Image.Dither.NONE).save(made, "PNG", optimize=True)
    return made.getvalue()


def pictures(wanted: list[str]) -> Iterator[tuple[str, bytes]]:
    """Give the scenes named, or all, as PNG."""
    with served() as address, launched() as browser:
        for name in wanted or SCENES:
            scene = SCENES[name]
            width, height = scene.size
            tab = browser.tab(width=width, height=height, prefers_color_scheme=scene.scheme)
            yield name, posed(tab, address, name)
            tab.close()
