"""The palette: what can be typed, what finds it, and what is then asked of the healer."""

from __future__ import annotations

import asyncio

import pytest

from healmon import events as ev
from healmon.plans import Answer
from healmon.service.commandtable import COMMANDS
from healmon.state import apply, replay
from healmon_tui import keymap
from healmon_tui.catalog import HEADS, PLANS, Here, catalog
from healmon_tui.chronicle import Chronicle
from healmon_tui.commands import Ask, Command, Go, Look, Mode, Offer, Press, complete, remember
from healmon_tui.commands import search as find
from healmon_tui.rows.scene import Scene
from healmon_tui.screens.command import CommandSheet
from healmon_tui.screens.overview import Overview
from healmon_tui.screens.plan import PlanSheet
from healmon_tui.viewmodel import ViewModel
from tests.helpers.examples import first_fast
from tests.helpers.screen import open_screen
from tests.helpers.scripted import NOW, ScriptedLink, restart_plan, world
from tests.tui.test_hostile import HOSTILE
from tests.tui.test_hostile import past as hostile_past


def here(*more: ev.Event, selected="", hands_off="", records=None) -> Here:
    past = records or world()
    known = replay(past)
    for event in more:
        known = apply(known, ev.Recorded(known.last_id + 1, NOW, event))
    panels = ViewModel().panels(Scene.of(known, NOW), Chronicle(), settled=True)
    return Here(known, NOW, panels, selected, hands_off, ("dark", "light"), demo=True)


def found(text: str, *more: ev.Event, **options) -> list[Command]:
    return find(text, catalog(here(*more, **options)))


def run_of(text: str, *more: ev.Event):
    return found(text, *more)[0].run


SILENCED = ev.SilenceStarted("component=disk:*", NOW + 60, "olga")
PAUSED = ev.MaintenanceStarted("disk:*", NOW + 60, "olga")
NEVER = ev.MaintenanceStarted("session:scratch", 253_370_764_800.0, "olga")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("restart mail_worker", Offer("restart", "mail_worker", {})),
        ("stop-worker mail_worker", Offer("stop", "mail_worker", {})),
        ("start-worker mail_worker", Offer("start", "mail_worker", {})),
        ("release mail_worker", Offer("release", "mail_worker", {})),
        ("clear claude_architect", Offer("clear", "session:claude_architect", {})),
        (
            "clear claude_architect --requeue",
            Offer("clear", "session:claude_architect", {"then": "requeue"}),
        ),
        (
            "clear claude_architect --fail",
            Offer("clear", "session:claude_architect", {"then": "fail"}),
        ),
        ("unlock assigner", Offer("unlock", "database:assigner", {})),
        ("clean /", Offer("clean", "disk:/", {})),
        ("restore AB12", Offer("restore", "disk:/", {"id": "AB12"})),
        ("pause * 2h", Ask("pause", "*", {"for": 7200}, (("resume", "*"),))),
        (
            "pause mail_worker 15m",
            Ask("pause", "mail_worker", {"for": 900}, (("resume", "mail_worker"),)),
        ),
        ("pause disk:* 90m", Ask("pause", "disk:*", {"for": 5400}, (("resume", "disk:*"),))),
        (
            "snooze disk:/ 1h",
            Ask("snooze", "disk:/", {"for": 3600}, (("resume", "disk:/"),)),
        ),
        ("never-touch session:scratch",
         Ask("never-touch", "session:scratch", {}, (("touch", "session:scratch"),))),
        (
            "silence mail_worker 1h",
            Ask("silence", "component=mail_worker", {"for": 3600},
                (("unsilence", "component=mail_worker"),)),
        ),
        (
            "silence component=session:* 2h",
            Ask("silence", "component=session:*", {"for": 7200},
                (("unsilence", "component=session:*"),)),
        ),
        ("check", Press("check")),
        ("reload", Ask("reload", "", {})),
        ("dry-run on", Mode(on=True)),
        ("dry-run off", Mode(on=False)),
        ("theme light", Look("light")),
        ("go sessions", Go("sessions")),
        ("go mail_worker", Go("workers", "mail_worker")),
    ],
)  # fmt: skip
def test_what_is_typed_is_asked_as_on_the_command_line(text, wanted):
    assert run_of(text) == wanted


def test_what_is_in_force_can_be_ended():
    known = here(SILENCED, PAUSED, NEVER).known
    (silence,) = known.silences
    assert run_of(f"unsilence {silence}", SILENCED) == Ask("unsilence", silence, {})
    assert run_of("resume disk:*", PAUSED) == Ask("resume", "disk:*", {})
    assert run_of("touch session:scratch", NEVER) == Ask("touch", "session:scratch", {})


def test_alerts_are_acknowledged_by_their_ids_and_opened_again():
    acks = [c for c in catalog(here()) if c.words.startswith("ack ") and c.run]
    unacks = [c for c in catalog(here()) if c.words.startswith("unack ") and c.run]
    assert len(acks) == 4
    assert len(unacks) == 1
    run = acks[0].run
    assert isinstance(run, Ask)
    assert (run.verb, run.undo) == ("acknowledge", (("unacknowledge", run.target),))
    assert found("ack mail")[0].words.endswith("mail_worker")


def test_answers_are_given_as_they_were_shown():
    run = run_of("answer claude_tests 3")
    assert isinstance(run, Offer)
    assert (run.verb, run.component) == ("answer", "session:claude_tests")
    assert run.more == {
        "number": 3, "text": "3. No", "rule": "claude/approval-proceed",
        "question": "Do you want to proceed? (make clean)",
    }  # fmt: skip


def test_every_override_of_the_command_line_is_here():
    verbs = {name for name, one in COMMANDS.items() if one.group in ("say", "act")} - {"beat"}
    assert verbs <= {*PLANS, *HEADS, "check"}
    heads = {c.words.strip() for c in catalog(here())}
    assert verbs <= heads


def test_every_key_is_here_but_the_palettes_own():
    pressed = {c.run.action for c in catalog(here()) if isinstance(c.run, Press)}
    for action in keymap.ACTIONS:
        if action.id not in ("find.command", "engine.check", "app.first"):
            assert action.action in pressed, action.id


@pytest.mark.parametrize(
    "text",
    ["pause mail_worker 0s", "pause mail_worker soon", "pause nobody 1h", "silence x=y 1h",
     "silence 999 1h", "restore ../etc", "restore a b", "pause mail_worker 15", "snooze nobody 1h"],
)  # fmt: skip
def test_what_makes_no_sense_is_not_offered(text):
    assert all(command.words != text for command in found(text))


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("res", "restart "),
        ("restart", "restart "),
        ("restart m", "restart mail_worker"),
        ("r mail", "restart mail_worker"),
        ("mail res", ""),
        ("RESTART MAIL", "restart mail_worker"),
        ("pause mail", "pause mail_worker"),
        ("pause mail_worker ", "pause mail_worker 15m"),
        ("pause mail_worker 4", "pause mail_worker 4h"),
        ("go sess", "go sessions"),
        ("freeze", "freeze this view"),
        ("undo", "undo"),
        ("quit", "quit from anywhere"),
        ("zzqqxx", ""),
    ],
)
def test_the_ranking_is_foreseeable(text, first):
    words = [command.words for command in found(text)]
    assert (words[0] if words else "") == first


def test_the_worst_come_first_and_the_selected_one_before_them():
    assert found("restart ")[0].words == "restart mail_worker"
    assert found("restart ", selected="task_worker")[0].words == "restart task_worker"


def test_those_used_last_come_first_within_their_kind():
    commands = catalog(here())
    recent = remember((), "restart api_worker")
    assert find("", commands, recent)[0].words == "restart api_worker"
    assert find("restart ", commands, recent)[0].words == "restart api_worker"
    assert find("restart mail", commands, recent)[0].words == "restart mail_worker"
    assert remember(("a", "b"), "b") == ("b", "a")
    assert len(remember([str(n) for n in range(30)], "x")) == 20


@pytest.mark.parametrize(
    ("text", "completed"),
    [
        ("rest", "rest"),
        ("resta", "restart "),
        ("restart ma", "restart mail_worker"),
        ("pause mail", "pause mail_worker "),
        ("un", "un"),
        ("zzz", "zzz"),
        ("fre", "freeze this view"),
    ],
)
def test_tab_completes_as_far_as_all_agree(text, completed):
    shown = found(text)
    done = complete(text, shown, 0)
    assert done == completed or (done.startswith(text) and completed == text)


def test_tab_takes_the_chosen_one_where_nothing_more_agrees():
    shown = found("mail")
    assert complete("mail", shown, 1) == f"{shown[1].words.rstrip()}{' ' * shown[1].goes_on}"


def test_nothing_that_acts_can_be_done_with_hands_off_and_looking_can():
    for command in catalog(here(hands_off="a view of the past")):
        acts = isinstance(command.run, Offer | Ask | Mode)
        assert bool(command.why_not) or not acts, command.words
    free = {c.words for c in catalog(here(hands_off="read only")) if not c.why_not}
    assert {"go sessions", "theme dark", "freeze this view", "go "} <= free
    assert "restart " not in free


def test_one_of_five_hundred_targets_is_found_by_its_name():
    many = [
        ev.Observed("workers", f"w{n:03}", "healthy", "", "t", "v", {"state": "healthy"})
        for n in range(500)
    ]
    commands = catalog(here(*many))
    assert find("restart w499", commands)[0].words == "restart w499"
    assert find("pause w4", commands)[0].words.startswith("pause w4")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_find_and_complete_without_harm(text):
    commands = catalog(here(records=hostile_past(text)))
    for typed in (text, "restart ", f"pause {text} 1h", text[:1]):
        shown = find(typed, commands)
        complete(typed, shown, 0)


# on the screen


def run(scenario, *, size=(100, 30), past=None, **options):
    link = ScriptedLink(world() if past is None else past)
    link.answers["offer"] = lambda target, _: Answer(
        ok=True, text="", plan=restart_plan(target, id="1.1.1")
    )

    async def whole():
        async with open_screen(link, size, **options) as screen:
            await scenario(screen)

    asyncio.run(whole())
    return link


def keys(text: str) -> list[str]:
    names = {" ": "space", ":": "colon", "*": "asterisk", "/": "slash", "-": "minus",
             "=": "equals_sign", "_": "underscore"}  # fmt: skip
    return [names.get(letter, letter) for letter in text]


slow = pytest.mark.slow


@slow
@pytest.mark.parametrize("key", ["colon", "ctrl+p"])
def test_a_verb_opens_its_plan_and_only_the_plan_asks(key):
    async def scenario(screen):
        await screen.press(key)
        assert isinstance(screen.app.screen, CommandSheet)
        await screen.press(*keys("restart task"), "tab", "enter")
        assert isinstance(screen.app.screen, PlanSheet)
        assert screen.link.asked == [("offer", "task_worker", {"verb": "restart"})]
        await screen.press("escape", key)
        assert screen.app.screen.chosen.words == "restart task_worker"

    run(scenario)


@slow
def test_a_pause_is_typed_done_and_taken_back():
    async def scenario(screen):
        await screen.press("colon", *keys("pause mail"), "enter")
        assert screen.app.screen.typed.text == "pause mail_worker "
        await screen.press("down", "enter")
        assert screen.link.asked == [("pause", "mail_worker", {"for": 3600.0})]
        assert "z undo" in screen.lines()[-1]
        await screen.press("z")
        assert screen.link.asked[-1] == ("resume", "mail_worker", {})

    run(scenario)


@slow
def test_esc_goes_one_step_back_and_ctrl_c_out():
    async def scenario(screen):
        await screen.press("colon", *keys("restart mail"), "escape")
        assert screen.app.screen.typed.text == "restart "
        await screen.press("escape")
        assert screen.app.screen.typed.text == ""
        await screen.press("escape")
        assert isinstance(screen.app.screen, Overview)
        await screen.press("colon", *keys("restart mail"), "ctrl+c")
        assert isinstance(screen.app.screen, Overview)
        assert screen.link.asked == []

    run(scenario)


@slow
def test_places_looks_and_keys():
    async def scenario(screen):
        overview = screen.app.overview
        await screen.press("colon", *keys("go session:codex_review"), "enter")
        assert overview.row().component == "session:codex_review"
        await screen.press("colon", *keys("theme light"), "enter")
        assert screen.app.theme == "healmon-light"
        await screen.press("colon", *keys("freeze"), "enter")
        assert "FROZEN" in screen.lines()[0]
        await screen.press("colon", *keys("go workers"), "enter")
        assert overview.panel == "workers"

    run(scenario)


@slow
def test_a_row_that_a_filter_hides_is_shown_to_go_to_it():
    async def scenario(screen):
        await screen.press("slash", *keys("mail"), "enter")
        await screen.press("colon", *keys("go task_worker"), "enter")
        assert screen.app.overview.row().component == "task_worker"

    run(scenario)


@slow
def test_reading_only_shows_why_and_does_nothing():
    async def scenario(screen):
        await screen.press("colon", *keys("restart mail"), "enter")
        assert isinstance(screen.app.screen, CommandSheet)
        assert "not now: read only" in screen.text()
        await screen.press("ctrl+u", *keys("pause * 1h"), "enter", "ctrl+u", *keys("dry-run on"))
        await screen.press("enter", "ctrl+u", *keys("check"), "enter")
        assert screen.link.asked == []
        assert isinstance(screen.app.screen, CommandSheet)

    run(scenario, read_only=True)


@slow
def test_in_the_past_one_can_look_and_not_act_and_a_filter_is_typed_as_ever():
    async def scenario(screen):
        await screen.press("left_square_bracket", "colon", *keys("restart mail"), "enter")
        assert "not now: this is the past" in screen.text()
        await screen.press("ctrl+c", "slash", *keys("mail"), "enter")
        assert [row.component for row in screen.app.overview._panels["workers"].view.rows] in (
            ["mail_worker"], [],
        )  # fmt: skip
        assert screen.link.asked == []

    run(scenario)


@slow
@pytest.mark.parametrize("size", first_fast((80, 24), (40, 10), (60, 15), (200, 50)))
def test_it_fits_every_size_and_keeps_its_height(size):
    async def scenario(screen):
        await screen.press("colon")
        height = screen.app.screen.box.size.height
        for key in (*keys("rest"), *keys("zzzz")):
            await screen.press(key)
            assert screen.app.screen.box.size.height == height
            assert all(len(line) <= size[0] for line in screen.lines())
        assert "nothing is called so" in screen.text()
        await screen.press("enter", "ctrl+u", "down", "pagedown", "pageup", "up", "ctrl+n")
        assert screen.app.screen.place == 1

    run(scenario, size=size)


@slow
def test_hostile_names_are_only_text():
    async def scenario(screen):
        for typed in ("restart ", "pause ", "answer "):
            await screen.press("colon", *keys(typed))
            assert "\x1b" not in screen.text()
            await screen.press("ctrl+c")

    for text in ("[@click=app.quit]x[/]", "\x1b]0;title\x07", "two\nlines"):
        run(scenario, past=hostile_past(text))
