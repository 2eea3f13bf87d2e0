"""Settings of the faces: the terminal screen, the web page, numbers for Prometheus."""

from __future__ import annotations

import msgspec


class Ui(msgspec.Struct, frozen=True, kw_only=True):
    """`[ui]`: the terminal screen.

    Attributes:
        theme: one of the screen's own, of Textual's, or a file of the person's.
        mouse: let the terminal report the mouse.
        keys: keys of actions, by the action's id, as `keynames` writes them; none: no key.
    """

    theme: str = "dark"
    mouse: bool = True
    keys: dict[str, tuple[str, ...]] = {}


class Web(msgspec.Struct, frozen=True, kw_only=True):
    """`[web]`: the page in the browser.

    Attributes:
        listen: `ADDRESS:PORT` on which a healer has it served; empty: it does not.
        public_url: its address outside, where a proxy that speaks TLS stands before it.
        hosts: further names under which it may be asked for.
        tui: the terminal screen is to be had in the browser, too.
        tui_tabs: how many of these at a time.
        operator: people with the operator's token may act; else everybody only looks.
        cert, key: absolute paths of certificate and key, for TLS.
        max_viewers: pages that are kept up to date at a time.
        session: seconds for which a login holds.
    """

    listen: str = ""
    public_url: str = ""
    hosts: tuple[str, ...] = ()
    tui: bool = False
    tui_tabs: int = 4
    operator: bool = True
    cert: str = ""
    key: str = ""
    max_viewers: int = 100
    session: float = 7 * 86_400.0


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """`[metrics]`: numbers for Prometheus.

    Attributes:
        listen: `ADDRESS:PORT` on which a healer has them served; empty: it does not.
        network: other hosts may ask there, without a login.
        textfile: absolute path of a file that has them after each cycle; empty: none.
    """

    listen: str = ""
    network: bool = False
    textfile: str = ""
