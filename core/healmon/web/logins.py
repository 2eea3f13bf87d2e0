"""Logins: who may look or act, until when. Kept as digests, so that a restart asks nobody again."""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from healmon.errors import ProbeError
from healmon.service.statedir import WEB
from healmon.web.guard import Role
from healmon.web.tokens import BYTES
from healmon.world import notes

_log = logging.getLogger(__name__)

FILE: Final = "sessions.json"
MOST: Final = 50
"""Logins of a role at a time; one more ends the oldest of that role, never another's."""
TRIES: Final = 5
"""Wrong tokens that one address may send within `WITHIN` seconds."""
WITHIN: Final = 60.0
ADDRESSES: Final = 1_000
"""Addresses whose wrong tokens are counted at a time."""


SLACK: Final = 60.0
"""Seconds by which a clock is set without anybody minding."""


class Login(msgspec.Struct, frozen=True):
    """One browser's; times are wall seconds. `csrf` goes with whatever it wants to change."""

    role: Role
    csrf: str
    since: float
    until: float


class _Kept(msgspec.Struct, frozen=True):
    mark: str
    logins: dict[str, Login]


class Logins:
    """All of them, by the digest of the cookie's value. Belongs to one event loop.

    Args:
        state_dir: where they are kept.
        mark: of the tokens they were begun with; those of others hold no more.
        seconds: how long one holds.
    """

    def __init__(self, state_dir: Path, mark: str, seconds: float) -> None:
        self._path = state_dir / WEB / FILE
        self._mark: str = mark
        self._seconds = seconds
        self._logins: dict[str, Login] = self._load()

    def begin(self, role: Role, now: float) -> tuple[str, Login]:
        """Return a new login and the secret for its cookie, which is kept nowhere."""
        secret = secrets.token_urlsafe(BYTES)
        login = Login(role, secrets.token_urlsafe(BYTES), now, now + self._seconds)
        live = {key: one for key, one in self._logins.items() if one.until > now}
        mine = [key for key, one in live.items() if one.role == role]
        for key in sorted(mine, key=lambda key: live[key].since)[: max(0, len(mine) + 1 - MOST)]:
            del live[key]
        self._logins = {**live, _digest(secret): login}
        self._save()
        return secret, login

    def find(self, secret: str, now: float) -> Login | None:
        """Return the login that a cookie's value is of; None: there is none (any more)."""
        login = self._logins.get(_digest(secret)) if secret else None
        if login is None or not 0 < login.until - now <= self._seconds + SLACK:
            return None  # after a clock was set back none is good for longer than it may be
        return login

    def end(self, secret: str) -> None:
        """End one."""
        if self._logins.pop(_digest(secret), None) is not None:
            self._save()

    def renew(self, mark: str) -> None:
        """Take in that there are other tokens: all logins end."""
        if mark != self._mark:
            self._mark = mark
            self._logins = {}
            self._save()

    def _load(self) -> dict[str, Login]:
        try:
            kept = msgspec.json.decode(notes.read_small(self._path) or b"", type=_Kept)
        except (ProbeError, msgspec.MsgspecError):
            return {}
        return kept.logins if kept.mark == self._mark else {}

    def _save(self) -> None:
        try:
            kept = _Kept(self._mark, self._logins)
            notes.write_record(self._path, msgspec.json.encode(kept))
        except OSError as error:  # a full disk: they hold for as long as we run
            _log.warning("logins cannot be kept: %s", error.strerror)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


class Tries:
    """Wrong tokens, counted by address: a moment's pause for whoever guesses. Pure but for memory.

    Its times are steady seconds: who sets the clock back makes nobody wait longer.

    A right one is let in at any time: with 256 bits nobody hits it, pause or none, and nobody is to
    keep others of the same address out by guessing.
    """

    def __init__(self, most: int = TRIES, within: float = WITHIN) -> None:
        self._most = most
        self._within = within
        self._wrong: dict[str, list[float]] = {}

    def wait(self, address: str, now: float) -> float:
        """Return for how many seconds an address must not try; 0.0: it may."""
        recent = [at for at in self._wrong.get(address, ()) if now - at < self._within]
        if len(recent) < self._most:
            return 0.0
        return self._within - (now - recent[-self._most])

    def wrong(self, address: str, now: float) -> None:
        """Count a wrong token."""
        recent = [at for at in self._wrong.pop(address, []) if now - at < self._within]
        self._wrong[address] = [*recent, now][-self._most :]  # the newest address is the last
        while len(self._wrong) > ADDRESSES:
            del self._wrong[next(iter(self._wrong))]

    def forget(self) -> None:
        """Let everybody try again."""
        self._wrong.clear()

    @property
    def counted(self) -> Mapping[str, list[float]]:
        """What is counted now, by address."""
        return self._wrong
