"""Takes secrets out of text that is kept: screens, titles, output, command lines. Pure.

What looks like a secret goes, also when it is none: a screen is kept to show what a program did,
and nobody needs a token for that. What was taken out is marked, so that nothing seems missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final, cast

from healmon.text import clean

MARK: Final = "[redacted]"
_WORD: Final = (
    r"(?:api[_-]?key|access[_-]?key(?:[_-]?id)?|secret[_-]?(?:access[_-]?)?key|private[_-]?key"
    r"|client[_-]?secret|auth[_-]?token|access[_-]?token|refresh[_-]?token|id[_-]?token|token"
    r"|secret|(?:pg)?password|passwd|passphrase|passcode|pwd|credentials?|session[_-]?(?:id|key|token)"
    r"|signature|x-api-key|x-auth-token)"
)
_SHAPES: Final = re.compile(
    r"\bsk-[A-Za-z0-9_-]{16,}"  # OpenAI, Anthropic, OpenRouter
    r"|\b[sr]k_(?:live|test)_[A-Za-z0-9]{10,}|\bwhsec_[A-Za-z0-9+/=]{16,}"
    r"|\bgh[a-z]_[A-Za-z0-9]{16,}|\bgithub_pat_[A-Za-z0-9_]{16,}|\bglpat-[A-Za-z0-9_-]{16,}"
    r"|\b(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA|ANVA|ABIA|ACCA)[A-Z0-9]{12,}"
    r"|\bAIza[A-Za-z0-9_-]{30,}|\bya29\.[A-Za-z0-9_-]{16,}|\bGOCSPX-[A-Za-z0-9_-]{16,}"
    r"|\bxox[a-z]-[A-Za-z0-9-]{8,}|\bxapp-[A-Za-z0-9-]{8,}"
    r"|\bhf_[A-Za-z0-9]{16,}|\bnpm_[A-Za-z0-9]{16,}|\bpypi-[A-Za-z0-9_-]{16,}"
    r"|\bSG\.[A-Za-z0-9_-]{12,}\.[A-Za-z0-9_-]{12,}|\bdop_v1_[a-f0-9]{16,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"  # JSON web tokens
    r"|\b(?:AGE-SECRET-KEY-1|age1)[A-Za-z0-9]{20,}"
)
_HOOK: Final = re.compile(r"(https://hooks\.slack\.com/services/|/api/webhooks/\d+/)[\w/-]+")
_IN_URL: Final = re.compile(r"(\b[A-Za-z][A-Za-z0-9+.-]{1,30}://)([^\s/@:\"']*)(:[^\s/@\"']*)?@")
_QUERY: Final = re.compile(
    rf"([?&;](?:{_WORD}|key|sig|code|access_token)=)[^&\s\"'#]+", re.IGNORECASE
)
_HEADER: Final = re.compile(
    r"(\b(?:proxy-)?authorization[\"']?\s*[:=]\s*[\"']?)(?:(bearer|basic|token|digest)\s+)?"
    r"[^\s\"']+",
    re.IGNORECASE,
)
_COOKIE: Final = re.compile(r"(\b(?:set-)?cookie[\"']?\s*:\s*)\S.*", re.IGNORECASE)
_BEARER: Final = re.compile(r"(\bbearer\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_ASSIGNED: Final = re.compile(
    rf"((?<![A-Za-z0-9])(?:[A-Za-z0-9]{{1,40}}[_.-]){{0,6}}{_WORD}(?:[_-][A-Za-z0-9]{{1,40}}){{0,4}}"
    r"[\"']?\s{0,4}(?:=>|:=|[:=])\s{0,4})"
    r"(\"[^\"\n]+\"?|'[^'\n]+'?|[^\s,;\"'│┃|]+)",
    re.IGNORECASE,
)
_OPTION: Final = re.compile(
    rf"((?<!\S)--?(?:[a-z0-9]{{1,40}}-){{0,6}}{_WORD}(?:\s+|=))(\"[^\"\n]+\"?|'[^'\n]+'?|[^\s│┃|-]\S*)",
    re.IGNORECASE,
)
_NEAR: Final = re.compile(
    r"key|token|secret|passw|credential|bearer|authori|signature", re.IGNORECASE
)
_LONG: Final = re.compile(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{24,}={0,2}(?![A-Za-z0-9+/_=-])")
_BEGIN: Final = re.compile(r"-----BEGIN [A-Z0-9 ]{2,40}-----")
_END: Final = re.compile(r"-----END [A-Z0-9 ]{2,40}-----")
_BODY: Final = re.compile(r"^[\s│┃|>+]*(?:[A-Za-z0-9+/=]{16,}|\[redacted\])[\s│┃|]*$")
_BROKEN_OFF: Final = re.compile(r"\[redacted\][\"'\s│┃|]*$")
_CONTINUED: Final = re.compile(r"^([\s│┃|>]*)([A-Za-z0-9+/_=.-]{6,})(?=[\"'\s│┃|]*$)")


def redact(text: str, *, paths: bool = False) -> str:
    """Return a text without anything that looks like a secret.

    Args:
        text: lines of it.
        paths: long words near a word like "key" stay: they may be paths, and tell what is wrong.
    """
    lines = _without_keys(text.split("\n"))
    done: list[str] = []
    for number, line in enumerate(lines):
        near = _NEAR.search(line) or (number and _NEAR.search(lines[number - 1]))
        clear = _line(line, near=bool(near) and not paths)
        # a program breaks a long word at the edge of its box
        if done and _BROKEN_OFF.search(done[-1]) and not _plain_word(clear):
            clear = _CONTINUED.sub(rf"\1{MARK}", clear)
        done.append(clear)
    return "\n".join(done)


def redact_line(line: str) -> str:
    """Return one line without what has the shape of a secret, or is called one.

    Long words near such a name stay: they may be paths.
    """
    return _line(line, near=False)


@lru_cache(maxsize=256)  # what stands on a screen mostly stood there before
def shown(line: str, limit: int) -> str:
    """Return a line that somebody else wrote as it may be shown and kept anywhere."""
    return clean(redact_line(line), limit=limit)


def redact_words(words: Iterable[str]) -> tuple[str, ...]:
    """Return the words of a command line without what looks like a secret: they are told and kept.

    The arguments of a program stand in every list of processes, but those are gone with it.
    """
    done: list[str] = []
    for word in words:
        option = done[-1] if done else ""
        clear = redact_line(f"{option} {word}") if option.startswith("-") else ""
        if clear.startswith(f"{option} "):
            done.append(redact_line(clear.removeprefix(f"{option} ")))
        else:
            done.append(redact_line(word))
    return tuple(done)


def command_line(words: Iterable[str], limit: int = 200) -> str:
    """Return a command line as it may be shown anywhere."""
    return clean(" ".join(redact_words(words)), limit=limit)


def redact_all(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a JSON value with every text in it redacted; its keys stay."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: redact_all(one) for key, one in cast("dict[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [redact_all(one) for one in cast("list[Any]", value)]
    return value


def prompt_only(text: str) -> str:
    """Return the last line that says anything: all that is kept where a password is asked for."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    return redact(lines[-1]) if lines else ""


def _line(line: str, *, near: bool) -> str:
    line = _IN_URL.sub(
        lambda m: f"{m[1]}{m[2] if m[3] else MARK}{':' + MARK if m[3] else ''}@", line
    )
    line = _HOOK.sub(rf"\1{MARK}", line)
    line = _SHAPES.sub(MARK, line)
    line = _COOKIE.sub(rf"\1{MARK}", line)
    line = _HEADER.sub(lambda m: f"{m[1]}{m[2] + ' ' if m[2] else ''}{MARK}", line)
    line = _BEARER.sub(rf"\1{MARK}", line)
    line = _QUERY.sub(rf"\1{MARK}", line)
    line = _ASSIGNED.sub(lambda m: m[1] + _hidden(m[2]), line)
    line = _OPTION.sub(lambda m: m[1] + _hidden(m[2]), line)
    return _LONG.sub(lambda m: MARK if _random(m[0]) else m[0], line) if near else line


def _hidden(value: str) -> str:
    """Return a value hidden, its quotes kept; a marked one, and one that says nothing, stays."""
    if value.startswith(MARK) or value.lower().strip("\"'") in {"none", "null", "true", "false"}:
        return value
    quote = value[0] if value[0] in "\"'" else ""
    return f"{quote}{MARK}{quote if quote and value.endswith(quote) else ''}"


def _random(word: str) -> bool:
    """Return whether a long word is no word of a language: letters and digits are mixed."""
    return any(map(str.isdigit, word)) and any(map(str.isalpha, word))


def _plain_word(line: str) -> bool:
    found = _CONTINUED.match(line)
    return found is None or not _random(found[2])


def _without_keys(lines: list[str]) -> list[str]:
    """Return lines without what stands in blocks of keys, also in those that are cut off."""
    done: list[str] = []
    inside = False
    for line in lines:
        if _END.search(line):
            if not inside:  # its begin has left the screen
                _hide_before(done)
            inside = False
        elif _BEGIN.search(line):
            inside = True
        elif inside and line.strip() and not _BODY.match(line) and ":" not in line:
            inside = False  # it was cut off: what follows is something else
        elif inside:
            line = MARK  # noqa: PLW2901 - the line is what is kept of it
        done.append(line)
    return done


def _hide_before(lines: list[str]) -> None:
    for number in range(len(lines) - 1, -1, -1):
        if not _BODY.match(lines[number]):
            return
        lines[number] = MARK
