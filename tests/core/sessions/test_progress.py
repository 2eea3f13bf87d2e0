"""What counts as progress, what does not, and what begins the count anew."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from healmon.sessions.family import Family
from healmon.sessions.progress import limit_for
from healmon.sessions.signs import Sign
from tests.helpers.sessionjudge import (
    SPINNER,
    BenchOfSessions,
    a_family,
    a_file,
    a_job,
    a_session,
    a_task,
)


def quiet_after(first, *others, every=60.0, **settings):
    """Return the seconds without progress after these looks."""
    bench = BenchOfSessions(**settings)
    bench.look(first)
    for one in others:
        bench.look(one, after=every)
    return bench.facts().quiet


def test_one_new_line_is_progress_of_a_job():
    assert quiet_after(a_job(), a_job(screen="compiling\nlinking")) == 0
    assert quiet_after(a_job(), a_job()) == 60


def test_an_agent_must_show_two_new_lines_within_a_minute():
    one, two = f"{SPINNER}\nfirst words", f"{SPINNER}\nfirst words\nmore of it"
    assert quiet_after(a_session(), a_session(screen=one)) == 60
    assert quiet_after(a_session(), a_session(screen=two)) == 0
    assert quiet_after(a_session(), a_session(screen=one), a_session(screen=two), every=25) == 0
    slow = [a_session(screen=SPINNER + "".join(f"\n{w} words" for w in "abcdef"[:n]))
            for n in range(6)]  # fmt: skip
    assert quiet_after(slow[0], *slow[1:], every=70) == 350, "one line a look is decoration"


def test_a_count_of_an_agent_is_progress_unless_it_follows_the_clock():
    first = a_session(screen=f"{SPINNER}\n10 tokens down")
    assert quiet_after(first, a_session(screen=f"{SPINNER}\n410 tokens down")) == 0
    assert quiet_after(first, a_session(screen=f"{SPINNER}\n70 tokens down")) == 60


@pytest.mark.parametrize("step", [1, 5, 60])
def test_a_clock_or_countdown_is_none(step):
    up = [a_job(screen=f"waiting {n * step}") for n in range(10)]
    assert quiet_after(up[0], *up[1:], every=float(step)) == pytest.approx(9 * step)
    down = [a_job(screen=f"waiting {1000 - n * step}") for n in range(10)]
    assert quiet_after(down[0], *down[1:], every=float(step)) == pytest.approx(9 * step)
    files = [a_job(screen=f"{n * n * 7} files") for n in range(10)]
    assert quiet_after(files[0], *files[1:], every=float(step)) == 0


def test_attempts_are_no_progress():
    lines = [a_job(screen=f"connection refused, retrying ({n})") for n in range(5)]
    assert quiet_after(lines[0], *lines[1:]) == 240


def busy(seconds, size=0, **more):
    cpu = {"100.7": 0.1, "200.8": 1.0, "300.9": seconds}
    return a_family(cpu=cpu, io={"300.9": size}, **more)


def test_silent_work_of_a_child_counts_and_that_of_the_screen_does_not():
    before = a_session(family=busy(1.0))
    assert quiet_after(before, a_session(family=busy(1.6))) == 0
    assert quiet_after(before, a_session(family=busy(1.4))) == 60
    painter = a_session(family=busy(31.0, painters=("300.9", "200.8")))
    assert quiet_after(before, painter) == 60


def test_bytes_read_and_written_count_from_a_rate_on():
    before = a_session(family=busy(1.0))
    assert quiet_after(before, a_session(family=busy(1.0, size=300 * 1024))) == 0
    assert quiet_after(before, a_session(family=busy(1.0, size=200 * 1024))) == 60
    painter = busy(1.0, size=9_000_000, painters=("300.9",))
    assert quiet_after(before, a_session(family=painter)) == 60


def test_a_new_child_counts_and_of_an_agent_only_a_tool():
    job = Family(ticks=7, cpu={"200.8": 1.0})
    more = Family(ticks=7, cpu={"200.8": 1.0, "300.9": 0.0})
    assert quiet_after(a_job(family=job), a_job(family=more)) == 0
    agent = a_family()
    helper = a_family(cpu={"200.8": 1.0, "300.9": 0.0})
    assert quiet_after(a_session(family=agent), a_session(family=helper)) == 60
    tool = replace(helper, tool=("cargo",))
    assert quiet_after(a_session(family=agent), a_session(family=tool)) == 0


def test_a_file_of_the_agent_and_a_heartbeat_count():
    first = a_session(agent_file=a_file(10))
    assert quiet_after(first, a_session(agent_file=a_file(11))) == 0
    assert quiet_after(first, a_session(agent_file=a_file(10))) == 60
    assert quiet_after(first, a_session(), a_session(agent_file=a_file(10))) == 120
    beats = a_session(tasks=[a_task(beat_at=5.0)])
    assert quiet_after(a_session(), beats) == 0
    assert quiet_after(beats, beats) == 60


def test_a_socket_alone_proves_nothing():
    heard = a_session(received=1.0)
    bench = BenchOfSessions()
    bench.look(heard)
    bench.run(4000, lambda _: [heard])
    assert bench.state() == "stalled"
    assert bench.order().proof["ages"]["received"] == 1.0


# What begins the count anew: never backwards.


def stalled(**settings):
    bench = BenchOfSessions(**settings)
    bench.look(a_session())
    bench.run(1700, lambda _: [a_session()])
    assert bench.state() == "stalled"
    return bench


def test_a_resize_begins_anew_and_what_is_drawn_then_is_nothing_new():
    bench = stalled()
    wide = {"pane": {"width": 120}}
    bench.look(a_session(**wide), after=1)
    assert bench.facts().quiet == 0
    wrapped = f"{SPINNER}\nold words\nwrapped otherwise"
    bench.look(a_session(screen=wrapped, **wide), after=10)
    assert bench.facts().quiet == 10
    assert bench.memory().minutes[-1] == 0
    bench.look(a_session(screen=f"{wrapped}\nnews\nand more", **wide), after=10)
    assert bench.facts().quiet == 0


def test_an_attach_only_hides_what_is_drawn_anew():
    bench = stalled()
    seen = {"last_attached": int(bench.wall) + 1}
    drawn = f"{SPINNER}\na banner\nof tmux"
    bench.look(a_session(screen=drawn, pane=seen), after=2)
    assert bench.facts().quiet > 1700, "nobody worked, and nothing is forgotten"
    bench.look(a_session(screen=drawn, pane=seen), after=20)
    assert bench.facts().quiet > 1700


@pytest.mark.parametrize("jump", ["suspend", "step"])
def test_sleep_and_a_set_clock_begin_anew(jump):
    bench = stalled()
    getattr(bench.clock, jump)(7200.0)
    bench.look(a_session(), after=60)
    assert bench.facts().quiet == 0
    assert bench.plan() is None


def test_a_clock_that_is_set_back_does_no_harm():
    bench = stalled()
    bench.clock.step(-7200.0)
    bench.look(a_session(), after=60)
    assert bench.facts().quiet == 0
    assert not bench.run(1500, lambda _: [a_session()])


def test_looks_that_are_missing_begin_anew():
    bench = stalled()
    bench.look(a_session(), after=170)
    assert bench.facts().quiet > 1800
    bench.look(a_session(), after=190)
    assert bench.facts().quiet == 0


def test_another_program_in_the_pane_is_another_story():
    bench = stalled()
    bench.look(a_session(family=a_family(ticks=8)), after=60)
    assert bench.facts().quiet == 0
    assert bench.memory().first_at == pytest.approx(bench.clock.read().steady)


def test_a_process_table_that_cannot_be_read_is_no_other_program():
    bench = stalled()
    bench.look(replace(a_session(), family=None), after=60)
    assert bench.facts().quiet > 1700
    assert bench.plan() is None


def test_new_lines_are_told_by_the_minute():
    bench = BenchOfSessions()
    bench.look(a_job(screen="0"))
    for minute in range(1, 20):
        lines = "\n".join(f"line {n}, {n * n}" for n in range(minute * 2))
        bench.look(a_job(screen=lines), after=60)
    facts = bench.facts()
    assert len(facts.novelty) == 12
    assert facts.novelty[-1] == 2
    bench.look(a_job(screen=lines), after=180)
    assert bench.facts().novelty[-3:] == (0, 0, 0)


def test_the_limit_is_the_longest_that_anybody_chose():
    assert limit_for([], 1800.0) == 1800.0
    assert limit_for([a_task(timeout=3600.0), a_task(stuck_after=60.0)], 1800.0) == 3600.0
    assert limit_for([a_task(stuck_after=7200.0)], 1800.0) == 7200.0


@pytest.mark.slow
def test_what_is_remembered_is_bounded():
    bench = BenchOfSessions()
    for n in range(100):
        cpu = {f"{n * 30 + i}.1": float(i) for i in range(30)}
        screen = "\n".join(f"{n} {i} {'x' * 300} {n * i}" for i in range(60))
        bench.look(
            a_session(screen=screen, family=a_family(cpu=cpu), sign=Sign(kind="busy")), after=1
        )
    assert len(repr(bench.snapshot.memory["session:a"])) < 12_000
