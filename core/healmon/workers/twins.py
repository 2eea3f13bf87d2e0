"""Workers that are started with the same words: a command line does not tell them apart.

What one of them is known to be, by its shim or its record, is none of the others, with all that it
started. Nobody is taken to be one of several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from healmon.workers.model import Match, WorkerSeen
from healmon.workers.tree import Family
from healmon.world.processes import Identity, ProcessFacts


class Twins:
    """What the twins of a worker are, within one look.

    Args:
        twins: for each worker the others that its command line does not tell it from.
        known: what is known of those that are looked at.
        ask: tells what is known of another one.
        family: whose child is whose.
    """

    def __init__(
        self,
        twins: Mapping[str, list[str]],
        known: Mapping[str, WorkerSeen],
        ask: Callable[[str], WorkerSeen],
        family: Family,
    ) -> None:
        self._twins = twins
        self._known = known
        self._ask = ask
        self._family = family
        self._trees: dict[str, frozenset[Identity]] = {}
        self._mains = {f.identity: name for name, one in known.items() for f in one.known}

    def are_plain(self, name: str, candidates: Iterable[ProcessFacts]) -> bool:
        """Return whether each of some processes is what a worker, or a twin, is known to be.

        Then nobody's family needs to be asked whose they are.
        """
        mains = self._mains
        for facts in candidates:
            owner = mains.get(facts.identity)
            if owner != name and owner not in self._twins[name]:
                return False
        return True

    def left_to(self, name: str, candidates: Iterable[ProcessFacts]) -> list[ProcessFacts]:
        """Return those of the processes that no twin of a worker is known to be."""
        left = list(candidates)
        for twin in self._twins[name] if left else ():
            tree = self._tree(twin)
            left = [facts for facts in left if facts.identity not in tree]
        return left

    def certain(self, name: str, matches: tuple[Match, ...]) -> tuple[tuple[Match, ...], str]:
        """Return those matches that can only be this worker, and a word on the others."""
        twins = self._twins[name]
        unclear = [m for m in matches if m.how == "command line"] if twins else []
        if not unclear:
            return matches, ""
        names = ", ".join(sorted([name, *twins])[:5])
        doubt = (
            f"pid {unclear[0].facts.identity.pid} may be each of {names}: they have the same "
            "command (give them pid files or arguments of their own)"
        )
        return tuple(m for m in matches if m not in unclear), doubt

    def _tree(self, name: str) -> frozenset[Identity]:
        if name not in self._trees:
            one = self._known[name] if name in self._known else self._ask(name)
            mains = [facts.identity for facts in one.known]
            shim = one.shim.shim if one.shim is not None and one.shim.alive else None
            tree = self._family.tree(mains, shim) if mains else ()
            self._trees[name] = frozenset([*mains, *(facts.identity for facts in tree)])
        return self._trees[name]
