"""A healer that weighs little: what hardly anybody uses is loaded when it is used.

asyncio and hashlib take OpenSSL where they find it, 8 MiB that nobody needs until TLS is spoken;
both run without it. Others import what a few of their functions use: 2 MiB of parsers, compressors
and tables that a healer never asks.
"""

from __future__ import annotations

import sys
from _thread import RLock
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from importlib.abc import Loader  # it loads a dozen others

_OPENSSL: Final = ("ssl", "_hashlib")
_DIGESTS: Final = ("_md5", "_sha1", "_sha3", "_blake2")
"""Python's own; a Python that was built without them needs OpenSSL's."""
_TLS: Final = ("base_events", "selector_events", "sslproto")
"""The modules of asyncio that know TLS."""
_ARENA_MAX: Final = -8
"""`M_ARENA_MAX` of mallopt(3)."""
LAZY: Final = frozenset(
    {
        "asyncio.sslproto", "asyncio.staggered", "bz2", "ctypes", "inspect", "ipaddress",
        "linecache", "locale", "lzma", "msgspec._json_schema", "msgspec.inspect", "msgspec.toml",
        "msgspec.yaml", "ntpath", "textwrap", "tokenize", "traceback", "urllib.parse",
    }
)  # fmt: skip
"""Imported by ourselves or by others, who rarely use them. None is our own: those act."""
_PUT_OFF: Final = {
    "traceback": {"extract_stack"},
    "msgspec._json_schema": {"schema", "schema_components"},
    "urllib.parse": {"quote_from_bytes"},
}
"""Functions that others take from lazy modules when they begin: these load them when called."""
_UNSENT: Final = ("decimal", "uuid")
"""Modules of types that msgspec can send and no message here has: 0.6 MiB with what they import."""
_LOADING: Final = RLock()
_BEGUN: Final[set[str]] = set()
_SHADOWED: Final = "typing_extensions"
"""msgspec takes from it what Python 3.11 and later have themselves."""


class _Later(ModuleType):
    """A module that is loaded when something is asked of it that is not there yet.

    Not importlib's own: that is loaded by the second import of the same name already.
    """

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)  # what imports ask of every module
        if name in _PUT_OFF.get(self.__name__, ()):
            return _put_off(self, name)
        if type(_loaded(self)) is _Later:
            raise AttributeError(name)  # asked while it is being loaded, by what it loads
        return getattr(self, name)


def _put_off(module: _Later, name: str) -> Callable[..., object]:
    def called(*args: object, **options: object) -> object:
        run: Callable[..., object] = vars(_loaded(module))[name]
        return run(*args, **options)

    return called


def _loaded(module: ModuleType) -> ModuleType:
    """Load a module unless it is loaded, or being loaded by this thread; others wait for that."""
    with _LOADING:
        if type(module) is _Later and module.__name__ not in _BEGUN:
            assert module.__spec__ is not None
            assert isinstance(module.__spec__.loader, _Loader)
            _BEGUN.add(module.__name__)
            try:
                module.__spec__.loader.real.exec_module(module)
                module.__class__ = ModuleType  # pyright: ignore[reportAttributeAccessIssue] - it is one
            finally:
                _BEGUN.discard(module.__name__)
    return module


class _Loader:
    def __init__(self, real: Loader) -> None:
        self.real = real

    def create_module(self, spec: ModuleSpec) -> None:
        """Have the usual module made."""

    def exec_module(self, module: ModuleType) -> None:
        module.__class__ = _Later


class _Stub(ModuleType):
    """A module in which every name is a type of which there is nothing."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        made = type(name, (), {"unknown": None})
        setattr(self, name, made)
        return made


class _Lazily:
    """Finds these modules as any other is found."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        found = PathFinder.find_spec(name, path, target) if name in LAZY else None
        if found is not None and found.loader is not None:
            found.loader = _Loader(found.loader)  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue] - all that is asked of a loader
        return found


def begin() -> None:
    """Have what is rarely used loaded when it is; call it first in a program of our own."""
    if _Lazily not in sys.meta_path:
        sys.meta_path.insert(0, _Lazily)
    stubs = {name: _Stub(name) for name in _UNSENT if name not in sys.modules}
    sys.modules.update(stubs)
    try:
        _hidden([_SHADOWED], ["msgspec"])
    finally:
        for name in stubs:
            del sys.modules[name]


def without_openssl() -> None:
    """Load asyncio, hashlib and hmac without OpenSSL, unless one of them is loaded already."""
    known = {"asyncio", "hashlib", "hmac", *_OPENSSL} & set(sys.modules)
    if not known and all(find_spec(name) for name in _DIGESTS):
        _hidden(_OPENSSL, ["asyncio", "hashlib", "hmac"])


def _hidden(names: Sequence[str], wanted: Sequence[str]) -> None:
    """Load modules as if there were no others of these names; of no effect on what is loaded."""
    away = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(away))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportCallIssue] - None: there is none
    try:
        for name in wanted:
            import_module(name)
    finally:
        for name in away:
            del sys.modules[name]


def with_tls() -> None:
    """Let asyncio speak TLS, however it was loaded. Whoever opens such a connection calls it."""
    import ssl  # noqa: PLC0415 - this is the moment

    for name in _TLS:
        vars(import_module(f"asyncio.{name}"))["ssl"] = ssl
    again = (ssl.SSLWantReadError, ssl.SSLSyscallError)
    vars(import_module("asyncio.sslproto"))["SSLAgainErrors"] = again


def one_heap() -> None:
    """Have all threads share one heap; call it before there is a second one.

    glibc gives each thread an arena of its own: good for those that compute side by side, and here
    none does.
    """
    with suppress(ImportError, OSError, AttributeError):  # another libc has its own ways
        import _ctypes  # noqa: PLC0415 - a viewer needs none; ctypes itself makes 0.3 MB of types

        libc = _ctypes.dlopen(None, 0)  # type: ignore[arg-type] # the program itself
        _ctypes.call_function(_ctypes.dlsym(libc, "mallopt"), (_ARENA_MAX, 1))
