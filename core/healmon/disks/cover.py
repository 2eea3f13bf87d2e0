"""Which rule reaches which target, and from where. By the letters of paths only; pure.

What the letters cannot tell (links, mounts) is found out when the directories are opened.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec.structs import replace

from healmon.clock import Steps, cutoff
from healmon.config.depot import depot_of, is_remote
from healmon.config.settings import Disk, Rule
from healmon.disks.model import Target
from healmon.world.filedata import Deed, Selection
from healmon.world.filematch import Matcher

TRASH = "trash"
"""Name of the directory in the state directory where files are put aside."""

OWN: Final = "healmon's own older logs"
"""What stands in the place of a rule's name for them."""


class Job(msgspec.Struct, frozen=True):
    """A rule's selection in one target, and what becomes of the files."""

    selection: Selection
    deed: Deed


class Cover(msgspec.Struct, frozen=True):
    """The jobs of a target, and which rules reach it and still free nothing, with the reason.

    Attributes:
        own: healmon's own older logs, where anything may be cleaned; None: they are not here.
        closed: directories of rules that may take nothing there as they are now, or are gone: what
            a killed run had set aside when they might is put back.
    """

    jobs: tuple[Job, ...]
    idle: tuple[str, ...]
    own: Selection | None = None
    closed: tuple[Selection, ...] = ()

    @property
    def places(self) -> tuple[Selection, ...]:
        """Wherever a run may have set something aside."""
        return (*(job.selection for job in self.jobs), *self.closed)

    def spares(self, path: str) -> bool:
        """Return whether no rule of today would take a file at this path, by its letters."""
        selections = [job.selection for job in self.jobs]
        selections += [self.own] if self.own is not None else []
        return not any(_names(selection, path) for selection in selections)


def _names(selection: Selection, path: str) -> bool:
    """Return whether a rule names a file, and nothing on the way down to it keeps it."""
    if any(within(path, place) for place in selection.protected):
        return False
    matcher = Matcher(selection, 0.0)
    for root in selection.roots:
        if not path.startswith(f"{root.rstrip('/')}/"):
            continue
        below = path[len(root.rstrip("/")) + 1 :]
        *above, name = below.split("/")
        ways = [(part, "/".join(above[: n + 1])) for n, part in enumerate(above)]
        if any(matcher.enters(*way) for way in ways) or matcher.bars(name, below):
            continue
        if matcher.wants(name, below):
            return True
    return False


def aged(cover: Cover, steps: Steps, now: float) -> Cover:
    """Return the cover with every age as it was lived: no file is old by a clock that was set.

    Args:
        cover: by the rules alone.
        steps: when the clock was set.
        now: wall seconds.
    """
    if not steps:
        return cover

    def lived(job: Job) -> Job:
        older_than = now - cutoff(steps, job.selection.older_than, now)
        return replace(job, selection=replace(job.selection, older_than=older_than))

    return replace(cover, jobs=tuple(map(lived, cover.jobs)))


def targets_of(disk: Disk) -> tuple[Target, ...]:
    """Return everything to be watched: file systems first, then budgets."""
    found = [Target(f"disk:{path}", "filesystem", path) for path in disk.paths]
    names = {target.component for target in found}
    for budget in disk.budgets:
        name = f"disk:{budget.path}"
        # the same directory may be watched as a file system too
        name = f"{name} (budget)" if name in names else name
        found.append(Target(name, "budget", budget.path, budget.limit))
    return tuple({target.component: target for target in found}.values())


def digest_of(disk: Disk) -> str:
    """Return a word for the rules and lines as they are; any change makes another word."""
    return hashlib.sha256(msgspec.json.encode(disk)).hexdigest()[:16]


def idle_reason(rule: Rule) -> str:
    """Return why a rule frees nothing whatever it finds; empty: it may free something."""
    if is_remote(rule.backup):
        try:
            depot_of(rule.backup)
        except ValueError as error:
            return f"its files are kept: its backup target {error}"
    return ""


def cover_of(
    disk: Disk,
    target: Target,
    device: int | None,
    state_dir: str,
    barred: Callable[[str], str],
    user: Callable[[str], int | None] = lambda _: None,
    earlier: tuple[str, ...] = (),
) -> Cover:
    """Return what the rules may do in a target, in the order of the configuration.

    Args:
        disk: the rules.
        target: where.
        device: the file system's device; None for a budget.
        state_dir: healmon's own directory: never cleaned, and holds the trash.
        barred: says why a directory may never be cleaned; empty: it may.
        user: tells the number of a user; None: there is none of this name.
        earlier: directories of rules that are gone.
    """
    jobs: list[Job] = []
    idle: list[str] = []
    closed: list[str] = []
    for rule in disk.rules:
        roots = roots_in(rule, target)
        if not roots:
            continue
        owners = {name: user(name) for name in rule.owner}
        nobody = next((name for name, number in owners.items() if number is None), "")
        reason = f"there is no user {nobody}" if nobody else idle_reason(rule)
        if reason:
            idle.append(f"rule {rule.name}: {reason}")
            closed += roots
            continue
        fit: list[str] = []
        for root in roots:
            why = _closed(root, disk, state_dir) or barred(root)
            if why:
                idle.append(f"rule {rule.name}: {root}: {why}")
                closed.append(root)
            else:
                fit.append(root)
        whose = tuple(number for number in owners.values() if number is not None)
        jobs += _jobs(rule, tuple(fit), whose, device, state_dir, disk.protect)
    own = _own(target, device, state_dir) if disk.rules else None
    taken = {root for job in jobs for root in job.selection.roots}
    shut = tuple(root for root in dict.fromkeys(closed) if root not in taken)
    # each of these by itself: one that lies below another has a quarantine of its own
    left = [_closed_places((root,), device, state_dir) for root in earlier if root not in taken]
    places = (*_closed_places(shut, device, state_dir), *(one for (one,) in left))
    return Cover(tuple(jobs), tuple(idle), own, places)


def _closed_places(
    roots: tuple[str, ...], device: int | None, state_dir: str
) -> tuple[Selection, ...]:
    if not roots:
        return ()
    trash = f"{state_dir}/{TRASH}"
    return (
        Selection(rule=TRASH, roots=roots, patterns=(), older_than=0, device=device, trash=trash),
    )


def _own(target: Target, device: int | None, state_dir: str) -> Selection | None:
    """Return the logs of healmon and of its workers that nobody writes to any more."""
    if target.kind == "budget" and not within(state_dir, target.path):
        return None
    return Selection(
        rule=OWN,
        roots=(state_dir,),
        patterns=("/healmon.log.[0-9]", "/healmon.log.[0-9][0-9]", "workers/*/output.log.1"),
        older_than=0.0,
        ours=True,
        device=device,
        trash=f"{state_dir}/{TRASH}",
    )


def _closed(root: str, disk: Disk, state_dir: str) -> str:
    if within(root, state_dir):
        return "is healmon's own"
    return "is protected" if any(within(root, path) for path in disk.protect) else ""


def _jobs(
    rule: Rule,
    roots: tuple[str, ...],
    owners: tuple[int, ...],
    device: int | None,
    state_dir: str,
    protect: tuple[str, ...],
) -> list[Job]:
    if not roots:
        return []
    live = rule.action == "truncate"
    selection = Selection(
        rule=rule.name,
        roots=roots,
        named=rule.paths,
        patterns=rule.patterns,
        older_than=rule.older_than,
        larger_than=rule.larger_than or 0,
        smaller_than=rule.smaller_than or 0,
        owners=owners,
        exclude=rule.exclude,
        recursive=rule.recursive,
        device=device,
        protected=(state_dir, *protect, *((rule.backup,) if rule.backup.startswith("/") else ())),
        trash=f"{state_dir}/{TRASH}",
        keep_newest=0 if live else rule.keep_newest,
        copies=rule.keep_newest if live else 0,
        live=live,
        compress=rule.action in {"compress", "truncate"},
        compression=rule.compression,
        backup=rule.backup,
    )
    if rule.action != "trash":
        return [Job(selection, rule.action)]
    # each place on its own: whether putting aside frees anything depends on where it lies
    return [Job(replace(selection, roots=(root,)), "trash") for root in roots]


def roots_in(rule: Rule, target: Target) -> tuple[str, ...]:
    """Return the directories where a rule and a target may overlap."""
    found: list[str] = []
    for path in rule.paths:
        if target.kind == "filesystem":
            found.append(path)
            if path != target.path and within(target.path, path) and rule.recursive:
                found.append(target.path)
        elif within(path, target.path):
            found.append(path)
        elif within(target.path, path) and rule.recursive:
            found.append(target.path)
    return tuple(dict.fromkeys(found))


def within(path: str, directory: str) -> bool:
    """Return whether a path is a directory or something below it, by their letters."""
    return path == directory or path.startswith(f"{directory.rstrip('/')}/")
