"""Families for prometheus-client, which knows how to negotiate and write every format.

Loaded only when somebody scrapes: it is the extra `metrics`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple, TypeAlias

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from healmon.clock import process_seconds
from healmon.metrics.model import Family

Source: TypeAlias = Callable[[], Iterable[Family]]
AGAIN: Final = 1.0
"""Seconds for which an answer is given again."""
_VERSION: Final = re.compile(r"version=(0\.0\.[14]|1\.0\.0)")
FORMATS: Final = 8
"""Formats of which an answer is kept."""


class HealmonCollector(Collector):
    """Gives the families of one moment; the client keeps no number of its own.

    Args:
        source: returns the families of now. It must ask nothing of the world.
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    def collect(self) -> Iterator[Metric]:
        """Give all families."""
        yield from map(_metric, self._source())

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that to register it does not scrape it."""
        return []


class _Kept(NamedTuple):
    marks: tuple[object, ...]
    until: float
    body: bytes


class Exposition:
    """Answers scrapes: one registry with one collector. Safe from any thread.

    Args:
        source: returns the families of now.
        marks: what these are made of; while all of it is the very same, an answer is given again
            for a second, whoever asks: a crowd costs no more than one.
    """

    def __init__(self, source: Source, marks: Callable[[], tuple[object, ...]] = tuple) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(HealmonCollector(source))
        self._marks = marks
        self._kept: dict[str, _Kept] = {}

    def answer(self, accept: str) -> tuple[str, bytes]:
        """Return content type and body; OpenMetrics where `accept` asks for it."""
        encode, content_type = _encoder_of(accept)
        marks, now = self._marks(), process_seconds()
        kept = self._kept.get(content_type)
        if kept is not None and now < kept.until and _same(kept.marks, marks):
            return content_type, kept.body
        body = encode(self._registry)
        if marks and (kept is not None or len(self._kept) < FORMATS):
            self._kept[content_type] = _Kept(marks, now + AGAIN, body)
        return content_type, body


def _encoder_of(accept: str) -> tuple[Callable[[Collector], bytes], str]:
    """Return how to write, and as what; the plain text for whoever asks for no version there is.

    The client compares versions as they come, and puts them into its answer.
    """
    known = all(
        _VERSION.fullmatch(word.strip()) for word in re.split("[;,]", accept)
        if word.strip().startswith("version")
    )  # fmt: skip
    return choose_encoder(accept if known else "")


def _same(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))


def _metric(family: Family) -> Metric:
    labels = family.labels
    if family.kind == "summary":
        summary = SummaryMetricFamily(family.name, family.help, labels=labels)
        for sample in family.samples:
            summary.add_metric(sample.labels, count_value=sample.count, sum_value=sample.value)
        return summary
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = kind(family.name, family.help, labels=labels)
    for sample in family.samples:
        metric.add_metric(sample.labels, sample.value)
    return metric
