"""Families as text: the exposition format 0.0.4, which Prometheus and node_exporter read.

Source: prometheus.io/docs/instrumenting/exposition_formats. Standard library only: a healer writes
its textfile without the extra `metrics`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Final

from healmon.metrics.model import Family, Sample

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def exposition(families: Iterable[Family]) -> str:
    """Return families as text; of the same families always the same text."""
    return "".join(line for family in families for line in _lines(family))


def _lines(family: Family) -> Iterator[str]:
    name = family.name
    yield f"# HELP {name} {_escaped(family.help, quotes=False)}\n"
    yield f"# TYPE {name} {family.kind}\n"
    for sample in family.samples:
        labels = _labels(family, sample)
        if family.kind == "summary":
            yield f"{name}_count{labels} {number(sample.count)}\n"
            yield f"{name}_sum{labels} {number(sample.value)}\n"
        else:
            yield f"{name}{labels} {number(sample.value)}\n"


def _labels(family: Family, sample: Sample) -> str:
    if not family.labels:
        return ""
    pairs = zip(family.labels, sample.labels, strict=True)
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs) + "}"


def _escaped(text: str, *, quotes: bool = True) -> str:
    text = text.replace("\\", r"\\").replace("\n", r"\n")
    return text.replace('"', r"\"") if quotes else text


def number(value: float) -> str:
    """Return a number as the format has it."""
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return "NaN" if math.isnan(value) else repr(float(value))
