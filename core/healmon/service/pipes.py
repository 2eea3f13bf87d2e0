"""What a screen may know of the pipes that it is spoken to through."""

from healmon.world.tether import let_go as let_go  # noqa: PLC0414 - the screen's name for it
