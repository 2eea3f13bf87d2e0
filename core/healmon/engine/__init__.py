"""Runs the healers side by side, asks the gate, carries out plans, streams events."""

from healmon.engine.engine import Engine
from healmon.engine.run import Run

__all__ = ["Engine", "Run"]
