"""A real Chromium, led through its DevTools pipe: no driver, no port, the standard library only.

    with launched() as browser:
        tab = browser.tab(width=360, height=740)
        tab.go("http://127.0.0.1:1234/")
        tab.until("document.querySelector('h1')")
        tab.press("Tab")

The browser knows no name but 127.0.0.1, localhost and those in `FOREIGN`, which are 127.0.0.1 too:
nothing that a page asks for leaves this machine, and everything it asks for is in `Tab.requests`.
The protocol: https://chromedevtools.github.io/devtools-protocol/.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

FOREIGN = "evil.example"
"""A name that is somebody else's for the browser, and leads to 127.0.0.1."""
PROGRAMS = ("/usr/lib/chromium/chromium", "chromium", "chromium-browser", "google-chrome")
_RESOLVE = (
    f"MAP {FOREIGN} 127.0.0.1, MAP *.{FOREIGN} 127.0.0.1, MAP * ~NOTFOUND, "
    "EXCLUDE 127.0.0.1, EXCLUDE localhost"
)
_WITHOUT = "Translate,MediaRouter,OptimizationHints,WebUIOmniboxPopup,WebUIOmniboxAimPopup"
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-default-apps", "--disable-extensions", "--disable-domain-reliability",
    "--disable-dev-shm-usage", "--disable-breakpad", "--metrics-recording-only", "--mute-audio",
    "--hide-scrollbars", "--force-color-profile=srgb", "--font-render-hinting=none",
    # neither a first window nor a page behind each address bar: they cost more than ours
    "--renderer-process-limit=1", "--no-startup-window",
    f"--disable-features={_WITHOUT}",
    f"--host-resolver-rules={_RESOLVE}",
    "--remote-debugging-pipe",
)  # fmt: skip
KEYS = {
    "Enter": ("Enter", 13, "\r"), "Escape": ("Escape", 27, ""), "Tab": ("Tab", 9, ""),
    "ArrowDown": ("ArrowDown", 40, ""), "ArrowUp": ("ArrowUp", 38, ""),
    "ArrowLeft": ("ArrowLeft", 37, ""), "ArrowRight": ("ArrowRight", 39, ""),
    "Home": ("Home", 36, ""), "End": ("End", 35, ""), "Backspace": ("Backspace", 8, ""),
    " ": ("Space", 32, " "),
}  # fmt: skip


def found() -> str:
    """Return the browser's path; empty: there is none here."""
    return next((path for name in PROGRAMS if (path := shutil.which(name))), "")


def program() -> str:
    """Return the browser's path; without one the test is skipped, in CI it fails."""
    path = found()
    if not path:
        message = "no Chromium here (Debian: apt-get install chromium)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path


@contextmanager
def launched() -> Iterator[Browser]:
    """Start a browser with a profile of its own; it and all its processes end with the block."""
    path = program()
    home = tempfile.mkdtemp(prefix="healmon-browser-")
    browser = Browser(path, Path(home))
    try:
        yield browser
    finally:
        browser.close()
        shutil.rmtree(home, ignore_errors=True)


class RefusedError(AssertionError):
    """The browser answered a command with an error."""


class Browser:
    """One browser process; tabs of different profiles share it."""

    def __init__(self, path: str, home: Path) -> None:
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(home), "TZ": "UTC"}
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(home / "log"), os.O_WRONLY | os.O_CREAT, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
            # first out of the way of each other: 3 and 4 are what Chromium speaks on
            (os.POSIX_SPAWN_DUP2, theirs_in, 98),
            (os.POSIX_SPAWN_DUP2, theirs_out, 99),
            (os.POSIX_SPAWN_DUP2, 98, 3),
            (os.POSIX_SPAWN_DUP2, 99, 4),
        ]
        argv = [path, *FLAGS, f"--user-data-dir={home}/profile"]
        self.pid = os.posix_spawn(path, argv, env, file_actions=actions, setsid=True)
        os.close(theirs_in)
        os.close(theirs_out)
        self._out, self._in = ours_out, ours_in
        self._ids = itertools.count(1)
        self._answers: dict[int, dict[str, Any]] = {}
        self._news = threading.Condition()
        self._ended = False
        self._tabs: dict[str, Tab] = {}
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    def tab(self, *, width: int = 1280, height: int = 900, **media: str) -> Tab:
        """Open a tab with cookies of its own.

        Args:
            width: of the window, CSS pixels; below 500 it is a phone.
            height: likewise.
            media: features, `prefers_color_scheme="dark"`.
        """
        context = self.call("Target.createBrowserContext")["browserContextId"]
        return self.another(context, width=width, height=height, **media)

    def another(self, context: str, *, width: int = 1280, height: int = 900, **media: str) -> Tab:
        """Open a tab that shares the cookies of that of a context."""
        made = self.call("Target.createTarget", url="about:blank", browserContextId=context)
        target = made["targetId"]
        found = self.call("Target.attachToTarget", targetId=target, flatten=True)
        tab = Tab(self, found["sessionId"], target, context)
        self._tabs[tab.session] = tab
        for domain in ("Page", "Runtime", "Network", "Log"):
            tab.call(f"{domain}.enable")
        tab.size(width, height)
        tab.media(**media)
        return tab

    def call(self, method: str, session: str = "", limit: float = 60.0, **params: Any) -> Any:
        """Give a command and return its result.

        Raises:
            RefusedError: the browser says no, says nothing within `limit` seconds, or is gone.
        """
        number = next(self._ids)
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        with suppress(BrokenPipeError):
            data = json.dumps(message).encode() + b"\0"
            while data:
                data = data[os.write(self._out, data) :]
        with self._news:
            self._news.wait_for(lambda: number in self._answers or self._ended, limit)
            answer = self._answers.pop(number, None)
        if answer is None:
            raise RefusedError(f"{method}: the browser {'is gone' if self._ended else 'is silent'}")
        if "error" in answer:
            raise RefusedError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def close(self) -> None:
        """End the browser and everything that it started."""
        with suppress(RefusedError):
            self.call("Browser.close", limit=5)
        end = time.monotonic() + 5
        while time.monotonic() < end and not os.waitpid(self.pid, os.WNOHANG)[0]:
            time.sleep(0.02)
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        os.close(self._out)
        self._reader.join(5)
        os.close(self._in)

    def _listen(self) -> None:
        rest = b""
        while data := os.read(self._in, 1 << 20):
            *whole, rest = (rest + data).split(b"\0")
            for one in whole:
                self._heard(json.loads(one))
        with self._news:
            self._ended = True
            self._news.notify_all()

    def _heard(self, message: dict[str, Any]) -> None:
        if "id" in message:
            with self._news:
                self._answers[message["id"]] = message
                self._news.notify_all()
        elif tab := self._tabs.get(message.get("sessionId", "")):
            tab.heard(message["method"], message["params"])


class Tab:
    """One page.

    Attributes:
        requests: every address that the page asked for, websockets too, in order.
        complaints: what the console said was wrong: exceptions, refused by policy, failed loads.
    """

    def __init__(self, browser: Browser, session: str, target: str, context: str) -> None:
        self.browser, self.session, self.target, self.context = browser, session, target, context
        self.requests: list[str] = []
        self.complaints: list[str] = []

    def call(self, method: str, **params: Any) -> Any:
        """Give a command to this tab."""
        return self.browser.call(method, self.session, **params)

    def heard(self, method: str, params: dict[str, Any]) -> None:
        """Take note of what the browser tells of this tab (on the reader's thread)."""
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Network.webSocketCreated":
            self.requests.append(params["url"])
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            said = details.get("exception", {}).get("description", "")
            self.complaints.append(f"{details['text']} {said}")
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")

    def go(self, url: str) -> None:
        """Go to an address and wait until it is loaded.

        Raises:
            RefusedError: it could not be had.
        """
        answer = self.call("Page.navigate", url=url)
        if "errorText" in answer:
            raise RefusedError(f"{url}: {answer['errorText']}")
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    def run(self, script: str) -> Any:
        """Return the value of an expression, or of the promise that it is.

        Raises:
            RefusedError: it threw.
        """
        answer = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise RefusedError(details.get("exception", {}).get("description", details["text"]))
        return answer["result"].get("value")

    def until(self, script: str, limit: float = 60.0) -> Any:
        """Return the first true value of an expression; fail after `limit` seconds."""
        end, last = time.monotonic() + limit, ""
        while True:
            try:
                # an element is as good as true, and cannot be handed over
                if value := self.run(f"(one => one instanceof Node || one)({script})"):
                    return value
                last = f"is {value!r}"
            except RefusedError as error:  # between two documents
                last = str(error)
            if time.monotonic() > end:
                seen = self.text("body")[:2000] if "gone" not in last else ""
                raise AssertionError(
                    f"{script} did not come true within {limit:g} s: {last}\n"
                    f"complaints: {self.complaints}\nthe page says:\n{seen}"
                )
            time.sleep(0.04)

    def text(self, selector: str) -> str:
        """Return the text that is seen of the first match; empty without one."""
        return self.run(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''") or ""

    def texts(self, selector: str) -> list[str]:
        """Return the text that is seen of each match."""
        return self.run(
            f"[...document.querySelectorAll({json.dumps(selector)})].map(one => one.innerText)"
        )

    def press(self, *keys: str, shift: bool = False) -> None:
        """Press keys, as a keyboard does: names of `KEYS`, or single characters."""
        for key in keys:
            code, number, text = KEYS.get(key, ("", ord(key[0].upper()), key))
            common = {
                "key": key, "code": code, "windowsVirtualKeyCode": number,
                "modifiers": 8 if shift else 0,
            }  # fmt: skip
            down = {"type": "keyDown", "text": text} if text else {"type": "rawKeyDown"}
            self.call("Input.dispatchKeyEvent", **common, **down)
            self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def write(self, text: str) -> None:
        """Type text where the focus is."""
        self.call("Input.insertText", text=text)

    def point(self, selector: str, *, click: bool = False) -> None:
        """Put the pointer on the middle of the first match, and press it there."""
        x, y = self.until(
            f"(box => box && [box.x + box.width / 2, box.y + box.height / 2])"
            f"((one => (one?.scrollIntoViewIfNeeded(), one?.getBoundingClientRect()))"
            f"(document.querySelector({json.dumps(selector)})))"
        )
        self.move(x, y)
        for kind in ("mousePressed", "mouseReleased") if click else ():
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def move(self, x: float, y: float) -> None:
        """Put the pointer somewhere."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def size(self, width: int, height: int) -> None:
        """Make the window so large."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height,
            deviceScaleFactor=2 if width < 500 else 1, mobile=width < 500,
        )  # fmt: skip

    def media(self, kind: str = "", **features: str) -> None:
        """Show the page as on another medium: `media("print")`, `prefers_color_scheme="dark"`."""
        named = [
            {"name": name.replace("_", "-"), "value": value} for name, value in features.items()
        ]
        self.call("Emulation.setEmulatedMedia", media=kind, features=named)

    def picture(self, *, whole: bool = False) -> bytes:
        """Return what is seen, or the whole page, as PNG."""
        answer = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        return base64.b64decode(answer["data"])

    def close(self) -> None:
        """Close the tab."""
        self.browser.call("Target.closeTarget", targetId=self.target)
