"""Families for prometheus-client, which knows how to negotiate and write every format.

Loaded only when somebody scrapes: it is the extra `metrics`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from healmon.metrics.model import Family

Source: TypeAlias = Callable[[], Iterable[Family]]


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


class Exposition:
    """Answers scrapes: one registry with one collector."""

    def __init__(self, source: Source) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(HealmonCollector(source))

    def answer(self, accept: str) -> tuple[str, bytes]:
        """Return content type and body; OpenMetrics where `accept` asks for it."""
        encode, content_type = choose_encoder(accept)
        return content_type, encode(self._registry)


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
