"""What people say of alerts and pauses on the screen: shown first, with an end, taken back."""

from __future__ import annotations

import asyncio

import pytest

from healmon import events as ev
from healmon.plans import Answer, Overlays
from healmon.state import replay
from healmon_tui import inboxlines
from healmon_tui.chronicle import Chronicle
from healmon_tui.rows import alerts as rows
from healmon_tui.rows.scene import Scene
from healmon_tui.screens.ask import AskSheet
from healmon_tui.screens.many import ManySheet
from healmon_tui.screens.menu import LiftSheet, MenuSheet
from healmon_tui.screens.overview import Overview
from healmon_tui.screens.plan import PlanSheet
from tests.helpers.screen import open_screen
from tests.helpers.scripted import NOW, ScriptedLink, key, restart_plan, world

# Pure: what is said of what a silence or a pause covers, and what a row says of itself.

MAIL, STUCK = key("mail_worker", "quarantined"), key("session:claude_architect", "stuck")


def known(*more):
    past = world()
    last = past[-1].id
    return replay([*past, *(ev.Recorded(last + n, NOW, event) for n, event in enumerate(more, 1))])


def said(told):
    text = "\n".join("".join(span.text for span in line.spans) for line in told.lines)
    return text, told.error


def test_what_a_silence_matches_is_said_with_its_end():
    words = {"match": "session:* severity=WARNING", "for": "2h", "note": ""}
    text, error = said(inboxlines.silence(known(), NOW, words, 76))
    assert error == ""
    assert "Matches 2 alerts:" in text
    assert "session:claude_architect" in text
    assert "Muted till 22:47; healing goes on." in text
    text, _ = said(inboxlines.silence(known(), NOW, {"match": "nobody", "for": "2h"}, 76))
    assert "Matches no alerts now" in text


@pytest.mark.parametrize(
    ("match", "lasts", "wrong"),
    [
        ("", "2h", "nothing to match"),
        ("colour=red", "2h", "alerts have no colour"),
        ("99999", "2h", "no open alert 99999"),
        ("*", "", "for: "),
        ("*", "soon", "for: "),
        ("*", "31d", "at most 30d"),
        ("*", "0", "more than nothing"),
    ],
)
def test_a_silence_that_cannot_be_says_why(match, lasts, wrong):
    assert wrong in said(inboxlines.silence(known(), NOW, {"match": match, "for": lasts}, 76))[1]


def test_what_a_pause_covers_is_said_with_the_plans_that_would_wait():
    words = {"what": "assigner_worker, session:claude_*", "for": "1h"}
    text, error = said(inboxlines.pause(known(), NOW, words, 76))
    assert error == ""
    assert "Covers 4 components:" in text
    assert "assigner_worker  unhealthy, restart would not be done" in text
    assert "session:claude_architect  unhealthy, clearing now goes on" in text
    assert "till 21:47" in text
    assert (
        "no component nobody"
        in said(inboxlines.pause(known(), NOW, {"what": "nobody", "for": "1h"}, 76))[1]
    )
    assert said(inboxlines.pause(known(), NOW, {"what": " ", "for": "1h"}, 76))[1]
    assert said(inboxlines.pause(known(), NOW, {"what": "x:*", "for": "1h"}, 76))[1] == ""


def test_a_pause_that_ends_shows_what_was_not_done():
    refused = ev.PlanRefused(restart_plan("mail_worker"), "maintenance")
    there = known(ev.MaintenanceStarted("*", NOW + 60, "olga", "moving"), refused, refused)
    lines = inboxlines.of_pauses(there, ["*"], NOW, 76)
    text = "\n".join("".join(span.text for span in line.spans) for line in lines)
    assert "paused till 20:48 by olga: everything, 2 plans not carried out - moving" in text
    assert "would have: restart_worker mail_worker, 2 times" in text


def story(events, component):
    chronicle = Chronicle()
    past = world()
    for record in past:
        chronicle.add(record)
    records = [ev.Recorded(past[-1].id + n, NOW, event) for n, event in enumerate(events, 1)]
    for record in records:
        chronicle.add(record)
    scene = Scene.of(replay([*past, *records]), NOW)
    (row,) = [
        row for row in rows.rows(scene, chronicle.incidents())
        if row.component == component and row.alert
    ]  # fmt: skip
    return row, "".join(span.text for span in row.cells["chain"]), chronicle


@pytest.mark.parametrize(
    ("events", "glyph", "words"),
    [
        ([ev.AlertAcknowledged(MAIL, "olga", "on it", NOW + 60)], "◐",
         "acknowledged by olga till 20:48: on it"),
        ([ev.SilenceStarted("component=mail_worker", NOW + 60, "olga", "new host"),
          ev.AlertOverlaid(MAIL, Overlays(silenced_by="53"))], "◌",
         "silenced by olga till 20:48: new host · quarantined"),
        ([ev.MaintenanceStarted("mail_*", NOW + 86_400, "ann"),
          ev.AlertOverlaid(MAIL, Overlays(maintenance="mail_*"))], "◫",
         "paused by ann till Tue 24 Nov 20:47 · quarantined"),
        ([ev.AlertOverlaid(MAIL, Overlays(inhibited_by=STUCK))], "·", "explained by alert"),
        ([ev.AlertOverlaid(MAIL, Overlays(flapping=True))], "·", "flapping"),
        ([ev.AlertStale(MAIL, "no answer")], "?", "stale: nobody can look"),
        ([ev.AlertOverlaid(MAIL, Overlays(flapping=True)), ev.AlertOverlaid(MAIL, Overlays())],
         "✗", ""),
    ],
)  # fmt: skip
def test_a_row_says_who_knows_of_it_and_what_mutes_it(events, glyph, words):
    row, chain, _ = story(events, "mail_worker")
    assert row.mark.glyph == glyph
    assert words in chain


def test_an_incident_that_comes_again_is_one_row_and_what_is_not_confirmed_is_none():
    again = ev.AlertReopened(
        MAIL, "CRITICAL", "mail_worker", "again", {}, 14, NOW - 9, 3, 1, "CRITICAL"
    )
    row, chain, chronicle = story([ev.AlertResolved(MAIL, "fine"), again], "mail_worker")
    assert row.mark.glyph == "✗"
    assert chain == "again"
    pended = ev.AlertPended(key("task_worker", "down"), "CRITICAL", "task_worker", "gone")
    _, _, chronicle = story([pended], "mail_worker")
    assert not [one for one in chronicle.incidents() if one.component == "task_worker"]
    assert chronicle.timeline("task_worker")[-1].text == "not confirmed yet: gone"


def test_the_end_of_maintenance_is_a_story_that_sums_up():
    ended = ev.MaintenanceEnded("*", "its time is over", ("restart_worker mail_worker, 2 times",))
    _, _, chronicle = story([ended, ev.SilenceEnded(7, "its time is over")], "mail_worker")
    told = [one.found for one in chronicle.incidents()][-2:]
    assert told[0].endswith("not done meanwhile: restart_worker mail_worker, 2 times")
    assert told[1] == "silence 7 ended: its time is over"


# On the screen.


def run(scenario, size=(80, 24)):
    link = ScriptedLink(world())

    async def whole():
        async with open_screen(link, size) as screen:
            await scenario(screen)

    asyncio.run(whole())
    return link


@pytest.mark.slow
def test_marked_rows_are_silenced_together_after_a_look_and_a_yes_and_it_can_be_taken_back():
    async def scenario(screen):
        await screen.press("5", "space", "space")
        assert "◆ 2 marked" in screen.text()
        await screen.press("s")
        assert isinstance(screen.app.screen, AskSheet)
        assert "Matches 2 alerts:" in screen.text()
        await screen.press("tab", "x", "enter")
        assert not screen.app.screen.asking_yes, "2hx is no time"
        assert "for: " in screen.text()
        await screen.press("backspace", "tab", *"why", "enter")
        assert screen.app.screen.asking_yes
        assert "note: why" in screen.text()
        await screen.press("n")
        assert screen.link.asked == []
        assert "◆ 2 marked" in screen.text(), "nothing was done"
        await screen.press("s", "enter", "y")
        assert isinstance(screen.app.screen, Overview)
        ids = sorted(a.id for a in screen.app.snapshot.alerts.values() if a.severity == "CRITICAL")
        match = f"id={','.join(map(str, ids))}"
        assert screen.link.asked == [("silence", match, {"for": 7200.0})]
        assert "marked" not in screen.text()
        screen.link.emit(ev.SilenceStarted(match, NOW + 7200, "olga"))
        await screen.settle()
        number = max(map(int, screen.app.snapshot.silences))
        await screen.press("z")
        assert screen.link.asked[-1] == ("unsilence", str(number), {})
        await screen.press("S")
        assert isinstance(screen.app.screen, LiftSheet)
        await screen.press("enter")
        assert screen.link.asked[-1] == ("unsilence", str(number), {})
        await screen.press("S", "2")
        assert screen.link.asked[-1] == ("resume", "night_worker", {})

    run(scenario)


@pytest.mark.slow
def test_a_pause_shows_what_it_covers_and_a_paused_row_is_acted_on_again():
    async def scenario(screen):
        await screen.press("1", "m", "ctrl+u", *"nobody", "enter")
        assert "no component nobody" in screen.text()
        await screen.press("ctrl+u", *"task_worker", "enter")
        assert "Covers 1 component:" in screen.text()
        await screen.press("y")
        assert screen.link.asked == [("pause", "task_worker", {"for": 3600.0})]
        await screen.press("z")
        assert screen.link.asked[-1] == ("resume", "task_worker", {})
        await screen.press("G", "m")
        assert "paused till 06:00 by olga: night_worker" in screen.text()
        await screen.press("enter", "m", "y")
        assert screen.link.asked[2:] == [("resume", "night_worker", {})]

    run(scenario)


@pytest.mark.slow
def test_acknowledging_with_a_note_and_an_end_and_opening_again():
    async def scenario(screen):
        alerts = screen.app.snapshot.alerts
        await screen.press("A", *"mine", "tab", *"1h", "enter")
        assert screen.link.asked == [
            ("acknowledge", str(alerts[MAIL].id), {"note": "mine", "for": 3600.0}),
        ]  # fmt: skip
        waiting = alerts[key("session:claude_tests", "waiting")]
        await screen.press("2", "j", "A")
        assert "acknowledged by olga till 22:40: approving after lunch" in screen.text()
        await screen.press("y")
        assert screen.link.asked[1:] == [("unacknowledge", str(waiting.id), {})]
        await screen.press("5", "g", "enter", "s")
        assert isinstance(screen.app.screen, AskSheet), "in the detail, too"
        assert f"id={alerts[MAIL].id}" in screen.text()

    run(scenario)


@pytest.mark.slow
def test_marked_rows_act_together_and_each_plan_is_shown():
    async def scenario(screen):
        link = screen.link
        link.answers["offer"] = lambda name, _: Answer(
            ok=True, text="", plan=restart_plan(name, id=name)
        )
        link.answers["snooze"] = lambda name, _: Answer(
            ok=name != "mail_worker", text=f"said {name}"
        )
        await screen.press("1", "space", "space", "r")
        assert isinstance(screen.app.screen, ManySheet)
        assert [(verb, target) for verb, target, _ in link.asked] == [
            ("offer", "mail_worker"), ("offer", "assigner_worker"),
        ]  # fmt: skip
        await screen.press("o")
        assert isinstance(screen.app.screen, PlanSheet)
        await screen.press("y")
        assert isinstance(screen.app.screen, PlanSheet)
        await screen.press("n")
        assert [(verb, target) for verb, target, _ in link.asked[2:]] == [("apply", "mail_worker")]
        del link.asked[:]
        await screen.press("g", "space", "space", "Z")
        assert isinstance(screen.app.screen, MenuSheet)
        await screen.press("2")
        assert [(verb, target) for verb, target, _ in link.asked] == [
            ("snooze", "mail_worker"), ("snooze", "assigner_worker"),
        ]  # fmt: skip
        assert screen.answer == "said mail_worker (1 of 2 done)"
        await screen.press("g", "space", "escape")
        assert "marked" not in screen.text()

    run(scenario)
