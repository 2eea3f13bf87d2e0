"""What one cleaning took, and what is said of it afterwards."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from msgspec.structs import replace

from healmon.disks import words
from healmon.disks.halting import Halt
from healmon.disks.model import Gauge, More, Order, Target
from healmon.errors import RemedyError
from healmon.plans import Packed, Proof
from healmon.units import format_percent, format_size
from healmon.world.filedata import Choice, Deed, Key, Need, Survey, Swept, Tally


@dataclass(slots=True)
class Ledger:
    """What was taken so far.

    Attributes:
        when: wall seconds that count as now, and name the run.
        most: how much may go by rules without a person; None: there is no ceiling.
        halt: tells when it is to end before its time.
        taken: all of it; `by_rule` without what was emptied of the trash; `aside`: put there.
        more: what would have gone beyond the ceiling.
    """

    when: float
    most: Tally | None = None
    halt: Halt = field(default_factory=Halt)
    taken: Tally = field(default_factory=Tally)
    by_rule: Tally = field(default_factory=Tally)
    aside: Tally = field(default_factory=Tally)
    kept: Counter[str] = field(default_factory=Counter[str])
    names: list[str] = field(default_factory=list[str])
    troubles: list[str] = field(default_factory=list[str])
    passed: set[Key] = field(default_factory=set[Key])
    more: More = field(default_factory=More)

    @property
    def run(self) -> str:
        """What takes back all that this run put aside."""
        return f"{int(self.when * 1e9):x}" if self.aside.files else ""

    def add(self, swept: Swept, deed: Deed) -> None:
        """Count in what a rule took."""
        self.by_rule = self.by_rule.plus(swept.taken.held, swept.taken.files)
        if deed == "trash":
            self.aside = self.aside.plus(swept.taken.held, swept.taken.files)
        self.passed |= swept.passed
        self.add_emptied(swept)

    def add_emptied(self, swept: Swept) -> None:
        """Count in what went of the trash: it was counted as a rule's when it was put there."""
        self.taken = self.taken.plus(swept.taken.held, swept.taken.files)
        self.kept.update(swept.kept)
        self.names += swept.names[: max(0, 20 - len(self.names))]
        self.add_troubles(swept.troubles)

    def add_troubles(self, troubles: tuple[str, ...]) -> None:
        """Note what went wrong, each once."""
        self.troubles += [t for t in troubles if t not in self.troubles]

    def cap(self, wanted: Tally) -> Need | None:
        """Return what may go of what is wanted, as a need; None: all of it may."""
        if self.most is None:
            return None
        files = max(0, self.most.files - self.by_rule.files)
        held = max(0, self.most.held - self.by_rule.held)
        if wanted.files > files:
            return Need(files=files if held else 0)
        return Need(held=held) if wanted.held > held else None

    def limited(self, survey: Survey) -> Choice:
        """Return the choice of a survey, of no more than may still go without a person."""
        choice = survey.choice or Choice()
        if self.most is None:
            return choice
        files = max(0, self.most.files - self.by_rule.files)
        held = max(0, self.most.held - self.by_rule.held)
        # the newest of a choice may be one too many: rather that one stays than an older one
        older = choice.held < held if choice.held else choice.files < files
        drop = choice.sure and older and survey.chosen.held > held
        edge = choice.sure if drop else choice.edge
        return replace(choice, edge=edge, most_files=files, most_held=held)


def prove(order: Order, before: Gauge, after: Gauge, ledger: Ledger, critical: float) -> Proof:
    """Return the proof that it worked.

    Raises:
        RemedyError: it is still critical, or not all that a person asked for was done; says what
            was freed and what stays.
    """
    observed = max(0, before.used - after.used)
    done = (
        f"{words.count_text(ledger.taken)} removed, {format_size(observed)} less in use, "
        f"{format_percent(before.worst)} → {format_percent(after.worst)}"
    )
    if ledger.run:
        aside = words.count_text(ledger.aside)
        done = f"{done}, {aside} of them put aside: healmon restore {ledger.run}"
    kept = words.kept_text(ledger.kept)
    stays = f"; stays: {kept}" if kept else ""
    details = _details(before, after, ledger)
    critical_still, ended = after.worst >= critical, ledger.halt.reason
    if ended and (order.by_hand or critical_still):
        raise RemedyError(f"{ended}: {done}{stays}", details=details)
    if not order.by_hand and critical_still:
        why = f" ({'; '.join(ledger.troubles[:3])})" if ledger.troubles else ""
        why += _beyond(order.target, ledger)
        text = f"not enough: {done}{stays}{why}; {words.SUSPECTS}"
        raise RemedyError(text, details=details)
    message = f"{words.title(order.target)} cleaned: {done}" if ledger.taken.files else ""
    stays += f"; {ended}" if ended else ""
    return Proof(f"{done}{stays}{_beyond(order.target, ledger)}", message, details)


def cut_short(before: Gauge, ledger: Ledger, reason: str) -> RemedyError:
    """Return the error of a cleaning that took something and cannot be proved."""
    text = f"{reason}; {words.count_text(ledger.taken)} removed"
    return RemedyError(text, details=_details(before, before, ledger))


def _beyond(target: Target, ledger: Ledger) -> str:
    if not ledger.more.files:
        return ""
    return (
        f"; more than disk.max_files or disk.max_bytes goes only by hand: {words.command(target)}"
    )


def _details(before: Gauge, after: Gauge, ledger: Ledger) -> Packed:
    more = ledger.more
    return {
        "files": ledger.taken.files,
        "bytes_expected": ledger.taken.held,
        "bytes_observed": max(0, before.used - after.used),
        "percent_before": round(before.worst, 3),
        "percent_after": round(after.worst, 3),
        "by_rule": [ledger.by_rule.files, ledger.by_rule.held],
        "more": [more.files, more.held, more.oldest] if more.files else [],
        "kept": dict(ledger.kept),
        "names": ledger.names,
        "trash": ledger.run,
        "troubles": ledger.troubles[:10],
        "begun": ledger.halt.begun,
        "called_off": ledger.halt.asked(),
    }
