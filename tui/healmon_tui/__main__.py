"""`python -m healmon_tui`: the same as the `healmon-tui` command."""

import sys

from healmon_tui.cli import main

sys.exit(main())
