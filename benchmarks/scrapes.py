"""Scraping as Prometheus does it, for benchmarks: one scrape, or so many a second."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple
from urllib.parse import urlsplit

ACCEPT = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
"""What Prometheus asks for."""


class Scrape(NamedTuple):
    """One scrape: how long it took, how much came."""

    seconds: float
    size: int


def scrape(url: str, token: str = "") -> Scrape:
    """Scrape once, on a connection of its own; `url` is that of /metrics."""
    parts = urlsplit(url)
    headers = {"Accept": ACCEPT, **({"Authorization": f"Bearer {token}"} if token else {})}
    began = time.perf_counter()
    with closing(http.client.HTTPConnection(parts.netloc, timeout=30)) as connection:
        connection.request("GET", parts.path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{url} answers with {answer.status}: {body[:200]!r}")
    return Scrape(time.perf_counter() - began, len(body))


def scrapes(url: str, seconds: float, per_second: float, token: str = "") -> Iterator[Scrape]:
    """Scrape so many times a second for so long."""
    due = time.perf_counter()
    end = due + seconds
    while due < end:
        time.sleep(max(0.0, due - time.perf_counter()))
        yield scrape(url, token)
        due += 1 / per_second
