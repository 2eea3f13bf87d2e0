"""`python -m healmon_tui`: the same as the `healmon-tui` command."""

from healmon_tui.cli import entry

entry()
