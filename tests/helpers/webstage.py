"""A stage for the web server: a state directory, a healer (real or made up), the real server.

`WebStage(folder)` makes up the healer: it holds the lock, has a store, and tells events when a test
says so (`emit`). `Served(state_dir)` is only the server, on whatever state directory.
The server runs in a thread of its own with a loop of its own, on a port that the kernel chose.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Self

from msgspec.structs import replace

from healmon import __version__
from healmon import events as ev
from healmon.clock import SystemClock
from healmon.config.facesettings import Web
from healmon.config.webkeys import Address
from healmon.plans import Answer, pack
from healmon.service import commands
from healmon.service.instance import Lock
from healmon.service.push import Push
from healmon.service.wake import WakePipe
from healmon.state import apply
from healmon.store.store import Store
from healmon.web import running
from healmon.web.context import Context
from tests.helpers.wait import until


class Reply:
    """An answer, whole."""

    def __init__(self, status: int, headers: http.client.HTTPMessage, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Served:
    """The real server on a state directory."""

    def __init__(self, state_dir: Path, settings: Web | None = None) -> None:
        self.state_dir = state_dir
        self.settings = settings or Web(tui=True)
        self.context: Context
        self.serving: running.Serving
        self._port = 0
        self._begin()

    def _begin(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(60)
        if self._error is not None:
            self._thread.join()
            raise self._error

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as error:  # noqa: BLE001 - raised again by whoever made it
            self._error = error
        finally:
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()
            self._ready.set()

    async def _serve(self) -> None:
        where = Address("127.0.0.1", self._port)
        async with running.opened(self.state_dir, self.settings, where) as serving:
            self.serving, self.context = serving, serving.context
            self._ready.set()
            await self._end.wait()

    def run(self, doing):
        """Await something in the server's loop."""
        return asyncio.run_coroutine_threadsafe(doing, self._loop).result(60)

    @property
    def port(self) -> int:
        return self.serving.address.port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def token(self, role: str = "operator") -> str:
        return getattr(self.context.keys.tokens, role)

    def login_url(self, role: str = "operator") -> str:
        return f"{self.url}/login#{self.token(role)}"

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str = "",
        cookie: str = "",
        host: str = "",
        **headers: str,
    ) -> Reply:
        """Send one request; keyword headers are written with `_` for `-`."""
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        told["Host"] = host or f"127.0.0.1:{self.port}"
        if token:
            told["Authorization"] = f"Bearer {token}"
        if cookie:
            told["Cookie"] = cookie
        if body is not None and not isinstance(body, bytes | str):
            body = json.dumps(body)
            told.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path, body, told)
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers, answer.read())

    def get(self, path: str, role: str = "viewer", **more: Any) -> Reply:
        """Look at a path with a token."""
        return self.ask("GET", path, token=self.token(role), **more)

    def connections(self) -> int:
        """How many connections are open."""
        return self.serving.connections

    def viewers(self) -> int:
        """How many pages are kept up to date."""
        return self.context.viewers

    def login(self, role: str = "operator") -> Browser:
        """Log in as a browser does."""
        return Browser(self, role)

    def restart(self, meanwhile: Callable[[], object]) -> None:
        """End the server, do something, and begin it again where it was."""
        self._port = self.port
        Served.close(self)
        meanwhile()
        self._begin()

    def close(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join(60)
        assert not self._thread.is_alive()


class Stream:
    """A page that looks on: server-sent events, one after the other."""

    def __init__(self, served: Served, path: str = "/api/v1/stream") -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
        told = {"Authorization": f"Bearer {served.token('viewer')}"}
        self._connection.request("GET", path, headers=told)
        self.reply = self._connection.getresponse()
        self.status = self.reply.status

    def next(self) -> tuple[str, Any]:
        """Return the name and the data of the next event.

        Raises:
            EOFError: there is none any more.
        """
        name, data = "", ""
        while line := self.reply.readline():
            field, _, value = line.decode().rstrip("\n").partition(": ")
            name = value if field == "event" else name
            data += value if field == "data" else ""
            if not field and data:
                return name, json.loads(data)
        raise EOFError

    def until(self, name: str, condition: Any = lambda _data: True) -> Any:
        """Return the data of the next event of this name for which it holds."""
        while True:
            found, data = self.next()
            if found == name and condition(data):
                return data

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.reply.close()
        self._connection.close()


class Browser:
    """Somebody who is logged in: cookie, origin and CSRF value go along."""

    def __init__(self, served: Served, role: str) -> None:
        self._served = served
        reply = served.ask("POST", "/login", {"token": served.token(role)}, Origin=served.url)
        assert reply.status == 200, reply.text
        self.set_cookie = reply.headers["Set-Cookie"]
        self.cookie = self.set_cookie.partition(";")[0]
        self.csrf = self.get("/api/v1/me").json["csrf"]

    def get(self, path: str, **headers: str) -> Reply:
        return self._served.ask("GET", path, cookie=self.cookie, **headers)

    def post(self, path: str, body: Any, **headers: str) -> Reply:
        told = {"Origin": self._served.url, "X_Healmon_CSRF": self.csrf, **headers}
        return self._served.ask("POST", path, body, cookie=self.cookie, **told)


class WebStage(Served):
    """The server before a healer that is made up, event by event."""

    def __init__(
        self,
        folder: Path,
        past: Iterable[ev.Recorded] = (),
        settings: Web | None = None,
        *,
        running: bool = True,
        fresh: bool = True,
    ) -> None:
        """Make it.

        Args:
            folder: its state directory.
            past: what happened so far, told as if it had ended a moment ago when `fresh`.
            settings: `[web]`.
            running: a healer runs.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._clock = SystemClock()
        self._store = Store.open(folder / "healmon.db", host="box", now=self._clock.read())
        self._snapshot = self._store.snapshot
        self._lock: Lock | None = None
        self._push: Push | None = None
        self.asked: list[tuple[str, str, dict[str, Any], str]] = []
        """What was asked of the healer: verb, target, arguments, by whom."""
        self.answers: dict[str, Answer] = {}
        """What it answers, by verb; by default that it is done."""
        told = list(past)
        shift = self._clock.read().wall - told[-1].wall - 1.0 if told and fresh else 0.0
        for record in told:
            self._keep(replace(record, wall=round(record.wall + shift, 3)))
        self._stored()
        if running:
            self.begin_healer(folder)
        super().__init__(folder, settings)
        if running:
            self.run(self._listen())

    def begin_healer(self, folder: Path) -> None:
        """Hold the state directory, as a healer does."""
        self._lock = Lock.acquire(folder, version=__version__, mode="daemon")

    def end_healer(self) -> None:
        """Let the state directory go."""
        if self._push is not None:
            self.run(self._deafen())
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    async def _listen(self) -> None:
        self._push = Push.open(self.state_dir)
        self._store.on_stored = self._push.ring
        self._queue = commands.Queue(self._store.beside)
        self._wake = WakePipe.open(self.state_dir)
        self._loop.add_reader(self._wake.fd, self._answer)

    def _answer(self) -> None:
        """Answer what is asked as the script says."""
        self._wake.drain()
        for one in self._queue.take(self._clock.read().wall):
            self.asked.append((one.verb, one.target, one.arguments, one.origin))
            found = self.answers.get(one.verb, Answer(ok=True, text=f"{one.verb} done"))
            told = {"ok": found.ok, "text": found.text, "data": found.data}
            if found.plan is not None:
                told["plan"] = pack(found.plan)
            self._queue.answer(one.id, json.dumps(told), ok=found.ok)
        assert self._push is not None
        self._push.ring()

    async def _deafen(self) -> None:
        push, self._push = self._push, None
        self._store.on_stored = None
        if push is not None:
            self._loop.remove_reader(self._wake.fd)
            self._wake.close()
            self._queue.close()
            push.close()

    def _keep(self, record: ev.Recorded) -> None:
        self._store.append(record)
        self._snapshot = apply(self._snapshot, record)

    def _stored(self) -> None:
        assert asyncio.run(self._store.flush(10.0))

    def emit(self, event: ev.Event, at: float | None = None) -> ev.Recorded:
        """Let something happen now; returns when it is stored."""
        wall = self._clock.read().wall if at is None else at
        record = ev.Recorded(self._snapshot.last_id + 1, round(wall, 3), event)
        self._keep(record)
        self._stored()
        return record

    @property
    def newest(self) -> int:
        """The number of the last event."""
        return self._snapshot.last_id

    def shown(self, condition: Any, limit: float = 60.0) -> Any:
        """Wait until the server's state is so; returns it."""

        def there() -> Any:
            state = json.loads(self.context.live.body)
            return state if condition(state) else None

        return until(there, limit, "the state on the web")

    def close(self) -> None:
        if self._push is not None:
            self.run(self._deafen())
        super().close()
        self.end_healer()
        self._store.close(10.0)


@contextlib.contextmanager
def staged(folder: Path, **more: Any) -> Iterator[WebStage]:
    """Give a stage, and take it down."""
    made = WebStage(folder, **more)
    try:
        yield made
    finally:
        made.close()
