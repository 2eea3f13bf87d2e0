"""Backup targets that are made up: they answer, until they are broken."""

from __future__ import annotations


class SimulatedDepots:
    """The twin of `Depots`, with a verb for what happens to targets."""

    def __init__(self) -> None:
        self._broken: dict[str, str] = {}
        self._known: dict[str, str] = {}

    def check(self, url: str) -> str:
        """Ask a target whether it answers and knows us; returns what is wrong, or empty."""
        self._known[url] = self._broken.get(url, "")
        return self._known[url]

    def trouble(self, url: str) -> str:
        """Return what is known to be wrong with a target, in words; empty: nothing."""
        return self._known.get(url, "")

    def break_down(self, url: str, words: str) -> None:
        """Let a target answer no more; empty words: it does again."""
        self._broken[url] = words
