"""Tones that can be read, in every theme."""

from __future__ import annotations

import pytest
from textual.color import Color

from healmon_tui import themes
from healmon_tui.paint import Line, Span

READ_ON = ("base", "bar", "cursor", "sheet")


def contrast(ink, paper):
    return Color.parse(ink).get_contrast_text().brightness, _ratio(ink, paper)


def _ratio(one, other):
    lights = sorted(_luminance(Color.parse(c)) for c in (one, other))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def _luminance(color):
    parts = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in color.normalized]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


@pytest.mark.parametrize("name", ["dark", "light"])
def test_every_tone_can_be_read_on_every_ground(name):
    look = themes.palette(name)
    for tone, ink in look.tones.items():
        for ground in READ_ON:
            if tone != "faint":
                assert _ratio(ink, look.grounds[ground]) >= 4.5, (tone, ground)
    for tone, (ink, paper) in look.chips.items():
        assert _ratio(ink, paper) >= 4.5, tone
    assert _ratio("#ffffff", look.grounds["alarm"]) >= 4.5


@pytest.mark.parametrize("name", themes.KNOWN)
def test_bad_warn_heal_and_ok_do_not_look_alike(name):
    look = themes.palette(name)
    styles = {look.style(tone, "base") for tone in ("bad", "warn", "heal", "ok", "calm", "text")}
    assert len(styles) == 6


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
