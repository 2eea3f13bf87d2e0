"""Backup targets beyond a directory: their URLs, taken apart. Nothing is asked of anybody here."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from importlib.util import find_spec
from types import MappingProxyType
from typing import Final, NamedTuple

LIBRARIES: Final[Mapping[str, str]] = MappingProxyType(
    {"s3": "obstore", "gs": "obstore", "az": "obstore", "sftp": "asyncssh"}
)
"""What can be a target, and the library that speaks with it."""
INSTALL: Final = "pip install 'healmon[backup]'"
"""What brings the libraries."""
_OPTIONS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "s3": frozenset({"endpoint", "region", "profile"}),
        "gs": frozenset({"endpoint"}),
        "az": frozenset({"endpoint"}),
        "sftp": frozenset(),
    }
)


class Depot(NamedTuple):
    """A backup target.

    Attributes:
        scheme: `s3`, `gs`, `az` or `sftp`.
        place: the bucket, the container, or the host.
        prefix: the path in it, without slashes at its ends; of a host: the directory, absolute.
        user, port: of a host; empty and 0: whatever ssh would take.
        options: `endpoint`, `region`, `profile`, where they are given.
    """

    scheme: str
    place: str
    prefix: str
    user: str = ""
    port: int = 0
    options: Mapping[str, str] = MappingProxyType({})


def is_remote(target: str) -> bool:
    """Return whether a backup target is a URL, not a directory."""
    return "://" in target


def depot_of(url: str) -> Depot:
    """Return the parts of a URL.

    Raises:
        ValueError: it names no backup target; says why. Never with the URL in it.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port or 0
    except ValueError as error:
        raise ValueError("is no URL") from error
    if parts.scheme not in LIBRARIES:
        known = ", ".join(f"{scheme}://" for scheme in LIBRARIES)
        raise ValueError(f"cannot be a backup target: a directory can, and {known}")
    options = _options(parts)
    if parts.scheme == "sftp":
        return _host(parts, port)
    if parts.username or parts.password or port:
        raise ValueError("keys do not belong in a URL: they come from the environment")
    if not parts.hostname:
        raise ValueError(f"names no bucket: {parts.scheme}://bucket/prefix")
    return Depot(parts.scheme, parts.netloc, parts.path.strip("/"), options=options)


def _host(parts: urllib.parse.SplitResult, port: int) -> Depot:
    if parts.password:
        raise ValueError("a password does not belong in a URL: use a key or the ssh agent")
    if not parts.hostname or not parts.path.strip("/"):
        raise ValueError("names no directory: sftp://user@host/path")
    path = f"/{urllib.parse.unquote(parts.path).strip('/')}"
    user = urllib.parse.unquote(parts.username or "")
    return Depot(parts.scheme, parts.hostname, path, user, port)


def _options(parts: urllib.parse.SplitResult) -> Mapping[str, str]:
    given = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
    known = _OPTIONS[parts.scheme]
    for name, value in given.items():
        if name not in known:
            may = ", ".join(sorted(known)) or "none"
            raise ValueError(f"has an unknown option {name[:40]!r}; {parts.scheme}:// knows: {may}")
        if not value:
            raise ValueError(f"option {name} is empty")
    if parts.fragment:
        raise ValueError('has a "#"; write it as %23')
    endpoint = given.get("endpoint", "http://a")
    if not endpoint.startswith(("http://", "https://")) or "@" in endpoint:
        raise ValueError("option endpoint is no http:// or https:// URL without credentials")
    return MappingProxyType(given)


def fault_of(url: str) -> str:
    """Return why a URL cannot be a backup target on this machine; empty: it can."""
    try:
        depot = depot_of(url)
    except ValueError as error:
        return str(error)
    library = LIBRARIES[depot.scheme]
    if find_spec(library) is None:
        return f"needs {library}, which is not installed: {INSTALL}"
    return ""
