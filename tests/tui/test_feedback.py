"""What the screen says of what is under way: in the row, of maintenance, of the dry run."""

from __future__ import annotations

import asyncio

import pytest

from healmon import events as ev
from healmon.plans import Answer
from healmon.state import FOREVER, replay
from healmon_tui import maintenance, status
from healmon_tui.chronicle import Chronicle
from healmon_tui.paint import Span, width
from healmon_tui.rows.scene import BRIGHT, FRESH, Scene
from healmon_tui.screens.ask import AskSheet
from healmon_tui.screens.overview import Overview
from healmon_tui.viewmodel import ViewModel
from healmon_tui.widgets.bars import KeyBar
from tests.helpers.examples import first_fast
from tests.helpers.screen import check_golden, open_screen
from tests.helpers.scripted import NOW, ScriptedLink, restart_plan, world

PLAN = restart_plan("w", id="p", delay=0.0, origin="olga on pts/3")


def moment(*events, ago=0.0, known=None):
    """Return the scene after events, the last of them so many seconds ago."""
    seen = ev.Observed("workers", "w", "healthy", "", "t", "v", {"state": "healthy", "pid": 7})
    records = [ev.Recorded(n, NOW - ago, event) for n, event in enumerate((seen, *events), 1)]
    chronicle = Chronicle()
    for record in records:
        chronicle.add(record)
    return Scene.of(replay(records), NOW, known, chronicle)


def cell(scene, key, name="w"):
    rows = ViewModel().panels(scene, Chronicle(), settled=True)["workers"].rows
    spans = next(row for row in rows if row.component == name).cells[key]
    return "".join(span.text for span in spans), spans[0].tone if spans else ""


MADE = ev.PlanMade(PLAN, NOW - 2, NOW - 2)
BEGUN = ev.ActionStarted("p", "w")
STEP = ev.StepTaken("p", "w", "send SIGTERM to pid 7")
GOOD = ev.ActionVerified("p", "w", "restart_worker", "pid 9 lives", 1.2)
BAD = ev.ActionFailed("p", "w", "restart_worker", "no such file", 1.2)


def test_a_row_goes_from_restarting_to_verifying_to_verified_and_fades():
    assert cell(moment(MADE, BEGUN, STEP), "state") == ("restarting 2s…", "heal")
    assert cell(moment(MADE, BEGUN, STEP, STEP), "state") == ("verifying 2s…", "heal")
    done = (MADE, BEGUN, STEP, STEP, GOOD)
    assert cell(moment(*done), "state") == ("verified 1.2 s", "ok")
    assert cell(moment(*done, ago=BRIGHT + 1), "state") == ("verified 1.2 s", "dim")
    assert cell(moment(*done, ago=FRESH + 1), "state") == ("healthy", "text")


def test_the_proof_of_before_is_not_told_once_it_is_to_be_mended_again():
    assert cell(moment(MADE, BEGUN, GOOD), "why")[0] == "pid 9 lives"
    assert "lives" not in cell(moment(MADE, BEGUN, GOOD, MADE), "why")[0]


@pytest.mark.parametrize(
    "end", [ev.PlanVetoed("p", "w", "pid 7 is another one"), ev.PlanAbandoned("p", "w", "by olga")]
)
def test_what_was_not_done_is_said_for_a_while(end):
    scene = moment(MADE, end)
    assert cell(scene, "state") == ("not done", "calm")
    assert cell(scene, "why") == (f"restart not done: {end.reason}", "calm")
    assert cell(moment(MADE, end, ago=FRESH + 1), "state")[0] == "healthy"
    by_itself = ev.PlanMade(restart_plan("w", id="p", origin="healmon"), NOW - 2, NOW - 2)
    assert cell(moment(by_itself, end), "state")[0] == "healthy"


def test_a_failure_stays_until_somebody_says_that_it_is_known():
    for ago in (1.0, 99_999.0):
        assert "restart failed" in cell(moment(MADE, BEGUN, BAD, ago=ago), "why")[0]
    known = moment(MADE, BEGUN, BAD, ago=60, known={"w": NOW - 60})
    assert cell(known, "why")[0] == ""
    again = moment(MADE, BEGUN, BAD, GOOD, ago=FRESH + 1)
    assert cell(again, "why")[0] == ""


# maintenance, pure


def paused(name="*", until=NOW + 600, **more):
    return moment(ev.MaintenanceStarted(name, until, "ann", "new disks"), **more)


def bar(scene, cells=120, lines=36):
    return "".join(span.text for span in maintenance.bar(scene, cells, lines))


def test_the_bar_says_what_till_when_who_and_why():
    text = bar(paused())
    for part in ("MAINTENANCE everything by ann: new disks", "10m left", "till 20:57"):
        assert part in text
    assert len(text) == 120
    short = bar(paused(), 40, 12)
    assert len(short) == 40
    assert short.endswith(" 10m left ")
    refused = ev.PlanRefused(restart_plan("w"), "maintenance")
    held = moment(ev.MaintenanceStarted("*", NOW + 9, "ann"), refused, refused)
    assert "2 not done so far" in bar(held)


def test_it_is_there_for_everything_and_a_row_has_its_own():
    assert bar(paused("w")) == ""
    own = maintenance.lines_of_row(paused("w"), "w", 80)
    assert "MAINTENANCE w by ann" in "".join(span.text for span in own[0].spans)
    assert maintenance.lines_of_row(paused(), "w", 80) == []
    assert maintenance.lines_of_row(paused("w", FOREVER), "w", 80) == []
    assert maintenance.lines_of_row(paused("w"), "other", 80) == []
    assert bar(paused("*", NOW - 1)) == ""


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        (200, " ◫ w 10m left ━━━━━━━━━━━━ till 20:57 "),
        (120, " ◫ 10m left ━━━━━━━━━━━━ "),
        (60, " ◫ 10m "),
    ],
)
def test_the_row_under_the_cursor_counts_down_in_the_status_line(cells, text):
    scene, looking = paused("w"), status.Looking()
    line = status.line(scene, looking, cells, "w")
    assert Span(text, "chip-info") in line
    assert width(line) == cells
    for other in ("", "other"):
        assert "◫" not in "".join(span.text for span in status.line(scene, looking, cells, other))
    assert maintenance.chip(paused(), "w", cells) == (), "the bar says it"
    assert maintenance.chip(paused("w", FOREVER), "w", cells) == ()


def test_its_end_sums_up_what_would_have_been_done():
    would = ("restart_worker w, 3 times", "clean_disk disk:/")
    over = ev.MaintenanceEnded("*", "its time is over", would)
    text = bar(moment(over))
    assert "MAINTENANCE OVER everything" in text
    assert "not done meanwhile: restart_worker w, 3 times; clean_disk disk:/" in text
    assert "meanwhile: nothing" in bar(moment(ev.MaintenanceEnded("*", "x")))
    assert bar(moment(over, ago=maintenance.TOLD + 1)) == ""
    part = ev.MaintenanceEnded("w", "x", would)
    assert bar(moment(part), lines=24) == ""
    assert "OVER w" in bar(moment(part), lines=36)


# on the screen


def run(scenario, *, size=(100, 30), past=None, **options):
    link = ScriptedLink(world() if past is None else past)

    async def whole():
        async with open_screen(link, size, **options) as screen:
            await scenario(screen)

    asyncio.run(whole())
    return link


@pytest.mark.slow
def test_the_bar_stands_below_the_status_line_and_counts_down():
    async def scenario(screen):
        screen.link.emit(ev.MaintenanceStarted("*", screen.link.now + 600, "ann", "new disks"))
        await screen.settle()
        assert "MAINTENANCE everything" in screen.lines()[1]
        screen.link.clock.advance(60)
        await screen.settle()
        assert "9m00s left" in screen.lines()[1]
        assert "? help" in screen.lines()[-1]
        would = ("restart_worker w",)
        screen.link.emit(ev.MaintenanceEnded("*", "resumed by ann", would))
        await screen.settle()
        assert "not done meanwhile: restart_worker w" in screen.lines()[1]
        screen.link.clock.advance(61)
        await screen.settle()
        assert "WORKERS" in screen.lines()[1]

    run(scenario)
    run(scenario, size=(80, 24))


@pytest.mark.slow
def test_d_switches_the_dry_run_on_at_once_and_off_after_a_yes():
    async def scenario(screen):
        link = screen.link
        link.answers["dry-run"] = lambda target, _: Answer(ok=True, text=f"dry run {target}")
        await screen.press("D")
        assert link.asked == [("dry-run", "on", {})]
        assert screen.answer == "z undo · dry run on"
        link.emit(ev.DryRunChanged(on=True, by="olga"))
        link.emit(ev.PlanRefused(restart_plan("mail_worker"), "dry run"))
        await screen.settle()
        assert "DRY RUN" in screen.lines()[0]
        await screen.press("D")
        assert isinstance(screen.app.screen, AskSheet)
        assert "would begin with:" in screen.text()
        assert "restart_worker mail_worker" in screen.text()
        await screen.press("enter")
        assert link.asked == [("dry-run", "on", {})]
        await screen.press("D", "y")
        assert link.asked[1:] == [("dry-run", "off", {})]
        link.emit(ev.DryRunChanged(on=False, by="olga"))
        await screen.settle()
        await screen.press("D", "z")
        assert link.asked[2:] == [("dry-run", "on", {}), ("dry-run", "off", {})]

    run(scenario, size=(120, 36))


@pytest.mark.slow
def test_a_refused_switch_says_why():
    async def scenario(screen):
        said = "this healer was started for a dry run and stays in it"
        screen.link.answers["dry-run"] = Answer(ok=False, text=said)
        await screen.press("D")
        assert said in screen.answer

    run(scenario)


@pytest.mark.slow
def test_an_answer_stays_until_it_can_have_been_read():
    async def scenario(screen):
        def foot():
            return screen.text().rstrip().splitlines()[-1]

        # two that come in the same moment, as those to D and to o of a slow healer
        screen.app.flash("no way to that pane", "text")
        screen.app.flash("dry-run done", "ok")
        await screen.settle()
        assert "dry-run done · no way to that pane" in foot()
        assert screen.answer == "dry-run done"
        # of one subject only the newest, and what is being done ends with what came of it
        screen.app.flash("restart mail: under way")
        screen.app.flash("restart mail: verified", "ok")
        await screen.settle()
        assert "restart mail: verified" in foot()
        assert "under way" not in foot()
        assert "dry-run" not in foot()
        screen.app.overview.hush()
        screen.app.flash("making a plan", "dim")
        screen.app.flash("nothing to do", "warn")
        await screen.settle()
        assert "making" not in foot()
        # the newest one has the room
        screen.app.flash("x" * 70)
        await screen.settle()
        assert "xxx" in foot()
        assert "nothing to do" not in foot()

    run(scenario, size=(80, 24))


@pytest.mark.slow
def test_an_answer_that_was_read_makes_room():
    async def scenario(screen):
        screen.app.flash("first", "warn")
        bar = screen.app.overview.query_one(KeyBar)
        bar._read(bar._unread)
        screen.app.flash("second", "ok")
        await screen.settle()
        assert "first" not in screen.text()
        assert "second" in screen.text()

    run(scenario, size=(80, 24))


@pytest.mark.slow
def test_a_acknowledges_a_failed_remedy_that_has_no_alert():
    async def scenario(screen):
        failed = ev.ActionFailed("p", "task_worker", "restart_worker", "no such file", 1.0)
        screen.link.emit(failed)
        await screen.press("slash", *"task", "enter")
        assert "restart failed 0s ago: no such file" in screen.line_of("task_worker")
        await screen.press("a")
        assert "known: restart_worker of task_worker failed" in screen.answer
        assert screen.link.asked == []
        assert "failed" not in screen.line_of("task_worker")
        await screen.press("a")
        assert "no open alert here" in screen.answer

    run(scenario, size=(120, 36))


@pytest.mark.slow
def test_how_ones_own_act_has_ended_is_said_once():
    async def scenario(screen):
        plan = restart_plan("task_worker", id="1.1.1", delay=0.0)
        screen.link.answers["offer"] = Answer(ok=True, text="", plan=plan)
        await screen.press("slash", *"task", "enter", "r", "y")
        assert screen.answer == "restart task_worker: under way"
        screen.link.emit(ev.PlanMade(plan, NOW, NOW))
        proof = "pid 9 lives"
        screen.link.emit(ev.ActionVerified(plan.id, "task_worker", plan.action, proof, 1.2))
        await screen.settle()
        assert screen.answer == "restart task_worker: verified in 1.2 s: pid 9 lives"
        await screen.press("j")
        screen.app.overview.hush()
        await screen.settle()
        assert screen.answer == ""

    run(scenario)


# sizes, the mouse, the clipboard


@pytest.mark.slow
def test_plus_and_underscore_go_through_half_and_full_and_esc_goes_back():
    async def scenario(screen):
        def height(name="sessions"):
            panel = screen.app.overview._panels[name]
            return panel.size.height if panel.display else 0

        await screen.press("2")
        normal = height()
        await screen.press("plus")
        half = height()
        assert half > normal
        assert height("workers")
        await screen.press("plus")
        assert height() > half
        assert not height("workers")
        await screen.press("plus")
        assert "larger than this" in screen.answer
        await screen.press("escape")
        assert height() == half
        await screen.press("underscore")
        assert height() == normal
        await screen.press("2", "2")
        assert not height("workers")
        await screen.press("q")
        assert height("workers")
        assert isinstance(screen.app.screen, Overview)

    run(scenario, size=(80, 24))


@pytest.mark.slow
def test_where_there_is_no_line_to_type_on_no_filter_begins():
    async def scenario(screen):
        await screen.press("slash", "x")
        assert not screen.app.overview.typing

    run(scenario, size=(39, 9))


@pytest.mark.slow
def test_the_keys_of_the_footer_can_be_clicked_and_an_act_opens_its_sheet_only():
    async def scenario(screen):
        plan = restart_plan("mail_worker", id="1.1.1")
        screen.link.answers["offer"] = Answer(ok=True, text="", plan=plan)
        line = screen.lines()[-1]
        await screen.pilot.click("#keys", offset=(line.index("r restart") + 3, 0))
        await screen.settle()
        assert [verb for verb, _, _ in screen.link.asked] == ["offer"]
        sheet = screen.app.screen
        foot = next(n for n, text in enumerate(screen.lines()) if "y do it" in text)
        at = screen.lines()[foot].index("esc no") - sheet.box.region.x
        await screen.pilot.click("#box", offset=(at, foot - sheet.box.region.y))
        await screen.settle()
        assert isinstance(screen.app.screen, Overview)
        assert [verb for verb, _, _ in screen.link.asked] == ["offer"]
        screen.app.overview.hush()
        await screen.settle()
        await screen.pilot.click("#keys", offset=(screen.lines()[-1].index("/ filter"), 0))
        await screen.settle()
        assert screen.app.overview.typing

    run(scenario)


@pytest.mark.slow
def test_a_click_selects_a_double_click_opens_and_a_heading_focuses():
    async def scenario(screen):
        overview = screen.app.overview
        await screen.pilot.click("#sessions", offset=(10, 2))
        await screen.settle()
        assert overview.panel == "sessions"
        second = overview.row().component
        assert second == overview._panels["sessions"].view.rows[1].component
        await screen.pilot.click("#workers", offset=(2, 0))
        await screen.settle()
        assert overview.panel == "workers"
        await screen.pilot.double_click("#sessions", offset=(10, 2))
        await screen.settle()
        assert not isinstance(screen.app.screen, Overview)
        assert second in screen.text()
        assert screen.link.asked == []

    run(scenario)


@pytest.mark.slow
def test_in_lists_a_click_selects_and_a_second_one_picks():
    async def scenario(screen):
        await screen.press("Z")
        row = next(n for n, line in enumerate(screen.lines()) if "for 4h00m" in line)
        box = screen.app.screen.box
        await screen.pilot.click("#box", offset=(10, row - box.region.y))
        await screen.settle()
        assert "▸ 3" in screen.line_of("for 4h00m")
        assert screen.link.asked == []
        await screen.pilot.double_click("#box", offset=(10, row - box.region.y))
        await screen.settle()
        assert screen.link.asked == [("snooze", "mail_worker", {"for": 14_400.0})]
        await screen.press("colon")
        row = next(n for n, line in enumerate(screen.lines()) if "unlock" in line)
        box = screen.app.screen.box
        await screen.pilot.double_click("#box", offset=(10, row - box.region.y))
        await screen.settle()
        assert screen.app.screen.typed.text == "unlock "

    run(scenario)


@pytest.mark.slow
def test_y_copies_the_row_or_the_marked_ones_and_big_y_the_plan(monkeypatch):
    copied = []

    async def scenario(screen):
        monkeypatch.setattr(screen.app, "copy_to_clipboard", copied.append)
        await screen.press("y")
        assert copied[-1].startswith("mail_worker\tmail_worker\tquarantined")
        assert "copied mail_worker" in screen.answer
        await screen.press("space", "space", "y")
        assert len(copied[-1].splitlines()) == 2
        assert "copied 2 rows" in screen.answer
        plan = restart_plan("mail_worker", id="1.1.1")
        screen.link.answers["offer"] = Answer(ok=True, text="", plan=plan)
        await screen.press("escape", "g", "r", "Y")
        assert copied[-1].startswith("restart_worker mail_worker\nwhy:")
        assert [verb for verb, _, _ in screen.link.asked] == ["offer"]

    run(scenario, read_only=False)


def restarting(link):
    """Let restarts be in all their states at once."""
    for name, number in (("task_worker", 1), ("milestone_worker", 2), ("index_worker", 3)):
        plan = restart_plan(name, id=f"p{number}", delay=0.0)
        link.emit(ev.PlanMade(plan, NOW - 3, NOW - 3))
        link.emit(ev.ActionStarted(plan.id, name))
        link.emit(ev.StepTaken(plan.id, name, "send SIGTERM"))
        if name != "milestone_worker":
            link.emit(ev.StepTaken(plan.id, name, f"start {name}"))
    link.emit(ev.ActionVerified("p1", "task_worker", "restart_worker", "pid 9 lives", 1.2))
    link.emit(ev.PlanMade(restart_plan("api_worker", id="p4", origin="olga"), NOW, NOW))
    link.emit(ev.PlanVetoed("p4", "api_worker", "pid 48310 is another process by now"))


@pytest.mark.slow
@pytest.mark.parametrize("size", first_fast((80, 24), (60, 15), (120, 36), (200, 50)))
def test_how_all_of_it_looks(size):
    async def scenario(screen):
        def check(name):
            assert all(len(line) <= size[0] for line in screen.lines())
            if size[0] <= 80:  # larger ones show much that is not of this
                check_golden(f"{name}-{size[0]}x{size[1]}", screen.text())

        restarting(screen.link)
        screen.link.emit(ev.MaintenanceStarted("*", NOW + 2530, "ann", "new disks"), NOW - 1080)
        screen.idle()
        await screen.settle()
        for word in ("verifying 3s…", "restarting 3s…", "not done", "42m left"):
            assert word in screen.text()
        check("feedback")
        await screen.press("slash", "w", "o", "r", "k")
        assert "/work│" in screen.lines()[-1]
        check("filter")
        await screen.press("escape", "colon", "r", "e", "s", "t", "a")
        assert ": resta│" in screen.text()
        check("palette")

    run(scenario, size=size)
