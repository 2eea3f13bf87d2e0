"""What would free a database, in words: one plan for each deed. Pure."""

from __future__ import annotations

from healmon.databases.model import ACTION, ENDING, HEAL, HEALER, UNPIN, Deed, Order
from healmon.plans import Plan, Step, pack
from healmon.text import clean

TERM_WAIT = 5.0
"""Seconds that a holder has to let go after SIGTERM."""
KILL_WAIT = 2.0
"""Seconds that one has to be gone after SIGKILL."""
ROLLBACK = ("ROLLBACK", "Enter", "go", "Enter")
"""What is typed at a shell's prompt; `go` on a line of its own ends a statement as `;` does."""


def plan_for(order: Order, wait: float = 0.0) -> Plan:
    """Return the plan that does what is ordered."""
    make = {
        "continue": _continue, "end": _end, "unpin": _unpin, "heal": _heal, "rollback": _rollback,
        "rmdir": _rmdir,
    }[order.deed]  # fmt: skip
    return make(order, round(wait, 1))


def _plan(
    order: Order, wait: float, *, why: str, steps: tuple[Step, ...], proof: str, failure: str
) -> Plan:
    actions: dict[Deed, str] = {"heal": HEAL, "unpin": UNPIN}
    return Plan(
        healer=HEALER,
        component=f"database:{order.name}",
        action=actions.get(order.deed, ACTION),
        subject=_subject(order),
        why=why,
        steps=steps,
        proof=proof,
        on_failure=failure,
        order=pack(order),
        delay=wait,
        tier=2 if order.deed in ENDING | {"rollback", "rmdir"} else 1,
    )


def _subject(order: Order) -> str:
    hold, pin = order.hold, order.pin
    if pin is not None and pin.identity is not None:
        one = pin.identity
        return f"unpin pid {one.pid} started {one.ticks} boot {one.boot} mark {pin.mark}"
    if hold is None:
        return f"{order.deed} {'.'.join(map(str, order.mark))}"
    who = f"pid {hold.pid} started {hold.ticks} boot {hold.boot}"
    return who if order.deed == "continue" else f"{order.deed} {who}"


def _held(order: Order) -> str:
    return " + ".join(order.hold.locks) if order.hold is not None else "a lock"


def _continue(order: Order, wait: float) -> Plan:
    holder = order.holder
    pid = order.hold.pid if order.hold is not None else 0
    return _plan(
        order,
        wait,
        why=f"{holder} is stopped and holds {_held(order)} of {order.name}: nobody else can write",
        steps=(Step(f"send SIGCONT to {holder}", f"kill -CONT {pid}"),),
        proof=f"{holder} is no longer stopped; it commits or lets go, else it is told as it is",
        failure="nothing else is done: nobody is ended, no file is touched, the alert stays",
    )


def _end(order: Order, wait: float) -> Plan:
    holder = order.holder
    pid = order.hold.pid if order.hold is not None else 0
    return _plan(
        order,
        wait,
        why=f"{holder} idles in a transaction and holds {_held(order)} of {order.name}"
        f" ({_whose(order)})",
        steps=(
            Step(f"send SIGTERM to {holder}, wait {TERM_WAIT:g} s", f"kill -TERM {pid}"),
            Step(f"if it still holds it: SIGKILL, wait {KILL_WAIT:g} s", f"kill -KILL {pid}"),
            Step(f"take over what it leaves beside {order.name}, if nobody else has it open"),
        ),
        proof="the kernel names nobody as holder of the lock; SQLite's quick_check is ok",
        failure="nothing else is done: no file is touched, the alert stays",
    )


def _whose(order: Order) -> str:
    holder = order.holder
    return f"it belongs to worker {holder.worker}" if holder and holder.worker else "may_kill"


def _unpin(order: Order, wait: float) -> Plan:
    holder, pin = order.holder, order.pin
    assert pin is not None
    return _plan(
        order,
        wait,
        why=f"{holder} idles in a read transaction and keeps {pin.held_back} frames of the -wal of"
        f" {order.name} from being copied ({_whose(order)})",
        steps=(
            Step(f"send SIGTERM to {holder}, wait {TERM_WAIT:g} s", f"kill -TERM {pin.pid}"),
            Step(f"if it still pins them: SIGKILL, wait {KILL_WAIT:g} s", f"kill -KILL {pin.pid}"),
            Step(f"take over what it leaves beside {order.name}, if nobody else has it open"),
        ),
        proof="the kernel no longer names it as reader of these frames",
        failure="nothing else is done: no file is touched, the alert stays",
    )


def _heal(order: Order, wait: float) -> Plan:
    return _plan(
        order,
        wait,
        why=f"a crash left a -wal or a hot journal beside {order.name}, and nobody has it open",
        steps=(
            Step(f"lock everybody out of {clean(order.path)}, or leave it if anybody is there"),
            Step("check every frame; a damaged -wal is left as it is"),
            Step("copy all of it aside, onto the disk itself"),
            Step("let SQLite take it over in exclusive mode", f"sqlite3 {clean(order.path)}"),
        ),
        proof="SQLite's quick_check is ok and nothing is left beside it",
        failure="its files stay as they are, with the copy beside them",
    )


def _rollback(order: Order, wait: float) -> Plan:
    holder = order.holder
    pane = holder.pane if holder is not None else ""
    return _plan(
        order,
        wait,
        why=f"{holder} stands at its prompt and holds {_held(order)} of {order.name}",
        steps=(Step(f"type ROLLBACK; at its prompt in pane {pane}"),),
        proof="the kernel names nobody as holder of the lock; the shell lives on",
        failure="nothing else is done: nobody is ended, the alert stays",
    )


def _rmdir(order: Order, wait: float) -> Plan:
    path = clean(order.path)
    return _plan(
        order,
        wait,
        why=f"{path}.lock is left of a unix-dotfile user: nobody has {order.name} open any more",
        steps=(Step(f"remove the empty directory {path}.lock", f"rmdir {path}.lock"),),
        proof="the directory is gone and nobody has the database open",
        failure="nothing else is done",
    )
