"""What a family of numbers is, and what is known beside the snapshot. Data only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

import msgspec

Kind: TypeAlias = Literal["gauge", "counter", "summary"]


class Sample(msgspec.Struct, frozen=True):
    """One number. Of a summary it is the sum, and `count` how many it is the sum of."""

    labels: tuple[str, ...]
    value: float
    count: int = 0


class Family(msgspec.Struct, frozen=True):
    """One metric with all of its labels.

    Attributes:
        name: as it is queried, but for `_sum` and `_count` of a summary.
        help: one line for people.
        labels: names of the labels; each sample has their values in this order.
    """

    name: str
    kind: Kind
    help: str
    samples: tuple[Sample, ...]
    labels: tuple[str, ...] = ()


class Process(msgspec.Struct, frozen=True):
    """What the healer's process costs; None: not shown to us.

    Attributes:
        cpu_seconds: of all cores, since it began.
        resident: bytes.
        started: wall seconds.
    """

    cpu_seconds: float
    resident: int
    started: float
    open_files: int | None = None


class Facts(msgspec.Struct, frozen=True):
    """What is known beside the snapshot.

    Attributes:
        running: whether a healer holds the state directory.
        now: wall seconds.
        process: what the healer's process costs.
    """

    running: bool
    now: float
    process: Process | None = None


def gauge(name: str, text: str, values: float | Mapping[Any, float] | None, *labels: str) -> Family:
    """Return a gauge of one value, or of one for each label value (a word, or a tuple of words)."""
    return Family(f"healmon_{name}", "gauge", text, _samples(values), labels)


def counter(name: str, text: str, values: float | Mapping[Any, float], *labels: str) -> Family:
    """Return a counter in the same way; `name` ends in `_total`."""
    return Family(f"healmon_{name}", "counter", text, _samples(values), labels)


def one_of(words: Iterable[str], now: str) -> dict[str, float]:
    """Return a 1 for the word that holds now and a 0 for each other one."""
    return {word: float(word == now) for word in words}


def _samples(values: float | Mapping[Any, float] | None) -> tuple[Sample, ...]:
    if values is None:
        return ()
    if not isinstance(values, Mapping):
        return (Sample((), float(values)),)
    return tuple(Sample(_words(key), float(value)) for key, value in values.items())


def _words(key: str | tuple[str, ...]) -> tuple[str, ...]:
    return (key,) if isinstance(key, str) else key
