"""Taking back what was put aside, and emptying what nobody took back. Pure.

Trash is found by the state directory and by the directories of the rules, whatever targets are
watched now: also what was put aside below a budget that is gone can be had.
"""

from __future__ import annotations

from msgspec.structs import replace

from healmon.clock import Reading, Steps, age
from healmon.config.settings import Disk
from healmon.disks.cover import TRASH, digest_of, roots_in, targets_of
from healmon.disks.model import EMPTY, HEALER, RESTORE, DiskSeen, Order, Target
from healmon.plans import Plan, Step, pack
from healmon.units import duration_text
from healmon.world.filedata import Selection


def selections(disk: Disk, state_dir: str) -> tuple[Selection, ...]:
    """Return where trash may lie: in healmon's own directory, and in those of the rules."""
    trash = f"{state_dir}/{TRASH}"
    own = Selection(rule=TRASH, roots=(state_dir,), patterns=(), older_than=0.0, trash=trash)
    found = [own]
    for rule in disk.rules:
        roots = (*rule.paths, *(r for t in targets_of(disk) for r in roots_in(rule, t)))
        # each by itself: one that lies below another has a trash of its own
        found += [replace(own, rule=rule.name, roots=(root,)) for root in dict.fromkeys(roots)]
    return tuple(found)


def restore_plan(target: Target, wanted: str, disk: Disk, now: Reading) -> Plan:
    """Return the plan that takes back one file, or all that one cleaning put aside.

    Args:
        target: whose name the plan bears.
        wanted: the id of the file or of the run, as `healmon restore` lists them.
        disk: the rules, which tell where trash may lie.
        now: when the plan is made.
    """
    order = Order(
        target=target, device=0, rules=digest_of(disk), clock=now.wall - now.boot, restore=wanted
    )
    return Plan(
        healer=HEALER,
        component=target.component,
        action=RESTORE,
        subject=f"trash {wanted}",
        why=f"what was put aside as {wanted} is wanted back, asked for by hand",
        steps=(
            Step(f"move what was put aside as {wanted} back to its place, never over anything"),
        ),
        proof="each file is the one that was put aside, by its digest, and stands in its place",
        on_failure="what cannot go back stays in the trash and is named",
        order=pack(order),
        tier=0,
    )


def is_old(seen: DiskSeen, disk: Disk, steps: Steps, now: Reading) -> bool:
    """Return whether something has lain in the trash for longer than it is kept."""
    return seen.oldest is not None and age(steps, seen.oldest, now.wall) > disk.trash_for


def empty_plan(seen: DiskSeen, disk: Disk, now: Reading) -> Plan:
    """Return the plan that empties the trash of what has been there too long."""
    target, gauge = seen.target, seen.gauge
    device = gauge.device if gauge is not None and target.kind == "filesystem" else 0
    ages = duration_text(disk.trash_for)
    order = Order(
        target=target, device=device, rules=digest_of(disk), clock=now.wall - now.boot, empty=True
    )
    return Plan(
        healer=HEALER,
        component=target.component,
        action=EMPTY,
        subject=f"trash of {target.path}, older than {ages}",
        why=f"what was put aside from {target.path} is kept for {ages} (disk.trash_for)",
        steps=(Step(f"remove from the trash what was put aside more than {ages} ago"),),
        proof="nothing older is left in the trash, but what is in use",
        on_failure="what is in use stays in the trash; tried again within the hour",
        order=pack(order),
        cooldown=3600.0,
        tier=2,
    )
