"""Makes `web-tui.png` and `web-plots.png`: the terminal screen in a real Chromium.

`python screenshots/tab.py`. The screen is a program of its own with the machine's clock, so that
its times are those of the moment.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from healmon.config.facesettings import Web  # noqa: E402 - the path is set above
from tests.helpers.browser import launched  # noqa: E402
from tests.helpers.plotted import plotted_world  # noqa: E402
from tests.helpers.webstage import staged  # noqa: E402

SIZE = (1280, 800)
SETTLED = "document.body.classList.contains('-first-byte')"


def main() -> int:
    """Make the picture."""
    with (
        tempfile.TemporaryDirectory() as folder,
        staged(Path(folder) / "state", past=plotted_world(), settings=Web(tui=True)) as stage,
        launched() as browser,
    ):
        tab = browser.tab(width=SIZE[0], height=SIZE[1])
        tab.go(stage.login_url())
        tab.until("!location.pathname.startsWith('/login')")
        tab.go(f"{stage.url}/tui/")
        tab.until(SETTLED, 30)
        # the history is read, and the attached healer's cost is known
        tab.run("new Promise(done => setTimeout(done, 4000))")
        (HERE / "web-tui.png").write_bytes(tab.picture())
        tab.press("P")
        tab.run("new Promise(done => setTimeout(done, 2500))")
        (HERE / "web-plots.png").write_bytes(tab.picture())
    print("web-tui\nweb-plots")
    return 0


if __name__ == "__main__":
    sys.exit(main())
