"""No pattern that passes can hang: its cost is bounded before it is used."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healmon.sessions.packs import bundled
from healmon.sessions.packs.costs import COST_LIMIT, LINE, CostError, compiled, cost
from healmon.sessions.packs.model import Pack

ENDLESS = [
    "(a+)+$", "(a*)*b", "(?:a|a)*b", "(a|ab)*c", "(?:a+){2,}b",
    "(\\w+\\s?)*$", "^(([a-z])+.)+[A-Z]$",
    "(?:(?:a?){3})+b", ".*.*.*=.*", "\\w+\\w+\\w+\\d", "(a?){40}a{40}", "(?:a{1,50}){1,50}b",
    "x{1,5000}", "(x+x+)+y",
]  # fmt: skip
REFUSED = ["(a)\\1", "(?P<n>a)(?P=n)", "(?#hello)a", "(a)?(?(1)b|c)", "(?>a+)b"]
BROKEN = ["(", "[a", "*a", "a{3,2}", "[[a]", "[a--b]", "(?P<1>a)", "\\"]
FINE = {
    "": LINE, "a": LINE, "^a": 1, "^a*": LINE, "a?b": 2 * LINE, "^[a-z]+$": LINE, "^[]a]+": LINE,
    "^[^]]*x": LINE, "^a{3}": 1, "^a{2,4}": 3, "^a|b": 2 * LINE, "^(?:a|b)": 2,
    "word.*": LINE // 4 * LINE,
    "(?i)^a+?": LINE, "^a++b": LINE, "^\\d+/\\d+": LINE * LINE, "^a{b}": 1, "^(?=a+)b": LINE,
    "^(?<!a)b": 1, "^\\[a\\]+": LINE, "^(?i:a)": 1, "a{,3}b": 4 * LINE,
}  # fmt: skip


@pytest.mark.parametrize("pattern", ENDLESS)
def test_what_could_take_for_ever_is_refused(pattern: str) -> None:
    re.compile(pattern)
    with pytest.raises(CostError):
        compiled(pattern)


@pytest.mark.parametrize("pattern", REFUSED)
def test_what_cannot_be_bounded_is_refused(pattern: str) -> None:
    with pytest.raises(CostError):
        compiled(pattern)


@pytest.mark.parametrize("pattern", BROKEN)
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(CostError, match="no regular expression"):
        compiled(pattern)


@pytest.mark.parametrize(("pattern", "steps"), FINE.items())
def test_costs(pattern: str, steps: int) -> None:
    assert cost(pattern) == steps
    assert compiled(pattern).pattern == pattern


@given(st.text("ab()[]{}*+?|\\^$.,0123:=!<>P", max_size=24))
def test_any_pattern_is_read_or_refused(pattern: str) -> None:
    try:
        found = compiled(pattern)
    except CostError:
        return
    assert 0 < cost(pattern) <= COST_LIMIT
    assert found.pattern == pattern


def every_pattern(pack: Pack) -> list[str]:
    found = [p for rule in pack.rules for _, some in rule.where for p in (*some.all, *some.any)]
    found += [p for rule in pack.rules for _, some in rule.where for p in some.none]
    for rule in pack.rules:
        some = (rule.question, rule.about, rule.choices, rule.seconds, rule.attempt)
        found += [p for p in some if p is not None]
    found += [*pack.cancelled, *pack.chrome]
    return [pattern.pattern for pattern in found]


HOSTILE = """
import re, sys
WORDS = ["a", " ", "1", "1s ", ".", "·", "• ", "(", "╭", "─", "limit ", "reset ", "attempt ",
         "retrying ", "password ", "rate limit ", "timeout 1m ", "y/n", "❯ 1. ", "✻ x · "]
for pattern in sys.stdin.read().split("\\x00"):
    found = re.compile(pattern)
    for word in WORDS:
        for end in ("", "!", "\\t"):
            for begin in ("", "• ", "✻ ", "❯ ", "⎿ ", "› ", "⠙ ", "^"):
                found.search((begin + word * 300)[:300] + end)
"""


@pytest.mark.slow
def test_hostile_lines_cost_bundled_patterns_next_to_nothing() -> None:
    patterns = [pattern for pack in bundled() for pattern in every_pattern(pack)]
    worst = [".*a.*b", "^.*a.*b.*c", "\\w*\\d*$"]  # the dearest that packs may use
    for pattern in worst:
        compiled(pattern)
    # a child, because a pattern that hangs cannot be interrupted; the limit is for a hang only
    words = "\0".join([*patterns, *worst])
    subprocess.run(
        [sys.executable, "-c", HOSTILE], input=words, text=True, check=True, timeout=120
    )  # fmt: skip
