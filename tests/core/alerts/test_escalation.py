"""Who is told of what nobody answers, and when."""

import pytest

from healmon import events as ev
from healmon.alerts import escalation
from healmon.clock import local_time
from healmon.config import settings as st
from tests.helpers.postroom import HOUR, MINUTE, WALL, Postroom, channels, key_of, ladder


def test_the_ladder_of_an_unanswered_alert():
    post = Postroom(ladder("ops", "boss"))
    post.open("a")
    post.run(290)
    assert not post.told
    post.run(8.5 * HOUR)
    assert post.log() == [
        (5.0, "ops", "opened"), (15.0, "boss", "opened"),
        (245.0, "ops", "reminder"), (255.0, "boss", "reminder"),
        (485.0, "ops", "reminder"), (495.0, "boss", "reminder"),
    ]  # fmt: skip
    ops = post.of("ops")
    assert ops[0].title == "[CRITICAL] box: a is down"
    assert ops[1].title == "[CRITICAL] box: a is down (still open after 4h05m)"
    assert len({message.id for message in ops}) == len(ops)


def test_an_acknowledgement_stops_it_and_its_end_begins_at_the_top():
    post = Postroom(ladder("ops", "boss"))
    post.open("a")
    post.run(6 * MINUTE)
    post.emit(ev.AlertAcknowledged(key_of("a"), "alice", "", WALL + 4 * HOUR))
    post.run(4 * HOUR)
    assert post.log() == [(5.0, "ops", "opened")]
    post.emit(ev.AlertUnacknowledged(key_of("a"), "the acknowledgement ran out"))
    post.run(20 * MINUTE)
    assert post.log()[1:] == [(251.0, "ops", "opened"), (261.0, "boss", "opened")]


def test_a_rise_in_severity_begins_at_the_top():
    notify = ladder("ops", channels=channels("ops", severity="WARNING"))
    post = Postroom(notify)
    post.open("a", level="WARNING")
    post.run(10 * MINUTE)
    post.emit(ev.AlertUpdated(key_of("a"), "CRITICAL", "a is quarantined"))
    post.run(10 * MINUTE)
    assert post.log() == [(5.0, "ops", "opened"), (15.0, "ops", "opened")]
    assert [m.level for m in post.of("ops")] == ["WARNING", "CRITICAL"]


def test_a_channel_hears_what_is_bad_enough_for_it():
    pager, mail = channels("pager"), channels("mail", severity="WARNING")
    steps = (st.Rung(after=60.0, channels=("pager", "mail")),)
    post = Postroom(st.Notify(channels=pager + mail, steps=steps))
    post.open("a", level="WARNING")
    post.open("b", level="INFO")
    post.run(5 * MINUTE)
    assert post.log() == [(1.0, "mail", "opened")]


def test_pending_muted_and_acknowledged_alerts_are_not_told():
    post = Postroom(ladder("ops"))
    post.emit(ev.AlertPended(key_of("a"), "CRITICAL", "a", "perhaps"))
    post.open("b", "c", "d", "e")
    post.mute("b", silenced_by="7")
    post.mute("c", maintenance="c")
    post.mute("d", inhibited_by=key_of("e"))
    post.emit(ev.AlertAcknowledged(key_of("e"), "alice"))
    post.run(6 * HOUR)
    assert not post.told


def test_a_stale_alert_still_calls():
    post = Postroom(ladder("ops"))
    post.open("a")
    post.emit(ev.AlertStale(key_of("a"), "the healer is blind"))
    post.run(6 * MINUTE)
    (message,) = post.of("ops")
    assert "Nobody has been able to look at it lately" in message.body


def test_one_component_within_half_a_minute_is_one_notice():
    post = Postroom(ladder("ops"))
    post.open("a")
    post.now += 25
    post.open("a", condition="silent")
    post.open("b")
    post.run(6 * MINUTE)
    assert [len(m.alerts) for m in post.of("ops")] == [2, 1]
    assert post.of("ops")[0].title == "[CRITICAL] box: 2 alerts: a"
    post.now += 60
    post.open("a", condition="late")
    post.run(6 * MINUTE)
    assert len(post.of("ops")) == 3


def test_a_storm_is_one_notice():
    post = Postroom(ladder("ops", "boss"))
    post.open(*(f"w{n}" for n in range(50)))
    post.run(6 * HOUR, 60)
    assert post.log() == [
        (5.0, "ops", "opened"), (15.0, "boss", "opened"),
        (245.0, "ops", "reminder"), (255.0, "boss", "reminder"),
    ]  # fmt: skip
    body = post.of("ops")[0].body
    assert body.count("is down (alert ") == 40
    assert "and 10 more" in body


def test_six_hours_of_three_failing_workers_are_at_most_four_notices():
    """284 cycles 75 s apart; messages change in every one."""
    post = Postroom(ladder("ops", "boss"))
    for cycle in range(284):
        for name in ("assigner", "task", "mail"):
            if not cycle:
                post.open(name)
            else:
                text = f"{name} is down, start {cycle} failed"
                post.emit(ev.AlertUpdated(key_of(name), "CRITICAL", text))
        post.run(75)
    assert 0 < len(post.told) <= 4


@pytest.mark.parametrize(
    ("hours", "time", "expected"),
    [
        ("22:00-07:00", "23:15", True),
        ("22:00-07:00", "06:59", True),
        ("22:00-07:00", "07:00", False),
        ("12:00-13:30", "13:29", True),
        ("12:00-13:30", "11:59", False),
        ("", "00:00", False),
    ],
)
def test_quiet_hours_are_local(hours, time, expected):
    at = next(WALL + 60 * n for n in range(1440) if local_time(WALL + 60 * n, "%H:%M") == time)
    assert escalation.quiet(hours, at) is expected


def test_quiet_hours_hold_warnings_back_and_never_critical():
    begin, end = (local_time(WALL + hours * HOUR, "%H:%M") for hours in (-1, 2))
    notify = ladder("ops", channels=channels("ops", severity="WARNING"), quiet=f"{begin}-{end}")
    post = Postroom(notify)
    post.open("a", "b", level="WARNING")
    post.open("c")
    post.run(HOUR)
    assert [m.level for m in post.of("ops")] == ["CRITICAL"]
    post.over("a", "c")
    post.run(30 * MINUTE)
    assert [(m.topic, m.level) for m in post.of("ops")[1:]] == [("recovered", "CRITICAL")]
    post.run(HOUR)  # b is told when the quiet is over; a came and went unheard
    assert [(m.topic, m.title) for m in post.of("ops")[2:]] == [
        ("opened", "[WARNING] box: b is down")
    ]


def test_topics_are_what_a_channel_is_told():
    post = Postroom(ladder("ops", channels=channels("ops", topics=("opened",))))
    post.open("a")
    post.run(5 * HOUR)
    post.over("a")
    post.run(HOUR)
    assert post.log() == [(5.0, "ops", "opened")]


def test_a_dead_channels_own_alert_leaves_by_the_others():
    post = Postroom(ladder("ops", "boss"))
    key = "box/healmon/healmon/channel-ops"
    post.emit(ev.AlertOpened(key, "CRITICAL", "healmon", "channel ops takes no notices"))
    post.run(HOUR)
    assert post.log() == [(15.0, "boss", "opened")]


def test_a_wall_clock_that_was_set_back_does_not_silence_it():
    post = Postroom(ladder("ops"))
    post.now += 300 * 24 * HOUR
    post.open("a")
    post.run(6 * MINUTE)
    post.now = WALL
    post.run(HOUR)
    assert len(post.told) == 2
    post.run(8 * HOUR)
    assert len(post.told) == 4


def test_no_repeat_when_none_is_wanted():
    post = Postroom(ladder("ops", repeat_every=0.0))
    post.open("a")
    post.run(24 * HOUR, 60)
    assert len(post.told) == 1


def test_a_killed_healmon_goes_on_where_it_was():
    post = Postroom(ladder("ops", "boss"))
    post.open("a")
    post.run(6 * MINUTE)
    later = post.killed()
    later.run(10 * MINUTE)
    assert later.log() == [(15.0, "boss", "opened")]


def test_a_notice_tells_also_what_was_done_before_healmon_began_anew():
    post = Postroom(ladder("ops"))
    post.open("a")
    post.emit(ev.ActionFailed("p", "a", "restart_worker", "it died again", 1.0))
    later = post.killed()
    later.emit(ev.EngineStarted("box", "1", 2, "daemon", False, 60.0, "boot", 0.0))
    later.run(5 * MINUTE)
    (message,) = later.of("ops")
    assert "restart_worker failed: it died again" in message.body


def test_a_notice_says_what_evidence_what_was_done_and_what_to_do():
    post = Postroom(ladder("ops"))
    post.open("a")
    post.emit(ev.ActionFailed("p", "a", "restart_worker", "it died again", 1.0))
    post.run(5 * MINUTE)
    (message,) = post.of("ops")
    number = post.snapshot.alerts[key_of("a")].id
    for said in (
        "What: a is down", "Since: ", "Evidence: pid: 7",
        "restart_worker failed: it died again",
        f"To do: healmon explain {number}; healmon restart a; I know: healmon ack {number}",
        f"Notice {message.notice} of healmon on box",
    ):  # fmt: skip
        assert said in message.body
    assert message.alerts[0]["key"] == key_of("a")
    assert str(message.notice) in message.id


@pytest.mark.parametrize(
    ("healer", "component", "hand"),
    [("workers", "w one", "healmon restart 'w one'; "),
     ("sessions", "session:it's", r"healmon clear 'it'\''s'; "), ("sessions", "tasks:q", "")],
)  # fmt: skip
def test_what_to_do_can_be_typed(healer, component, hand):
    post = Postroom(ladder("ops"))
    key = f"box/{healer}/{component}/down"
    post.emit(ev.AlertOpened(key, "CRITICAL", component, "is down", {}))
    post.run(5 * MINUTE)
    number = post.snapshot.alerts[key].id
    assert f"To do: healmon explain {number}; {hand}I know:" in post.of("ops")[0].body
