"""What the healer of databases has beside its eyes; a test leaves out what it likes."""

from __future__ import annotations

from dataclasses import dataclass

from healmon.world.mending import Mender
from healmon.world.supervised import Supervised
from healmon.world.tmux import Tmux


@dataclass(frozen=True, slots=True)
class Equipment:
    """The doors that only some acts need.

    Attributes:
        mender: takes over what a crash left; None: nothing is taken over.
        supervised: who healmon's workers are; None: it has none.
        tmux: where shells may stand in panes, on these sockets.
    """

    mender: Mender | None = None
    supervised: Supervised | None = None
    tmux: Tmux | None = None
    sockets: tuple[str, ...] = ()
