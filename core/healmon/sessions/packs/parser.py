"""A pack's text in, a pack out; or one error: what is wrong, where, how to mend it. Pure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from typing import Any, Final, NoReturn

import msgspec

from healmon.config.lines import KeyPath, key_lines
from healmon.config.toml import path_text
from healmon.errors import DataError, Problem
from healmon.sessions.packs.costs import CostError, compiled
from healmon.sessions.packs.document import Document, RuleText, Wanted
from healmon.sessions.packs.model import (
    PRIORITY,
    REGIONS,
    Chords,
    Layout,
    Pack,
    Patterns,
    Region,
    Rule,
)  # fmt: skip
from healmon.sessions.signs import is_key
from healmon.text import clean

FORMAT: Final = 1
RULES: Final = 200
"""Rules of one pack at most."""
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_PATH: Final = re.compile(r" - at `\$([^`]*)`$")
_STEP: Final = re.compile(r"\.?([A-Za-z0-9_-]+)|\[(\d+)\]")
_LACKS: Final = re.compile(r"missing required field `([^`]*)`")
_STRANGE: Final = re.compile(r"contains unknown field `([^`]*)`")


class PackError(DataError):
    """A pack is wrong; `problem` says where and what."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem), remedy="docs/packs.md explains every key of a pack")
        self.problem = problem


def parse(text: str, origin: str) -> Pack:
    """Return the pack that a TOML text describes.

    Args:
        text: the file's text.
        origin: the file as a person would name it.

    Raises:
        PackError: it is wrong; the error says where, what, and how to mend it.
    """
    return _Parser(text, origin).pack()


class _Parser:
    def __init__(self, text: str, origin: str) -> None:
        self._text = text.replace("\r\n", "\n")
        self._origin = origin

    def pack(self) -> Pack:
        file = self._read()
        if file.format != FORMAT:
            self._fail(("format",), "this healmon reads another format", allowed=str(FORMAT))
        if not _NAME.fullmatch(file.name):
            self._fail(("name",), "is no name", allowed="a-z, 0-9, - and _, at most 40")
        if not file.version.strip():
            self._fail(("version",), "says nothing", allowed='a version, as "1"')
        if len(file.rules) > RULES:
            self._fail(("rules",), f"has {len(file.rules)} rules", allowed=f"at most {RULES}")
        steps, configured = self._interrupt(file)
        rules = [self._rule(rule, ("rules", i)) for i, rule in enumerate(file.rules)]
        self._unique([rule.name for rule in rules])
        return Pack(
            name=file.name,
            version=clean(file.version, limit=40),
            title=clean(file.title, limit=80) or file.name,
            tested_with=tuple(clean(one, limit=40) for one in file.tested_with),
            programs=frozenset(file.programs.names),
            packages=file.programs.packages,
            runners=frozenset(file.programs.runners),
            interrupt=steps,
            configured=configured,
            exits_on=frozenset(file.keys.exits_on),
            resume_hint=self._maybe(file.keys.resume_hint, ("keys", "resume_hint")),
            companions=frozenset(file.programs.companions),
            cancelled=self._many(file.text.cancelled, ("text", "cancelled")),
            chrome=self._many(file.text.chrome, ("text", "chrome")),
            layout=Layout(
                *(
                    self._maybe(getattr(file.layout, key), ("layout", key))
                    for key in ("composer", "bottom", "top", "user")
                )
            ),
            rules=tuple(sorted(rules, key=lambda rule: -rule.priority)),
            origin=self._origin,
        )

    def _read(self) -> Document:
        try:
            document: dict[str, Any] = tomllib.loads(self._text)
        except (ValueError, RecursionError) as error:
            self._fail((), f"is not TOML: {clean(str(error))}")
        try:
            return msgspec.convert(document, Document, strict=True)
        except msgspec.ValidationError as error:
            what = str(error)
            found = _PATH.search(what)
            path = tuple(_steps(found[1])) if found is not None else ()
            for pattern, said in ((_LACKS, "is missing"), (_STRANGE, "unknown key")):
                field = pattern.search(what)
                if field is not None:
                    self._fail((*path, field[1]), said)
            self._fail(path, clean(_PATH.sub("", what)))

    def _interrupt(self, file: Document) -> tuple[Chords | None, bool]:
        said, where = file.keys.interrupt, ("keys", "interrupt")
        if isinstance(said, str):
            if said not in {"none", "configured"}:
                self._fail(where, "is no word for keys", '"none", "configured", or lists of keys')
            return None, said == "configured"
        for key in (key for step in said for key in step):
            self._key(key, where)
            if key in file.keys.exits_on:
                self._fail(where, f"{key} ends the program, as keys.exits_on says")
        if not said or not all(said):
            self._fail(where, "has no key", '"none", "configured", or lists of keys')
        return said, False

    def _rule(self, rule: RuleText, where: KeyPath) -> Rule:
        if not _NAME.fullmatch(rule.name):
            self._fail((*where, "name"), "is no name", allowed="a-z, 0-9, - and _, at most 40")
        if rule.kind == "none":
            self._fail((*where, "kind"), "says nothing", allowed=", ".join(PRIORITY))
        regions: list[tuple[Region, Patterns]] = []
        for region in REGIONS:
            given: Wanted | None = getattr(rule, region)
            if given is not None:
                regions.append((region, self._patterns(given, (*where, region))))
        if not rule.terminal and not rule.blank and not _positive(regions):
            self._fail(where, "matches every screen: say what must be there (`all` or `any`)")
        for i, answer in enumerate(rule.answers):
            for key in answer.keys:
                self._key(key, (*where, "answers", i, "keys"))
        choices = self._maybe(rule.choices, (*where, "choices"))
        if choices is not None and "key" not in choices.groupindex:
            self._fail((*where, "choices"), "has no group named key, as in (?P<key>[1-9])")
        return Rule(
            name=rule.name,
            kind=rule.kind,
            priority=PRIORITY[rule.kind] if rule.priority is None else rule.priority,
            where=tuple(regions),
            modes=rule.terminal,
            blank=rule.blank,
            question=self._maybe(rule.question, (*where, "question")),
            about=self._maybe(rule.about, (*where, "about")),
            choices=choices,
            answers=rule.answers,
            seconds=self._maybe(rule.seconds, (*where, "seconds")),
            attempt=self._maybe(rule.attempt, (*where, "attempt")),
        )

    def _patterns(self, given: Wanted, where: KeyPath) -> Patterns:
        return Patterns(
            self._many(given.all, (*where, "all")),
            self._many(given.any, (*where, "any")),
            self._many(given.none, (*where, "none")),
        )

    def _many(self, patterns: Sequence[str], where: KeyPath) -> tuple[re.Pattern[str], ...]:
        return tuple(self._pattern(one, (*where, i)) for i, one in enumerate(patterns))

    def _maybe(self, pattern: str, where: KeyPath) -> re.Pattern[str] | None:
        return self._pattern(pattern, where) if pattern else None

    def _pattern(self, pattern: str, where: KeyPath) -> re.Pattern[str]:
        try:
            return compiled(pattern)
        except CostError as error:
            self._fail(where, clean(str(error)), found=clean(pattern, limit=120))

    def _key(self, key: str, where: KeyPath) -> None:
        if not is_key(key):
            self._fail(where, "is no name of a key", found=key, allowed="as tmux has them: C-c")

    def _unique(self, names: Sequence[str]) -> None:
        for i, name in enumerate(names):
            if name in names[:i]:
                self._fail(("rules", i, "name"), "is the name of two rules", found=name)

    def _fail(self, path: KeyPath, what: str, allowed: str = "", *, found: str = "") -> NoReturn:
        raise PackError(
            Problem(self._origin, self._line(path), path_text(path), what, found, allowed)
        )

    def _line(self, path: KeyPath) -> int | None:
        """Return the line of a key, or of the closest thing around it that has one."""
        try:
            lines = key_lines(self._text)
        except (ValueError, IndexError, AttributeError):
            return None  # it is not TOML
        known = (path[:end] for end in range(len(path), 0, -1))
        return next((lines[part] for part in known if part in lines), None)


def _positive(regions: Sequence[tuple[Region, Patterns]]) -> bool:
    return any(patterns.all or patterns.any for _, patterns in regions)


def _steps(path: str) -> Iterator[str | int]:
    for name, index in _STEP.findall(path):
        yield int(index) if index else name
