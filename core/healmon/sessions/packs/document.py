"""A pack as its TOML file has it, before its patterns are read. Data only."""

from __future__ import annotations

import msgspec

from healmon.sessions.packs.model import Answer, Mode
from healmon.sessions.signs import Kind


class Programs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[programs]`."""

    names: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    runners: tuple[str, ...] = ("node", "nodejs", "bun", "deno", "npx")
    companions: tuple[str, ...] = ()


class Keys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[keys]`."""

    interrupt: str | tuple[tuple[str, ...], ...] = "none"
    exits_on: tuple[str, ...] = ()
    resume_hint: str = ""


class Areas(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[layout]`."""

    composer: str = ""
    bottom: str = ""
    top: str = ""
    user: str = ""


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must be in one region."""

    all: tuple[str, ...] = ()
    any: tuple[str, ...] = ()
    none: tuple[str, ...] = ()


class RuleText(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of `[[rules]]`."""

    name: str
    kind: Kind
    priority: int | None = None
    title: Wanted | None = None
    footer: Wanted | None = None
    above: Wanted | None = None
    composer: Wanted | None = None
    last: Wanted | None = None
    tail: Wanted | None = None
    screen: Wanted | None = None
    terminal: tuple[Mode, ...] = ()
    blank: bool = False
    question: str = ""
    about: str = ""
    choices: str = ""
    answers: tuple[Answer, ...] = ()
    seconds: str = ""
    attempt: str = ""


class Words(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[text]`."""

    cancelled: tuple[str, ...] = ()
    chrome: tuple[str, ...] = ()


class Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole pack."""

    format: int
    name: str
    version: str
    title: str = ""
    tested_with: tuple[str, ...] = ()
    programs: Programs = Programs()
    keys: Keys = Keys()
    layout: Areas = Areas()
    text: Words = Words()
    rules: tuple[RuleText, ...] = ()
