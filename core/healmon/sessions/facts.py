"""The typed structs behind what the sessions healer shows, remembers and orders."""

from __future__ import annotations

from typing import Final

import msgspec

from healmon.plans import Packed
from healmon.sessions.novelty import Known
from healmon.sessions.signs import Choice
from healmon.sessions.words import State
from healmon.world.taskdb import TaskId

HEALER: Final = "sessions"
ACTION: Final = "clear_stuck_session"
ANSWER: Final = "answer_session"
REQUEUE: Final = "requeue_task"
Chords = tuple[tuple[str, ...], ...]
"""Steps of keys; the keys of one step follow each other before anything is verified."""


class Row(msgspec.Struct, frozen=True):
    """An active task as it was seen."""

    source: str
    id: TaskId
    status: str
    attempt: str = ""
    """The fencing token of the attempt that was seen (see `taskdb.Task.token`)."""


class SessionFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a screen shows of a session.

    Attributes:
        state: the first that fits; `unknown` when nobody could look.
        session: its name.
        socket: the tmux socket it lives on.
        tasks: ids of all active tasks of this session.
        rows: the same with database and status.
        quiet: seconds without anything new, at this look; 0 without tasks.
        quiet_since: the steady second since which there is nothing new; 0.0 without tasks.
        limit: seconds after which quiet means stuck.
        pane: `%5`, the pane that is judged.
        window: index of its window; `pane_index` its place there.
        command: what runs in the foreground.
        last_line: the last line that says anything; empty where a person may be typing.
        attached: clients that could type into it.
        rule: why it is in this state, in words.
        question: what it asks a person.
        hands_off: why nothing may be pressed here, or empty.
        keys: what would be pressed to interrupt it; none where the tasks alone are settled.
        mode: it shows a mode that must be left first.
        key: who the pane is.
        painted: seconds since the program last wrote anything to its screen, when this was told.
        novelty: new lines in each of the last minutes, the newest last (the spark line).
        pack: the detection pack that judged, and `version` its version.
        matched: the rule of the pack that matched, and `text` the line it matched.
        choices: the answers that its question offers.
        act_at: seconds of quiet after which healmon would act; 0: it would not.
        held: why healmon does not act although it is stuck (cap, cooldown, outage, …), or empty.
        evidence: id of the newest stored evidence of this session, or empty.
    """

    state: State
    session: str
    socket: str = ""
    tasks: tuple[TaskId, ...] = ()
    rows: tuple[Row, ...] = ()
    quiet: float = 0.0
    quiet_since: float = 0.0
    limit: float = 0.0
    pane: str = ""
    window: int = 0
    pane_index: int = 0
    command: str = ""
    last_line: str = ""
    attached: int = 0
    rule: str = ""
    question: str = ""
    hands_off: str = ""
    keys: Chords = ()
    mode: bool = False
    key: str = ""
    painted: float = 0.0
    novelty: tuple[int, ...] = ()
    pack: str = ""
    version: str = ""
    matched: str = ""
    text: str = ""
    choices: tuple[Choice, ...] = ()
    act_at: float = 0.0
    held: str = ""
    evidence: str = ""


class Memory(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is remembered of a session with tasks. Times are steady seconds unless called wall.

    Attributes:
        key: the pane all this is about.
        size: its columns and rows.
        known: what it has shown.
        progress_at: when there last was progress.
        by: what that progress was, in words.
        tasks_at: since when it has had tasks at every look.
        tasks: names them and their attempts, as a hash.
        cpu: CPU seconds of its working processes at `cpu_at`, by `pid.ticks`.
        io: the same of bytes read and written.
        file: seconds of change and size of what its agent writes down.
        beat_wall: wall seconds of the newest heartbeat, and `beat_of` the tasks it is one of.
        first_at: when this pane was first seen.
        seen_at: when it was last looked at.
        run_wall: wall seconds when the run that looked then began.
        settled_at: until then its screen may be drawn anew (attach, resize): no line counts.
        attached_wall: wall seconds of the newest attach that was seen.
        hand_wall: wall seconds when a client that could type last did anything.
        painted: the second of the newest output, and when that was first seen.
        trickle: how many new lines came since `trickle_at`, too few to be progress.
        minutes: new lines in each of the last minutes; the newest is minute number `minute`.
        lines: the newest of them, for the evidence.
        state: its state at the last look, and `since` when that began.
        retry_at: when it was first seen to try again since the last progress.
        reset_at: when the rate limit that `reset_by` tells of is over.
        agreed: the trouble that looks have agreed on (see `confirm`), in `agree` looks since
            `agree_at`, and after `samples` looks without progress.
        trouble: the condition that is told until it is surely over.
        stirs: looks with progress since that was last seen.
        turns: when it lately got into trouble, or out of it.
        planned_at: when healmon last wanted to act on it.
        lost_at: when it was first seen dead or gone, and `home` the tmux socket it lived on.
        attempt_wall: wall seconds of the newest attempt that was noticed.
        failure: what a failed attempt ended with, until there is progress again.
        quarantine: why it is no place for tasks; `program` is the group that this is about.
    """

    key: str = ""
    size: tuple[int, int] = (0, 0)
    known: Known = Known()
    progress_at: float = 0.0
    by: str = ""
    tasks_at: float = 0.0
    tasks: str = ""
    cpu: dict[str, float] = {}
    cpu_at: float = 0.0
    io: dict[str, int] = {}
    file: tuple[float, int] = (0.0, 0)
    beat_wall: float = 0.0
    beat_of: str = ""
    first_at: float = 0.0
    seen_at: float = 0.0
    run_wall: float = 0.0
    settled_at: float = 0.0
    attached_wall: float = 0.0
    hand_wall: float = 0.0
    painted: tuple[int, float] = (0, 0.0)
    trickle: int = 0
    trickle_at: float = 0.0
    minutes: tuple[int, ...] = ()
    minute: int = 0
    lines: tuple[str, ...] = ()
    state: str = ""
    since: float = 0.0
    retry_at: float = 0.0
    reset_at: float = 0.0
    reset_by: str = ""
    agreed: str = ""
    agree: int = 0
    agree_at: float = 0.0
    samples: int = 0
    trouble: str = ""
    stirs: int = 0
    turns: tuple[float, ...] = ()
    planned_at: float = 0.0
    lost_at: float = 0.0
    home: str = ""
    attempt_wall: float = 0.0
    failure: str = ""
    quarantine: str = ""
    program: int = 0


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What `carry_out` is bound to.

    Attributes:
        session: the session's name, for people.
        socket: where it lives; empty for one that is gone.
        pane: its pane id.
        key: who the pane is; empty for a session that is gone.
        was: who the pane of a session that is gone was: its process must have ended; empty: that
            is not known, or a person asked.
        rows: the tasks to settle, as they were seen.
        known: what the pane had shown; anything else is a sign of life.
        keys: what to press; none: the tasks only.
        requeue: give the tasks back; else they fail.
        dead: the pane's program has ended.
        by_hand: a person asked: signs of life do not hinder.
        quiet: seconds without anything new, when this was ordered.
        reason: what is written into the tasks.
        state: the state it was found in; anything else right before a key aborts.
        matched: the rule that matched then.
        elsewhere: whoever hands out tasks must not give them to this session again (it is frozen).
        proof: what was seen, for the stored evidence: ages, samples, counts, processes, ids.
        answer: the answer that a person chose; `keys` give it, and no task is settled.
        question: what was asked when it was chosen, and the `choices` that were offered then.
        release: it only ends its quarantine, for a person; nothing is pressed.
    """

    session: str
    socket: str = ""
    pane: str = ""
    key: str = ""
    was: str = ""
    rows: tuple[Row, ...] = ()
    known: Known = Known()
    keys: Chords = ()
    requeue: bool = True
    dead: bool = False
    by_hand: bool = False
    quiet: float = 0.0
    reason: str = ""
    state: str = ""
    matched: str = ""
    elsewhere: bool = False
    proof: Packed = {}
    answer: str = ""
    question: str = ""
    choices: tuple[Choice, ...] = ()
    release: bool = False
