"""Who is behind a pane, by one made-up look at all processes."""

from __future__ import annotations

from healmon.sessions.family import Family, Signals, Table, family, spent
from healmon.sessions.packs import bundled
from healmon.world.processes import Identity, ProcessFacts, Work
from healmon.world.terminal import Terminal

TTY = 34817
SHELL = ("-bash",)
RAW = Terminal(signals=False, canonical=False, echo=False, foreground=20)
COOKED = Terminal(signals=True, canonical=True, echo=True, foreground=20)
NOTHING = Signals()
PROMPT = Terminal(signals=True, canonical=False, echo=False, foreground=10)


def process(
    pid: int,
    parent: int,
    *argv: str,
    age: float = 100.0,
    cpu: float = 0.0,
    state: str = "S",
    group: int = 0,
) -> ProcessFacts:
    return ProcessFacts(
        identity=Identity("b", pid, pid * 10), parent=parent, state=state,
        name=argv[0].rpartition("/")[2].lstrip("-")[:15], command=argv, cpu_seconds=cpu, rss=1,
        age=age, uid=1, tty=TTY, group=group or pid, session=10,
    )  # fmt: skip


def behind(
    *some: ProcessFacts, terminal: Terminal | None = COOKED, signals: Signals = NOTHING
) -> Family:
    shell = process(10, 1, *SHELL)
    return family(Table([shell, *some]), 10, terminal, signals, bundled())


def names(kin: Family) -> set[int]:
    return {int(name.partition(".")[0]) for name in kin.cpu}


def test_an_agents_tools_are_named_and_the_agent_is_none_of_them() -> None:
    kin = behind(
        process(20, 10, "/usr/bin/node", "/usr/bin/codex"),
        process(21, 20, "/opt/codex"),
        process(22, 21, "bash", "-c", "make"),
        process(23, 22, "make"),
        terminal=RAW,
    )
    assert kin.agent == "codex"
    assert kin.tool == ("bash", "make")
    assert {p.partition(".")[0] for p in kin.painters} == {"20", "21"}


def test_companions_and_all_below_them_are_neither_tools_nor_work() -> None:
    kin = behind(
        process(20, 10, "claude"),
        process(21, 20, "node", "/x/node_modules/.bin/mcp-server"),
        process(22, 21, "git"),
        process(23, 20, "bash", "-c", "sleep 9"),
        terminal=RAW,
    )
    assert kin.tool == ("bash",)
    assert names(kin) == {10, 20, 23}


def test_a_child_from_before_the_task_is_a_companion() -> None:
    some = (
        process(20, 10, "claude", age=1000),
        process(21, 20, "server", age=900),
        process(22, 20, "test", age=100),
    )
    assert behind(*some, signals=Signals(tasked=500)).tool == ("test",)
    assert behind(*some, signals=Signals(tasked=898)).tool == ("server", "test"), "it may be of it"
    assert behind(*some).tool == ("server", "test"), "nobody knows when the task began"


def test_a_tools_own_children_may_be_of_any_age() -> None:
    some = (process(20, 10, "claude"), process(21, 20, "sh", age=5), process(22, 21, "x", age=900))
    assert behind(*some, signals=Signals(tasked=100)).tool == ("sh", "x")


def test_a_job_has_no_tools() -> None:
    kin = behind(process(20, 10, "make"), process(21, 20, "cc"))
    assert kin.tool == ()
    assert names(kin) == {10, 20, 21}
    assert kin.painters == ()


def test_who_paints_is_not_who_works() -> None:
    job = process(20, 10, "spin", cpu=50.0)
    painting = behind(job, process(21, 20, "cc", cpu=7.0), signals=Signals(painting=True))
    assert spent({}, painting) == 7.0
    assert spent({}, behind(job)) == 50.0


def test_what_was_done_and_where_everybody_waits_is_told_by_process() -> None:
    one, two = process(20, 10, "make"), process(21, 20, "cc")
    work = {one.identity: Work(4096, "do_wait"), two.identity: Work(None, "")}
    kin = behind(one, two, signals=Signals(work=work))
    assert kin.io == {"20.200": 4096}
    assert kin.waits == {"20.200": "do_wait"}


def test_a_stopped_program_shows_at_the_prompt_it_left() -> None:
    halted = process(20, 10, "claude", state="T")
    kin = behind(halted, terminal=PROMPT)
    assert kin.stopped == "claude"
    assert not kin.prompt, "the shell has a child"
    assert behind(process(20, 10, "claude"), terminal=PROMPT).stopped == ""


def test_what_was_stopped_long_ago_does_not_count_beside_a_program_that_runs() -> None:
    some = (process(15, 10, "vim", state="T"), process(20, 10, "make"))
    assert behind(*some).stopped == ""


def test_a_stopped_group_in_the_foreground_counts() -> None:
    assert behind(process(20, 10, "make", state="T")).stopped == "make"
    assert behind(process(20, 10, "make", state="t")).stopped == "", "traced, not stopped"


def test_another_terminals_stopped_program_does_not_count() -> None:
    other = process(30, 1, "vim", state="T", group=20)
    elsewhere = ProcessFacts(**{f: getattr(other, f) for f in other.__struct_fields__} | {"tty": 9})
    assert behind(process(20, 10, "make"), elsewhere).stopped == ""


def test_output_that_is_stopped_is_told_unless_something_was_just_painted() -> None:
    held = Terminal(signals=True, canonical=True, echo=True, foreground=20, writable=False)
    job = process(20, 10, "make")
    assert behind(job, terminal=held).flow_stopped
    assert not behind(job, terminal=held, signals=Signals(painting=True)).flow_stopped
    assert not behind(job).flow_stopped


def test_a_pane_whose_process_is_not_to_be_seen_tells_nothing() -> None:
    assert family(Table([]), 10, COOKED, Signals(), bundled()) == Family()
    assert behind(terminal=None).agent == ""


def test_circles_of_parents_end() -> None:
    kin = behind(process(20, 10, "claude"), process(21, 22, "a"), process(22, 21, "b"))
    assert kin.tool == ()
    assert behind(process(20, 21, "claude"), process(21, 20, "claude")).tool == ()
