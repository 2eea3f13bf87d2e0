"""What the workers' healer goes to work with, besides the door to processes."""

from __future__ import annotations

from dataclasses import dataclass

from healmon.clock import Clock
from healmon.workers.acting import Starter, Tools
from healmon.workers.beats import Beats
from healmon.workers.checks.model import Doors
from healmon.workers.probe import Probe
from healmon.workers.records import Records
from healmon.workers.starting import PlainStarter, ShimStarter
from healmon.world.hands import Hands
from healmon.world.host import Host
from healmon.world.ports import Ports
from healmon.world.processes import Processes
from healmon.world.shims import Shims


@dataclass(frozen=True, slots=True, kw_only=True)
class Equipment:
    """Doors and habits that may be left out; without them it knows and does less.

    Attributes:
        shims: what workers are started below; None: they are started as our own children.
        starter: what starts programs, if not these.
        ports: whose port it is; None: nothing is known of ports.
        host: what the host has; None: nothing is known of it.
        glance: seconds that one look at all processes serves acts that begin at the same time.
        pulse: check liveness between the looks. Off where time is made up.
    """

    shims: Shims | None = None
    starter: Starter | None = None
    ports: Ports | None = None
    host: Host | None = None
    glance: float = 0.0
    pulse: bool = False

    def checks(self, probe: Probe, processes: Processes, clock: Clock, hands: Hands) -> Doors:
        """Return what readiness and liveness checks use."""
        return Doors(
            processes=processes,
            ports=self.ports,
            clock=clock,
            hands=hands,
            beats=Beats(),
            kin=probe.kin,
            tree=probe.tree,
        )

    def tools(self, probe: Probe, records: Records, checks: Doors, hands: Hands) -> Tools:
        """Return what all acts use."""
        below = ShimStarter(self.shims) if self.shims is not None else None
        return Tools(
            probe=probe,
            records=records,
            processes=checks.processes,
            starter=self.starter or below or PlainStarter(checks.processes),
            clock=checks.clock,
            hands=hands,
            checks=checks,
        )
