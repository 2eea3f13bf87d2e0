"""Which alerts are meant: a small language over what people know of an alert. Pure.

    17                                          the alert with this number; 17,18 either
    session:build-*                             what is told of these components
    component=disk:* severity=WARNING           all of it must hold
    condition=full,inodes                       one of these
    healer!=sessions                            none of these
    message="connection refused"                the text is somewhere in the message, in any case

`*` stands for any run of characters and `?` for one. A value with a blank, a comma or a quote
stands in double quotes, in which a backslash takes the next character as it is.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal, TypeAlias, cast, get_args

import msgspec

from healmon.errors import UsageError
from healmon.plans import RANK
from healmon.state import AlertView
from healmon.text import clean, like

Field: TypeAlias = Literal["component", "healer", "condition", "severity", "id", "message"]
FIELDS: Final[tuple[Field, ...]] = get_args(Field)
LONGEST: Final = 1000
"""Characters of a match."""

_HEAD: Final = re.compile(r"([A-Za-z_-]+)(!?=)")
_PIECE: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|([^\s",]+)', re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_PLAIN: Final = re.compile(r'[^\s",]+')
_EXAMPLES: Final = "for example 17, session:build-*, or component=disk:* severity=WARNING"


class Term(msgspec.Struct, frozen=True):
    """One thing that must hold: a field is one of these values, or `negated`: none of them."""

    field: Field
    values: tuple[str, ...]
    negated: bool = False


class Match(msgspec.Struct, frozen=True):
    """What is meant; every term must hold."""

    terms: tuple[Term, ...]

    def __str__(self) -> str:
        """Return it in the language, always in the same form: `parse` reads it again."""
        return " ".join(map(_said, self.terms))


@lru_cache(maxsize=512)
def parse(text: str) -> Match:
    """Return what a text means.

    Raises:
        UsageError: it is not in the language; says where and how to mend it.
    """
    if len(text) > LONGEST:
        raise UsageError(f"a match has at most {LONGEST} characters; this one has {len(text)}")
    terms: list[Term] = []
    place = 0
    while place < len(text):
        if text[place].isspace():
            place += 1
            continue
        term, place = _term(text, place)
        twice = next((t for t in terms if (t.field, t.negated) == (term.field, term.negated)), None)
        if twice is not None:
            both = _said(Term(term.field, (*twice.values, *term.values), term.negated))
            raise UsageError(
                f"{term.field} is named twice; each term must hold",
                remedy=f"alternatives stand behind one another: {both}",
            )
        terms.append(term)
    if not terms:
        raise UsageError("nothing to match", remedy=_EXAMPLES)
    return Match(tuple(terms))


def matches(match: Match, alert: AlertView) -> bool:
    """Tell whether an alert is meant."""
    return all(_holds(term, alert) for term in match.terms)


def one_of(field: Field, values: tuple[str, ...]) -> Match:
    """Return the match for which a field is exactly one of these values."""
    return Match((Term(field, values),))


def _term(text: str, place: int) -> tuple[Term, int]:
    head = _HEAD.match(text, place)
    field, sign = head.groups() if head is not None else ("", "=")
    quoted = text[head.end() if head is not None else place :].startswith('"')
    values, end = _values(text, head.end() if head is not None else place, field or "a match")
    if not field:
        number = not quoted and all(value.isdecimal() for value in values)
        return _checked("id" if number else "component", values, negated=False), end
    if field not in FIELDS:
        import difflib  # noqa: PLC0415 - only what is wrong needs it

        near = difflib.get_close_matches(field.lower(), (*FIELDS,), 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UsageError(
            f"alerts have no {clean(field)}{hint}",
            remedy=f"there are: {', '.join(FIELDS)}; a name with = in it stands in quotes",
        )
    return _checked(field, values, negated=sign == "!="), end


def _values(text: str, place: int, what: str) -> tuple[tuple[str, ...], int]:
    """Return the values that begin at a place, and where they end."""
    values = [""]
    while place < len(text) and not text[place].isspace():
        if text[place] == ",":
            values.append("")
            place += 1
            continue
        piece = _PIECE.match(text, place)
        if piece is None:
            raise UsageError(
                f"the quote at character {place + 1} is never closed: {clean(text[place:])}",
                remedy='a quote within quotes is written \\"',
            )
        quoted, plain = piece.groups()
        values[-1] += plain if quoted is None else _ESCAPED.sub(r"\1", quoted)
        place = piece.end()
    if "" in values:
        raise UsageError(f"{what}: a value is missing", remedy=_EXAMPLES)
    return tuple(values), place


def _checked(field: Field | str, values: tuple[str, ...], *, negated: bool) -> Term:
    if field == "severity":
        values = tuple(value.upper() for value in values)
        wrong = next((value for value in values if value not in RANK), "")
        if wrong:
            raise UsageError(
                f"severity={clean(wrong)}: no such severity",
                remedy=f"there are: {', '.join(reversed(RANK))}",
            )
    if field == "id":
        wrong = next((v for v in values if not (v.isascii() and v.isdecimal())), "")
        if wrong:
            raise UsageError(f"id={clean(wrong)}: an alert's id is a number")
        values = tuple(value.lstrip("0") or "0" for value in values)
    return Term(cast("Field", field), tuple(dict.fromkeys(values)), negated)


def _holds(term: Term, alert: AlertView) -> bool:
    if term.field == "message":
        text = alert.message.casefold()
        found = any(like(f"*{value.casefold()}*", text) for value in term.values)
    else:
        text = _text(term.field, alert)
        found = any(like(value, text) for value in term.values)
    return found is not term.negated


def _text(field: Field, alert: AlertView) -> str:
    if field == "component":
        return alert.component
    if field == "severity":
        return alert.severity
    if field == "id":
        return str(alert.id)
    # host/healer/component/condition, and only the component may hold a slash
    rest, _, condition = alert.key.rpartition("/")
    if field == "condition":
        return condition
    return rest.removesuffix(f"/{alert.component}").rpartition("/")[2]


def _said(term: Term) -> str:
    values = ",".join(map(_quoted, term.values))
    return f"{term.field}{'!=' if term.negated else '='}{values}"


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
