"""The language that says which alerts are meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healmon.alerts.matching import FIELDS, Match, Term, matches, one_of, parse
from healmon.errors import UsageError
from healmon.state import AlertView
from healmon.text import like

ANY = st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=12)
"""Any text at all, as names and messages may be."""
TRICKY = st.text('ab/:=,"\\ *?[!-', min_size=1, max_size=10)
"""Text made of what the language itself is made of."""


def alert(component="session:build-1", condition="stuck", healer="sessions", **more) -> AlertView:
    fields = {
        "id": 17, "key": f"box/{healer}/{component}/{condition}", "component": component,
        "severity": "WARNING", "state": "open", "message": "Connection refused by 10.0.0.1:5432",
        "count": 1, "first_seen": 1.0, "last_seen": 1.0,
    }  # fmt: skip
    return AlertView(**{**fields, **more})


@pytest.mark.parametrize(
    "text",
    [
        "17", "18,17", "id=017", "session:build-1", "session:*", "*", "session:build-?",
        "disk:*,session:build*", "component=session:build-1 severity=WARNING",
        "severity=warning,critical", "condition=stuck", "healer=sessions", "healer=s*",
        'message="connection REFUSED"', "message=refused", "message=conn*5432",
        "severity!=CRITICAL", "healer!=disks,databases condition!=full", '"session:build-1"',
        'component="session:build-1"', "  session:*   severity=WARNING  ",
    ],
)  # fmt: skip
def test_what_is_meant(text):
    assert matches(parse(text), alert())


@pytest.mark.parametrize(
    "text",
    [
        "18", "1", "170", "session:build", "build-1", "session:", "Session:*", "session:build-??",
        "component=session:build-1 severity=CRITICAL", "condition=stuc", "healer=session",
        'message="refused connection"', "severity!=WARNING", "component!=session:*",
        "healer!=disks,sessions", "session:[a-z]*", "component=17",
    ],
)  # fmt: skip
def test_what_is_not_meant(text):
    assert not matches(parse(text), alert())


def test_only_the_component_holds_slashes():
    full = alert("disk:/var/log", "full", "disks", key="a/b/disks/disk:/var/log/full")
    assert matches(parse("disk:/var/log condition=full healer=disks"), full)
    assert matches(parse("disk:/*"), full)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "nothing to match"),
        ("   ", "nothing to match"),
        ("colour=red", "alerts have no colour"),
        ("componnent=a", "did you mean component?"),
        ("Severity=CRITICAL", "did you mean severity?"),
        ("severity=LOUD", "there are: CRITICAL, WARNING, INFO"),
        ("severity=", "severity: a value is missing"),
        ("a,,b", "a value is missing"),
        (",", "a value is missing"),
        ('message=""', "message: a value is missing"),
        ("id=disk:/", "id is a number"),
        ("id=²", "id is a number"),
        ('message="never closed', "the quote at character 9 is never closed"),
        ("a b", "component=a,b"),
        ("17 18", "id=17,18"),
        ("severity=INFO severity=WARNING", "severity is named twice"),
        ("x" * 1001, "at most 1000 characters"),
    ],
)
def test_what_is_wrong_is_said_with_its_remedy(text, says):
    with pytest.raises(UsageError) as raised:
        parse(text)
    assert says in str(raised.value)
    assert raised.value.exit_code == 64


@given(ANY | TRICKY)
def test_any_text_is_understood_or_refused_in_words(text):
    try:
        match = parse(text)
    except UsageError:
        return
    assert parse(str(match)) == match


@given(ANY | TRICKY)
def test_every_name_can_be_said_and_means_itself(name):
    match = one_of("component", (name,))
    assert parse(str(match)) == match
    assert matches(match, alert(name))


terms = st.builds(
    Term,
    st.sampled_from([f for f in FIELDS if f not in ("id", "severity")]),
    st.lists(ANY | TRICKY, min_size=1, max_size=3, unique=True).map(tuple),
    st.booleans(),
)


@given(st.lists(terms, min_size=1, max_size=4, unique_by=lambda t: (t.field, t.negated)))
def test_what_is_written_down_is_read_again(many):
    match = Match(tuple(many))
    assert parse(str(match)) == match


@given(terms, ANY, ANY)
def test_not_is_the_opposite(term, component, message):
    one = alert(component, message=message)
    opposite = Term(term.field, term.values, not term.negated)
    assert matches(Match((term,)), one) is not matches(Match((opposite,)), one)


@given(st.lists(terms, min_size=1, max_size=3), ANY)
def test_each_further_term_only_narrows(many, component):
    one = alert(component)
    if matches(Match(tuple(many)), one):
        assert matches(Match(tuple(many[:-1])), one)


@given(TRICKY, TRICKY, TRICKY)
def test_a_star_stands_for_anything_and_a_name_for_itself(head, middle, tail):
    assert like(head, head)
    assert like("*", head)
    assert like(f"{head}*{tail}", head + middle + tail)
    assert like(f"*{middle}*", head + middle + tail)


def naive(pattern: str, text: str) -> bool:
    """Say the same as `like`, slowly."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(naive(pattern[1:], text[n:]) for n in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and naive(pattern[1:], text[1:])


@given(st.text("ab*?", max_size=7), st.text("ab", max_size=8))
def test_likeness_is_what_it_is_defined_to_be(pattern, text):
    assert like(pattern, text) is naive(pattern, text)


def test_no_pattern_takes_long():
    assert not like("a*" * 300 + "b", "a" * 5000)
