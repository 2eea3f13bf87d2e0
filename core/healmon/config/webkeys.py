"""`[web]` of `healmon.toml`, as data, and what its keys together must keep to; see `keys`."""

from __future__ import annotations

import ipaddress
import re
import urllib.parse
from typing import Final, NamedTuple

from healmon.config import kinds as k
from healmon.config.derive import Context
from healmon.config.facesettings import Web
from healmon.config.lines import KeyPath
from healmon.config.schema import Key, Table

ALLOWED: Final = 'an IP address or "localhost" and a port, such as "127.0.0.1:8080"'
_LISTEN: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[0-9.]+|localhost):([0-9]{1,5})")
_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]+\]")
EXTRA: Final = "aiohttp"
"""The module that `healmon[web]` brings."""
MISSING: Final = "the web page needs the extra: pip install 'healmon[web]'"
LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
"""Names of this very host that mean nobody else's."""
GUARDED: Final = (
    "everybody on the network could read what is sent: give cert and key, or public_url with a"
    " proxy that speaks TLS before it"
)


class Address(NamedTuple):
    """Where to listen; `port` 0: any that is free."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether only this very host can connect."""
        return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback

    def __str__(self) -> str:
        """Return it as it is typed."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse(text: str) -> Address:
    """Return the address that a text means.

    Raises:
        ValueError: it is none.
    """
    found = _LISTEN.fullmatch(text.strip())
    if found is None or int(found[2]) > 65_535:
        raise ValueError(ALLOWED)
    host = found[1].strip("[]")
    try:
        host = host if host == "localhost" else str(ipaddress.ip_address(host))
    except ValueError:
        raise ValueError(ALLOWED) from None
    return Address(host, int(found[2]))


def same_place(one: str, other: str) -> bool:
    """Return whether two who listen there, each a process of its own, would take it both."""
    if not (one and other):
        return False
    mine, theirs = parse(one), parse(other)
    if not mine.port or mine.port != theirs.port:
        return False
    pairs = ((a, b) for a in _ips(mine.host) for b in _ips(theirs.host))
    return any(
        a.version == b.version and (a == b or a.is_unspecified or b.is_unspecified)
        for a, b in pairs
    )


def _ips(host: str) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, ...]:
    names = ("127.0.0.1", "::1") if host == "localhost" else (host,)
    return tuple(map(ipaddress.ip_address, names))


def origin_of(url: str) -> str:
    """Return scheme, host and port of a URL, as a browser tells an origin.

    Raises:
        ValueError: it is no URL of `http` or `https`, or has more than a place.
    """
    parts = urllib.parse.urlsplit(url)
    plain = parts.scheme in ("http", "https") and not (parts.query or parts.fragment)
    if not plain or not parts.hostname or "@" in parts.netloc or parts.path not in ("", "/"):
        raise ValueError('an address such as "https://health.example.org", without a path')
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    usual = {"http": 80, "https": 443}[parts.scheme]
    port = "" if parts.port in (None, usual) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def _read_listen(value: object) -> str:
    if value == "":
        return ""
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004 - read() raises one sort of error, whatever is wrong
    return str(parse(value))


def _read_public(value: object) -> str:
    if value == "":
        return ""
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004 - likewise
    return origin_of(value)


def _read_host(value: object) -> str:
    if isinstance(value, str) and _HOST.fullmatch(value.lower()):
        return value.lower()
    raise ValueError


LISTEN: Final = k.Kind(allowed=ALLOWED, read=_read_listen)
PUBLIC: Final = k.Kind(allowed='an address such as "https://health.example.org"', read=_read_public)
HOST: Final = k.Kind(allowed='the name of a host, such as "build-box.lan"', read=_read_host)

WEB: Final = Table(
    title="web",
    struct=Web,
    doc="the page in the browser, its JSON, and old addresses",
    keys=(
        Key(name="listen", kind=LISTEN, doc="where a healer has it served; empty: it does not"),
        Key(name="public_url", kind=PUBLIC, doc="its address behind a proxy that speaks TLS"),
        Key(name="hosts", kind=HOST, shape="list", distinct=True, doc="further names it goes by"),
        Key(name="tui", kind=k.BOOL, doc="the terminal screen in the browser, below /tui/"),
        Key(name="tui_tabs", kind=k.COUNT, doc="how many of these at a time; a process each"),
        Key(name="operator", kind=k.BOOL, doc="let who has the operator's token act"),
        Key(name="cert", kind=k.PATH, doc="certificate for TLS, PEM, with its chain"),
        Key(name="key", kind=k.PATH, doc="its key, PEM"),
        Key(name="max_viewers", kind=k.COUNT, doc="pages kept up to date at a time"),
        Key(name="session", kind=k.DURATION, doc="how long a login holds"),
    ),
)


def check(web: Web, path: KeyPath, context: Context) -> None:
    """Record what does not go together: half of TLS, an open address without a guard."""
    if bool(web.cert) != bool(web.key):
        context.faults.clash(path, ("cert", "key"), "cert and key go together")
    fault = unguarded(web)
    if web.listen and fault:
        context.faults.add((*path, "listen"), fault, found=web.listen)
    fault = clear_text(web.public_url)
    if fault:
        context.faults.add((*path, "public_url"), fault, found=web.public_url)


def unguarded(web: Web) -> str:
    """Return why it must not listen where it is to; empty: it may."""
    if not web.listen or parse(web.listen).loopback:
        return ""
    return "" if (web.cert and web.key) or web.public_url else GUARDED


def clear_text(public_url: str) -> str:
    """Return why a public address will not do; empty: it will, or there is none."""
    if not public_url.startswith("http://") or urllib.parse.urlsplit(public_url).hostname in LOCAL:
        return ""
    return "a proxy that speaks no TLS sends logins in the clear: give an https address"
