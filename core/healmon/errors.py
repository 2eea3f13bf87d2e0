"""Every error healmon raises on purpose, one tree, split by who can mend it.

Each class carries the exit code that the command line ends with (`shared contract`: sysexits(3)
and the Nagios plugin codes). An error that reaches a person says what, where and how to mend it.
"""

from __future__ import annotations

from healmon.named import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar


class HealmonError(Exception):
    """Root of all errors healmon raises on purpose.

    Attributes:
        exit_code: what a command line that fails with it returns.
        remedy: one line telling how to mend it, or empty.
    """

    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy

    def __str__(self) -> str:
        """Return the message, with the remedy on a line of its own."""
        message = str(self.args[0])
        return f"{message}\n  {self.remedy}" if self.remedy else message

    @property
    def line(self) -> str:
        """The same in one line, as events and alerts have it."""
        return f"{self.args[0]}; {self.remedy}" if self.remedy else str(self)


class UsageError(HealmonError):
    """The command line's words are off (EX_USAGE)."""

    exit_code = 64


class DataError(HealmonError):
    """The command line names something that does not exist (EX_DATAERR)."""

    exit_code = 65


class RefusedError(DataError):
    """What was asked for was not done; `code`: why, where it is not the data's fault."""

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        if code:
            self.exit_code = code  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue] - as whoever was asked says


class MissingPartError(HealmonError):
    """A part this needs is not installed or not running (EX_UNAVAILABLE)."""

    exit_code = 69


class StateDirError(HealmonError):
    """The state directory cannot be used: absent, unwritable or somebody else's (EX_CANTCREAT)."""

    exit_code = 73


class HolderError(HealmonError):
    """Another healer holds the state directory, or none runs where one is needed (EX_TEMPFAIL)."""

    exit_code = 75


class Problem(NamedTuple):
    """One fault of the configuration.

    Attributes:
        file: the file as a person would name it, or `$VARIABLE` when that set the key.
        line: where in the file, from 1; None when it has no place there.
        key: the dotted path (`disk.rules[0].older_than`), or empty for the file as a whole.
        what: what is wrong, when `found` and `allowed` do not say it all.
        found: the value, as TOML writes it.
        allowed: what may stand there.
        nearest: the known key that was probably meant.
    """

    file: str
    line: int | None
    key: str
    what: str = ""
    found: str = ""
    allowed: str = ""
    nearest: str = ""

    def __str__(self) -> str:
        """Return it as one line: `healmon.toml:12: disk.warnin: unknown key; did you mean …?`."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        said = (
            self.what,
            f"found {self.found}" if self.found else "",
            f"allowed: {self.allowed}" if self.allowed else "",
            f'did you mean "{self.nearest}"?' if self.nearest else "",
        )
        text = "; ".join(part for part in said if part)
        return ": ".join(part for part in (place, self.key, text) if part)


class ConfigError(HealmonError):
    """The configuration is wrong; `problems` lists every fault found (EX_CONFIG)."""

    exit_code = 78

    def __init__(
        self, message: str = "", *, remedy: str = "", problems: tuple[Problem, ...] = ()
    ) -> None:
        super().__init__(message or "\n".join(map(str, problems)), remedy=remedy)
        self.problems = problems


class StoreVersionError(HealmonError):
    """The health store was written by a newer healmon, or is laid out by another program."""

    exit_code = 78


class StoreFaultError(HealmonError):
    """The health store cannot be read or written right now (locked, full, read-only)."""

    exit_code = 73


class ProbeError(HealmonError):
    """Looking failed; nothing may be concluded from it (the component is unknown)."""


class RemedyError(HealmonError):
    """A remedy's step failed; what was done before it is in the events.

    Args:
        message: what failed, in words.
        remedy: how to mend it, in words.
        details: the same as data, a JSON object: it is kept with the failed action.
    """

    def __init__(
        self, message: str = "", *, remedy: str = "", details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.details = details or {}


class VetoError(HealmonError):
    """The last look before acting found the world changed: the plan no longer holds."""


class CalledOffError(HealmonError):
    """A remedy ended where it waited: something else is wanted by now. What was begun stays."""


class DeliveryError(HealmonError):
    """A notice did not leave, or nobody knows whether it did; holds no part of a URL."""


class SpawnError(HealmonError):
    """A process could not be started; `host_fault`: the host lacks something, not the command."""

    def __init__(self, message: str, *, host_fault: bool = False) -> None:
        super().__init__(message)
        self.host_fault = host_fault
