"""What is said to tmux, and how its answers are read. Pure.

Names and titles may hold anything, line ends too. So each answer is told apart by a random word
(the nonce) that closes every field of free text; numbers come first. A last record proves that the
answer is whole: a client that is ended early may answer with nothing and say that all went well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Final

import msgspec

from healmon.errors import ProbeError
from healmon.text import clean
from healmon.world import sgr
from healmon.world.pane import Pane
from healmon.world.sgr import Painted

NAME_LIMIT: Final = 400
"""Characters of a name or title that are kept for people."""
SCREEN_LIMIT: Final = 400_000
OLDEST: Final = (3, 2)
"""The oldest tmux whose answers and conditions are relied on."""
_PANE_ID: Final = re.compile(r"%[0-9]{1,9}")
_VERSION: Final = re.compile(r"(?:next-)?([0-9]{1,4})\.([0-9]{1,4})")
_UNNUMBERED: Final = re.compile(r"master|openbsd-[0-9]")
"""Versions of those who build tmux from its newest source."""
_KEY: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,18}[A-Za-z0-9])?")
_WORD: Final = re.compile(r"[A-Za-z0-9./_=:@%+-]{1,200}")
_NUMBERS: Final[tuple[str, ...]] = (
    "pid", "start_time", "session_created", "session_last_attached", "session_activity",
    "window_activity", "window_index", "window_active", "pane_index", "pane_active", "pane_pid",
    "pane_dead", "pane_dead_status", "pane_dead_signal", "pane_in_mode", "pane_input_off",
    "pane_synchronized", "pane_width", "pane_height", "window_panes",
)  # fmt: skip
_IDS: Final = ("version", "session_id", "pane_id")
_TEXTS: Final = ("session_name", "pane_title", "pane_current_command", "pane_tty")
_CLIENT: Final = ("client_control_mode", "client_readonly", "client_activity", "session_id")
_IDENTITY: Final = ".".join(
    f"#{{{name}}}"
    for name in ("pid", "start_time", "session_id", "session_created", "pane_id", "pane_pid")
)
_OPEN: Final = ".".join(
    f"#{{{name}}}" for name in ("pane_in_mode", "pane_input_off", "pane_synchronized", "pane_dead")
)


def list_words(nonce: str) -> list[str]:
    """Return the tmux command line that lists all panes and clients."""
    pane = f"P{_fields((*_NUMBERS, *_IDS))}{nonce}" + "".join(f"#{{{t}}}{nonce}" for t in _TEXTS)
    client = f"C{_fields(_CLIENT)}{nonce}#{{client_tty}}{nonce}"
    return [
        *("list-panes", "-a", "-F", pane, ";"),
        *("list-clients", "-F", client, ";"),
        *("display-message", "-p", f"E{nonce}"),
    ]


def read_list(answer: bytes, nonce: str, socket: str) -> tuple[Pane, ...]:
    """Return the panes of an answer to `list_words`, each once, sorted by session and place.

    Raises:
        ProbeError: the answer is cut off, cannot be understood, or is that of an old tmux.
    """
    panes: list[Pane] = []
    clients: list[_Client] = []
    if not answer.rstrip(b"\n").endswith(f"E{nonce}".encode()):
        raise ProbeError("tmux broke off its answer")
    tokens = iter(answer.split(nonce.encode()))
    try:
        for token in tokens:
            record = token.lstrip(b"\n").decode("ascii")
            kind, fields = record[:1], record[1:].split(",")
            if kind == "P":
                panes.append(_pane(socket, fields, [next(tokens) for _ in _TEXTS]))
            elif kind == "C":
                clients.append(_client(fields, next(tokens)))
    except (ValueError, StopIteration) as error:
        raise ProbeError("tmux answered something that cannot be understood") from error
    return _folded(panes, clients)


def _pane(socket: str, fields: list[str], texts: list[bytes]) -> Pane:
    number: dict[str, int] = dict(zip(_NUMBERS, map(_number, fields), strict=False))
    version, session_id, pane_id = fields[len(_NUMBERS) :]
    if not is_recent(version):
        raise ProbeError(
            f"tmux on socket {clean(socket, limit=200)}: version {clean(version) or 'unknown'}"
            f" is older than {'.'.join(map(str, OLDEST))}: not watched",
            remedy="install a newer tmux and restart its server",
        )
    if not _PANE_ID.fullmatch(pane_id):
        raise ValueError(pane_id)
    name, title, command, tty = texts
    return Pane(
        socket=socket,
        server_pid=number["pid"],
        server_start=number["start_time"],
        session_id=session_id,
        session_created=number["session_created"],
        id=pane_id,
        pid=number["pane_pid"],
        name=name.decode("utf-8", "surrogateescape"),
        session=clean(name, limit=NAME_LIMIT),
        window_index=number["window_index"],
        pane_index=number["pane_index"],
        active=bool(number["window_active"] and number["pane_active"]),
        session_activity=number["session_activity"],
        last_attached=number["session_last_attached"],
        window_activity=number["window_activity"],
        dead=bool(number["pane_dead"]),
        status=_ending(number, fields) if number["pane_dead"] else "",
        mode=bool(number["pane_in_mode"]),
        synchronized=bool(number["pane_synchronized"]),
        input_off=bool(number["pane_input_off"]),
        width=number["pane_width"],
        height=number["pane_height"],
        panes=max(number["window_panes"], 1),
        tty=clean(tty, limit=NAME_LIMIT),
        command=clean(command, limit=NAME_LIMIT),
        title=clean(title, limit=NAME_LIMIT),
    )


class _Client(msgspec.Struct, frozen=True):
    """A client of a server; `types`: it could type, being neither read-only nor in control mode."""

    session: str
    tty: str
    activity: int
    types: bool


def _client(fields: list[str], tty: bytes) -> _Client:
    control, readonly, activity, session = fields
    return _Client(
        session=session,
        tty=clean(tty, limit=NAME_LIMIT),
        activity=_number(activity),
        types=_number(control) == 0 and _number(readonly) == 0,
    )


def is_recent(version: str) -> bool:
    """Return whether a tmux of this version (`#{version}`) can be relied on; unknown: it cannot."""
    numbered = _VERSION.match(version)
    if numbered is None:
        return bool(_UNNUMBERED.match(version))
    return (int(numbered[1]), int(numbered[2])) >= OLDEST


def _ending(number: Mapping[str, int], fields: list[str]) -> str:
    if fields[_NUMBERS.index("pane_dead_signal")]:
        return f"ended by signal {number['pane_dead_signal']}"
    if fields[_NUMBERS.index("pane_dead_status")]:
        return f"ended with status {number['pane_dead_status']}"
    return "ended"


def _folded(panes: Iterable[Pane], clients: Iterable[_Client]) -> tuple[Pane, ...]:
    """Return each pane once, under its oldest session; the other names become aliases."""
    rows: dict[str, list[Pane]] = {}
    there: dict[str, list[_Client]] = {}
    for client in clients:
        there.setdefault(client.session, []).append(client)
    for pane in panes:
        rows.setdefault(pane.id, []).append(pane)
    folded: list[Pane] = []
    for same in rows.values():
        if len(same) == 1 and same[0].session_id not in there:
            folded += same
            continue
        first, *others = sorted(same, key=lambda p: _number(p.session_id[1:]))
        # a window linked twice into one session gives two rows of that session
        sessions = dict.fromkeys(p.session_id for p in same)
        watching = [client for session in sessions for client in there.get(session, [])]
        active = [client.activity for client in watching if client.types]
        folded.append(
            msgspec.structs.replace(
                first,
                aliases=tuple(dict.fromkeys(p.name for p in others if p.name != first.name)),
                active=any(p.active for p in same),
                attached=len(active),
                client_activity=max(active, default=0),
                viewers=tuple(client.tty for client in watching if client.tty),
                session_activity=max(p.session_activity for p in same),
                last_attached=max(p.last_attached for p in same),
            )
        )
    return tuple(sorted(folded, key=lambda p: (p.name, p.window_index, p.pane_index)))


def screen_lines(panes: Iterable[Pane], nonce: str, *, colours: bool = False) -> str:
    """Return the commands, one a line, that print what these panes show."""
    lines: list[str] = []
    how = "-p -J -e" if colours else "-p -J"
    for pane in panes:
        target = _target(pane)
        lines.append(f"display-message -p -t '{target}' 'S{_IDENTITY}{nonce}'")
        lines.append(f"capture-pane {how} -t '{target}'")
    lines.append(f"display-message -p '{nonce}E{nonce}'")
    return "\n".join([*lines, ""])


def read_screens(answer: bytes, nonce: str, panes: Iterable[Pane]) -> dict[str, str]:
    """Return what each pane shows, by id, from an answer to `screen_lines`.

    Raises:
        ProbeError: the answer is cut off.
    """
    found: dict[str, str] = {}
    for pane, body in _bodies(answer, nonce, panes):
        text = clean(body, lines=True, limit=SCREEN_LIMIT)
        found[pane] = "\n".join(line.rstrip() for line in text.split("\n")).rstrip("\n")
    return found


def read_painted(answer: bytes, nonce: str, pane: Pane) -> Painted | None:
    """Return what a pane shows in its colours, from an answer to `screen_lines`; None: it is gone.

    Raises:
        ProbeError: the answer is cut off.
    """
    bodies = dict(_bodies(answer, nonce, [pane]))
    return sgr.parse(bodies[pane.id]) if pane.id in bodies else None


def _bodies(answer: bytes, nonce: str, panes: Iterable[Pane]) -> Iterator[tuple[str, bytes]]:
    """Yield the id and the screen of each pane that an answer speaks of.

    Raises:
        ProbeError: the answer is cut off.
    """
    wanted = {f"S{p.key}": p.id for p in panes}
    if not answer.rstrip(b"\n").endswith(f"{nonce}E{nonce}".encode()):
        raise ProbeError("tmux broke off its answer")
    for head, body in _headed(answer, nonce.encode()):
        if head in wanted:
            yield wanted[head], body


def _headed(answer: bytes, nonce: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield each screen with its head, which stands on the line before it."""
    before, *rest = answer.split(nonce)
    for part in rest:
        head = before.rpartition(b"\n")[2].decode("utf-8", "replace")
        # what follows a head is its screen, up to the next head's line
        yield head, part.removeprefix(b"\n").rpartition(b"\n")[0]
        before = part


def press_words(pane: Pane, keys: Iterable[str], nonce: str, deadline: int) -> list[str]:
    """Return the command line that presses keys if the pane is who it was and can take them.

    Raises:
        ValueError: one of them is no name of a key.
    """
    keys = list(keys)
    if not keys or not all(map(_KEY.fullmatch, keys)):
        raise ValueError(f"no keys: {keys}")
    condition = f"{_IDENTITY}.{_OPEN}", f"{pane.key}.0.0.0.0"
    send = f"send-keys -t '{_target(pane)}' {' '.join(keys)}"
    return _guarded(pane, condition, send, nonce, deadline)


def leave_words(pane: Pane, nonce: str, deadline: int) -> list[str]:
    """Return the command line that leaves all modes of a pane if it is who it was."""
    leave = f"copy-mode -q -t '{_target(pane)}'"
    return _guarded(pane, (_IDENTITY, pane.key), leave, nonce, deadline)


def respawn_words(pane: Pane, argv: Iterable[str], nonce: str, deadline: int) -> list[str]:
    """Return the command line that starts a program in a pane that is who it was, and dead.

    Raises:
        ValueError: there is no command, or a shell or tmux could understand a word otherwise.
    """
    words = list(argv)
    if not words or not all(map(_WORD.fullmatch, words)):
        raise ValueError(f"no command: {words}")
    condition = f"{_IDENTITY}.#{{pane_dead}}", f"{pane.key}.1"
    start = f"respawn-pane -t '{_target(pane)}' '{' '.join(words)}'"
    return _guarded(pane, condition, start, nonce, deadline)


def _guarded(
    pane: Pane, condition: tuple[str, str], command: str, nonce: str, deadline: int
) -> list[str]:
    is_now, must_be = condition
    # the server's own clock at that moment; an old tmux without e|< takes it as false
    in_time = f"#{{e|<:#{{T;l:%s}},{deadline}}}"
    return [
        *("if-shell", "-F", "-t", _target(pane), f"#{{&&:{in_time},#{{==:{is_now},{must_be}}}}}"),
        f"{command} ; display-message -p {nonce}done",
        f"display-message -p {nonce}refused",
    ]


def _target(pane: Pane) -> str:
    """Return the pane as one of its session's: else tmux answers for another one in a group."""
    if not _PANE_ID.fullmatch(pane.id) or not re.fullmatch(r"\$[0-9]{1,9}", pane.session_id):
        raise ValueError(f"no pane: {pane.session_id} {pane.id}")
    return f"{pane.session_id}:.{pane.id}"


@cache
def _fields(names: tuple[str, ...]) -> str:
    return ",".join(f"#{{{name}}}" for name in names)


def _number(text: str) -> int:
    return int(text) if text else 0
