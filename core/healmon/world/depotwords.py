"""What can be wrong with a backup target, in words; never with anything that opens doors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from healmon.text import clean

Fault = Literal[
    "unreachable", "denied", "absent", "full", "host key", "library", "damaged", "failed"
]

PASSING: Final[frozenset[Fault]] = frozenset({"damaged", "failed"})
"""What may be the fault of one file; several in a row are the target's."""
REMEDIES: Final[Mapping[Fault, str]] = MappingProxyType(
    {
        "unreachable": "see whether it runs and can be reached from here",
        "denied": "see its credentials and rights (docs/disks.md: where they come from)",
        "absent": "make the bucket, the container or the directory first",
        "full": "make room there, or raise its quota",
        "host key": "log in once with ssh, and compare the key; then it is in known_hosts",
        "library": "pip install 'healmon[backup]'",
        "damaged": "something on the way changes data: see proxies and the server's disks",
        "failed": "see the server's log: it may be full, or read-only",
    }
)
_SECRET: Final = re.compile(
    r"(?i)(\?[^\s\"'<>)]*|(?:secret|signature|token|password|authorization|credential|sig)"
    r"[\w-]*\"?\s*[=:]\s*\S+)"
)
_CODE: Final = re.compile(r"<Code>([A-Za-z]{1,60})</Code>")
_STATUS: Final = re.compile(r"status code: (\d{3} [A-Za-z ]{1,40})")


class DepotError(Exception):
    """A backup target did not do what it was asked for.

    Args:
        fault: what sort of trouble that is.
        text: more, in words; may be shown.
    """

    def __init__(self, fault: Fault, text: str = "") -> None:
        super().__init__(fault, text)
        self.fault: Fault = fault
        self.text = text


def told(text: str) -> str:
    """Return the gist of a library's words: a server's code and status, else its first line.

    What follows a question mark (signed URLs) and whatever is called a secret is left out.
    """
    code, status = _CODE.search(text), _STATUS.search(text)
    found = [match[1].strip() for match in (code, status) if match]
    if found:
        return clean(", ".join(found), limit=120)
    # "Error performing PUT URL in TIME, after TRIES - what it was"
    line = text.strip().partition("\n")[0].rpartition(" - ")[2]
    return clean(_SECRET.sub("…", line), limit=200)


def sentence(url: str, fault: Fault, text: str) -> str:
    """Return what is wrong with a target and how to mend it."""
    what = {
        "unreachable": "cannot be reached",
        "denied": "refuses us",
        "absent": "is not there",
        "full": "is full",
        "host key": "is not the host that known_hosts knows",
        "library": "cannot be spoken with: its library is missing",
        "damaged": "did not keep what was sent",
        "failed": "failed",
    }[fault]
    more = f" ({text})" if text else ""
    return f"backup target {clean(url, limit=200)} {what}{more}: {REMEDIES[fault]}"
