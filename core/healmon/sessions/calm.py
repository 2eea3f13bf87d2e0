"""Sessions of which a look tells nothing new: their newest verdict stands.

Most sessions of most hosts have no task and do nothing. What is said of such a one changes only
with what was seen of it and with what is known of it: while both are the very same objects, nothing
needs to be judged. A clock that was set, or a server that does not answer, ends that for all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from healmon.clock import Reading
from healmon.plans import Verdict
from healmon.sessions.facts import HEALER
from healmon.sessions.probe import SessionSeen
from healmon.state import ActionView, ComponentView, Rest, Snapshot

ALONE: Final = "idle"
"""The state of a session without tasks, from which time alone leads nowhere."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """A verdict, and what it was made from."""

    verdict: Verdict
    seen: SessionSeen
    view: ComponentView
    recent: tuple[ActionView, ...]
    held: float | None


class Calm:
    """The verdicts that stand; belongs to one healer.

    Attributes:
        rest: the look after which all of them did.
    """

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}
        self.rest = Rest(HEALER)

    def stands(self, component: str, seen: SessionSeen, known: Snapshot) -> Verdict | None:
        """Return the verdict on a session that still stands; None: it is to be judged."""
        kept = self._kept.get(component)
        same = (
            kept is not None
            and kept.seen is seen
            and kept.view is known.components.get(component)
            and kept.recent is known.recent
            and kept.held == known.maintenance.get(component)
            and not known.memory.get(component)
            and component not in known.plans
        )
        return kept.verdict if kept is not None and same else None

    def keep(
        self, state: str, verdict: Verdict, seen: SessionSeen, known: Snapshot, now: Reading
    ) -> None:
        """Take in a new verdict, if it is one that may stand.

        Args:
            state: of the session.
            verdict: on it.
            seen: what it was made from.
            known: likewise.
            now: when it was made.
        """
        component, pane = verdict.component, seen.pane
        view = known.components.get(component)
        # what was done there in a time to come will once have been done a moment ago
        past = max(pane.client_activity, pane.session_activity) <= now.wall
        told = view is not None and verdict.facts is view.facts and not verdict.findings
        if view is None or not (told and past and state == ALONE and not verdict.memory):
            self._kept.pop(component, None)
            return
        held = known.maintenance.get(component)
        self._kept[component] = _Kept(verdict, seen, view, known.recent, held)

    def forget(self) -> None:
        """Have everybody judged anew."""
        self._kept.clear()
        self.rest.end()
