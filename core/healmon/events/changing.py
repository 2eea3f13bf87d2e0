"""What happens to the configuration while healmon runs."""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

import msgspec

from healmon.events.base import Base
from healmon.plans import Severity

Effect: TypeAlias = Literal[
    "now", "next start", "restart of healmon", "next screen", "added", "removed"
]
"""When a change is in force; `added` and `removed` are whole tables, at once."""


class KeyChange(msgspec.Struct, frozen=True):
    """One difference between two configurations, secrets masked.

    Attributes:
        key: dotted: `workers.mailer.args`; for a whole table its title.
        old, new: as TOML; empty: not set.
        effect: when it is in force.
    """

    key: str
    old: str = ""
    new: str = ""
    effect: Effect = "now"

    def __str__(self) -> str:
        """Return it as one line for people."""
        section, _, name = self.key.partition(".")
        if self.effect == "added":
            return f"{self.key}: added"
        if self.effect == "removed":
            left = (
                "; it is left as it is and no longer looked after" if section == "workers" else ""
            )
            return f"{self.key}: removed{left}"
        text = f"{self.key}: {self.old or 'not set'} → {self.new or 'not set'}"
        if self.effect == "next start":
            worker = name.rpartition(".")[0]
            return f"{text}; from its next start on (at once: healmon restart {worker})"
        if self.effect == "restart of healmon":
            return f"{text}; needs a restart of healmon, the old value stays in force"
        return f"{text}; for screens opened from now on" if self.effect == "next screen" else text


class ConfigurationChanged(Base, frozen=True):
    """Another configuration is in force.

    Attributes:
        origin: who had it read; `start`: it changed while no healmon ran.
        source: the file.
        changes: what differs; of what changed while no healmon ran nothing is known.
        interval: seconds between cycle starts from now on.
        digest: of all that is in force, but for secrets.
    """

    origin: str
    source: str
    changes: tuple[KeyChange, ...]
    interval: float
    digest: str


class ConfigurationRefused(Base, frozen=True):
    """The file is wrong; what was in force before stays so. `problems`: one line each."""

    severity: ClassVar[Severity] = "WARNING"

    origin: str
    source: str
    problems: tuple[str, ...]
