"""`[metrics]` of `healmon.toml`, as data, and what its keys together must keep to; see `keys`."""

from __future__ import annotations

from typing import Final

from healmon.config import kinds as k
from healmon.config.derive import Context
from healmon.config.facesettings import Metrics
from healmon.config.lines import KeyPath
from healmon.config.schema import Key, Table
from healmon.config.webkeys import LISTEN, parse

EXTRA: Final = "prometheus_client"
"""The module that `healmon[metrics]` brings."""
MISSING: Final = "to be scraped, it needs the extra: pip install 'healmon[metrics]'"
EXPOSED: Final = (
    "everybody on the network could read the names and states of what is watched: set"
    " network = true if that is meant, or use web.listen, which has TLS and asks for a token"
)
SUFFIX: Final = ".prom"
"""How a file's name ends that node_exporter's textfile collector reads."""

METRICS: Final = Table(
    title="metrics",
    struct=Metrics,
    doc="numbers for Prometheus",
    keys=(
        Key(name="listen", kind=LISTEN, doc="where a healer has them served; empty: it does not"),
        Key(name="network", kind=k.BOOL, doc="let other hosts ask there, without a login"),
        Key(name="textfile", kind=k.PATH, doc="a file that has them after each cycle: *.prom"),
    ),
)


def check(metrics: Metrics, path: KeyPath, context: Context) -> None:
    """Record what does not go together."""
    fault = exposed(metrics)
    if fault:
        context.faults.add((*path, "listen"), fault, found=metrics.listen)
    if metrics.textfile and not metrics.textfile.endswith(SUFFIX):
        what = f"node_exporter reads only files whose names end in {SUFFIX}"
        context.faults.add((*path, "textfile"), what, found=metrics.textfile)


def exposed(metrics: Metrics) -> str:
    """Return why it must not listen where it is to; empty: it may."""
    if not metrics.listen or metrics.network or parse(metrics.listen).loopback:
        return ""
    return EXPOSED
