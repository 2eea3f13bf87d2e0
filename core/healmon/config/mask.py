"""What must not be printed of a configuration: values with secret names, passwords in URLs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, TypeVar, cast

import msgspec

from healmon.config.lines import KeyPath
from healmon.config.settings import Settings
from healmon.config.toml import as_list
from healmon.redact import redact_line, redact_words

MASK: Final = "***"
_ADDRESSES: Final = {"Channel": "url", "Monitor": "heartbeat_url"}
"""Tables with a URL that is itself a secret, and its key."""
_LEAST: Final = 6
"""Characters that a secret must have to be known again."""
T = TypeVar("T")

_SECRET: Final = re.compile("key|token|secret|pass|credential|auth", re.IGNORECASE)
# the second way is for passwords with a "/", "?" or "#", which should not be in a URL as they are;
# what looks like a port is none
_USERINFO: Final = re.compile(r"(?<=://)(?:[^\s/?#]*|[^\s/?#:@\[]*:(?!\d*(?:[/?#\s]|$))\S*)@")


def looks_secret(name: str) -> bool:
    """Return whether a variable of this name probably holds something that opens doors."""
    return _SECRET.search(name) is not None


def without_userinfo(text: str) -> str:
    """Return a text with `user:password` of each URL in it masked."""
    return _USERINFO.sub(f"{MASK}@", text)


def secrets_of(settings: Settings, environ: Mapping[str, str]) -> frozenset[str]:
    """Return the very texts that a configuration keeps secret, to be taken out of others.

    Args:
        settings: the configuration.
        environ: the environment, where `url_env` has its values.
    """
    urls = {settings.monitor.heartbeat_url}
    for channel in settings.notify.channels:
        urls |= {channel.url, environ.get(channel.url_env, "")}
    found = {*urls, *(part for url in urls for part in _telling(url))}
    for worker in settings.workers:
        found |= secrets_in(worker.env)
    # what is short is part of too much else
    return frozenset(text for text in found if len(text) >= _LEAST)


def secrets_in(env: Mapping[str, str]) -> frozenset[str]:
    """Return the very texts of an environment that open doors: by name, or as a URL's password."""
    found = {value for name, value in env.items() if looks_secret(name)}
    for value in env.values():
        _, _, rest = value.partition("://")
        found.add(re.split("[/?#]", rest, maxsplit=1)[0].rpartition("@")[0].partition(":")[2])
    return frozenset(text for text in found if len(text) >= _LEAST)


def _telling(url: str) -> list[str]:
    """Return the parts of a secret URL that open doors by themselves."""
    _, _, rest = url.partition("://")
    userinfo, _, _ = rest.rpartition("@")
    parts = re.split("[/?#&=]", rest.rpartition("@")[2])[1:]
    words = [one for one in parts if len(one) > _LEAST and any(map(str.isdigit, one))]
    return [*words, userinfo.partition(":")[2]]


def masked(value: T) -> T:
    """Return settings, or a value of TOML's, with all that must not be printed masked.

    It is for showing: what is masked in it works no more.
    """
    return cast("T", _masked(value))


def masked_at(path: KeyPath, value: object) -> object:
    """Return a faulty value as it may be told; `path` is where it stands."""
    match path:
        case ("workers", _, "env", name) if looks_secret(str(name)):
            return MASK
        case ("workers", _, "env"):
            # it should be a table, and is a list or a text of NAME=value perhaps
            items = as_list(value)
            return _assigned(value) if items is None else list(map(_assigned, items))
        case ("notify", "channels", _, "url") | ("monitor", "heartbeat_url") if isinstance(
            value, str
        ):
            return without_address(value)
        case ("notify", "channels", _, "url"):
            return MASK
        case ("notify", *_):
            return _no_url(value)
        case _:
            return masked(value)


def without_address(url: str) -> str:
    """Return the URL of a channel or checker, masked but for its scheme and a web host's name.

    Services keep their tokens anywhere in it, also in the place of the host.
    """
    scheme, found, rest = url.partition("://")
    if not found:
        return MASK
    host = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
    return f"{scheme}://{host}/{MASK}" if scheme in {"http", "https"} else f"{scheme}://{MASK}"


def _no_url(value: object) -> object:
    """Return what should be tables of channels as it may be told."""
    if isinstance(value, str):
        return without_address(value) if "://" in value else value
    items = as_list(value)
    if items is not None:
        return [_no_url(item) for item in items]
    if isinstance(value, Mapping):
        pairs = cast("Mapping[str, object]", value)
        return {k: MASK if looks_secret(k) else _no_url(v) for k, v in pairs.items()}
    return value


def _assigned(value: object) -> object:
    if not isinstance(value, str):
        return masked(value)
    name, gap, _ = value.partition("=")
    return f"{name}={MASK}" if gap and looks_secret(value) else masked(value)


def _masked(value: object) -> object:
    if isinstance(value, str):
        return without_userinfo(redact_line(value))
    if isinstance(value, tuple | list):
        items = cast("Sequence[object]", value)
        if all(isinstance(item, str) for item in items):  # a command line, perhaps
            items = redact_words(cast("Sequence[str]", items))
        items = list(map(_masked, items))
        return tuple(items) if isinstance(value, tuple) else items
    if isinstance(value, Mapping):
        pairs = cast("Mapping[str, object]", value)
        # an empty one is no secret
        return {k: MASK if v and looks_secret(k) else _masked(v) for k, v in pairs.items()}
    return _masked_struct(value) if isinstance(value, msgspec.Struct) else value


def _masked_struct(value: msgspec.Struct) -> msgspec.Struct:
    """Return a table of settings; a URL that is itself a secret is masked whole."""
    secret = _ADDRESSES.get(type(value).__name__, "")
    fields: dict[str, object] = {}
    for name in value.__struct_fields__:
        found = getattr(value, name)
        fields[name] = without_address(found) if found and name == secret else _masked(found)
    return msgspec.structs.replace(value, **fields)
