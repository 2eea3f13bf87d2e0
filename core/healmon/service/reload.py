"""Reading the configuration again, for a healer that runs.

    asked ─▶ read and validated ─▶ compared ─▶ ConfigurationChanged ─▶ in force
                  └─ wrong: ConfigurationRefused, an alert; the one before stays in force

There is one truth at any moment: what a healer reads when it begins is what the file says, so one
that is killed anywhere in here is followed by one that has the new configuration, and says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final
from zlib import crc32

import msgspec
from msgspec.structs import replace

from healmon import events as ev
from healmon import registry
from healmon.alerts import ENGINE
from healmon.config.mask import masked
from healmon.config.settings import Settings
from healmon.engine.changing import Amendment
from healmon.errors import ConfigError, HealmonError
from healmon.plans import Answer, Packed
from healmon.redact import redact_line
from healmon.service.systemd import Notifier
from healmon.service.watching import print_of
from healmon.state import Snapshot
from healmon.text import clean
from healmon.world.hands import Hands

if TYPE_CHECKING:
    from healmon.service.host import Host

Read = Callable[[], Settings]
"""Reads the file that the healer was started with, and the environment.

Raises ConfigError.
"""
READ_WITHIN: Final = 30.0
"""Seconds that reading may take: the file may be on a mount that hangs."""
PATIENCE: Final = 20.0
"""Seconds that an answer waits for acts that must end before all of it is in force."""
UNCHANGED: Final = "nothing has changed"


def digest(settings: Settings) -> str:
    """Return a digest of a configuration, but for its secrets."""
    # where the file is does not matter, what it says does
    text = repr(masked(replace(settings, source=None)))
    return f"{crc32(text.encode('utf-8', 'replace')):08x}"


class Reloader:
    """Answers requests to read the configuration again, one after the other.

    Belongs to one event loop.

    Args:
        host: the healer that is to have it.
        read: reads it.
    """

    def __init__(self, host: Host, read: Read) -> None:
        self._host = host
        self._read = read
        self._turn = asyncio.Lock()
        self._hands = Hands("configuration")

    async def ask(self, arguments: Packed, origin: str) -> Answer:
        """Read it, and have it in force unless `dry_run` is asked; returns what became of it."""
        dry = bool(arguments.get("dry_run"))
        async with self._turn:
            notifier = Notifier() if dry else self._host.notifier
            notifier.reloading()
            try:
                return await self._ask(clean(origin), dry=dry)
            finally:
                notifier.ready()

    async def _ask(self, origin: str, *, dry: bool) -> Answer:
        from healmon.config.changes import changes  # noqa: PLC0415 - most healers never reread

        try:
            settings = await self._settings()
            told = _discreet(changes(self._host.settings, settings))
            if dry:
                return _answer(told, "would change", "nothing would change", dry=True)
            waiting = await self._apply(settings, told, origin)
        except ConfigError as error:
            return self._refused([str(p) for p in error.problems] or [str(error)], origin, dry=dry)
        except (HealmonError, OSError) as error:  # TimeoutError is one, too
            return self._refused([str(error) or "cannot be read: it hangs"], origin, dry=dry)
        packs = self._host.settings.sessions.packs
        again = f"; the packs in {clean(packs)} were read again" if packs else ""
        return _answer(told, "changed", UNCHANGED + again, waiting=waiting)

    async def _settings(self) -> Settings:
        async with asyncio.timeout(READ_WITHIN):
            source = self._host.settings.source or ""
            self._host.file = await self._hands.call(partial(print_of, source))
            return await self._hands.call(self._read)

    async def _apply(
        self, settings: Settings, told: tuple[ev.KeyChange, ...], origin: str
    ) -> list[str]:
        """Have it in force; returns what waits for an act to end."""
        from healmon.config.changes import changes, in_force  # noqa: PLC0415 - as above

        host = self._host
        held = in_force(host.settings, settings)
        healers = await self._hands.call(partial(registry.rebuild, host.parts(held), host.settings))
        differs = bool(changes(host.settings, held))
        snapshot = host.engine.snapshot
        event = ev.ConfigurationChanged(
            origin, held.source or "", told, held.monitor.check_interval, digest(held)
        )
        amendment = Amendment(
            told=event if differs else None,
            notes=_released(snapshot, told),
            interval=held.monitor.check_interval,
            alerts=held.alerts,
            outlet=host.outlet(held),
            healers=healers,
        )
        host.amended(held, healers)
        return await host.engine.amend(amendment, PATIENCE)

    def _refused(self, problems: list[str], origin: str, *, dry: bool) -> Answer:
        said = [clean(problem, limit=500) for problem in problems]
        if not dry:
            self._host.engine.misread(said, origin)
        more = f", and {len(said) - 1} more" if len(said) > 1 else ""
        return Answer(
            ok=False,
            text=f"the configuration is wrong, the one before stays in force: {said[0]}{more}",
            code=ConfigError.exit_code,
            data={"problems": said, "dry_run": dry},
        )

    def close(self) -> None:
        """Read no more."""
        self._hands.close()


def _discreet(told: tuple[ev.KeyChange, ...]) -> tuple[ev.KeyChange, ...]:
    """Return changes without what looks like a secret: they are kept, arguments of workers, too."""
    return tuple(replace(one, old=redact_line(one.old), new=redact_line(one.new)) for one in told)


def _answer(
    told: tuple[ev.KeyChange, ...],
    lead: str,
    nothing: str,
    *,
    waiting: list[str] = [],  # noqa: B006 - only read
    dry: bool = False,
) -> Answer:
    said = list(map(str, told))
    data: Packed = {
        "changes": [{**msgspec.to_builtins(one), "says": str(one)} for one in told],
        "waiting": waiting,
        "dry_run": dry,
    }
    text = f"{lead}: {'; '.join(said)}" if said else nothing
    if waiting:
        text += f"; in force once this is over: {'; '.join(waiting)}"
    return Answer(ok=True, text=text, data=data)


def _released(snapshot: Snapshot, told: tuple[ev.KeyChange, ...]) -> tuple[ev.AlertNoted, ...]:
    """Return a note for each worker that is up and no longer looked after."""
    notes: list[ev.AlertNoted] = []
    for change in told:
        section, _, name = change.key.partition(".")
        view = snapshot.components.get(name)
        pid = view.facts.get("pid") if view is not None and view.healer == section else None
        if section != "workers" or change.effect != "removed" or pid is None:
            continue
        message = (
            f"{name} is no longer looked after: it was taken out of the configuration; released,"
        )
        notes.append(
            ev.AlertNoted(
                f"{snapshot.engine.host}/{ENGINE}/{ENGINE}/released-{name}",
                ENGINE,
                f"{message} it runs on as pid {pid}",
                {"worker": name, "pid": pid},
            )
        )
    return tuple(notes)
