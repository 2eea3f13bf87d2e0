"""What the person at the keys says of alerts and of healmon's hands: known, silenced, paused.

Everything is about the marked rows, or the one under the cursor. What has an end is asked for it,
and what it covers now is shown before it is saved. The newest of it can be taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from healmon import alerts, wording
from healmon.plans import Answer, Packed
from healmon.state import FOREVER, AlertView, open_alerts, paused_by
from healmon.units import format_duration, parse_duration
from healmon_tui import glyphs, inboxlines
from healmon_tui.context import Subject
from healmon_tui.requests import Asking, Requests
from healmon_tui.rows.scene import done_last, short
from healmon_tui.screens.ask import AskSheet, Field, Told, Words
from healmon_tui.screens.menu import LiftSheet, MenuSheet

SNOOZES: Final = (900.0, 3600.0, 4 * 3600.0, 12 * 3600.0)
"""Seconds for which a component can be left alone."""

About = Sequence[Subject]
Done = Callable[[], None]
Undo = tuple[str, str]
"""The verb and the target that take something back."""


class InboxRequests:
    """Asks, and says what became of it."""

    def __init__(self, app: Asking, requests: Requests, known: dict[str, float]) -> None:
        self._app = app
        self._requests = requests
        self._undo: tuple[Undo, ...] = ()
        self.known = known
        """When the failures ended that were acknowledged here, by component."""

    # what rows are about

    def _alerts(self, about: About) -> list[AlertView]:
        """Return the alerts that rows are about: their own, or all of their components."""
        keys = {one.alert for one in about if one.alert}
        names = {one.component for one in about if not one.alert}
        known = open_alerts(self._app.snapshot)
        return [a for a in known if a.key in keys or a.component in names]

    def _components(self, about: About) -> list[str]:
        there = self._app.snapshot.components
        return list(dict.fromkeys(one.component for one in about if one.component in there))

    # acknowledge

    def acknowledge(self, about: About, done: Done) -> None:
        """Acknowledge what rows are about, at once: alerts, and remedies that failed."""
        failed = self._failures(about)
        if failed and not self._alerts(about):
            self._app.flash(f"known: {failed}", "calm")
            done()
            return
        unknown = self._unknown(about)
        if unknown:
            self._app.spawn(self._acknowledge(unknown, {}))
            done()

    def _failures(self, about: About) -> str:
        """Know of the failed remedies on these from now on; return what failed, in words."""
        mine = {one.component for one in about}
        newest = done_last(self._app.snapshot, self._app.now)
        failed = [a for name, a in newest.items() if name in mine and not a.ok]
        failed = [a for a in failed if self.known.get(a.component, 0.0) < a.at]
        self.known |= {action.component: action.at for action in failed}
        return ", ".join(f"{a.action} of {a.component} failed" for a in failed)

    def _unknown(self, about: About) -> list[AlertView]:
        """Return the alerts that nobody has acknowledged; says so where there are none."""
        there = self._alerts(about)
        unknown = [alert for alert in there if alert.acknowledged_at is None]
        if not unknown:
            self._app.flash("acknowledged already" if there else "no open alert here", "dim")
        return unknown

    async def _acknowledge(self, wanted: Sequence[AlertView], arguments: Packed) -> None:
        asked = [("acknowledge", str(alert.id), arguments) for alert in wanted]
        undo = [(("unacknowledge", str(alert.id)),) for alert in wanted]
        await self._all(asked, undo, "alerts acknowledged")

    def note(self, about: About, done: Done) -> None:
        """Acknowledge with a note and an end; what is acknowledged already can be opened again."""
        there = self._alerts(about)
        known = [alert for alert in there if alert.acknowledged_at is not None]
        if there and len(known) == len(there):
            self._reopen(known, done)
            return
        unknown = self._unknown(about)
        if not unknown:
            return

        def tell(words: Mapping[str, str], cells: int) -> Told:
            lines = inboxlines.of_alerts(unknown, cells, "Acknowledges")
            return Told(lines, inboxlines.wrong_time(words["for"], optional=True))

        def answered(words: Words | None) -> None:
            if words is not None:
                seconds: Packed = {"for": parse_duration(words["for"])} if words["for"] else {}
                note: Packed = {"note": words["note"]} if words["note"] else {}
                self._app.spawn(self._acknowledge(unknown, {**note, **seconds}))
                done()

        fields = (Field("note", "note"), Field("for", "for (empty: the usual time)"))
        sheet = AskSheet("acknowledge: I know", "acknowledge", fields, tell, sure=False)
        self._app.open_sheet(sheet, answered)

    def _reopen(self, known: Sequence[AlertView], done: Done) -> None:
        now = self._app.now

        def tell(words: Mapping[str, str], cells: int) -> Told:
            del words
            said = [wording.acknowledged(alert, now) for alert in known]
            return Told(inboxlines.of_alerts(known, cells, "Opens again", said))

        def answered(words: Words | None) -> None:
            if words is not None:
                asked = [("unacknowledge", str(alert.id), Packed()) for alert in known]
                self._app.spawn(self._all(asked, (), "alerts open again"))
                done()

        self._app.open_sheet(AskSheet("known already", "open again", (), tell), answered)

    # silence

    def silence(self, about: About, done: Done) -> None:
        """Mute the notices of what matches, for a while."""

        def tell(words: Mapping[str, str], cells: int) -> Told:
            return inboxlines.silence(self._app.snapshot, self._app.now, words, cells)

        def answered(words: Words | None) -> None:
            if words is not None:
                self._app.spawn(self._silence(words))
                done()

        fields = (
            Field("match", "what (id, component or field=value …)", self._match(about)),
            Field("for", "for", "2h"),
            Field("note", "note"),
        )
        self._app.open_sheet(AskSheet("silence: do not tell me", "silence", fields, tell), answered)

    def _match(self, about: About) -> str:
        mine = {alert.key: str(alert.id) for alert in self._alerts(about)}
        ids = [mine[one.alert] for one in about if one.alert in mine]
        if ids and len(ids) == len(about):
            return str(alerts.one_of("id", tuple(dict.fromkeys(ids))))
        names = tuple(dict.fromkeys(one.component for one in about if one.component))
        return str(alerts.one_of("component", names)) if names else ""

    async def _silence(self, words: Words) -> None:
        match = str(alerts.parse(words["match"]))
        asked = ("silence", match, _lasting(words))
        await self._all([asked], [(("unsilence", match),)], "silences")

    def lift(self) -> None:
        """Show the silences and pauses in force, and end the one that is picked."""
        known, now = self._app.snapshot, self._app.now
        there: list[tuple[str, Undo]] = [
            (f"{glyphs.SILENCED} {wording.silence(one, now)}", ("unsilence", str(one.id)))
            for one in known.silences.values()
            if one.until > now
        ]
        there += [
            (f"{glyphs.PAUSED} {wording.pause(known, name, now)}", (_end_of(until), name))
            for name, until in known.maintenance.items()
            if until > now
        ]
        if not there:
            self._app.flash("nothing is silenced and nothing is paused", "dim")
            return

        def picked(place: int | None) -> None:
            if place is not None:
                verb, target = there[place][1]
                self._requests.ask(verb, target, {})

        self._app.open_sheet(LiftSheet("silences and pauses", [text for text, _ in there]), picked)

    # maintenance

    def pause(self, about: About, done: Done) -> None:
        """Keep healmon's hands off for a while; what is paused can be acted on again."""
        names, known, now = self._components(about), self._app.snapshot, self._app.now
        over = list(dict.fromkeys(paused_by(known, name, now) for name in names))
        if names and all(over):
            self._resume(over, done)
            return

        def tell(words: Mapping[str, str], cells: int) -> Told:
            return inboxlines.pause(self._app.snapshot, self._app.now, words, cells)

        def answered(words: Words | None) -> None:
            if words is not None:
                wanted = inboxlines.named(self._app.snapshot, words["what"])
                asked = [("pause", name, _lasting(words)) for name in wanted]
                undo = [(("resume", name),) for name in wanted]
                self._app.spawn(self._all(asked, undo, "pauses began"))
                done()

        fields = (
            Field("what", "what (component or pattern; * is everything)", ",".join(names)),
            Field("for", "for", "1h"),
            Field("note", "note"),
        )
        self._app.open_sheet(AskSheet("maintenance: do not touch", "pause", fields, tell), answered)

    def _resume(self, over: Sequence[str], done: Done) -> None:
        def tell(words: Mapping[str, str], cells: int) -> Told:
            del words
            return Told(inboxlines.of_pauses(self._app.snapshot, over, self._app.now, cells))

        def answered(words: Words | None) -> None:
            if words is not None:
                ends = self._app.snapshot.maintenance
                asked = [(_end_of(ends.get(name, 0.0)), name, Packed()) for name in over]
                self._app.spawn(self._all(asked, (), "pauses ended"))
                done()

        self._app.open_sheet(AskSheet("paused", "act again", (), tell), answered)

    def snooze(self, about: About, done: Done) -> None:
        """Leave components alone: paused, and their alerts acknowledged, until the same moment."""
        names = self._components(about)
        if not names:
            self._app.flash("snooze: select a component first", "dim")
            return

        def picked(place: int | None) -> None:
            if place is not None:
                asked = [("snooze", name, {"for": SNOOZES[place]}) for name in names]
                undo = [(*self._opening(name), ("resume", name)) for name in names]
                self._app.spawn(self._all(asked, undo, "left alone"))
                done()

        what = short(names[0]) if len(names) == 1 else f"{len(names)} rows"
        times = [f"for {format_duration(seconds)}" for seconds in SNOOZES]
        self._app.open_sheet(MenuSheet(f"leave {what} alone", times), picked)

    def _opening(self, component: str) -> list[Undo]:
        mine = self._alerts([Subject(component)])
        return [("unacknowledge", str(alert.id)) for alert in mine]

    # all of it

    def at_once(
        self, asked: Sequence[tuple[str, str, Packed]], undo: Sequence[tuple[Undo, ...]], what: str
    ) -> None:
        """Ask for what can be taken back, and tell the key that does it; see `_all`."""
        self._app.spawn(self._all(asked, undo, what))

    async def _all(
        self,
        asked: Sequence[tuple[str, str, Packed]],
        undo: Sequence[tuple[Undo, ...]],
        what: str,
    ) -> None:
        """Ask for each and say what became of it; what was refused is said, the rest is done.

        Args:
            asked: verb, target and arguments of each.
            undo: what takes each back; empty: nothing does.
            what: what many of them are called.
        """
        answers = [await self._requests.answer(*one) for one in asked]
        good = [answer for answer in answers if answer.ok]
        bad = next((answer for answer in answers if not answer.ok), None)
        if good:
            done = (back for back, answer in zip(undo, answers, strict=False) if answer.ok)
            self._undo = tuple(one for back in done for one in back)
        if bad is not None:
            more = f" ({len(good)} of {len(asked)} done)" if good else ""
            self._app.flash(f"{bad.text or 'refused'}{more}", "warn")
            return
        text = answers[0].text or f"{asked[0][0]}: done"
        text = f"{len(good)} {what}; {text}" if len(good) > 1 else text
        back = self._app.key("alert.undo") if undo else ""
        self._app.flash(f"{back} undo {glyphs.DOT} {text}" if back else text, "calm")

    def undo(self) -> None:
        """Take the newest of all this back."""
        if not self._undo:
            self._app.flash("nothing to take back", "dim")
            return
        wanted, self._undo = self._undo, ()
        self._app.spawn(self._take_back(wanted))

    async def _take_back(self, wanted: Sequence[Undo]) -> None:
        answers: list[Answer] = []
        for verb, target in wanted:
            name = self._newest(target) if verb == "unsilence" else target
            answers.append(await self._requests.answer(verb, name, {}))
        shown = next((answer for answer in answers if answer.ok), answers[0])
        self._app.flash(shown.text or "taken back", "text" if shown.ok else "warn")

    def _newest(self, match: str) -> str:
        mine = [s.id for s in self._app.snapshot.silences.values() if s.match == match]
        return str(max(mine, default=0))


def _end_of(until: float) -> str:
    return "touch" if until >= FOREVER else "resume"


def _lasting(words: Words) -> Packed:
    note: Packed = {"note": words["note"]} if words["note"] else {}
    return {"for": parse_duration(words["for"]), **note}
