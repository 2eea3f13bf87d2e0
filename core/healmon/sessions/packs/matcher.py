"""Rules against the parts of a screen: which match, and what they capture. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from healmon.sessions.packs.costs import LINE
from healmon.sessions.packs.model import Mode, Pack, Patterns, Rule
from healmon.sessions.packs.regions import Regions
from healmon.sessions.signs import Choice, Sign
from healmon.text import clean
from healmon.world.terminal import Terminal

_PROMPT: Final = re.compile(r"^[❯›>!*]\s+")
_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*([a-z]?)", re.IGNORECASE)
QUESTION: Final = 300
"""Characters of a question at most, with what it is about."""
_UNITS: Final = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_KEYS: Final = {"esc": "Escape", "escape": "Escape", "enter": "Enter", "return": "Enter"}


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule that matched, and where."""

    pack: Pack
    rule: Rule
    where: str
    text: str


@dataclass(frozen=True, slots=True)
class Miss:
    """A rule that did not match, and why, in words."""

    pack: Pack
    rule: Rule
    why: str


def modes_of(terminal: Terminal | None) -> frozenset[Mode]:
    """Return what a terminal is, in the words of packs."""
    if terminal is None:
        return frozenset(("unreadable",))
    said: tuple[tuple[bool, Mode], ...] = (
        (terminal.secret, "secret"),
        (terminal.reading, "reading"),
        (terminal.echo, "echo"),
        (not terminal.signals, "raw"),
        (terminal.signals, "cooked"),
    )
    return frozenset(mode for applies, mode in said if applies)


def match(pack: Pack, rule: Rule, parts: Regions, modes: frozenset[Mode]) -> Hit | Miss:
    """Return how a rule fares with a screen."""
    lacking = [mode for mode in rule.modes if mode not in modes]
    if lacking:
        return Miss(pack, rule, f"terminal is not {' and '.join(lacking)}")
    if rule.blank and parts.screen:
        return Miss(pack, rule, "screen is not blank")
    found: tuple[str, str] | None = None
    for region, patterns in rule.where:
        line, why = _compare(patterns, parts.lines(region))
        if why:
            return Miss(pack, rule, f"{region} has {why}")
        if line and found is None:
            found = (region, line)
    if found is None:
        found = ("terminal" if rule.modes else "screen", parts.last[0] if parts.last else "")
    return Hit(pack, rule, *found)


def _compare(patterns: Patterns, lines: Sequence[str]) -> tuple[str, str]:
    """Return the line that fits first, or why these lines do not fit."""
    found = ""
    for wanted in patterns.all:
        line = _line(wanted, lines)
        if line is None:
            return "", f"no line like {wanted.pattern}"
        found = found or line
    if patterns.any:
        line = next(filter(None, (_line(one, lines) for one in patterns.any)), None)
        if line is None:
            return "", f"no line like {' or '.join(one.pattern for one in patterns.any)}"
        found = found or line
    for barred in patterns.none:
        line = _line(barred, lines)
        if line is not None:
            return "", f"a line like {barred.pattern}: {line}"
    return found, ""


def ranked(hits: Iterable[Hit]) -> list[Hit]:
    """Return hits by priority; those of equal priority stay in their order."""
    return sorted(hits, key=lambda hit: -hit.rule.priority)


def sign_of(hits: Sequence[Hit], parts: Regions, speaker: Pack) -> Sign:
    """Return what ranked hits say.

    Args:
        hits: the ones that matched, the winner first; none: the sign is `none`.
        parts: the screen.
        speaker: the pack whose words for cancelled turns and idle lines hold.
    """
    cancelled = sum(1 for line in parts.screen if _any(speaker.cancelled, line))
    secret = bool(hits) and "secret" in hits[0].rule.modes
    last_line = "" if secret else _last_line(parts, speaker)
    if not hits:
        return Sign(cancelled=cancelled, last_line=last_line)
    best = hits[0]
    asks = best.rule.kind in {"approval", "question"}
    question, choices = _question(best, parts) if asks else ("", ())
    return Sign(
        kind=best.rule.kind,
        pack=best.pack.name,
        version=best.pack.version,
        rule=full_name(best),
        where=best.where,
        text=_squeezed(_PROMPT.sub("", best.text) if best.rule.kind == "unsent" else best.text),
        question=question,
        choices=choices,
        seconds=_seconds(best.rule, parts),
        attempt=_attempt(best.rule, parts),
        cancelled=cancelled,
        last_line=last_line,
        also=tuple(full_name(hit) for hit in hits[1:]),
    )


def full_name(one: Hit | Miss) -> str:
    """Return a rule's name with its pack's."""
    return f"{one.pack.name}/{one.rule.name}"


def _line(pattern: re.Pattern[str], lines: Sequence[str]) -> str | None:
    """Return the lowest line that a pattern fits."""
    return next((line for line in reversed(lines) if pattern.search(line)), None)


def _any(patterns: Iterable[re.Pattern[str]], line: str) -> bool:
    return any(pattern.search(line) for pattern in patterns)


def _question(hit: Hit, parts: Regions) -> tuple[str, tuple[Choice, ...]]:
    """Return what is asked, all of it, and the answers that are offered below."""
    rule, tail = hit.rule, parts.tail
    at = None if rule.question is None else _lowest(rule.question, tail)
    if at is None:
        return _squeezed(hit.text) or "a password", _choices(rule, tail)
    first = next((i for i in range(at + 1, len(tail)) if _choices(rule, tail[i : i + 1])), at + 1)
    told = None if rule.about is None else _lowest(rule.about, tail[:at])
    begin = at if told is None else told + 1
    words = [_squeezed(line) for line in tail[begin:first] if any(map(str.isalnum, line))]
    return clean(" · ".join(words), limit=QUESTION), _choices(rule, tail[at:])


def _lowest(pattern: re.Pattern[str], lines: Sequence[str]) -> int | None:
    return next((i for i in reversed(range(len(lines))) if pattern.search(lines[i])), None)


def _choices(rule: Rule, lines: Sequence[str]) -> tuple[Choice, ...]:
    found = list(_numbered(rule.choices, lines)) if rule.choices is not None else []
    found += [Choice(a.text, a.keys) for a in rule.answers if any(a.text in ln for ln in lines)]
    return tuple(found)


def _numbered(pattern: re.Pattern[str], lines: Sequence[str]) -> Iterator[Choice]:
    for line in lines:
        for answer in pattern.finditer(line):
            named = {name: text for name, text in answer.groupdict().items() if text}
            if "key" in named:
                key = _KEYS.get(named["key"].lower(), named["key"])
                yield Choice(_squeezed(named.get("text", answer[0])), (key,))


def _captured(pattern: re.Pattern[str] | None, rule: Rule, parts: Regions) -> str:
    if pattern is None:
        return ""
    for region, patterns in rule.where:
        if not patterns.all and not patterns.any:
            continue
        for line in reversed(parts.lines(region)):
            found = pattern.search(line)
            if found is not None:
                return (found[1] or "") if found.re.groups else found[0]
    return ""


def _seconds(rule: Rule, parts: Regions) -> float | None:
    """Return the seconds of a text like `1h 2m`, `21s` or `90`."""
    said = _DURATION.findall(_captured(rule.seconds, rule, parts))
    known = [(float(number), _UNITS.get(unit.lower())) for number, unit in said]
    total = sum(number * unit for number, unit in known if unit is not None)
    return total if known and all(unit is not None for _, unit in known) else None


def _attempt(rule: Rule, parts: Regions) -> str:
    return _squeezed(_captured(rule.attempt, rule, parts))


def _last_line(parts: Regions, speaker: Pack) -> str:
    """Return the last line that says more than a rule, a prompt or a footer."""
    for lines in (parts.above, parts.screen):
        said = (one for one in reversed(lines) if any(map(str.isalnum, one)))
        line = next((one for one in said if not _any(speaker.chrome, one)), None)
        if line is not None:
            return _squeezed(line)
    return ""


def _squeezed(line: str) -> str:
    """Return foreign text as it may be shown, its blanks as one space each."""
    return clean(" ".join(line.split()), limit=LINE)
