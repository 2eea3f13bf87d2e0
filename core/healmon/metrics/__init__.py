"""What Prometheus is told: pure families of numbers out of the snapshot, and ways to write them.

    model      what a family of numbers is, and what is known beside the snapshot
    families   snapshot -> families: all of them, in their order
    engine     its parts: healmon itself,
    watched    what it watches,
    told       what it did and told
    text       families -> the text that a textfile and `healmon metrics` hold
    collector  families -> prometheus-client, which speaks OpenMetrics too (extra `metrics`)
    serve      `/metrics` of the web server

A scrape asks nothing of the world: no SQL, no process, no file. Labels are of bounded sets only.
"""

from healmon.metrics.families import families
from healmon.metrics.model import Facts, Family, Process, Sample
from healmon.metrics.text import CONTENT_TYPE, exposition

__all__ = [
    "CONTENT_TYPE",
    "Facts",
    "Family",
    "Process",
    "Sample",
    "exposition",
    "families",
]
