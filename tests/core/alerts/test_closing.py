"""What was told is closed, and what was held back is summed up."""

from healmon import events as ev
from healmon.alerts import outbox
from healmon.alerts.closing import summaries
from healmon.config import settings as st
from healmon.plans import Overlays
from tests.helpers.postroom import HOUR, MINUTE, Postroom, channels, key_of, ladder


def back(post, times=1):
    """Alert `a` is there again: the same incident goes on."""
    again = {"incident": 2, "first_seen": post.now, "count": times, "reopened": times}
    post.emit(ev.AlertReopened(key_of("a"), "CRITICAL", "a", "down", {}, **again, peak="CRITICAL"))


def test_who_was_told_is_told_that_it_is_over():
    post = Postroom(ladder("ops", "boss"))
    post.open("a")
    post.run(10 * MINUTE)
    post.emit(ev.ActionVerified("p", "a", "restart_worker", "pid 9 alive", 1.0))
    post.over("a")
    post.run(HOUR)
    assert post.log() == [(5.0, "ops", "opened"), (10.5, "ops", "recovered")]
    message = post.of("ops")[1]
    assert message.title == "[RECOVERED] box: over after 10m: a is down"
    assert "restart_worker; proved: pid 9 alive" in message.body
    assert "Proof: it is up again" in message.body


def test_what_was_never_told_is_not_closed():
    post = Postroom(ladder("ops"))
    post.open("a")
    post.run(4 * MINUTE)
    post.over("a")
    post.run(HOUR)
    assert not post.told


def test_an_incident_that_goes_on_is_closed_once():
    post = Postroom(ladder("ops"))
    post.open("a")
    post.run(6 * MINUTE)
    post.over("a")
    post.run(10)  # it comes back before its end was told
    post.emit(
        ev.AlertReopened(
            key_of("a"), "CRITICAL", "a", "down again", {}, 2, post.now, 2, 1, "CRITICAL"
        )
    )
    post.run(10 * MINUTE)
    post.over("a")
    post.run(HOUR)
    assert [m.topic for m in post.of("ops")] == ["opened", "opened", "recovered"]


def test_an_end_without_a_telling_since_the_last_end_is_not_told():
    post = Postroom(ladder("ops"))
    post.open("a")
    post.run(6 * MINUTE)
    post.over("a")
    post.run(2 * MINUTE)
    post.emit(
        ev.AlertReopened(
            key_of("a"), "CRITICAL", "a", "down again", {}, 2, post.now, 2, 1, "CRITICAL"
        )
    )
    post.run(MINUTE)
    post.over("a")
    post.run(HOUR)
    assert [m.topic for m in post.of("ops")] == ["opened", "recovered"]


def test_what_was_over_before_it_could_be_told_is_told_honestly():
    post = Postroom(ladder("ops"))
    post.down = {"ops"}
    post.open("a")
    post.run(20 * MINUTE)
    post.over("a")
    post.run(20 * MINUTE)
    assert not post.told
    post.down = set()
    post.run(10 * MINUTE)
    (message,) = post.of("ops")
    assert message.topic == "recovered"
    assert "This was not told while it lasted" in message.body
    assert not post.snapshot.notices


def test_many_ends_at_once_are_one_notice():
    post = Postroom(ladder("ops"))
    names = [f"w{n}" for n in range(9)]
    post.open(*names)
    post.run(6 * MINUTE)
    post.over(*names[:5])
    post.now += 20
    post.over(*names[5:])
    post.run(5 * MINUTE)
    assert [m.topic for m in post.of("ops")] == ["opened", "recovered"]
    assert len(post.of("ops")[1].alerts) == 9


def silence(post, *components):
    number = post.emit(ev.SilenceStarted("worker:*", post.now + HOUR, "alice"))
    for name in components:
        post.mute(name, silenced_by=str(number))
    return number


def test_a_silence_that_ends_is_summed_up_once():
    post = Postroom(ladder("ops", "boss"))
    post.open("a", "b")
    number = silence(post, "a", "b")
    post.run(30 * MINUTE)
    post.over("b")
    post.run(30 * MINUTE)
    assert not post.told
    post.emit(ev.SilenceEnded(number, "its time is over"))
    post.mute("a")
    post.run(4 * MINUTE)
    assert post.log() == [(60.5, "ops", "summary")]
    (message,) = post.of("ops")
    assert message.title == f"[SUMMARY] box: silence {number} ended: 2 held back, 1 still open"
    assert "b is down" in message.body
    assert "; over)" in message.body
    post.run(2 * HOUR)  # what is still open begins at the top
    assert [entry[1:] for entry in post.log()[1:]] == [("ops", "opened"), ("boss", "opened")]


def test_what_was_told_before_the_silence_is_closed_by_its_summary():
    post = Postroom(ladder("ops", "boss"))
    post.open("a")
    post.run(20 * MINUTE)
    number = silence(post, "a")
    post.over("a")
    post.run(10 * MINUTE)
    post.emit(ev.SilenceEnded(number, "taken back"))
    post.run(10 * MINUTE)
    assert [entry[1:] for entry in post.log()] == [
        ("ops", "opened"), ("boss", "opened"), ("ops", "summary"), ("boss", "summary"),
    ]  # fmt: skip


def test_a_silence_that_held_nothing_back_needs_no_summary():
    post = Postroom(ladder("ops"))
    number = post.emit(ev.SilenceStarted("x", post.now + HOUR, "alice"))
    post.emit(ev.AlertPended(key_of("a"), "CRITICAL", "a", "perhaps"))
    post.mute("a", silenced_by=str(number))
    post.emit(ev.AlertDropped(key_of("a"), "it is gone"))
    post.emit(ev.SilenceEnded(number, "its time is over"))
    post.run(HOUR)
    assert not post.told
    assert not post.snapshot.held


def test_maintenance_is_summed_up_too():
    post = Postroom(ladder("ops"))
    post.emit(ev.MaintenanceStarted("*", post.now + HOUR, "alice"))
    post.open("a")
    post.mute("a", maintenance="*")
    post.run(HOUR)
    post.over("a")
    post.emit(ev.MaintenanceEnded("*", "its time is over"))
    post.run(HOUR)
    (message,) = post.of("ops")
    assert "maintenance of everything ended: 1 held back, 0 still open" in message.title


def test_a_day_of_flapping_is_bounded_and_summed_up():
    post = Postroom(ladder("ops", "boss"))
    post.open("a")
    for turn in range(24 * 12):
        post.run(150, 30)
        post.over("a")
        post.run(150, 30)
        back(post, turn)
        if turn > 5:
            post.mute("a", flapping=True)
    assert len(post.told) <= 2
    post.over("a")
    post.run(HOUR)
    post.emit(ev.AlertArchived(key_of("a")))
    post.run(10 * MINUTE)
    assert post.log()[-1][1:] == ("ops", "summary")
    assert "flapping of a ended: 1 held back, 0 still open" in post.of("ops")[-1].title
    assert "opened 282 times" in post.of("ops")[-1].body


def test_a_summary_reaches_each_channel_also_when_killed_in_between():
    steps = (st.Rung(after=300.0, channels=("ops", "mail")),)
    post = Postroom(ladder(channels=channels("ops", "mail"), steps=steps))
    post.open("a")
    number = silence(post, "a")
    post.emit(ev.SilenceEnded(number, "its time is over"))
    post.mute("a")
    post.now += MINUTE
    made = post.snapshot.held[f"silence:{number}"]
    assert made.ended_at
    first, second = summaries(post.snapshot, post.notify, post.now)
    post.emit(first)
    later = post.killed()
    assert summaries(later.snapshot, later.notify, later.now) == [second]
    later.run(MINUTE)
    assert sorted(entry[1:] for entry in later.log()) == [("mail", "summary"), ("ops", "summary")]


def test_no_summary_can_pile_up_where_nobody_is_told():
    post = Postroom(ladder())
    post.open("a")
    for _ in range(20):
        number = silence(post, "a")
        post.now += HOUR
        post.emit(ev.SilenceEnded(number, "its time is over"))
        post.emit(ev.AlertOverlaid(key_of("a"), Overlays()))
        post.now += 5 * HOUR
    assert len(post.snapshot.held) <= 5


def test_the_pause_between_tries_grows_and_is_bounded():
    pauses = [outbox.pause(count) for count in range(1, 12)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (5.0, 300.0)


def test_what_would_have_been_done_is_summed_up_too():
    post = Postroom(ladder("ops"))
    post.emit(ev.MaintenanceStarted("disk:/", post.now + HOUR, "alice"))
    post.emit(ev.MaintenanceEnded("disk:/", "its time is over", ("clean_disk disk:/, 3 times",)))
    post.run(MINUTE)
    (message,) = post.of("ops")
    assert "maintenance disk:/ ended: 0 held back" in message.title
    assert "Not done meanwhile:\n· clean_disk disk:/, 3 times" in message.body


def test_a_reminder_of_what_never_left_is_still_the_first_that_tells_it():
    post = Postroom(ladder("ops"))
    post.down = {"ops"}
    post.open("a")
    post.run(5 * HOUR, 30)
    (notice,) = post.snapshot.notices.values()
    assert notice.topic == "opened"
    post.over("a")
    post.run(MINUTE)
    post.down = set()
    post.run(10 * MINUTE)
    (message,) = post.of("ops")
    assert "This was not told while it lasted" in message.body


def test_maintenance_that_begins_anew_before_its_summary_is_summed_up_with_the_first():
    post = Postroom(ladder("ops"))
    for name in ("a", "b"):
        post.emit(ev.MaintenanceStarted("*", post.now + HOUR, "alice"))
        post.open(name)
        post.mute(name, maintenance="*")
        post.run(MINUTE)
        post.over(name)
        post.emit(ev.MaintenanceEnded("*", "taken back", (f"restart_worker {name}",)))
        post.now += 5
    post.run(MINUTE)
    (message,) = post.of("ops")
    assert "2 held back" in message.title
    assert "restart_worker a\n· restart_worker b" in message.body


def test_a_channel_that_wants_no_summaries_still_hears_the_end():
    post = Postroom(ladder("ops", channels=channels("ops", topics=("opened", "recovered"))))
    post.open("a")
    post.run(6 * MINUTE)
    number = silence(post, "a")
    post.over("a")
    post.run(5 * MINUTE)
    assert len(post.told) == 1
    post.emit(ev.SilenceEnded(number, "taken back"))
    post.run(5 * MINUTE)
    assert [m.topic for m in post.of("ops")] == ["opened", "recovered"]


def test_a_late_step_that_heard_of_flapping_hears_its_end():
    post = Postroom(ladder("ops", "boss"))
    post.open("a", condition="flapping")
    post.open("a")
    post.mute("a", flapping=True)
    post.run(20 * MINUTE)
    post.over("a", condition="flapping")
    post.over("a")
    post.run(5 * MINUTE)
    assert [entry[1:] for entry in post.log()] == [
        ("ops", "opened"), ("boss", "opened"), ("ops", "summary"), ("boss", "summary"),
    ]  # fmt: skip
    assert not any(alert.told for alert in post.snapshot.ended.values())
