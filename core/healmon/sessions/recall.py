"""What the snapshot holds of sessions: facts, memories, and what was asked for by hand. Pure."""

from __future__ import annotations

import msgspec

from healmon.plans import unpack
from healmon.sessions.facts import Memory, SessionFacts
from healmon.state import FOREVER, Snapshot


def component_of(label: str) -> str:
    """Return the component of a session."""
    return f"session:{label}"


def is_session(component: str) -> bool:
    """Return whether a component is a session, and not a socket or a task database."""
    return component.startswith("session:")


def facts_of(known: Snapshot, component: str) -> SessionFacts | None:
    """Return what was last seen of a session; None: nothing, or by another version of healmon."""
    view = known.components.get(component)
    try:
        return None if view is None else unpack(view.facts, SessionFacts)
    except msgspec.ValidationError:
        return None


def memory_of(known: Snapshot, component: str) -> Memory | None:
    """Return what is remembered of a session; None: nothing, or by another version of healmon."""
    packed = known.memory.get(component)
    try:
        return unpack(packed, Memory) if packed else None
    except msgspec.ValidationError:
        return None


def never(known: Snapshot, component: str) -> str:
    """Return why a session must never be touched, or empty."""
    if known.maintenance.get(component, 0.0) >= FOREVER:
        return "a person asked never to touch it"
    return ""
