"""Plans: asked for, shown, applied, and followed to their ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from textual.screen import Screen

from healmon.plans import Answer, Packed, Plan
from healmon.service.link import Link
from healmon.state import Snapshot
from healmon.text import clean
from healmon_tui import glyphs
from healmon_tui.chronicle import Chronicle, Incident
from healmon_tui.paint import Tone
from healmon_tui.rows.scene import seconds, short

if TYPE_CHECKING:
    from healmon_tui.screens.many import Chosen

Result = TypeVar("Result")


class Asking(Protocol):
    """What requests need of the app."""

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot."""
        ...

    @property
    def now(self) -> float:
        """Wall seconds of the screen."""
        ...

    @property
    def occupied(self) -> bool:
        """Whether keys go to something that is answered or typed."""
        ...

    def flash(self, text: str, tone: Tone = "text") -> None:
        """Show one line for a while."""
        ...

    def open_sheet(
        self, sheet: Screen[Result], answered: Callable[[Result | None], None] | None = None
    ) -> None:
        """Put a sheet over the screen."""
        ...

    def redraw(self) -> None:
        """Fold and draw what there is."""
        ...

    def key(self, action: str) -> str:
        """Return the key of an action as people write it; empty: it has none."""
        ...

    def spawn(self, work: Awaitable[None]) -> None:
        """Run something beside the screen."""
        ...


SAID: Final[dict[str, tuple[str, Tone]]] = {
    "verified": ("verified", "ok"), "failed": ("failed", "bad"), "vetoed": ("not done", "warn"),
    "refused": ("not done", "warn"), "abandoned": ("called off", "warn"),
}  # fmt: skip
"""How the end of a plan is called, by its outcome."""


class Offers:
    """Asks for plans, has them read, and applies those that got a yes."""

    def __init__(self, app: Asking, link: Link) -> None:
        self._app = app
        self._link = link
        self._offering = False
        self._next: list[tuple[Plan, str, str]] = []
        self._mine: dict[str, tuple[str, float]] = {}

    def offer(
        self, verb: str, component: str, more: Packed | None = None, *, note: str = ""
    ) -> None:
        """Ask for a plan and show it.

        Args:
            verb: what is wanted.
            component: of what.
            more: what else the healer must know.
            note: what the sheet says besides.
        """
        if self._begin(f"{verb} {component}: making the plan{glyphs.MORE}"):
            self._app.spawn(self._offer(verb, component, {"verb": verb, **(more or {})}, note))

    def offer_each(self, verb: str, components: Sequence[str], note: str = "") -> None:
        """Ask for the plans of several, and show them all on one sheet."""
        if len(components) == 1:
            self.offer(verb, components[0], note=note)
        elif components and self._begin(f"{verb}: making {len(components)} plans{glyphs.MORE}"):
            self._app.spawn(self._offer_each(verb, components, note))

    def _begin(self, said: str) -> bool:
        if self._offering:
            self._app.flash("a plan is being made already", "dim")
            return False
        self._offering = True
        self._app.flash(said, "dim")
        return True

    async def _offer(self, verb: str, component: str, arguments: Packed, note: str) -> None:
        try:
            answer = await self.answer("offer", component, arguments)
        finally:
            self._offering = False
        plan = answer.plan
        if not answer.ok or plan is None:
            self._app.flash(answer.text or f"{verb} {component}: nothing to do", "warn")
            return
        if self._late(f"{verb} {component}"):
            return
        self._show(plan, self._refusal(answer), f"{verb} {component}", note)

    def _late(self, what: str) -> bool:
        """Tell whether a sheet would come below keys that are meant for something else."""
        if self._app.occupied:
            self._app.flash(
                f"{what}: not done; its plan came while you were busy: ask again", "warn"
            )
        return self._app.occupied

    def _refusal(self, answer: Answer) -> str:
        """Return why an offered plan may not be done now; empty: it may."""
        dry = self._app.snapshot.engine.dry_run
        return answer.text or ("dry run" if dry else "")

    def _show(self, plan: Plan, refusal: str, what: str, note: str = "") -> None:
        from healmon_tui.screens.plan import PlanSheet  # noqa: PLC0415 - loaded when it is opened

        def answered(yes: bool | None) -> None:  # noqa: FBT001 - the sheet's result
            if yes:
                self._app.spawn(self._apply(plan, what))
            else:
                self._app.flash(f"{what}: not done", "dim")
            self._go_on()

        # what the healer saw for this plan is no news
        self._app.redraw()
        self._app.flash("")
        self._app.open_sheet(PlanSheet(plan, refusal, note), answered)

    def _go_on(self) -> None:
        if self._next:
            plan, what, note = self._next.pop(0)
            self._show(plan, "", what, note)

    async def _offer_each(self, verb: str, components: Sequence[str], note: str) -> None:
        from healmon_tui.screens.many import ManySheet  # noqa: PLC0415 - loaded when it is opened

        plans, refused, held = list[Plan](), list[str](), dict[str, str]()
        try:
            for number, component in enumerate(components, 1):
                self._app.flash(f"{verb}: plan {number} of {len(components)}{glyphs.MORE}", "dim")
                answer = await self.answer("offer", component, {"verb": verb})
                if not answer.ok or answer.plan is None:
                    refused.append(f"{short(component)}: {answer.text or 'nothing to do'}")
                    continue
                plans.append(answer.plan)
                reason = self._refusal(answer)
                if reason:
                    held[answer.plan.id] = reason
        finally:
            self._offering = False
        self._app.redraw()
        self._app.flash("")
        lead = f"{verb} {len(components)} components"
        if self._late(lead):
            return
        sheet = ManySheet(lead, plans, refused, held, note)
        self._app.open_sheet(sheet, lambda chosen: self._chosen(verb, chosen))

    def _chosen(self, verb: str, chosen: Chosen | None) -> None:
        if chosen is None or not chosen.plans:
            self._app.flash(f"{verb}: nothing done", "dim")
        elif chosen.one_by_one:
            count = len(chosen.plans)
            self._next = [
                (plan, f"{verb} {plan.component}", f"plan {number} of {count}")
                for number, plan in enumerate(chosen.plans, 1)
            ]
            self._go_on()
        else:
            self._app.spawn(self._apply_all(verb, chosen.plans))

    async def _apply(self, plan: Plan, what: str) -> None:
        answer = await self._applied(plan, what)
        tone: Tone = "ok" if answer.ok else "warn"
        self._app.flash(f"{what}: {answer.text or ('under way' if answer.ok else 'refused')}", tone)

    async def _apply_all(self, verb: str, plans: Sequence[Plan]) -> None:
        answers = [await self._applied(plan, f"{verb} {plan.component}") for plan in plans]
        good = sum(answer.ok for answer in answers)
        bad = next((answer.text for answer in answers if not answer.ok), "")
        said = f"{verb}: {good} of {len(plans)} under way"
        self._app.flash(f"{said}; {bad}" if bad else said, "warn" if bad else "ok")

    async def _applied(self, plan: Plan, what: str) -> Answer:
        # its end can be told before the answer is here
        self._mine[plan.component] = (what, self._app.now)
        answer = await self.answer("apply", plan.id, {})
        if not answer.ok:
            self._mine.pop(plan.component, None)
        return answer

    def tend(self, chronicle: Chronicle) -> None:
        """Say how what was asked for here has ended."""
        for component, (what, since) in list(self._mine.items()):
            story = chronicle.newest(component)
            if story is None or story.outcome not in SAID or story.at < since:
                continue
            del self._mine[component]
            self._app.flash(*_ended(what, story))

    async def answer(self, verb: str, target: str, arguments: Packed) -> Answer:
        """Ask the healer and return its answer; a link that is broken answers, too."""
        try:
            return await self._link.ask(verb, target, arguments)
        except Exception as error:  # noqa: BLE001 - a broken link is an answer too
            return Answer(ok=False, text=clean(f"{verb}: {type(error).__name__}: {error}"))


def _ended(what: str, story: Incident) -> tuple[str, Tone]:
    word, tone = SAID[story.outcome]
    took = f" in {seconds(story.seconds)}" if story.outcome == "verified" else ""
    return f"{what}: {word}{took}: {story.result}", tone
