"""Tones that can be read and told apart, in every theme, at every depth, by everybody."""

from __future__ import annotations

from itertools import combinations

import pytest
from textual.theme import BUILTIN_THEMES

from healmon_tui import fitting, looks, themes
from healmon_tui.colours import AA, contrast, distance, from_linear, linear, shown256
from healmon_tui.fitting import APART, SIGNS
from healmon_tui.looks import READ_ON, Look
from healmon_tui.paint import Line, Span
from tests.helpers.examples import first_fast

OURS = [look.name for look in looks.OWN]
COLOURED = [name for name in themes.KNOWN if name != themes.TERMINAL]
DEFICIENCIES = {
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
"""Machado, Oliveira and Fernandes 2009, severity 1.0, on linear light."""
TOLD_APART = 0.1
"""In Oklab: five times what hardly anybody sees."""


def own_fast(names):
    """Our own looks are for every tier, those that are fitted to textual's themes slow ones."""
    slow = [n for n in names if n not in {*OURS, themes.TERMINAL}]
    return [
        *(n for n in names if n not in slow),
        *first_fast(*slow),
    ]


def seen_with(colour, deficiency):
    light = linear(colour)
    return from_linear(
        *(sum(a * b for a, b in zip(row, light, strict=True)) for row in DEFICIENCIES[deficiency])
    )


def on_screen(look: Look) -> Look:
    """Return what a terminal of 256 colours shows when this look is asked for."""
    asked = fitting.in_256(look)
    return Look(
        asked.name,
        dark=asked.dark,
        tones={tone: shown256(colour) for tone, colour in asked.tones.items()},
        chips={chip: (shown256(a), shown256(b)) for chip, (a, b) in asked.chips.items()},
        grounds={ground: shown256(colour) for ground, colour in asked.grounds.items()},
    )


def at(name, depth):
    look = fitting.builtin(name)
    assert look is not None
    return on_screen(look) if depth == "256" else look


def test_all_themes_of_textual_are_here_but_those_that_are_the_terminals_own():
    assert set(BUILTIN_THEMES) - set(themes.KNOWN) == fitting.ANSI
    assert {"dark", "light", "safe", "safe-light", "terminal"} <= set(themes.KNOWN)


def looks_of(name):
    return [(depth, at(name, depth)) for depth in ("truecolor", "256")]


@pytest.mark.parametrize("name", own_fast(COLOURED))
def test_every_tone_can_be_read_on_every_ground(name):
    for depth, look in looks_of(name):
        for tone, ink in look.tones.items():
            for ground in READ_ON:
                if tone != "faint":
                    assert contrast(ink, look.grounds[ground]) >= AA, (depth, tone, ground)
        for chip, (ink, paper) in look.chips.items():
            assert contrast(ink, paper) >= AA, (depth, chip)
        assert contrast("#ffffff", look.grounds["alarm"]) >= AA, depth
        assert contrast(look.chips["chip-warn"][0], look.grounds["past"]) >= AA, depth


@pytest.mark.parametrize("name", own_fast(COLOURED))
def test_no_two_signs_look_alike_and_the_cursor_is_seen(name):
    for depth, look in looks_of(name):
        for one, other in combinations(SIGNS, 2):
            assert distance(look.tones[one], look.tones[other]) >= APART, (depth, one, other)
        for ground in ("bar", "cursor"):
            assert distance(look.grounds[ground], look.grounds["base"]) >= 0.024, (depth, ground)
        assert distance(look.grounds["cursor"], look.grounds["base"]) >= 0.06, depth


@pytest.mark.parametrize("depth", ["truecolor", "256"])
@pytest.mark.parametrize("deficiency", DEFICIENCIES)
@pytest.mark.parametrize("name", ["safe", "safe-light"])
def test_the_safe_ones_are_for_every_eye(name, deficiency, depth):
    tones = at(name, depth).tones
    for one, other in combinations(("ok", "warn", "bad"), 2):
        apart = distance(seen_with(tones[one], deficiency), seen_with(tones[other], deficiency))
        assert apart >= TOLD_APART, (one, other)
    # healmon is at it, or a person is needed: that must be seen, too
    assert distance(*(seen_with(tones[tone], deficiency) for tone in ("bad", "heal"))) >= 0.08


def test_the_usual_ones_are_not_and_so_the_safe_ones_are_needed():
    tones = at("dark", "truecolor").tones
    seen = [seen_with(tones[tone], "deuteranopia") for tone in ("ok", "bad")]
    assert distance(*seen) < TOLD_APART


@pytest.mark.parametrize("name", own_fast(themes.KNOWN))
def test_bad_warn_heal_and_ok_do_not_look_alike(name):
    tones = ("bad", "warn", "heal", "ok", "calm", "text")
    for depth in ("truecolor", "256", "16"):
        look = themes.palette(name, depth=depth)
        assert len({look.style(tone, "base") for tone in tones}) == 6, depth


@pytest.mark.parametrize("name", own_fast(themes.KNOWN))
def test_a_terminal_of_16_colours_gets_its_own(name):
    look = themes.palette(name, depth="16")
    for tone in ("bad", "warn", "ok", "text", "chip-bad"):
        style = look.style(tone, "base")
        assert style.bgcolor.is_default
        assert style.color.is_default or style.color.number < 16


def test_a_dull_theme_is_moved_until_it_can_be_read():
    dull = BUILTIN_THEMES["solarized-dark"]
    assert contrast(dull.error, dull.panel) < AA
    look = fitting.of_textual(dull)
    assert contrast(look.tones["bad"], look.grounds["bar"]) >= AA


def test_own_looks_have_all_tones_and_grounds():
    for look in looks.OWN:
        assert look.tones.keys() == looks.DARK.tones.keys()
        assert look.grounds.keys() == looks.DARK.grounds.keys()
        assert look.chips.keys() == looks.DARK.chips.keys()


@pytest.mark.parametrize(
    ("variable", "value", "wanted"),
    [
        ("NO_COLOR", "1", True),
        ("NO_COLOR", "", False),
        ("CLICOLOR", "0", True),
        ("CLICOLOR", "1", False),
    ],
)
def test_the_environment_can_ask_for_no_colours(monkeypatch, variable, value, wanted):
    monkeypatch.setenv(variable, value)
    assert themes.no_colour() is wanted


def test_without_colours_the_cursor_and_the_alarm_are_still_seen():
    look = themes.palette("dark", plain=True)
    for ground in ("cursor", "alarm"):
        strip = look.strip(Line((Span("a"),), ground), 3)
        assert all(segment.style.reverse for segment in strip)
    for tone in ("bad", "warn", "ok", "heal", "calm", "chip-bad"):
        style = look.style(tone, "base")
        assert style.color.is_default
        assert style.bgcolor.is_default
