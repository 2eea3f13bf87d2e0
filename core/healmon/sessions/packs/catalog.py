"""All packs together: which program is this, what does its screen say, which key is safe. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from healmon.sessions.packs import regions
from healmon.sessions.packs.matcher import Hit, Miss, match, modes_of, ranked, sign_of
from healmon.sessions.packs.model import Chords, Pack, Rule
from healmon.sessions.signs import Sign
from healmon.world.terminal import Terminal

TERMINAL: Final = "terminal"
"""The pack whose rules hold for every program: what the terminal itself tells."""
JOB: Final = "job"
"""The pack of programs that leave Ctrl-C to the terminal."""
RAW: Final = "raw"
"""The pack of programs that read keys themselves and that no other pack knows."""
GENERIC: Final = (TERMINAL, JOB, RAW)
CONFIGURED: Final[Chords] = (("C-c",),)
_ASKS: Final = frozenset(("approval", "question"))
_SCRIPTS: Final = (".js", ".mjs", ".cjs", ".ts")


class Packs:
    """Detection packs by name.

    Args:
        packs: later ones replace earlier ones of the same name.
    """

    def __init__(self, packs: Iterable[Pack]) -> None:
        self._packs = {pack.name: pack for pack in packs}

    def __iter__(self) -> Iterator[Pack]:
        return iter(self._packs.values())

    def get(self, name: str) -> Pack | None:
        """Return the pack of this name, if there is one."""
        return self._packs.get(name)

    def with_user(self, packs: Iterable[Pack]) -> Packs:
        """Return these packs and a user's, which replace those of the same name."""
        return Packs((*self, *packs))

    def agent_of(self, argv: Sequence[str]) -> str:
        """Return the pack of the program that a command line starts, or empty."""
        if not argv:
            return ""
        name = _stem(argv[0])
        for pack in self:
            if name in pack.programs:
                return pack.name
        for pack in self:
            if name in pack.runners and _runs(pack, argv):
                return pack.name
        return ""

    def speaker(self, agent: str, terminal: Terminal | None) -> Pack:
        """Return the pack that reads a screen: the agent's, else the generic one that fits."""
        known = self._packs.get(agent)
        if known is not None:
            return known
        cooked = terminal is not None and terminal.signals
        return self._packs.get(JOB if cooked else RAW) or _NOBODY

    def read(self, agent: str, screen: str, title: str, terminal: Terminal | None) -> Sign:
        """Return what a screen, its title and its terminal say.

        Args:
            agent: a pack's name; empty or unknown: the generic packs read it.
            screen: as tmux captured it.
            title: the pane's title.
            terminal: what the terminal tells; None: it cannot be read.
        """
        speaker = self.speaker(agent, terminal)
        parts = regions.divide(screen, title, speaker.layout)
        tried = self.tried(agent, screen, title, terminal)
        return sign_of(ranked(one for one in tried if isinstance(one, Hit)), parts, speaker)

    def tried(
        self, agent: str, screen: str, title: str, terminal: Terminal | None
    ) -> list[Hit | Miss]:
        """Return how each rule fared that has a say."""
        modes, found = modes_of(terminal), list[Hit | Miss]()
        for pack, rules in self._having_a_say(agent, terminal):
            parts = regions.divide(screen, title, pack.layout)
            found += [match(pack, rule, parts, modes) for rule in rules]
        return found

    def _having_a_say(
        self, agent: str, terminal: Terminal | None
    ) -> list[tuple[Pack, tuple[Rule, ...]]]:
        speaker = self.speaker(agent, terminal)
        whole = [speaker, *(self._packs[name] for name in (TERMINAL,) if name in self._packs)]
        if terminal is None and speaker.name == RAW and JOB in self._packs:
            whole.append(self._packs[JOB])
        some = [(pack, pack.rules) for pack in whole]
        if speaker.name == RAW:
            # perhaps an agent in a container: a question is one, whoever asks
            asking = ((p, tuple(r for r in p.rules if r.kind in _ASKS)) for p in self)
            some += [(p, rules) for p, rules in asking if p.name not in GENERIC and rules]
        return some

    def interrupt(self, agent: str) -> Chords | None:
        """Return what stops a program that reads keys itself; None: no key is known to be safe."""
        pack = self._packs.get(agent)
        if pack is None:
            return None
        return CONFIGURED if pack.configured else pack.interrupt

    def chords(
        self, configured: Sequence[str], terminal: Terminal | None, agent: str
    ) -> tuple[Chords, str]:
        """Return what to press, and why nothing may be.

        Args:
            configured: the keys of `sessions.interrupt`; each is a step of its own.
            terminal: what the terminal tells.
            agent: the pack of the program in the foreground, or empty.
        """
        pack, steps = self._packs.get(agent), tuple((key,) for key in configured)
        if terminal is None:
            return (), "its terminal cannot be read"
        if terminal.signals or (pack is not None and pack.configured):
            return steps, ""
        if pack is not None and pack.interrupt:
            return pack.interrupt, ""
        return (), "a program in raw mode that healmon does not know: no key is safe to press"

    def companions(self, agent: str) -> frozenset[str]:
        """Return the names of a program's helper processes that are no tools of it."""
        pack = self._packs.get(agent)
        return frozenset[str]() if pack is None else pack.companions

    def resume_hint(self, agent: str, screen: str) -> str:
        """Return the command that takes an ended conversation up again, as the screen names it."""
        pack = self._packs.get(agent)
        if pack is None or pack.resume_hint is None:
            return ""
        lines = regions.divide(screen, "", pack.layout).screen
        found = filter(None, (pack.resume_hint.search(line) for line in reversed(lines)))
        hint = next(found, None)
        return "" if hint is None else (hint[1] or "" if hint.re.groups else hint[0]).strip()


_NOBODY: Final = Pack("", "")


def _runs(pack: Pack, argv: Sequence[str]) -> bool:
    """Return whether a runner runs this pack's program."""
    script = next((word for word in argv[1:] if not word.startswith("-")), "")
    if any(f"/{package}/" in f"/{script}/" for package in pack.packages):
        return True
    return _stem(script) in pack.programs


def _stem(path: str) -> str:
    name = path.rstrip("/").rpartition("/")[2]
    for suffix in _SCRIPTS:
        name = name.removesuffix(suffix)
    return name
