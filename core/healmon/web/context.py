"""What each part of the web server is given, and what it may ask of a request."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from aiohttp import web

from healmon.config.facesettings import Web
from healmon.plans import Answer, Packed
from healmon.service.asking import ask_healer
from healmon.text import clean
from healmon.web.guard import Place, Role
from healmon.web.live import Live
from healmon.web.logins import Logins, Tries
from healmon.web.stored import Stored
from healmon.web.tokens import Keyring

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]
ASKING: Final = 8
"""Overrides that wait for their answer at a time."""


def _always() -> bool:
    return True


def _nothing(_nonce: str, said: str) -> str:
    return said


class Visitor(NamedTuple):
    """Who sent a request.

    Attributes:
        role: what they may do.
        csrf: the value that goes with what they want to change; empty with a token of their own.
        address: where they are, for people.
        still: tells whether they would still be let in; for what goes on for long.
    """

    role: Role
    csrf: str
    address: str
    still: Callable[[], bool] = _always

    @property
    def may_act(self) -> bool:
        """Whether overrides are taken from them."""
        return self.role == "operator"


@dataclass(slots=True, kw_only=True)
class Context:
    """The server's parts share this.

    Attributes:
        state_dir: whose healer is looked at.
        settings: `[web]`.
        config: the configuration's file; empty: the usual one.
        live: what is known now.
        stored: what is read from the store for one request.
        place: where we are to be found.
        keys, logins, tries: who may come in; for the guard and the login.
        cookie: the name of the session's cookie.
        viewers: pages that are kept up to date now.
        login_page: makes the page that asks for a token, of nonce and complaint; the page's part.
    """

    state_dir: Path
    settings: Web
    live: Live
    stored: Stored
    place: Place
    keys: Keyring
    logins: Logins
    tries: Tries = field(default_factory=Tries)
    cookie: str = "healmon"
    config: str = ""
    login_page: Callable[[str, str], str] = _nothing
    viewers: int = 0
    _asking: int = 0

    def renewed(self) -> None:
        """Take in other tokens, if there are: all logins end with those before."""
        if self.keys.fresh():
            self.logins.renew(self.keys.tokens.mark)

    async def send(self, verb: str, target: str, arguments: Packed, visitor: Visitor) -> Answer:
        """Ask the healer for something and return its answer. Never raises: a refusal is one.

        It goes the way of every override: durably, at most once, and never late.
        """
        if not visitor.may_act:
            return Answer(ok=False, text="you may look, not act: log in with the operator's token")
        if self._asking >= ASKING:
            return Answer(ok=False, text="too many requests wait for their answer; try again")
        origin = f"web operator from {visitor.address}"
        self._asking += 1
        try:
            return await beside(lambda: ask_healer(self.state_dir, verb, target, arguments, origin))
        finally:
            self._asking -= 1

    def close(self) -> None:
        """Let go; whoever waits for an answer is not waited for."""
        self.stored.close()


async def beside(doing: Callable[[], Answer]) -> Answer:
    """Return what comes of something that takes its time, in a thread that no end waits for.

    What runs in an executor is waited for when the program ends, however long that takes.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Answer] = loop.create_future()

    def done(answer: Answer) -> None:
        if not future.done():  # whoever asked may have gone
            future.set_result(answer)

    def work() -> None:
        try:
            answer = doing()
        except Exception as error:  # noqa: BLE001 - told to whoever waits
            answer = Answer(ok=False, text=clean(f"it cannot be asked: {error}"))
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(done, answer)

    threading.Thread(target=work, name="healmon-asks", daemon=True).start()
    return await future


VISITOR: Final = web.RequestKey("visitor", Visitor)
NONCE: Final = web.RequestKey("nonce", str)


def visitor_of(request: web.Request) -> Visitor:
    """Return who sent a request; the guard has let them in.

    Raises:
        KeyError: the path is one that needs no login, and there is none.
    """
    return request[VISITOR]


def nonce_of(request: web.Request) -> str:
    """Return the nonce with which this answer's own scripts and styles are marked."""
    return request[NONCE]
