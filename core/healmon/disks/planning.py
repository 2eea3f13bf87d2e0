"""The plans of this healer: cleaning by rule, finishing what a killed run had begun. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from healmon.clock import Reading
from healmon.config.settings import Disk
from healmon.disks import words
from healmon.disks.cover import OWN, digest_of, idle_reason, roots_in
from healmon.disks.model import ALONE, CLEAN, FINISH, HEALER, DiskFacts, DiskSeen, Order, Target
from healmon.plans import Plan, Step, pack
from healmon.units import format_percent, format_size
from healmon.world.filedata import Tally

ON_FAILURE = "the alert stays; tried again in 15 min, or when it has moved by a point"


def order_for(target: Target, device: int, disk: Disk, now: Reading) -> Order:
    """Return the order of a plan made now."""
    return Order(
        target=target,
        device=device if target.kind == "filesystem" else 0,
        rules=digest_of(disk),
        clock=now.wall - now.boot,
    )


def clean_plan(
    target: Target,
    facts: DiskFacts,
    disk: Disk,
    now: Reading,
    *,
    by_hand: bool = False,
    rule: str = "",
    most: Tally | None = None,
) -> Plan:
    """Return the plan that cleans a target by its rules.

    Args:
        target: what to clean.
        facts: what is known of it.
        disk: rules and lines.
        now: when the plan is made.
        by_hand: a person asks: everything that is due goes.
        rule: by this one alone; empty: by all.
        most: how much may go without a person; None: there is no ceiling.
    """
    order = order_for(target, facts.device, disk, now)
    order = replace(order, by_hand=by_hand, rule=rule, most=most)
    percent = max(facts.percent or 0.0, facts.inode_percent or 0.0)
    used = f"{words.title(target)} is {format_percent(percent)} full"
    why = f"{used}, asked for by hand" if by_hand else f"{used}, critical from {disk.critical:g}%"
    goal = "the freed bytes are counted and measured" if by_hand else f"below {disk.critical:g}%"
    steps = _steps(target, facts, disk, by_hand=by_hand, only=rule)
    if most is not None:
        steps.append(f"stop at {words.most_text(most)}: more goes with {words.command(target)}")
    return Plan(
        healer=HEALER,
        component=target.component,
        action=CLEAN,
        subject=f"{target.path} by rules {order.rules}"
        + (" by hand" if by_hand else "")
        + (f"{ALONE}{rule}" if rule else ""),
        why=why,
        steps=tuple(Step(text) for text in steps),
        proof=f"measured again afterwards: {goal}",
        on_failure=ON_FAILURE,
        order=pack(order),
        cooldown=0.0,
        tier=2,
    )


def _steps(target: Target, facts: DiskFacts, disk: Disk, *, by_hand: bool, only: str) -> list[str]:
    steps: list[str] = []
    if facts.own and not by_hand:
        steps.append(f"remove {OWN}, oldest first: {format_size(facts.own)}")
    if facts.trash and not by_hand:
        steps.append(f"empty the trash, oldest first: {format_size(facts.trash)}")
    counted = {rule.rule: rule for rule in facts.rules if rule.rule}
    for rule in disk.rules:
        if not roots_in(rule, target) or only not in {"", rule.name}:
            continue
        idle = idle_reason(rule)
        if idle:
            steps.append(f"rule {rule.name}: {idle}")
            continue
        deed = words.deed_text(rule.action, trash_counts=False)
        if rule.backup:
            deed = f"copy to {rule.backup}, verify, {deed}"
        if rule.action == "trash" and not by_hand:
            deed = "move to the trash (delete, where the trash is on the full disk itself)"
        known = counted.get(rule.name)
        if facts.candidates is not None and known is None:
            continue
        amount = "counted at the moment of acting"
        if known is not None:
            amount = f"at most {words.count_text(Tally(known.files, known.held))}"
            kept = words.kept_text(known.kept)
            amount += f"; stays: {kept}" if kept else ""
        until = "" if by_hand else f"{words.order(rule.action)}, until below {disk.target:g}%"
        steps.append(f"rule {rule.name}: {deed} {words.which(rule)}{until}: {amount}")
    return steps


def finish_plan(seen: DiskSeen, disk: Disk, now: Reading) -> Plan:
    """Return the plan that finishes what a killed run had begun."""
    target, gauge = seen.target, seen.gauge
    device = gauge.device if gauge is not None else 0
    order = replace(order_for(target, device, disk, now), finish=True)
    files = "1 file" if seen.leftovers == 1 else f"{seen.leftovers} files"
    return Plan(
        healer=HEALER,
        component=target.component,
        action=FINISH,
        subject=f"{target.path}: {files}",
        why=f"a cleaning was killed after it had set aside {files} below {target.path}",
        steps=(
            Step(f"remove what had been judged and nobody uses, put back what had not: {files}"),
        ),
        proof="nothing is left where files are set aside",
        on_failure="what cannot be decided is kept there and named",
        order=pack(order),
        tier=1,
    )
