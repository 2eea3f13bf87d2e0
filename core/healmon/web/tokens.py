"""The tokens that open the page: one to look, one to act. In a file that only its owner can read.

Whoever can read that file can ask the healer by the command line just as well.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from pathlib import Path
from typing import Final

import msgspec

from healmon.errors import ProbeError, StateDirError
from healmon.service.statedir import WEB
from healmon.web.guard import Role
from healmon.world import notes

_log = logging.getLogger(__name__)

FILE: Final = "tokens.json"
BYTES: Final = 32
"""Of randomness in a token: 256 bits."""


class Tokens(msgspec.Struct, frozen=True):
    """Both tokens, as text that a URL can hold."""

    viewer: str
    operator: str

    def role_of(self, token: str) -> Role | None:
        """Return what a token is for; None: it is none. Takes as long for each."""
        given = token.encode("utf-8", "replace")
        acts = hmac.compare_digest(given, self.operator.encode())
        looks = hmac.compare_digest(given, self.viewer.encode())
        return "operator" if acts else "viewer" if looks else None

    @property
    def mark(self) -> str:
        """What tells these tokens from others, and tells nothing of them: for sessions."""
        return hashlib.sha256(f"{self.viewer} {self.operator}".encode()).hexdigest()[:16]


class Keyring:
    """The tokens as they are now: whoever renews them need not end the server.

    Args:
        state_dir: whose.

    Raises:
        StateDirError: they cannot be kept.
    """

    def __init__(self, state_dir: Path) -> None:
        self._path = path_of(state_dir)
        self._state_dir = state_dir
        self.tokens = known(state_dir)
        self._print = _print_of(self._path)

    def fresh(self) -> bool:
        """Read them again if their file is another one; returns whether they are others now."""
        there = _print_of(self._path)
        if there == self._print:
            return False
        self._print = there
        try:
            before, self.tokens = self.tokens, known(self._state_dir)
        except StateDirError as error:
            _log.warning("the tokens before stay in force: %s", error.args[0])
            return False
        return before != self.tokens


def _print_of(path: Path) -> tuple[int, int] | None:
    """Return what tells one file of tokens from another; None: there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def path_of(state_dir: Path) -> Path:
    """Return where the tokens are kept."""
    return state_dir / WEB / FILE


def known(state_dir: Path, *, renew: bool = False) -> Tokens:
    """Return the tokens of a state directory, made now where there are none.

    Args:
        state_dir: ours alone (`statedir.prepare`).
        renew: make others; those before open nothing any more, and all logins end.

    Raises:
        StateDirError: they cannot be read or written.
    """
    path = path_of(state_dir)
    try:
        text = None if renew else notes.read_small(path)
        if text:
            return msgspec.json.decode(text, type=Tokens)
        made = Tokens(secrets.token_urlsafe(BYTES), secrets.token_urlsafe(BYTES))
        notes.write_record(path, msgspec.json.encode(made))
    except (OSError, ProbeError, msgspec.MsgspecError) as error:
        raise StateDirError(
            f"the tokens of the web page cannot be kept: {path}: {error}",
            remedy="have others made: healmon web-token --renew",
        ) from None
    return made
