"""Who may ask for what: pure decisions. A request's outside goes in, a refusal or None comes out.

The attacks that this is against come from web pages in the operator's own browser (a page can send
requests to any address, and open websockets), from names that resolve to us (DNS rebinding), from
other accounts of the host, and, where we listen beyond loopback, from the network. See SECURITY.md.
"""

from __future__ import annotations

import hmac
import ipaddress
from typing import Final, Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from healmon.config.webkeys import LOCAL

Role: TypeAlias = Literal["viewer", "operator"]
SAFE: Final = frozenset({"GET", "HEAD"})
"""Methods that change nothing."""
OPEN: Final = frozenset({"/healthz", "/readyz"})
"""Paths that tell nothing and need no login."""
CSRF: Final = "X-Healmon-CSRF"
"""The header with the session's own value, on whatever changes something."""
PAGES: Final = frozenset({"navigate", ""})
"""Values of Sec-Fetch-Mode that are no request of a script; absent from old browsers."""
OWN_SITE: Final = frozenset({"same-origin", "none", ""})
"""Values of Sec-Fetch-Site of a request that we, or the person, made."""


class Refusal(NamedTuple):
    """Why a request is refused, as its answer says it."""

    status: int
    error: str
    remedy: str = ""


class Place(NamedTuple):
    """Where we are to be found.

    Attributes:
        scheme: that we speak: `http` or `https`.
        hosts: names, lower case and without port, that mean us.
        public: the origin outside where a proxy stands before us; empty: none does.
        any_address: we listen on all addresses: whichever was asked for is ours. (A page that has
            its own name resolve to us sends that name.)
    """

    scheme: str
    hosts: frozenset[str]
    public: str = ""
    any_address: bool = False

    @property
    def secure(self) -> bool:
        """Whether browsers reach us over TLS."""
        return (self.public or f"{self.scheme}:").startswith("https:")

    @property
    def strict(self) -> bool:
        """Whether browsers may be told to use nothing but TLS for our name.

        They would for all ports of that name (RFC 6797, 8.3), so only where it has the usual one:
        a host's other servers may speak in the clear.
        """
        return self.public.startswith("https:") and urlsplit(self.public).port is None


class Asked(NamedTuple):
    """A request as far as the guard looks at it; absent headers are empty.

    Attributes:
        websocket: it wants to become one.
        bearer: it carries a token of its own, not a cookie.
    """

    method: str
    path: str
    host: str
    origin: str | None = None
    websocket: bool = False
    bearer: bool = False
    fetch_site: str = ""
    fetch_mode: str = ""


def place(
    address: str, *, tls: bool, public_url: str = "", hosts: tuple[str, ...] = (), own: str = ""
) -> Place:
    """Return where we are to be found.

    Args:
        address: that we listen on, without port.
        tls: we speak TLS ourselves.
        public_url: origin of a proxy before us.
        hosts: further names.
        own: the host's name.
    """
    names = {*LOCAL, *(name.strip("[]").lower() for name in hosts)}
    if address != "localhost" and not ipaddress.ip_address(address).is_unspecified:
        names.add(address)
    if public_url:
        names.add((urlsplit(public_url).hostname or "").lower())
    elif own and not _loopback(address):
        names.add(own.lower())
    every = address != "localhost" and ipaddress.ip_address(address).is_unspecified
    return Place("https" if tls else "http", frozenset(names - {""}), public_url, every)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _loopback(address: str) -> bool:
    return address == "localhost" or ipaddress.ip_address(address).is_loopback


def host_of(header: str) -> str:
    """Return the name in a Host header, lower case and without port; empty: it is none."""
    if not header or any(c in header for c in "/@\\?# \t"):
        return ""
    try:
        parts = urlsplit(f"//{header}")
        port, name = parts.port, parts.hostname
    except ValueError:
        return ""
    del port  # it was read to be checked
    return (name or "").lower().rstrip(".")


def refused(asked: Asked, here: Place) -> Refusal | None:
    """Return why a request is refused before anybody asks who sent it; None: it is not."""
    name = host_of(asked.host)
    if name not in here.hosts and not (here.any_address and _is_address(name)):
        return Refusal(421, "this server is not known by that name", "add it to web.hosts")
    if asked.websocket or asked.method not in SAFE:
        fault = _origin_fault(asked, here)
        if fault:
            return Refusal(403, fault)
    elif asked.origin is not None and asked.origin not in origins(asked, here):
        return Refusal(403, "a page of another origin may not read this")
    foreign = asked.fetch_site not in OWN_SITE and asked.fetch_mode not in PAGES
    if foreign:
        return Refusal(403, "a page of another site may not use this")
    return None


def _origin_fault(asked: Asked, here: Place) -> str:
    if asked.origin is None:
        # no web page can send a bearer's token that it does not have
        free = asked.bearer and not asked.websocket
        return "" if free else "the Origin of the request is missing"
    return (
        "" if asked.origin in origins(asked, here) else "a page of another origin may not do this"
    )


def origins(asked: Asked, here: Place) -> frozenset[str]:
    """Return the origins of our own pages, as a browser names them for a request.

    The port is the one that was asked for: a tunnel may have brought it here by another one.
    """
    if here.public and host_of(asked.host) == urlsplit(here.public).hostname:
        return frozenset({here.public})
    return frozenset({f"{here.scheme}://{asked.host.lower()}"})


def csrf_fault(asked: Asked, sent: str, known: str) -> Refusal | None:
    """Return why a request that changes something is refused for its CSRF value; None: it is not.

    Args:
        asked: the request.
        sent: the header's value.
        known: the session's.
    """
    if asked.method in SAFE or asked.bearer:
        return None
    if known and hmac.compare_digest(sent.encode("utf-8", "replace"), known.encode()):
        return None
    return Refusal(403, f"the header {CSRF} is missing or wrong", "read it from /api/v1/me")


BASE_CSP: Final = (
    "default-src 'none'; img-src 'self' data:; font-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'"
)


def csp(nonce: str, *, styles: str = "") -> str:
    """Return the Content-Security-Policy of a page.

    Args:
        nonce: of the scripts and styles that are the page's own.
        styles: sources of styles instead of those with the nonce.
    """
    # a nonce would make a browser ignore 'unsafe-inline', which terminals need
    style = styles or f"'nonce-{nonce}'"
    return f"{BASE_CSP}; script-src 'nonce-{nonce}'; style-src {style}"


def headers(nonce: str, *, strict: bool) -> dict[str, str]:
    """Return the headers that every answer has, where it has none of its own by that name."""
    told = {
        "Content-Security-Policy": csp(nonce),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "Server": "healmon",
    }
    if strict:
        told["Strict-Transport-Security"] = "max-age=31536000"
    return told
