"""The application: composition, time, themes, and an orderly end.

The healer lives behind a `Link`, in its own thread or in another process; nothing here waits for
it except the end, and that can be cut short.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, TypeVar

from textual.binding import BindingType
from textual.screen import ModalScreen, Screen
from textual.worker import Worker, WorkerState

from healmon.clock import Clock, SystemClock, process_seconds
from healmon.errors import HealmonError
from healmon.service.link import Link
from healmon.service.screenlook import ScreenLook
from healmon.state import Snapshot
from healmon.text import clean
from healmon_tui import keymap, mending, status, strips, terminal
from healmon_tui.asked import Asked
from healmon_tui.beside import Beside
from healmon_tui.bridge import Bridge
from healmon_tui.own import Own
from healmon_tui.pacing import Pacing
from healmon_tui.paint import Tone
from healmon_tui.picture import Picture
from healmon_tui.requests import Faults, Requests
from healmon_tui.rows.scene import Scene
from healmon_tui.screens.overview import Overview
from healmon_tui.screens.showing import Showing, Tended
from healmon_tui.timetravel import TimeTravel
from healmon_tui.viewmodel import IDLE, ViewModel
from healmon_tui.watching import Watching

if TYPE_CHECKING:
    from healmon.service.firstrun import FirstRun

Result = TypeVar("Result")

USAGE: Final = 64
CUT_SHORT: Final = 130
BROKEN: Final = 70
LAST_WAIT: Final = 30.0
"""Seconds the healer gets to end when the screen broke down."""
PLAIN_LOOK: Final = ScreenLook()


class HealmonApp(Asked):
    """The screen over one link.

    Args:
        link: the healer.
        demo_faults: the demo's faults, or what returns them.
        read_only: no acts.
        clock: where the time of the screen comes from.
        look: theme, keys and mouse as the person wants them.
        first: there is no configuration: how to begin.
        plain: no colours; default: as the environment asks.
        ascii_only: ASCII signs; default: as the locale asks.
    """

    TITLE = "healmon"
    CSS_PATH = "styles/app.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(
        self,
        link: Link,
        *,
        demo_faults: Faults = None,
        read_only: bool = False,
        clock: Clock | None = None,
        look: ScreenLook = PLAIN_LOOK,
        first: FirstRun | None = None,
        plain: bool | None = None,
        ascii_only: bool | None = None,
    ) -> None:
        mending.mend()
        super().__init__(look, plain=plain, ascii_only=ascii_only)
        self.read_only = read_only
        self.first = first
        self.link = link
        self.bridge = Bridge(link, lambda: self.pacing.wake())  # noqa: PLW0108 - there is none yet
        draw, glance = partial(self._or_end, self.redraw), partial(self._or_end, self._look)
        self.pacing = Pacing(self.bridge, draw, glance)
        self.failures = {}
        self.requests = Requests(self, link, demo_faults)
        self.watching = Watching(link, Beside(self._fell_over).run, self._looked)
        self.travel = TimeTravel(self, link)
        self.overview = Overview()
        self.ended = False
        self.last_words = ""
        self._clock = clock or SystemClock()
        self._views = ViewModel()
        self._touched = process_seconds() - IDLE
        self._frozen: tuple[Picture, int] | None = None
        self._ending = False

    def get_default_screen(self) -> Screen[None]:
        """Return the overview: it is the screen below all others."""
        return self.overview

    def on_mount(self) -> None:
        """Begin: take the healer's state, then draw once a second and whenever events come."""
        if not self.is_headless:
            terminal.heed_signals(self._told_to_end, self._hung_up)
            self.call_after_refresh(_collect_from_now_on)
            self.dress(self.wardrobe.worn, terminal.depth(self.console))
        self.pacing.begin()
        self.bridge.open()
        self.redraw()
        if self.first is not None:
            from healmon_tui.screens.firstrun import FirstRunScreen  # noqa: PLC0415 - loaded when it is opened

            self.push_screen(FirstRunScreen(self.first))
        # sizes are known only after the first layout
        self.call_after_refresh(self.redraw)
        self.call_after_refresh(lambda: self.spawn(self._look_back()))

    async def _look_back(self) -> None:
        """Fill in what is drawn of the time before, once there is something to be seen."""
        if await asyncio.to_thread(self.bridge.look_back, self.now - strips.SPAN - strips.CELL):
            self.redraw()

    # events and time

    def on_unmount(self) -> None:
        """Draw no more: what would be drawn on is gone."""
        self.pacing.end()

    def _or_end(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - as Textual does with what falls over in a message
            self._handle_exception(error)

    def _look(self) -> None:
        if not self.is_headless and not self._ending and terminal.is_gone():
            self._hung_up()
        if self._frozen is None and self.travel.then is None:
            self.watching.look()
        if self.link.begun_anew() and not self._ending:
            self._begin_anew()

    def touched(self) -> None:
        """Somebody is at the keys: the order stays as it is for a while."""
        self._touched = process_seconds()

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot."""
        return self.bridge.snapshot

    @property
    def now(self) -> float:
        """Wall seconds of the screen."""
        return self._clock.read().wall

    def redraw(self) -> None:
        """Fold what waits and draw; a frozen view only counts what it misses."""
        if self.is_running:
            with self.brush.gathered():
                self._redraw()

    def _redraw(self) -> None:
        self.pacing.drawn()
        self.bridge.fold()
        frozen, then = self._frozen, self.travel.then
        picture = self._picture() if frozen is None else self._still(*frozen)
        if then is not None:
            self._frozen = None  # out of the past it goes to now
            looking = self._looking(history=then.wall)
            picture = Picture(then.scene, then.panels, then.chronicle, looking)
        self.requests.tend(self.bridge.chronicle)
        for sheet in self.screen_stack:
            if isinstance(sheet, Tended):
                sheet.tend()
        shown = [
            screen
            for screen in self.screen_stack
            if isinstance(screen, Showing) and screen.is_mounted
        ]
        for screen in shown:
            # two that each wanted another session looked at would have it looked at for ever
            screen.show(picture, front=screen is shown[-1])

    def _looked(self) -> None:
        """Draw what came of a look at the subject of the front screen, and nothing else."""
        front = self.screen_stack[-1] if self.is_running else None
        # else it is drawn in a moment, with all that happens
        if isinstance(front, Showing) and not self.pacing.gathering:
            with self.brush.gathered():
                front.look_again()

    def _picture(self) -> Picture:
        settled = process_seconds() - self._touched >= IDLE or self.travel.arrives()
        chronicle = self.bridge.chronicle
        gone = self.link.gone()
        # what nobody looks at has no age: it is told as of the last sign of life
        now = self.now if gone is None else min(self.now, gone.since or self.now)
        scene = Scene.of(self.bridge.snapshot, now, self.failures, chronicle)
        panels = self._views.panels(scene, chronicle, settled=settled)
        return Picture(scene, panels, chronicle, self._looking())

    def _still(self, kept: Picture, received: int) -> Picture:
        looking = self._looking(kept.scene.now, self.bridge.received - received)
        return Picture(kept.scene, kept.panels, kept.chronicle, looking)

    def _looking(
        self, frozen: float | None = None, unseen: int = 0, history: float | None = None
    ) -> status.Looking:
        gone, now, attached = self.link.gone(), self.now, self.link.attached
        lives = bool(attached) and gone is None
        return status.Looking(
            attached=attached,
            read_only=self.read_only,
            frozen=frozen,
            unseen=unseen,
            skipped=self.bridge.chronicle.skipped,
            trouble=self.bridge.trouble(),
            own=Own(self.link.usage(), self.bridge.own.lost, self.bridge.own.restarts),
            unset=self.first is not None,
            history=history,
            now=now,
            missed=self.travel.missed(),
            gone=self.take_over.words(gone, now) if gone is not None else "",
            silent=status.silence(self.bridge.snapshot, now) if lives else 0.0,
        )

    @property
    def received(self) -> int:
        """How many events came so far."""
        return self.bridge.received

    def spawn_take_over(self) -> None:
        """Become the healer, and say what came of it."""
        self.spawn(self._taken_over())

    def _begin_anew(self) -> None:
        """Show another store; what is frozen or past is of one that is not there any more."""
        try:
            self.bridge.begin_anew()
        except (HealmonError, OSError):
            return  # its trouble is told; the next tick tries again
        self._frozen = None
        if self.travel.then is not None:
            self.travel.live()
        self.flash("the health store was begun anew: what was before is not in it", "warn")
        self.redraw()

    async def _taken_over(self) -> None:
        answer = await self.link.take_over()
        if answer.ok:
            self.bridge.own.forgive()  # what begins now was asked for
        self.bridge.resume()
        self.flash(answer.text, "ok" if answer.ok else "warn")
        self.redraw()

    def freeze(self) -> None:
        """Freeze the view, or let it go on."""
        self._frozen = None if self._frozen else (self._picture().kept(), self.bridge.received)
        self.redraw()

    # keys

    def actions(self) -> list[keymap.Action]:
        """Return the actions that can be used here, with the keys that they have here."""
        known = keymap.actions(
            read_only=self.read_only, demo=bool(self.requests.faults), given=self.given_keys
        )
        return [a for a in known if a.id != "app.first" or self.first is not None]

    # requests

    @property
    def occupied(self) -> bool:
        """Whether keys go to something that is answered or typed."""
        return isinstance(self.screen_stack[-1], ModalScreen) or self.overview.typing

    def flash(self, text: str, tone: Tone = "text") -> None:
        """Show one line for a while, where it is read: on the front screen, and on the overview."""
        front = next(s for s in reversed(self.screen_stack) if isinstance(s, Showing))
        for screen in {front, self.overview}:
            screen.flash(text, tone)

    def open_sheet(
        self, sheet: Screen[Result], answered: Callable[[Result | None], None] | None = None
    ) -> None:
        """Put a screen over the others; `answered` gets its result."""
        self.push_screen(sheet, answered)

    def spawn(self, work: Awaitable[None]) -> None:
        """Run something beside the screen."""
        self.run_worker(work, exit_on_error=False)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Say so when something beside the screen fell over."""
        if event.state is WorkerState.ERROR:
            self._fell_over(event.worker.error)  # pyright: ignore[reportUnknownMemberType] - generic

    def _fell_over(self, error: BaseException | None) -> None:
        self.flash(clean(f"that failed: {error}"), "bad")

    # the end

    async def action_quit(self) -> None:
        """End in order: the healer finishes its current action; a second time: at once."""
        if self._ending:
            self.exit(return_code=CUT_SHORT)
            return
        self._ending = True
        if self.link.attached:
            self.flash("leaving; the healer goes on", "dim")
        else:
            self.flash("ending: the current action is finished first; q again: at once", "warn")
        self.run_worker(self._end(), group="end", exit_on_error=False)

    async def _end(self) -> None:
        code = 0
        try:
            await self.link.close()
        except Exception as error:  # noqa: BLE001 - told once the terminal is back
            code = BROKEN
            self.last_words = clean(f"healmon: could not end in order: {error}")
        self.ended = True
        self.exit(return_code=code)

    def action_help_quit(self) -> None:
        """Say how to quit: ctrl+c is for copying in many terminals."""
        self.flash("q quits", "dim")

    def _told_to_end(self) -> None:
        self.call_later(self.action_quit)

    def _hung_up(self) -> None:
        # nobody reads any more: writing would fill the terminal's queue and block
        contextlib.ExitStack().enter_context(self.batch_update())
        if not self._ending:
            self.call_later(self.action_quit)


def run(
    link: Link,
    *,
    demo_faults: Faults = None,
    read_only: bool = False,
    title: str = "healmon",
    mouse: bool = True,
    look: ScreenLook = PLAIN_LOOK,
    first: FirstRun | None = None,
) -> int:
    """Show a healer until the person leaves; return the exit code.

    Args:
        link: the healer, not opened yet; it is closed when this returns.
        demo_faults: (name, callable) pairs for the demo's fault menu, or what returns them.
        read_only: nothing can be asked of the healer.
        title: the screen's title.
        mouse: let the terminal report the mouse, unless `look` forbids it.
        look: theme, keys and mouse as the person wants them.
        first: there is no configuration: how to begin.
    """
    reason = terminal.unfit()
    if reason:
        asyncio.run(_close(link))
        sys.stderr.write(f"{reason}\n")
        return USAGE
    app = HealmonApp(link, demo_faults=demo_faults, read_only=read_only, look=look, first=first)
    app.title = title
    try:
        app.run(mouse=mouse and look.mouse)
    finally:
        if not app.ended and app.return_code != CUT_SHORT:
            asyncio.run(_close(link))
    if terminal.is_gone():
        terminal.let_go()
    if app.last_words:
        sys.stderr.write(f"{app.last_words}\n")
    return app.return_code or 0


def _collect_from_now_on() -> None:
    # what is loaded by now stays: no collection need look at it again and again
    gc.freeze()
    gc.set_threshold(10000, 10, 10)
    gc.enable()


async def _close(link: Link) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(link.close(), LAST_WAIT)
