"""A short-lived program that delivers one notice.

Run by `healmon.world.notifying`: it reads an order (one JSON object) on stdin, and ends with 0 once
the other side has taken the notice, else with 1 and a line on stderr that says why. Without apprise
a plain web hook needs the standard library only.
"""

from __future__ import annotations

import contextlib
import http.client
import importlib
import json
import logging
import os
import signal
import sys
import urllib.error
import urllib.request
from typing import Any, Final, NoReturn

AGENT: Final = "healmon"
LATE: Final = 1.0
"""Seconds beyond its deadline after which it ends by itself."""
_NOT_THERE: Final = "apprise is not installed: pip install 'healmon[notify]'"
_TYPES: Final = {"CRITICAL": "failure", "WARNING": "warning", "INFO": "info"}


class _Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """The notice was not taken; says why."""


class _Same(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: it would turn a POST into a GET, which delivers nothing."""

    def redirect_request(self, *_args: object, **_more: object) -> None:
        return None


def webhook(order: dict[str, Any]) -> None:
    """POST the payload as JSON; any status of 200 to 299 takes it."""
    url, authorization = _without_user(str(order["url"]))
    headers = {
        "Content-Type": "application/json",
        "User-Agent": AGENT,
        "Idempotency-Key": str(order["id"]),
        **authorization,
    }
    data = str(order["payload"]).encode()
    request = urllib.request.Request(url, data, headers, method="POST")  # noqa: S310 - http(s) only
    opener = urllib.request.build_opener(_Same)
    try:
        with opener.open(request, timeout=float(order["timeout"])):
            return
    except urllib.error.HTTPError as error:
        with contextlib.closing(error):
            raise _Refusal(f"answered with status {error.code}") from None
    except urllib.error.URLError as error:
        reason = error.reason
        said = reason.strerror if isinstance(reason, OSError) and reason.strerror else reason
        raise _Refusal(str(said)) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _Refusal(getattr(error, "strerror", None) or type(error).__name__) from None


def apprise(order: dict[str, Any]) -> None:
    """Hand the notice to the service that apprise knows by the URL."""
    try:
        library: Any = importlib.import_module("apprise")  # 20 MiB and a quarter of a second
    except ImportError:
        raise _Refusal(_NOT_THERE) from None
    said = _Said()
    log = logging.getLogger("apprise")
    log.addHandler(said)
    log.setLevel(logging.WARNING)
    log.propagate = False
    asset = library.AppriseAsset(app_id=AGENT, app_desc="healmon", async_mode=False)
    service: Any = library.Apprise.instantiate(str(order["url"]), asset=asset)
    if service is None:
        raise _Refusal("apprise knows no such URL")
    headers = getattr(service, "headers", None)
    if isinstance(headers, dict):
        headers["Idempotency-Key"] = str(order["id"])
    kind = "success" if order["topic"] == "recovered" else _TYPES.get(str(order["level"]), "info")
    sender = library.Apprise(asset=asset)
    sender.add(service)
    if not sender.notify(
        title=str(order["title"]), body=str(order["body"]), notify_type=kind, body_format="text"
    ):
        raise _Refusal(said.last or "the service did not take it")


class _Said(logging.Handler):
    """Keeps the last warning."""

    def __init__(self) -> None:
        super().__init__()
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()


def _without_user(url: str) -> tuple[str, dict[str, str]]:
    """Return a URL without user and password, and the header that says them."""
    from base64 import b64encode  # noqa: PLC0415 - few have one
    from urllib.parse import unquote, urlsplit, urlunsplit  # noqa: PLC0415

    parts = urlsplit(url)
    user, found, place = parts.netloc.rpartition("@")
    if not found:
        return url, {}
    token = b64encode(unquote(user).encode()).decode()
    return urlunsplit(parts._replace(netloc=place)), {"Authorization": f"Basic {token}"}


def _end(code: int) -> NoReturn:
    """End at once: whatever a service's library left running has had its time."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main() -> NoReturn:
    """Carry out the order on stdin."""
    order: dict[str, Any] = json.loads(sys.stdin.buffer.read())
    # whoever started this may be killed, and nobody else would end it
    signal.setitimer(signal.ITIMER_REAL, float(order["timeout"]) + LATE)
    try:
        (webhook if order["way"] == "webhook" else apprise)(order)
    except _Refusal as error:
        print(str(error).replace("\n", " "), file=sys.stderr)  # noqa: T201 - the answer
        _end(1)
    except Exception as error:  # noqa: BLE001 - its text may hold the URL; its name does not
        print(f"crashed: {type(error).__name__}", file=sys.stderr)  # noqa: T201 - the answer
        _end(1)
    _end(0)


if __name__ == "__main__":
    main()
