"""The judgement on workers. Pure: seen, remembered, settings and time in; verdicts out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace as with_
from typing import Final

import msgspec
from msgspec.structs import replace

from healmon.clock import Reading
from healmon.config.settings import Monitor, Worker
from healmon.plans import Diagnosis, Finding, Plan, Verdict, pack, unpack
from healmon.state import AlertView, Snapshot, of_healer, paused_by
from healmon.workers import breaker, budget, causes, machine, planning, storm, timeline, wording
from healmon.workers.calm import TELLS_NOTHING, Calm
from healmon.workers.facts import facts_of, fixed
from healmon.workers.findings import PATIENCE, Around, down_for, findings, outlived, status
from healmon.workers.lifecycle import Judged, advance
from healmon.workers.model import NAME, UNTOLD, UNTOLD_END, Memory, Seen
from healmon.workers.storm import Storm
from healmon.workers.turns import LATE, Line, Turn, begins_again, turns, waiting

SOON: Final = 0.05
"""Seconds that the healer leaves at least between two looks of its own wish."""
MOMENT: Final = 0.5
"""Seconds that a shim is given to write down what it has done."""


class Judge:
    """Judges all workers together: some wait for others, and the host starts only so many.

    Args:
        workers: their settings, in order.
        log_paths: where the output of each goes.
        jitter: spread of the backoff delays; 0 for exact ones.
        limits: the host's budget of starts, and what a storm is; default: neither.
        devices: numbers of the file systems that each writes to, as far as they are known.
    """

    def __init__(
        self,
        workers: tuple[Worker, ...],
        log_paths: Mapping[str, str],
        jitter: float,
        limits: Monitor = budget.NOBODY,
        devices: Mapping[str, tuple[int, ...]] | None = None,
    ) -> None:
        self._workers = workers
        known = devices or {}
        self._fixed = {w.name: fixed(w, log_paths[w.name], known.get(w.name, ())) for w in workers}
        self._configured = {w.name: causes.configured(w) for w in workers}
        self._jitter = jitter
        self._limits = limits
        self._ranks = budget.ranks(workers)
        # whoever waits for others is judged after them
        self._upwards = sorted(workers, key=lambda worker: self._ranks[worker.name])
        self._calm = Calm()
        self._judged_before = False

    def diagnose(self, seen: Seen, known: Snapshot, now: Reading) -> Diagnosis:
        """Return the verdict on every worker, and on all of them together."""
        seen, failing = _gone_on_with(seen, known, now), NAME in known.failing
        standing = self._standing(seen, known, now)
        if seen.fresh is None and len(standing) == len(self._workers):
            memories = {name: mine.memory for name, mine in standing.items()}
            if storm.weather(self._limits, memories, memories, now.steady) is None:
                return self._at_rest(known, now)
        before = {n: recalled(known, n) for n in self._configured if n not in standing}
        judged, weather = self._judged(seen, known, before, standing, now)
        if weather is not None and standing:  # a storm is about all of them
            standing = dict[str, Judged]()
            before = {name: recalled(known, name) for name in self._configured}
            judged, weather = self._judged(seen, known, before, standing, now)
        given = turns(self._line(judged, weather, seen, known, now))
        plans = {
            name: planning.planned(judged[name], now, turn.at, turn.why)
            for name, turn in given.items()
            if turn.at is not None
        }
        quiet = _quiet(judged, before, given)
        silent = set(standing)
        # what another run has told is no answer to whoever asks this one (`--once`)
        if self._judged_before and not failing:
            silent |= {n for n, mine in judged.items() if n in known.components and _untold(mine)}
        self._judged_before = True
        if seen.fresh is not None and not failing:
            silent |= quiet - seen.fresh
        told = [name for name in self._configured if name not in silent]
        calm = quiet if weather is None else set[str]()
        wakes = self._keep(judged, calm, set(told), standing, known, now)
        wakes += _weather_wakes(weather, now)
        arounds = _arounds({name: judged[name] for name in told}, known, now)
        verdicts = tuple(
            self._verdict(judged[n], given.get(n), plans.get(n), arounds[n], known) for n in told
        )
        return Diagnosis(
            verdicts=verdicts,
            gone=tuple(name for name in of_healer(known, NAME) if name not in judged),
            look_again=max(SOON, min(wakes)) if wakes else None,
            systemic=self._systemic(weather, judged, arounds, seen, known),
            hold=tuple(_overtaken(judged, plans, known, now)),
        )

    def _at_rest(self, known: Snapshot, now: Reading) -> Diagnosis:
        """Return that there is nothing to tell of anybody, and when that changes by itself."""
        wakes = [at for name in self._configured for at in self._calm.moments(name, now)]
        return Diagnosis(
            verdicts=(),
            gone=tuple(n for n in of_healer(known, NAME) if n not in self._configured),
            look_again=max(SOON, min(wakes)) if wakes else None,
        )

    def _standing(self, seen: Seen, known: Snapshot, now: Reading) -> dict[str, Judged]:
        """Return the judgements of earlier looks that still stand.

        After a look that failed none does: it was told of everybody that nothing is known.
        """
        found: dict[str, Judged] = {}
        if NAME in known.failing:
            return found
        alerts = (*known.alerts.values(), *known.ended.values())
        alarmed = {alert.component for alert in alerts}
        for name in self._configured:
            paused = _paused(name, known, now)
            mine = self._calm.stands(name, seen, known, now, paused=paused, alarmed=alarmed)
            if mine is not None:
                found[name] = mine
        return found

    def _keep(
        self,
        judged: Mapping[str, Judged],
        quiet: Collection[str],
        told: Collection[str],
        standing: Collection[str],
        known: Snapshot,
        now: Reading,
    ) -> list[float]:
        """Keep the judgements that may stand; return when any of them changes by itself."""
        wakes: list[float] = []
        for name, mine in judged.items():
            if name in standing:
                wakes += self._calm.moments(name, now)
                continue
            moments = _moments(mine, now)
            wakes += moments
            if name in quiet and not mine.look.worker.after:
                paused = _paused(name, known, now)
                self._calm.keep(mine, known, now, moments, paused=paused, told=name in told)
            else:
                self._calm.forget(name)
        return wakes

    def _line(
        self,
        judged: Mapping[str, Judged],
        weather: Storm | None,
        seen: Seen,
        known: Snapshot,
        now: Reading,
    ) -> Line:
        """Return all that decides on turns."""
        memories = {name: mine.memory for name, mine in judged.items()}
        return Line(
            limits=self._limits,
            ranks=self._ranks,
            judged=judged,
            known=known,
            taken=budget.taken(self._limits, known, seen, memories, now.steady),
            storm=weather,
            now=now,
        )

    def _judged(
        self,
        seen: Seen,
        known: Snapshot,
        before: Mapping[str, Memory],
        standing: Mapping[str, Judged],
        now: Reading,
    ) -> tuple[dict[str, Judged], Storm | None]:
        """Return every worker after this look, and the storm they are in."""
        judged: dict[str, Judged] = {}
        for worker in self._upwards:
            judged[worker.name] = standing.get(worker.name) or advance(
                self._configured[worker.name],
                seen,
                before[worker.name],
                now,
                run=known.engine.started_at,
                jitter=self._jitter,
                paused=_paused(worker.name, known, now),
                waits=_waits_for(worker, judged),
            )
        memories = {name: mine.memory for name, mine in judged.items()}
        well = {name for name, mine in judged.items() if _well(mine)}
        weather = storm.weather(self._limits, memories, well, now.steady)
        for name in before:
            mine = judged[name]
            memory = storm.marked(mine.memory, name, weather)
            judged[name] = with_(mine, memory=timeline.stamped(mine.memory, memory, now))
        return judged, weather

    def _verdict(
        self, mine: Judged, turn: Turn | None, plan: Plan | None, around: Around, known: Snapshot
    ) -> Verdict:
        name = mine.look.worker.name
        found = findings(mine, around)
        facts = facts_of(mine, turn, self._fixed[name], known, around.now)
        return Verdict(
            component=name,
            status=status(mine, found),
            summary=wording.summary(facts, found),
            metric_type="worker",
            metric_value=mine.state,
            facts=pack(facts),
            findings=found,
            plan=plan,
            memory=pack(mine.memory),
        )

    def _systemic(
        self,
        weather: Storm | None,
        judged: Mapping[str, Judged],
        arounds: Mapping[str, Around],
        seen: Seen,
        known: Snapshot,
    ) -> tuple[Finding, ...]:
        left = _left(storm.told_of(known), judged, arounds)
        if weather is None:
            return storm.aftermath(left)
        causes = storm.shared(known, seen.host)
        found = storm.finding(weather, self._workers, causes, self._limits)
        return (storm.joined(found, left),)


def recalled(known: Snapshot, name: str) -> Memory:
    """Return what is remembered of a worker; nothing when another version wrote it."""
    try:
        return unpack(known.memory.get(name, {}), Memory)
    except msgspec.ValidationError:
        return Memory()


def _gone_on_with(seen: Seen, known: Snapshot, now: Reading) -> Seen:
    """Return the look with those as acted on whose half-done act is gone on with by now.

    It may begin after the look: taken for over, what comes of it would be counted by nobody.
    """
    acted_on = {
        name: replace(one, acting=True)
        for name, view in known.plans.items()
        if (one := seen.workers.get(name)) is not None and begins_again(view, one.record, now)
    }
    return replace(seen, workers={**seen.workers, **acted_on}) if acted_on else seen


def _left(
    names: Collection[str], judged: Mapping[str, Judged], arounds: Mapping[str, Around]
) -> dict[str, Finding]:
    """Return which of these workers are down, and what is found of each."""
    return {
        name: found
        for name in names
        if name in arounds  # whoever is down is never left out of it
        for found in findings(judged[name], arounds[name])
        if found.condition == "down"
    }


def _quiet(
    judged: Mapping[str, Judged], before: Mapping[str, Memory], given: Collection[str]
) -> set[str]:
    """Return of whom, judged anew, there is nothing new; but for those that are to be acted on."""
    return {
        name
        for name, memory in before.items()
        if name not in given
        and judged[name].state in TELLS_NOTHING
        and judged[name].memory == memory
    }


def _waits_for(worker: Worker, judged: Mapping[str, Judged]) -> str:
    """Return the first worker that must be healthy before this one and is not."""
    others = (name for name in worker.after if name in judged)
    return next((name for name in others if judged[name].state not in machine.READY), "")


def _well(mine: Judged) -> bool:
    """Return whether a worker is as it should be."""
    return mine.state in machine.READY or (mine.state == "down" and mine.look.goal == "down")


def _paused(name: str, known: Snapshot, now: Reading) -> bool:
    return bool(paused_by(known, name, now.wall))


def _held(name: str, known: Snapshot, now: Reading) -> str:
    """Return why a plan of ours would not be carried out now; empty: it would."""
    if known.engine.dry_run:
        return "dry run"
    return "maintenance" if _paused(name, known, now) else ""


def _arounds(judged: Mapping[str, Judged], known: Snapshot, now: Reading) -> dict[str, Around]:
    """Return for each worker what its judgement must know of the world around it."""
    alerts = _alerts(known)
    return {
        name: Around(
            held=_held(name, known, now),
            alerts=alerts.get(name, {}),
            stormy=mine.memory.storm is not None,
            now=now,
        )
        for name, mine in judged.items()
    }


def _alerts(known: Snapshot) -> dict[str, dict[str, AlertView]]:
    """Return the open alerts of each worker, by condition."""
    found: dict[str, dict[str, AlertView]] = {}
    for key, alert in known.alerts.items():
        prefix = f"{known.engine.host}/{NAME}/{alert.component}/"
        if key.startswith(prefix):
            found.setdefault(alert.component, {})[key.removeprefix(prefix)] = alert
    return found


def _overtaken(
    judged: Mapping[str, Judged], plans: Mapping[str, Plan], known: Snapshot, now: Reading
) -> list[str]:
    """Return whose waiting plan no longer is what this look would plan."""
    overtaken: list[str] = []
    for name, mine in judged.items():
        view = waiting(known, name, now)
        if view is None or mine.look.one.acting:
            continue
        plan = plans.get(name)
        later = plan is not None and now.steady + plan.delay > view.due + LATE
        if plan is None or later or plan.subject != view.plan.subject:
            overtaken.append(name)
    return overtaken


def _untold(mine: Judged) -> bool:
    """Return whether a worker is left unjudged for a moment: its shim will tell what to think."""
    return mine.look.match is None and mine.look.one.trouble in {UNTOLD, UNTOLD_END}


def _moments(mine: Judged, now: Reading) -> list[float]:
    """Return in how many seconds the judgement of a worker will change by itself."""
    worker, memory = mine.look.worker, mine.memory
    moments: list[float] = []
    if _untold(mine):
        moments.append(MOMENT)
    if mine.state in {"quarantined", "unhealthy"} and memory.retry_at is not None:
        moments.append(memory.retry_at - now.steady)
    if memory.down_since is not None:
        moments.append(PATIENCE - down_for(memory, now))
    uptime = now.steady - memory.up_since
    if mine.half is not None and memory.goes_on is not None:
        if mine.look.goal != "maintenance":  # then it is due all the time, and not done
            moments.append(max(SOON, memory.goes_on - now.steady))
        moments.append(worker.start_timeout - uptime)
    if mine.state in {"healthy", "trial"} and (memory.trial or memory.row):
        moments += [outlived(worker, memory) - uptime, worker.stable_after - uptime]
    if mine.look.one.beat_age is not None:
        moments.append(worker.heartbeat_max_age - uptime)  # from then on it is missed
    if mine.state == "healthy" and breaker.flapping(worker, memory, now):
        moments.append(memory.failures[0] + worker.slow_window - now.steady)
    return [moment for moment in moments if moment > 0]


def _weather_wakes(weather: Storm | None, now: Reading) -> list[float]:
    if weather is None:
        return []
    wakes = [weather.held_until - now.steady, weather.calm_at - now.steady]
    return [wake for wake in wakes if wake > 0]
