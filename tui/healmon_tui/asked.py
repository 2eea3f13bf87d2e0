"""The parts of the app that wait to be asked: each is loaded when it first is.

A module costs about a millisecond of processor time; the first picture need not wait for these.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, cast

from healmon.service.link import Link
from healmon_tui.dressed import Dressed
from healmon_tui.requests import Requests

if TYPE_CHECKING:
    from healmon_tui.explaining import Explanations
    from healmon_tui.inbox import InboxRequests
    from healmon_tui.session_requests import Leaving, SessionRequests
    from healmon_tui.takeover import Home, TakeOver


class Asked(Dressed):
    """Knows whom to ask.

    Attributes:
        link: the healer.
        requests: what can be asked of it.
        failures: when the failures ended that the person here knows of, by component.
    """

    link: Link
    requests: Requests
    failures: dict[str, float]

    @cached_property
    def sessions(self) -> SessionRequests:
        """What can be done with one session."""
        from healmon_tui.session_requests import SessionRequests  # noqa: PLC0415 - see above

        return SessionRequests(cast("Leaving", self), self.link, self.requests)

    @cached_property
    def inbox(self) -> InboxRequests:
        """What can be said of alerts and pauses."""
        from healmon_tui.inbox import InboxRequests  # noqa: PLC0415 - see above

        return InboxRequests(cast("Leaving", self), self.requests, self.failures)

    @cached_property
    def why(self) -> Explanations:
        """Why things are as they are."""
        from healmon_tui.explaining import Explanations  # noqa: PLC0415 - see above

        return Explanations(cast("Leaving", self), self.link, self.sessions)

    @cached_property
    def take_over(self) -> TakeOver:
        """The offer to heal from this screen."""
        from healmon_tui.takeover import TakeOver  # noqa: PLC0415 - see above

        return TakeOver(cast("Home", self), self.link)
