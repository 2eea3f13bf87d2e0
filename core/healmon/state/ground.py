"""A healer at rest: what its verdicts stand on, so that nobody needs to say the same again. Pure.

While nothing happens to them, all that is known of its components is the very same objects: then,
with the same seen, the same would be said.
"""

from __future__ import annotations

import msgspec

from healmon.plans import Diagnosis, Verdict
from healmon.state.views import ActionView, ComponentView, EngineView, Snapshot, of_healer


class Ground(msgspec.Struct, frozen=True):
    """All that is known of a healer's components, none of which waits for anything.

    Attributes:
        healer: whose they are.
        views: what was told of each last.
        engine: of this run.
        recent: what was done last, anywhere.
    """

    healer: str
    views: dict[str, ComponentView]
    engine: EngineView
    recent: tuple[ActionView, ...]

    @classmethod
    def of(cls, known: Snapshot, healer: str) -> Ground | None:
        """Return what verdicts may stand on; None while time alone may change one of them."""
        made = cls(healer, of_healer(known, healer), known.engine, known.recent)
        return made if made.holds(known) else None

    def holds(self, known: Snapshot) -> bool:
        """Return whether nothing has happened to any of them."""
        same = known.engine is self.engine and known.recent is self.recent
        if not same or known.maintenance or self.healer in known.failing:
            return False
        for name, view in self.views.items():
            waits = known.memory.get(name) or name in known.plans
            if waits or known.components.get(name) is not view:
                return False
        if not (known.alerts or known.ended):
            return True
        prefix = f"{known.engine.host}/{self.healer}/"
        return not any(key.startswith(prefix) for key in (*known.alerts, *known.ended))


class Rest:
    """The newest look of a healer, if what it showed was told already; belongs to one healer.

    Only what time alone does not change is kept: whoever wants to look again is not at rest.

    Args:
        healer: whose components they are.
    """

    def __init__(self, healer: str) -> None:
        self._healer = healer
        self._kept: tuple[object, Ground] | None = None

    def stands(self, seen: object, known: Snapshot) -> bool:
        """Return whether a look shows what the one that is kept did, and nothing has happened."""
        kept = self._kept
        return kept is not None and kept[1].holds(known) and kept[0] == seen

    def keep(self, seen: object, said: Diagnosis, known: Snapshot) -> None:
        """Take in what was said after a look; it is kept if that is what was known before."""
        ground = Ground.of(known, self._healer)
        told = ground is not None and all(_told(one, ground.views) for one in said.verdicts)
        rests = told and said.look_again is None and not (said.gone or said.systemic)
        self._kept = (seen, ground) if ground is not None and rests else None

    def end(self) -> None:
        """Have everything said anew."""
        self._kept = None


def _told(verdict: Verdict, views: dict[str, ComponentView]) -> bool:
    view = views.get(verdict.component)
    if view is None or verdict.findings or verdict.plan is not None or verdict.memory:
        return False
    said = (verdict.status, verdict.summary, verdict.facts)
    return said == (view.status, view.summary, view.facts)
