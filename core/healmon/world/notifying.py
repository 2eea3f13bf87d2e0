"""The door through which notices leave: a web hook, whatever apprise knows, or a command.

Each delivery is a child with a deadline that is killed with all below it: a hanging channel leaves
nothing behind, and what apprise loads is gone with it. The URL travels on the child's standard
input, never in an argument or the environment, and is taken out of whatever is said about a
failure.
"""

from __future__ import annotations

import os
import re
import sys
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, Protocol

import msgspec

from healmon.clock import format_utc
from healmon.config.mask import MASK
from healmon.config.settings import Channel
from healmon.errors import DeliveryError
from healmon.plans import Packed
from healmon.text import clean
from healmon.world import runner

Way = Literal["webhook", "apprise"]
FILE_LIMIT: Final = 65536
"""Bytes of a URL file that are read."""
_NATIVE: Final = re.compile(
    r"https://(?:hooks\.slack\.com/services/|(?:\w+\.)?discord(?:app)?\.com/api/webhooks/"
    r"|[\w.-]+\.webhook\.office\.com/|chat\.googleapis\.com/)"
)
"""Web hooks that want a form of their own, which apprise knows."""
_PROGRAM: Final = str(Path(__file__).with_name("notifychild.py"))
_CHILD: Final[Mapping[Way, tuple[str, ...]]] = {
    "webhook": (sys.executable, "-I", "-S", _PROGRAM),
    # apprise may be installed wherever Python finds it
    "apprise": (sys.executable, "-P", _PROGRAM),
}
_PART: Final = re.compile(r"[^/?#&=:@+]{4,}")


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A notice as it leaves.

    Attributes:
        id: its name for ever, the same in every attempt.
        notice: its number, as a person sees it.
        level: the worst of what it tells.
        at: wall seconds when it was made.
        alerts: what it is about, as it is now.
    """

    id: str
    notice: int
    host: str
    channel: str
    topic: str
    level: str
    title: str
    body: str
    at: float
    alerts: tuple[Packed, ...] = ()


class Messenger(Protocol):
    """Delivers notices."""

    def deliver(self, channel: Channel, message: Message) -> None:
        """Return once the channel has taken a notice; takes `channel.timeout` at most.

        Raises:
            DeliveryError: it has not, or nobody knows; says why, without the URL.
        """
        ...


class SystemMessenger:
    """The real way out.

    Args:
        environ: where `url_env` is looked up, and what commands get; default: ours.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ

    def deliver(self, channel: Channel, message: Message) -> None:
        """Return once the channel has taken a notice; takes `channel.timeout` at most.

        Raises:
            DeliveryError: it has not, or nobody knows; says why, without the URL.
        """
        payload = msgspec.json.encode(payload_of(message))
        if channel.command:
            _ran(channel.command, channel.timeout, payload, self._told(message))
            return
        url = address(channel, self._environ)
        way = way_of(url)
        order = {
            "way": way, "url": url, "timeout": channel.timeout, "id": message.id,
            "title": message.title, "body": message.body, "level": message.level,
            "topic": message.topic, "payload": payload.decode(),
        }  # fmt: skip
        try:
            _ran(_CHILD[way], channel.timeout, msgspec.json.encode(order), self._environ)
        except DeliveryError as error:
            raise DeliveryError(without_parts(str(error), url)) from None

    def _told(self, message: Message) -> dict[str, str]:
        return {
            **self._environ,
            "HEALMON_NOTICE": str(message.notice), "HEALMON_NOTICE_ID": message.id,
            "HEALMON_HOST": message.host, "HEALMON_CHANNEL": message.channel,
            "HEALMON_TOPIC": message.topic, "HEALMON_SEVERITY": message.level,
            "HEALMON_TITLE": message.title,
        }  # fmt: skip


def payload_of(message: Message) -> Packed:
    """Return the JSON object that web hooks and commands get (docs/notices.md)."""
    return {
        "id": message.id, "notice": message.notice, "host": message.host,
        "channel": message.channel, "topic": message.topic, "severity": message.level,
        "title": message.title, "body": message.body,
        "text": f"{message.title}\n{message.body}",
        "at": f"{format_utc(message.at).replace(' ', 'T')}Z", "alerts": list(message.alerts),
    }  # fmt: skip


def way_of(url: str) -> Way:
    """Return how a URL is served: a plain web hook, unless it is one that apprise knows better."""
    if url.startswith(("https://", "http://")) and not _NATIVE.match(url):
        return "webhook"
    return "apprise"


def address(channel: Channel, environ: Mapping[str, str]) -> str:
    """Return the URL of a channel, wherever it is kept.

    Raises:
        DeliveryError: it is not there, or is no URL.
    """
    url, where = channel.url, "url"
    if channel.url_env:
        url, where = environ.get(channel.url_env, ""), f"environment variable {channel.url_env}"
        if not url:
            raise DeliveryError(f"{where} is not set")
    elif channel.url_file:
        url, where = _first_line(channel.url_file), channel.url_file
    url = url.strip()
    if "://" not in url or re.search(r"[\s\x00-\x1f]", url):
        raise DeliveryError(f"{where} holds no URL")
    return url


def without_parts(text: str, url: str) -> str:
    """Return a text that holds no part of a URL; only its scheme and a web host's name may stay."""
    scheme, _, rest = url.partition("://")
    if scheme in {"http", "https"}:
        user, _, place = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")
        rest = f"{user}/{rest.partition(place)[2]}"
    parts = {part for raw in (rest, urllib.parse.unquote(rest)) for part in _PART.findall(raw)}
    text = text.replace(url, MASK)
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, MASK)
    return text


def _first_line(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            text = file.read(FILE_LIMIT).decode("utf-8", "replace")
    except OSError as error:
        raise DeliveryError(f"{clean(path)}: {error.strerror}") from None
    lines = (line.strip() for line in text.splitlines())
    return next((line for line in lines if line and not line.startswith("#")), "")


def _ran(argv: tuple[str, ...], timeout: float, stdin: bytes, environ: Mapping[str, str]) -> None:
    """Return once a program has ended well.

    Raises:
        DeliveryError: it has not; says its last line.
    """
    try:
        end = runner.run(argv, timeout=timeout, stdin=stdin, env=environ, group=True)
    except TimeoutError as error:
        raise DeliveryError(str(error)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DeliveryError(f"{clean(argv[0])} cannot be run: {reason}") from None
    if end.code:
        said = (end.err.strip() or end.out.strip()).splitlines()
        how = f"exit code {end.code}" if end.code > 0 else f"signal {-end.code}"
        raise DeliveryError(clean(said[-1], limit=300) if said else f"it failed with {how}")
