"""Notices: what is told outside, through which channel, and whether it arrived."""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

from healmon.events.base import Base
from healmon.plans import Severity

Topic: TypeAlias = Literal["opened", "reminder", "recovered", "summary", "report", "test"]


class NoticeMade(Base, frozen=True):
    """A notice was decided on and waits in the outbox; the event's own id is the notice's id.

    `keys` name the alerts it is about, `not_before` (wall seconds) when it may leave, `level` the
    worst of what it tells. It takes the place of the waiting notices that `replaces` has the ids
    of, and closes what was `held` back under these names.
    """

    channel: str
    topic: Topic
    title: str
    body: str
    keys: tuple[str, ...] = ()
    not_before: float = 0.0
    level: Severity = "WARNING"
    replaces: tuple[int, ...] = ()
    held: tuple[str, ...] = ()


class NoticeSent(Base, frozen=True):
    """The channel took a notice."""

    notice: int
    channel: str


class NoticeFailed(Base, frozen=True):
    """A channel did not take a notice; it is tried again at `retry_at` (wall seconds)."""

    severity: ClassVar[Severity] = "WARNING"

    notice: int
    channel: str
    reason: str
    retry_at: float


class NoticeDropped(Base, frozen=True):
    """A notice left the outbox unsent: what it said is said by another, or its channel is gone."""

    notice: int
    channel: str
    reason: str
