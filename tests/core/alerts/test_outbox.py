"""Which notice may leave, and what becomes of those that cannot."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from healmon import events as ev
from healmon.alerts import channel_findings, outbox
from healmon.config.settings import Rate
from tests.helpers.examples import examples
from tests.helpers.postroom import HOUR, MINUTE, Postroom, channels, key_of, ladder


def made(post, count, *, channel="ops", level="WARNING", topic="opened"):
    for number in range(count):
        post.emit(
            ev.NoticeMade(channel, topic, f"title {number}", f"body {number}", (f"k{number}",),
                          level=level)
        )  # fmt: skip


def test_a_channel_that_is_down_is_tried_again_after_growing_pauses():
    post = Postroom(ladder("ops"))
    post.down = {"ops"}
    made(post, 1)
    post.run(HOUR, 1)
    assert 10 < post.tries < 20
    post.down = set()
    post.run(outbox.LONGEST_PAUSE, 1)
    assert [m.title for m in post.of("ops")] == ["title 0"]
    assert post.snapshot.channels["ops"].failing_since == 0


def test_new_notices_do_not_hammer_a_channel_that_is_down():
    post = Postroom(ladder("ops"))
    post.down = {"ops"}
    for _ in range(60):
        made(post, 1)
        post.run(MINUTE)
    assert post.tries < 20


def test_one_channel_does_not_keep_the_others_waiting():
    post = Postroom(ladder("ops", "boss"))
    post.down = {"ops"}
    made(post, 2)
    made(post, 2, channel="boss")
    post.run(MINUTE)
    assert len(post.of("boss")) == 2


def test_what_piled_up_while_a_channel_was_down_is_told_in_one():
    post = Postroom(ladder("ops"))
    post.down = {"ops"}
    made(post, 1)
    post.run(MINUTE)
    made(post, 79)
    post.run(10 * MINUTE)
    post.down = set()
    post.run(10 * MINUTE)
    first, rest = post.of("ops")
    assert rest.title == "[WARNING] box: 79 notices together, 0 still open"
    assert first.topic == "opened"
    assert "title 78" in rest.body
    assert "and 39 more" in rest.body
    assert not post.snapshot.notices
    ends = [
        r.event for r in post.records if isinstance(r.event, ev.NoticeMade) and r.event.replaces
    ]
    assert len(ends[0].replaces) == 79


def test_days_of_a_dead_channel_stay_small_and_every_notice_is_counted():
    post = Postroom(ladder("ops"))
    post.down = {"ops"}
    for _ in range(30):
        made(post, 20)
        post.run(10 * MINUTE, 60)
    assert len(post.snapshot.notices) <= outbox.CROWD
    post.down = set()
    post.run(HOUR)
    told = sum(
        int(m.title.split(": ")[1].split()[0]) if "together" in m.title else 1
        for m in post.of("ops")
    )
    assert told == 600
    assert len(post.told) < 10


def test_the_rate_is_kept_and_what_is_more_is_told_together():
    post = Postroom(ladder("ops", channels=channels("ops", rate=Rate(5, HOUR))))
    for _ in range(50):
        made(post, 1)
        post.run(MINUTE)
    assert len(post.told) == 4, "the last one is kept for CRITICAL"
    made(post, 1, level="CRITICAL")
    post.run(10)
    assert len(post.told) == 5
    assert (post.of("ops")[-1].level, post.of("ops")[-1].topic) == ("CRITICAL", "opened")
    post.run(2 * HOUR)
    assert not post.snapshot.notices
    assert len(post.told) <= 8


def test_a_notice_that_alone_is_refused_keeps_no_other_back_and_is_given_up_loudly():
    post = Postroom(ladder("ops", channels=channels("ops", rate=Rate(60, MINUTE))))
    made(post, 1)
    post.refused = {post.snapshot.last_id}
    bad = post.snapshot.last_id
    post.run(2 * MINUTE)
    made(post, 3)
    post.run(10 * MINUTE)
    assert len(post.told) == 3
    for _ in range(26):
        made(post, 1)
        post.run(HOUR, 60)
    (dropped,) = [r.event for r in post.records if isinstance(r.event, ev.NoticeDropped)]
    assert dropped.notice == bad
    assert "while others were taken: it is down" in dropped.reason


def test_notices_for_a_channel_that_is_gone_are_dropped_with_a_reason():
    post = Postroom(ladder("ops"))
    made(post, 1, channel="old")
    post.tick()
    (dropped,) = [r.event for r in post.records if isinstance(r.event, ev.NoticeDropped)]
    assert dropped.reason == "its channel is not configured any more"


def test_what_is_being_delivered_is_left_alone():
    post = Postroom(ladder("ops"))
    made(post, 8)
    numbers = [notice.id for notice in post.snapshot.notices.values()]
    (event,) = outbox.tidied(post.snapshot, post.notify, post.now, numbers[:1])
    assert event.replaces == tuple(numbers[1:])
    assert not outbox.leaving(post.snapshot, post.notify, post.now, {"ops"})


def test_reports_leave_as_they_are_and_not_before_their_time():
    post = Postroom(ladder("ops"))
    for number in range(9):
        post.emit(ev.NoticeMade("ops", "report", f"r{number}", "", not_before=post.now + HOUR))
    post.run(59 * MINUTE)
    assert not post.told
    post.run(2 * MINUTE)
    assert len(post.told) == 8


def test_a_channel_that_fails_is_an_alert_and_a_grave_one_when_critical_waits():
    post = Postroom(ladder("ops"))
    post.down = {"ops"}
    post.open("a")
    post.run(5 * MINUTE)
    assert not channel_findings(post.snapshot, post.notify, post.now), "once is no alert"
    post.run(MINUTE)
    (finding,) = channel_findings(post.snapshot, post.notify, post.now)
    assert (finding.condition, finding.severity) == ("channel-ops", "WARNING")
    assert finding.message == "channel ops takes no notices: it is down; 1 notice waits"
    post.run(15 * MINUTE)
    (finding,) = channel_findings(post.snapshot, post.notify, post.now)
    assert finding.severity == "CRITICAL"
    post.down = set()
    post.run(5 * MINUTE)
    assert not channel_findings(post.snapshot, post.notify, post.now)


def test_a_notice_that_had_to_wait_says_what_became_of_it():
    post = Postroom(ladder("ops"))
    post.down = {"ops"}
    post.open("a", "b", "c")
    post.run(6 * MINUTE)
    post.over("a")
    post.emit(ev.AlertAcknowledged(key_of("b"), "alice"))
    post.down = set()
    while not post.told:
        post.run(5)
    (message,) = post.of("ops")
    assert message.topic == "opened"
    assert "Meanwhile:\n· alert 2 is over" in message.body
    assert "alert 3 was acknowledged by alice" in message.body


def test_a_channel_that_is_not_configured_any_more_is_no_alert():
    post = Postroom(ladder("ops"))
    post.emit(ev.NoticeFailed(1, "old", "down", 0.0))
    post.now += HOUR
    assert not channel_findings(post.snapshot, post.notify, post.now)


steps = st.lists(
    st.sampled_from(["open", "over", "ack", "unack", "down", "up", "wait", "long", "kill"]),
    max_size=25,
)


@settings(max_examples=examples(25), deadline=None)
@example(["open", "wait", "over", "open"])
@given(steps)
def test_whatever_happens_nothing_told_is_left_unclosed_and_nothing_is_lost(story):
    post = Postroom(ladder("ops", "boss", channels=channels("ops", "boss", rate=Rate(60, MINUTE))))
    told: list = []
    for step in story:
        known = key_of("a") in post.snapshot.alerts
        if step == "open" and not known:
            post.open("a")
        elif step == "over" and known:
            post.over("a")
        elif step == "ack" and known:
            post.emit(ev.AlertAcknowledged(key_of("a"), "alice"))
        elif step == "unack" and known:
            post.emit(ev.AlertUnacknowledged(key_of("a"), "taken back"))
        elif step == "down":
            post.down = {"ops", "boss"}
        elif step == "up":
            post.down = set()
        elif step == "kill":
            told += post.told
            down, post = post.down, post.killed()
            post.down = down
        post.run({"wait": 6 * MINUTE, "long": HOUR}.get(step, 20), 20)
    if key_of("a") in post.snapshot.alerts:
        post.over("a")
    post.down = set()
    post.run(20 * MINUTE)
    told += post.told
    assert not post.snapshot.notices
    for channel in ("ops", "boss"):
        topics = [m.topic for _, m in told if m.channel == channel]
        assert not topics or topics[-1] in {"recovered", "summary"}
    ids = [m.id for _, m in told]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("ahead", [0.0, 10 * 24 * HOUR])
def test_a_clock_that_was_wrong_blocks_no_channel(ahead):
    post = Postroom(ladder("ops"))
    post.now += ahead
    post.down = {"ops"}
    made(post, 1)
    post.run(MINUTE)
    post.now -= ahead
    post.down = set()
    post.run(6 * MINUTE)
    assert len(post.told) == 1
