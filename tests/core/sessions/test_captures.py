"""Which panes are captured again: never one too few, and not more than needed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from healmon.clock import Reading
from healmon.sessions.captures import IDLE_EVERY, SETTLED, Captures, own_clocks
from healmon.sessions.signs import Sign
from healmon.world.pane import Pane

START = 1_000_000.0


def pane(ident: str = "%1", **more: object) -> Pane:
    facts = {
        "socket": "s", "server_pid": 7, "server_start": 1, "session_id": "$1",
        "session_created": 1, "pid": 10, "name": "a", "session": "a", "width": 80, "height": 24,
        "window_activity": int(START) - 100,
    }  # fmt: skip
    return Pane(**(facts | {"id": ident} | more))


def at(seconds: float, *, wall: float | None = None) -> Reading:
    return Reading(wall=START + (seconds if wall is None else wall), steady=seconds, boot=seconds)


class Eye:
    """Looks at panes whose screens are given, and counts captures."""

    def __init__(self) -> None:
        self.captures = Captures()
        self.count = 0

    def look(
        self, panes: list[Pane], screens: dict[str, str], now: Reading, watched: set[str]
    ) -> list[Pane]:
        self.captures.begin(now)
        due = self.captures.due(self.captures.of("s"), panes, watched, now)
        self.count += len(due)
        self.known = self.captures.take("s", panes, {p.id: screens[p.id] for p in due}, now)
        return own_clocks(panes, self.known)

    def screen(self, pane: Pane) -> str:
        return self.known[pane.id].screen

    def sign(self, pane: Pane, agent: str, read) -> Sign:
        return self.captures.sign(pane, self.known[pane.id], agent, None, read)


@given(
    st.lists(st.tuples(st.floats(0.01, 20), st.booleans(), st.booleans()), min_size=1, max_size=60),
    st.floats(0, 1),
)
def test_a_watched_pane_always_shows_what_it_shows(steps, offset) -> None:
    eye, written, screen, now = Eye(), START - 50, "0", offset
    for number, (wait, writes, looks) in enumerate(steps):
        now += wait
        if writes:
            written, screen = START + now, str(number + 1)
        if looks:
            one = pane(window_activity=int(written))
            eye.look([one], {"%1": screen}, at(now), {"%1"})
            assert eye.screen(one) == screen


def test_a_pane_that_another_look_forgets_meanwhile_stays_in_sight() -> None:
    captures, panes, screens = Captures(), [pane("%1"), pane("%2")], {"%1": "one", "%2": "two"}
    captures.begin(at(0))
    captures.take("s", panes, screens, at(0))
    kept = captures.of("s")
    assert captures.due(kept, panes, {"%1", "%2"}, at(60)) == []
    captures.forget_all_but({})  # a look at the same time, in which the server did not answer
    known = captures.take("s", panes, {}, at(60), kept)
    assert {ident: one.screen for ident, one in known.items()} == screens
    assert not captures.of("s"), "and is captured by the next look"


def test_a_still_pane_is_captured_once() -> None:
    eye, one = Eye(), pane()
    for minute in range(10):
        eye.look([one], {"%1": "text"}, at(60.0 * minute), {"%1"})
    assert eye.count == 1


def test_a_pane_that_moved_a_moment_ago_is_captured_once_more() -> None:
    eye, one = Eye(), pane(window_activity=int(START))
    for seconds in (0.5, SETTLED + 0.1, SETTLED + 5):
        eye.look([one], {"%1": "text"}, at(seconds), {"%1"})
    assert eye.count == 2


def test_a_pane_without_tasks_is_captured_rarely_until_it_asks() -> None:
    eye = Eye()
    for second in range(60):
        one = pane(window_activity=int(START) + second)
        eye.look([one], {"%1": str(second)}, at(float(second)), set())
    assert eye.count == 1 + int(59 // IDLE_EVERY)
    eye.sign(one, "", lambda _: Sign(kind="approval", question="may I?"))
    before = eye.count
    for second in range(60, 63):
        one = pane(window_activity=int(START) + second)
        eye.look([one], {"%1": str(second)}, at(float(second)), set())
    assert eye.count == before + 3


def test_what_came_within_the_second_of_a_capture_is_shown_at_last_without_tasks_too() -> None:
    eye, one = Eye(), pane(window_activity=int(START))
    eye.look([one], {"%1": "before"}, at(0.1), set())
    assert not eye.captures.still("s", [one]), "it may have written on within that second"
    for minute in (1, 2, 3):
        eye.look([one], {"%1": "after"}, at(60.0 * minute), set())
        assert eye.screen(one) == "after"
    assert eye.count == 2
    assert eye.captures.still("s", [one])


def test_another_pane_with_the_same_id_shows_nothing_of_the_old_one() -> None:
    eye, old = Eye(), pane()
    eye.look([old], {"%1": "old"}, at(0), {"%1"})
    new = replace(old, pid=11)
    eye.look([new], {"%1": "new"}, at(60), {"%1"})
    assert eye.screen(new) == "new"


def test_a_pane_that_took_the_id_and_went_shows_nothing_at_all() -> None:
    eye = Eye()
    eye.look([pane()], {"%1": "old"}, at(0), {"%1"})
    assert eye.captures.take("s", [pane(pid=11)], {}, at(60)) == {}


def test_a_resize_is_captured_though_no_clock_moves() -> None:
    eye = Eye()
    eye.look([pane()], {"%1": "wide"}, at(0), {"%1"})
    eye.look([pane(width=40)], {"%1": "nar\nrow"}, at(60), {"%1"})
    assert eye.screen(pane()) == "nar\nrow"


def test_after_sleep_and_clock_steps_nothing_is_believed() -> None:
    for jump in (at(60, wall=7200), at(60, wall=-7200)):
        eye = Eye()
        eye.look([pane()], {"%1": "x"}, at(0), {"%1"})
        eye.look([pane()], {"%1": "x"}, jump, {"%1"})
        assert eye.count == 2
    slept = Eye()
    slept.look([pane()], {"%1": "x"}, at(0), {"%1"})
    slept.look([pane()], {"%1": "x"}, Reading(START + 7260, 60, 7260), {"%1"})
    assert slept.count == 2


def test_a_pane_that_was_gone_before_its_capture_is_left_out() -> None:
    eye = Eye()
    eye.captures.begin(at(0))
    panes = [pane(), pane("%2")]
    assert own_clocks(panes, eye.captures.take("s", panes, {"%2": "x"}, at(0))) == [pane("%2")]


def test_a_socket_that_did_not_answer_is_forgotten() -> None:
    eye = Eye()
    eye.look([pane()], {"%1": "x"}, at(0), {"%1"})
    eye.captures.forget_all_but({})
    eye.look([pane()], {"%1": "x"}, at(60), {"%1"})
    assert eye.count == 2


def test_neighbours_of_a_split_window_have_clocks_of_their_own() -> None:
    eye = Eye()
    for minute in range(4):
        moved = int(START) + 60 * minute
        both = [pane(i, panes=2, window_activity=moved) for i in ("%1", "%2")]
        screens = {"%1": "hung", "%2": f"line {minute}"}
        hung, talking = eye.look(both, screens, at(60.0 * minute + 0.5), {"%1", "%2"})
    assert hung.window_activity == int(START)
    assert talking.window_activity == moved
    assert eye.count == 8, "the clock of the window moved for both"


def test_a_title_that_moves_is_painting_too() -> None:
    eye = Eye()
    for minute in range(3):
        now = at(60.0 * minute + 0.5)
        both = [
            pane("%1", panes=2, title=f"{minute}", window_activity=int(now.wall)),
            pane("%2", panes=2, window_activity=int(now.wall)),
        ]
        spins, _ = eye.look(both, {"%1": "x", "%2": "y"}, now, {"%1", "%2"})
    assert spins.window_activity == int(START) + 120


def test_a_screen_is_read_once_until_something_is_new() -> None:
    eye, reads = Eye(), list[str]()

    def read(screen: str) -> Sign:
        reads.append(screen)
        return Sign(kind="busy", text=screen)

    def sign(one: Pane, agent: str = "") -> str:
        eye.known = eye.captures.take("s", [one], {}, at(30))
        return eye.sign(one, agent, read).text

    eye.look([pane()], {"%1": "one"}, at(0), {"%1"})
    assert [sign(pane()), sign(pane()), sign(pane(title="t")), sign(pane(title="t"), "x")] == [
        "one"
    ] * 4
    assert len(reads) == 3
    moved = pane(window_activity=int(START) + 30)
    eye.look([moved], {"%1": "two"}, at(60), {"%1"})
    assert eye.sign(moved, "", read).text == "two"


def test_a_look_keeps_what_it_knows_while_another_one_goes_on() -> None:
    captures, one = Captures(), pane()
    captures.begin(at(0))
    first = captures.take("s", [one], {"%1": "first"}, at(0))
    moved = pane(window_activity=int(START) + 5)
    captures.begin(at(7))
    second = captures.take("s", [moved], {"%1": "second"}, at(7))
    captures.forget_all_but({})
    assert captures.sign(one, first["%1"], "", None, lambda s: Sign(text=s)).text == "first"
    assert captures.sign(moved, second["%1"], "", None, lambda s: Sign(text=s)).text == "second"


def test_what_an_older_look_read_does_not_replace_a_newer_one() -> None:
    captures, one = Captures(), pane()
    first = captures.take("s", [one], {"%1": "first"}, at(0))
    moved = pane(window_activity=int(START) + 5)
    captures.take("s", [moved], {"%1": "second"}, at(7))
    captures.sign(one, first["%1"], "", None, lambda s: Sign(text=s))
    later = captures.take("s", [moved], {}, at(60))
    assert captures.sign(moved, later["%1"], "", None, lambda s: Sign(text=s)).text == "second"
