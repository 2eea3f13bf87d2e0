"""The snapshot that every screen shows, and the pure fold that makes it.

`apply(snapshot, event)` is total over all events and has no other input: folding the stored events
again gives exactly the snapshot that the run ended with. Times in it are wall seconds for people;
`memory` holds the healers' own steady times.
"""

from healmon.state.fold import apply, replay
from healmon.state.ground import Rest
from healmon.state.pausing import EVERYTHING, paused_by, paused_until, refused_for
from healmon.state.views import (
    FOREVER,
    RECENT,
    TURNS,
    ActionView,
    AlertState,
    AlertView,
    ChannelView,
    ComponentView,
    Counts,
    CycleView,
    EngineView,
    HeldAlert,
    HeldView,
    NoticeView,
    PauseView,
    PlanView,
    RefusalView,
    SilenceView,
    Snapshot,
    finished_on,
    of_healer,
    open_alerts,
    pending_alerts,
    worst,
)

__all__ = [
    "EVERYTHING",
    "FOREVER",
    "RECENT",
    "TURNS",
    "ActionView",
    "AlertState",
    "AlertView",
    "ChannelView",
    "ComponentView",
    "Counts",
    "CycleView",
    "EngineView",
    "HeldAlert",
    "HeldView",
    "NoticeView",
    "PauseView",
    "PlanView",
    "RefusalView",
    "Rest",
    "SilenceView",
    "Snapshot",
    "apply",
    "finished_on",
    "of_healer",
    "open_alerts",
    "paused_by",
    "paused_until",
    "pending_alerts",
    "refused_for",
    "replay",
    "worst",
]
