"""Foreign text that wants to drive the screen, in every field that can carry it."""

from __future__ import annotations

import asyncio
import unicodedata
from typing import Any

import pytest
from msgspec.structs import replace

from healmon import events as ev
from healmon.plans import Answer, Step
from healmon.service.link import Peek, Run, Tail
from healmon_tui.screens.many import ManySheet
from healmon_tui.screens.plan import PlanSheet
from tests.helpers.screen import open_screen
from tests.helpers.scripted import NOW, ScriptedLink, restart_plan

HOSTILE = [
    "[/]",
    "[/some/path]",
    "[",
    "[@click=app.quit]x[/]",
    "[@click='app.bell']boo[/@click]",
    "[bold red]red[/bold red]",
    "$error {}%s\\",
    "\x1b[31m\x1b[2J\x1b[H",
    "\x1b]0;title\x07",
    "\x1b]52;c;aGVsbG8=\x1b\\",
    "\x1bP+q544e\x1b\\",
    "\x9b31m\x9d0;x\x9c",
    "\x00\x07\x08\x0b\x0c\x0d\x7f",
    "two\nlines\r\nand\ttabs",
    "\u202egnp.exe\u202c\u2066x\u2069",
    "\ud800\udfff lone",
    "\ufeff\u200b\u2028\u2029",
    "e" + "\u0301" * 500,
    "漢字" * 300 + "👩\u200d👩\u200d👧",
    "x" * 10_000,
    "",
    " ",
]
TOGETHER = {
    "[/]", "[@click='app.bell']boo[/@click]", "[bold red]red[/bold red]", "$error {}%s\\",
    "\x1b]0;title\x07", "\x1bP+q544e\x1b\\", "\ufeff\u200b\u2028\u2029", " ", "[",
    "\x1b]52;c;aGVsbG8=\x1b\\", "two\nlines\r\nand\ttabs", "e" + "\u0301" * 500,
}  # fmt: skip
"""What is like another one."""


def past(text: str) -> list[ev.Recorded]:
    """Return a past in which every field that others can write holds the text."""
    facts: dict[str, Any] = dict.fromkeys(
        [
            "state", "why", "pane", "window", "command", "last_line", "verdict", "mode", "kind",
            "level", "rule", "question", "hands_off", "last_end", "log_path", "path", "reason",
            "why_not", "held", "matched", "text", "pack", "version", "evidence", "session", text,
        ],
        text,
    )  # fmt: skip
    facts |= {"tasks": [text, text], "holder": {"pid": 3, "name": text, "command": text}}
    facts |= {"choices": [{"text": text, "keys": [text]}, {"text": text}], "keys": [[text, text]]}
    facts |= {"novelty": [1, text, 3.5], "painted": 3.0, "act_at": 90.0, "pane": text}
    facts |= {"culprits": {
        "at": NOW, "unexplained": 5, "directories": [{"path": text, "held": 3, "by": text}, text],
        "files": text, "pinned": [{"path": text, "held": 1, "by": text, "remedy": text}],
    }, "outlook": {"past": [1, text, -1, 40.5], "eta": 5.0, "at": NOW}}  # fmt: skip
    facts |= {"order": {"deed": text}, "desired": text, "cpu": 5.0, "next_at": NOW + 5}
    facts |= {"percent": 96.5, "quiet": 9.0, "since": NOW - 5, "others": [text]}
    events: list[ev.Event] = [
        ev.EngineStarted(text, text, 1, text, dry_run=False, interval=60, boot="b",
                         steady_offset=0.0),
    ]  # fmt: skip
    for healer, name in (
        ("workers", "a" + text),
        ("sessions", f"session:{text}"),
        ("disks", f"disk:{text}"),
        ("databases", f"database:{text}"),
    ):
        plan = replace(
            restart_plan(name, why=text, action="restart_" + text, proof=text, on_failure=text),
            steps=(Step(text, text), Step(text)),
            origin=text,
        )
        events += [
            ev.Observed(healer, name, "critical", text, text, text, facts),
            ev.AlertOpened(f"{name}/k", "CRITICAL", name, text, {text: text, "b": [text]}),
            ev.PlanRefused(plan, text),
            ev.PlanMade(plan, NOW, NOW),
            ev.StepTaken(plan.id, name, text),
            ev.ActionFailed(plan.id, name, text, text, 1.0),
            ev.ActionVerified(plan.id, name, text, text, 1.0, text, {}),
            ev.AlertNoted("n", name, text),
            ev.AlertAcknowledged(f"{name}/k", text, text, NOW + 60),
            ev.NoticeMade(text, "opened", text, text, (f"{name}/k",)),
            ev.PlanMade(plan, NOW + 9, NOW + 9),
        ]
    events += [
        ev.HealerFailed(text, text),
        ev.StoreFaulted(text),
        ev.MaintenanceStarted("a" + text, NOW + 60, text),
        ev.AlertOpened("open", "WARNING", "a" + text, text),
    ]
    return [ev.Recorded(number, NOW - 1, event) for number, event in enumerate(events, 1)]


def kept(text: str) -> dict[str, Any]:
    """Return evidence in which every text is this one."""
    shown = {"at": NOW, "screen": text}
    return {
        "before": shown, "after": shown, "action": text, "why": text, "state": text, "rule": text,
        "origin": text, "touches": [{"at": NOW, "text": text, "held": text}, text],
        "verdict": {"result": text, "how": text, "keys": [text], "resume": text, "status": text,
                    "tasks": {text: text}},
    }  # fmt: skip


def acts(text: str) -> list[str]:
    """Return the characters of a line that a terminal would act on."""
    bad = {"Cc", "Cs", "Zl", "Zp"}
    bidi = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    return [c for c in text if unicodedata.category(c) in bad or c in bidi]


# one of each kind by itself, for what it may do to all that comes after; the rest below
ALONE = [text for text in HOSTILE if text not in TOGETHER]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "size"),
    [(text, ((60, 15), (200, 50))[number % 2]) for number, text in enumerate(ALONE)],
    ids=lambda value: repr(value)[:24],
)
def test_nothing_foreign_crashes_or_drives_the_screen(text, size):
    drive(text, size)


@pytest.mark.long(15)
@pytest.mark.slow
@pytest.mark.parametrize(
    "size",
    [(80, 24), (60, 15), (200, 50)],
)
def test_all_of_it_at_once_does_not_either(size):
    drive("".join(text[:60] for text in HOSTILE), size, also=True)


def drive(text, size, *, also=False):
    link = ScriptedLink(past(text), attached=text)
    link.sick = text

    async def said(target):
        return (text, f"  {text}", text * 3)

    async def scenario():
        async with open_screen(link, size) as screen:

            def check():
                strips = screen.app.screen._compositor.render_strips()
                for strip in strips:
                    for segment in strip:
                        assert acts(segment.text) == []
                        assert not (segment.style and segment.style.meta.get("@click"))
                    assert strip.cell_length == size[0]
                assert len(strips) == size[1]

            check()
            for panel in "12345":
                await screen.press(panel)
                check()
            plan = replace(restart_plan(text, why=text), steps=(Step(text, text),))
            link.answers["offer"] = Answer(ok=True, text=text, plan=plan)
            link.answers["acknowledge"] = Answer(ok=True, text=text)
            await screen.press("1", "r")
            assert isinstance(screen.app.screen, PlanSheet)
            check()
            await screen.press("escape", "enter")
            check()
            await screen.press("escape", "a", "A")
            check()
            await screen.press("escape", "p", "p", "question_mark", "escape")
            check()
            link.answers["offer"] = Answer(ok=False, text=text)
            await screen.press("r")
            check()
            link.screens[text] = Peek(
                lines=(text, *text.split("\n")),
                at=NOW,
                title=text,
                command=text,
                why=(text, text),
                runs=((Run(text, "1", "#102030", "br"), Run(text)), (), (Run(text, "200"),)),
            )
            link.kept[text] = kept(text)
            link.logs = {"a" + text: Tail(lines=(text, *text.split("\n")), at=NOW, reason=text)}
            link.explain = said
            for keys in (("2", "enter"), ("e",), ("i",), ("Z",), ("b",), ("s",), ("m",), ("S",)):
                await screen.press("escape", *keys)
                check()
            for keys in (("escape", "1"), ("enter",), ("G",), ("escape", "3", "enter"),
                         ("escape", "4", "enter"), ("escape", "5", "enter"), ("e",),
                         ("escape", "escape", "J"), ("k", "f"), ("y",)):  # fmt: skip
                await screen.press(*keys)
                check()
            if also:
                await find_and_pause(screen, text, plan, check)
            await screen.press("escape")
            assert screen.app.is_running

    asyncio.run(scenario())
    assert link.closed == 0


async def find_and_pause(screen, text, plan, check):
    """Filter, type commands, copy, and let everything be paused and something have failed."""
    link = screen.link
    await screen.press("escape", "1", "slash", "a", "enter")
    check()
    link.answers["offer"] = Answer(ok=True, text="", plan=plan)
    await screen.press("escape", "g", "space", "colon", *"pause", "space")
    check()
    await screen.press("tab", "tab")
    check()
    await screen.press("ctrl+c", "y")
    assert acts(screen.app.clipboard.replace("\n", "").replace("\t", "")) == []
    link.emit(ev.MaintenanceStarted("*", NOW + 60, text, text))
    await screen.settle()
    check()
    link.emit(ev.MaintenanceEnded("*", text, (text, text)))
    link.emit(ev.ActionFailed("f", "a" + text, text, text, 1.0))
    await screen.settle()
    check()


@pytest.mark.slow
@pytest.mark.parametrize("text", ["[@click=app.quit]x[/]", "\x1b]0;title\x07\x9b2J", "a\nb" * 90])
def test_the_plans_of_many_are_only_text(text):
    link = ScriptedLink([])
    for name in ("a", "b"):
        facts = {"state": "down"}
        seen = ev.Observed("workers", name + text, "critical", text, text, text, facts)
        link.past.append(ev.Recorded(len(link.past) + 1, NOW, seen))
    plan = replace(restart_plan("a" + text, why=text, id="1.1.1"), steps=(Step(text, text),))
    answers = [Answer(ok=True, text="", plan=plan), Answer(ok=False, text=text)]
    link.answers["offer"] = lambda _name, _: answers[len(link.asked) % 2]

    async def scenario():
        async with open_screen(link, (80, 24)) as screen:
            await screen.press("space", "space", "r")
            assert isinstance(screen.app.screen, ManySheet)
            assert acts(screen.text().replace("\n", "")) == []
            link.emit(ev.Observed("workers", "a" + text, "healthy", "", "t", "v", {"pid": 9}))
            await screen.settle()
            assert "by itself" in screen.text()
            assert acts(screen.text().replace("\n", "")) == []

    asyncio.run(scenario())
