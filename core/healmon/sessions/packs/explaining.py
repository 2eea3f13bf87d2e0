"""Which rule spoke and why the others did not, in lines for people. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from healmon.sessions.packs import regions
from healmon.sessions.packs.catalog import Packs
from healmon.sessions.packs.matcher import Hit, Miss, full_name, modes_of, ranked
from healmon.sessions.packs.model import REGIONS, Pack
from healmon.sessions.signs import Sign
from healmon.text import clean
from healmon.world.terminal import Terminal

WIDTH: Final = 160
"""Characters of a foreign line that are shown."""
_SHOWN: Final = 6
"""Lines of a part of the screen that are shown."""


def explain(
    packs: Packs, agent: str, screen: str, title: str, terminal: Terminal | None
) -> list[str]:
    """Return lines for people: the pack, what it looked at, each rule, and what they add up to.

    Args:
        packs: all packs.
        agent: a pack's name; empty or unknown: the generic packs read the screen.
        screen: live, or from a saved file (see `saved`).
        title: the pane's title.
        terminal: what the terminal tells; None: it cannot be read.
    """
    speaker = packs.speaker(agent, terminal)
    tried = packs.tried(agent, screen, title, terminal)
    hits = ranked(one for one in tried if isinstance(one, Hit))
    misses = [one for one in tried if isinstance(one, Miss)]
    return [
        *_head(speaker, agent),
        f"terminal  {', '.join(sorted(modes_of(terminal)))}",
        *_parts(screen, title, speaker),
        *(_hit(one, wins=i == 0) for i, one in enumerate(hits)),
        *(
            clean(f"  ✗ {full_name(one)} ({one.rule.kind}): {one.why}", limit=WIDTH)
            for one in misses
        ),
        *_sum(packs.read(agent, screen, title, terminal)),
    ]


def saved(text: str) -> tuple[str, str]:
    """Return screen and title of a saved screen.

    Lines at the beginning that start with `#` are about the screen; `title=[…]` in one of them is
    the title. `tmux capture-pane -p` alone is a saved screen without one.
    """
    lines, title = text.replace("\r\n", "\n").split("\n"), ""
    while lines and lines[0].startswith("#"):
        before, found, rest = lines.pop(0).partition(" title=[")
        if found and before:
            title = rest.rpartition("] ")[0] if "] " in rest else rest.rpartition("]")[0]
    return "\n".join(lines), title


def _head(pack: Pack, agent: str) -> list[str]:
    tested = f", tried with {', '.join(pack.tested_with)}" if pack.tested_with else ""
    lines = [f"pack      {pack.name} {pack.version} ({pack.title}{tested}), from {pack.origin}"]
    if agent and agent != pack.name:
        lines.append(f"          there is no pack {clean(agent, limit=WIDTH)}")
    return lines


def _parts(screen: str, title: str, pack: Pack) -> Iterator[str]:
    parts = regions.divide(screen, title, pack.layout)
    for region in REGIONS:
        lines = parts.lines(region)
        if region == "screen":
            yield f"{region:9} {len(lines)} lines"
            continue
        shown = lines[-_SHOWN:]
        if len(shown) < len(lines):
            yield f"{region:9} … {len(lines) - len(shown)} more"
        for line in shown or ("-",):
            yield f"{region:9} {clean(line, limit=WIDTH)}"


def _hit(hit: Hit, *, wins: bool) -> str:
    mark, rule = "✓" if wins else "·", hit.rule
    said = f"  {mark} {full_name(hit)} ({rule.kind}, {rule.priority}): {hit.where}: {hit.text}"
    return clean(said, limit=WIDTH)


def _sum(sign: Sign) -> Iterator[str]:
    yield f"says      {sign.kind}{f' by {sign.rule}' if sign.rule else ': no rule matched'}"
    if sign.question:
        yield f"question  {clean(sign.question, limit=WIDTH)}"
    for choice in sign.choices:
        yield f"answer    {clean(choice.text, limit=WIDTH)}  ({' '.join(choice.keys)})"
    if sign.seconds is not None:
        yield f"seconds   {sign.seconds:g}"
    if sign.attempt:
        yield f"attempt   {clean(sign.attempt, limit=WIDTH)}"
    if sign.cancelled:
        yield f"cancelled {sign.cancelled} time(s) on this screen"
