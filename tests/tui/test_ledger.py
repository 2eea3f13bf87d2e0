"""What healmon did, touch by touch, and whom it told."""

from __future__ import annotations

from healmon import events as ev
from healmon_tui.ledger import ALERTS, ENDS, TOUCHES, Ledger


def step(plan, text, component="w"):
    return ev.StepTaken(plan, component, text)


def folded(*events, start=1):
    made = Ledger()
    for number, event in enumerate(events, start):
        made.add(ev.Recorded(number, float(number), event))
    return made


def verified(plan="p"):
    return ev.ActionVerified(plan, "w", "restart_worker", "alive", 1.2)


def test_every_touch_of_a_plan_gets_its_outcome_and_the_last_one_the_proof():
    made = folded(step("p", "stop it"), step("q", "other"), step("p", "start it"), verified())
    first, other, last = made.touches()
    assert (first.result, first.proof, first.last) == ("verified", "", False)
    assert (last.result, last.proof, last.seconds) == ("verified", "alive", 1.2)
    assert other.result == ""


def test_what_failed_and_what_was_not_done():
    failed = ev.ActionFailed("p", "w", "restart_worker", "no such file", 2.0)
    left = ev.PlanAbandoned("q", "w", "healmon ended")
    one, other = folded(step("p", "a"), step("q", "b"), failed, left).touches()
    assert (one.result, one.proof) == ("failed", "no such file")
    assert (other.result, other.proof) == ("abandoned", "healmon ended")


def test_who_was_told_of_an_alert():
    made = folded(
        ev.NoticeMade("mail", "opened", "t", "b", ("k", "l")),
        ev.NoticeFailed(1, "mail", "refused", 9.0),
        ev.NoticeSent(1, "mail"),
        ev.NoticeSent(77, "mail"),
        ev.NoticeMade("hook", "opened", "t", "b", ("k",)),
        ev.NoticeDropped(5, "hook", "said by another"),
    )
    assert [(n.at, n.reason) for n in made.notices("k")] == [(2.0, "refused"), (3.0, "")]
    assert len(made.notices("l")) == 2
    assert made.notices("none") == ()


def test_older_events_read_later_say_the_same():
    events = (step("p", "a"), step("p", "b"), step("q", "c"), verified(), step("r", "d"))
    whole = folded(*events)
    for cut in range(len(events) + 1):
        newer, older = folded(*events[cut:], start=cut + 1), folded(*events[:cut])
        newer.before(older)
        assert newer.touches() == whole.touches(), cut


def test_nothing_grows_without_end():
    made = Ledger()
    for number in range(1, 3 * TOUCHES):
        made.add(ev.Recorded(number, 1.0, step(f"p{number % 700}", "x")))
        made.add(
            ev.Recorded(10_000 + number, 1.0, ev.NoticeMade("m", "opened", "", "", (f"k{number}",)))
        )
        made.add(ev.Recorded(20_000 + number, 1.0, ev.NoticeSent(10_000 + number, "m")))
    assert len(made.touches()) == TOUCHES
    assert sum(map(len, made._plans.values())) <= TOUCHES
    assert len(made._notices) <= ALERTS
    assert len(made._waiting) <= 200
    for number in range(1000):
        made.add(ev.Recorded(90_000 + number, 1.0, verified(f"gone{number}")))
    assert len(made._ends) <= ENDS
