"""The words that the workers' healer has for what it sees and does. Types only."""

from __future__ import annotations

from typing import Literal

State = Literal[
    "down",
    "waiting_dependency",
    "starting",
    "probation",
    "healthy",
    "unhealthy",
    "stopping",
    "stop_failed",
    "backoff",
    "quarantined",
    "trial",
    "blocked",
    "completed",
    "unknown",
]
"""What a worker is doing, as `machine` tells it."""
Phase = Literal["decided", "stopping", "stopped", "spawning", "spawned", "verified"]
"""How far an act has come, as its journal row says."""
Level = Literal["", "V0", "V1", "V2", "V3", "V4"]
"""How far a start was proved: old one gone, new identity, alive, ready, progressing."""
How = Literal["", "spawned", "pid file", "command line"]
Verb = Literal["start", "restart", "stop", "release"]
Outcome = Literal["begun", "verified", "completed", "failed"]
Desired = Literal["up", "down"]
"""What a person wants of a worker."""
Goal = Literal["up", "down", "maintenance"]
"""What is wanted of a worker now: in maintenance healmon keeps its hands off one wanted up."""
Fault = Literal["", "host", "command", "worker", "blocked", "stop"]
"""Whose fault a failed act is.

`blocked`: a stranger holds what it needs, or it is a stranger's itself; `stop`: it survived.
"""
