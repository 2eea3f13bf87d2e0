"""Object stores as backup targets: S3 and what speaks like it, Google Cloud Storage, Azure.

Through obstore (https://developmentseed.org/obstore), which must not be used in a forked process:
only `depotchild` imports this. An object appears when it is complete, never before; parts of one
that was given up are taken back by the library, or by the store's own rule for such parts.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import obstore
from obstore import exceptions as errors
from obstore.store import AzureStore, GCSStore, ObjectStore, S3Store

from healmon.config.depot import Depot
from healmon.world.depotwords import DepotError, Fault, told

PIECE: Final = 5 << 20
"""Bytes of a part: the least that S3 takes. Smaller objects are sent in one request."""
CHECK: Final = "healmon-check"
"""Where a store is asked for whether it answers; nothing lies there."""
_PARTS: Final = 9000
"""S3 takes 10,000 parts of one object."""
_RETRIES: Final = 2
_FAULTS: Final[tuple[tuple[str, Fault], ...]] = (
    ("NoSuchBucket", "absent"),
    ("ContainerNotFound", "absent"),
    ("StorageFull", "full"),
    ("QuotaExceeded", "full"),
    ("507 Insufficient", "full"),
    ("SHA256Mismatch", "damaged"),
    ("BadDigest", "damaged"),
    ("169.254.169.254", "denied"),  # asked last, when nobody else gives credentials
    ("error sending request", "unreachable"),
    ("timed out", "unreachable"),
    ("503 Service", "unreachable"),
    ("credentials", "denied"),
    ("Credential", "denied"),
    ("token", "denied"),
)


class StoreTarget:
    """One bucket or container, open.

    Args:
        depot: which one.
        patience: seconds that one request may take.
    """

    def __init__(self, depot: Depot, patience: float) -> None:
        try:
            self._store = _opened(depot, patience)
        except (errors.BaseError, OSError, ValueError, configparser.Error) as error:
            raise _fault(error) from error

    def begun(self, key: str, size: int) -> int:  # noqa: ARG002 - others go on
        """Return how much of an object is there already: nothing, as it comes all at once."""
        return 0

    def find(self, key: str) -> tuple[int, str] | None:
        """Return the size of an object and what may be its MD5; None: it is not there.

        Raises:
            DepotError: that cannot be told.
        """
        try:
            found = obstore.head(self._store, key)
        except (FileNotFoundError, errors.PermissionDeniedError):
            # a key that may only write is told 403 of what is not there; writing will tell
            return None
        except (errors.BaseError, OSError) as error:
            raise _fault(error) from error
        return found["size"], (found["e_tag"] or "").strip('"')

    def write(self, key: str, size: int, chunks: Iterator[bytes]) -> str:
        """Send an object; returns what may be its MD5 as the store took it.

        Raises:
            DepotError: it is not there.
        """
        try:
            if size <= PIECE:
                done = obstore.put(self._store, key, b"".join(chunks), use_multipart=False)
            else:
                piece = max(PIECE, -(-size // _PARTS))
                done = obstore.put(
                    self._store,
                    key,
                    chunks,
                    use_multipart=True,
                    chunk_size=piece,
                    max_concurrency=2,
                )
        except (errors.BaseError, OSError) as error:
            raise _fault(error) from error
        return (done["e_tag"] or "").strip('"')

    def staged(self, key: str) -> str:
        """Return its key: an object appears when it is complete."""
        return key

    def publish(self, key: str) -> None:
        """It has its name already; what says that it is right is the record beside it."""

    def read(self, key: str) -> Iterator[bytes]:
        """Pass over the content of an object.

        Raises:
            DepotError: it cannot be read to its end.
        """
        try:
            for chunk in obstore.get(self._store, key).stream(min_chunk_size=1 << 20):
                yield bytes(chunk)
        except (errors.BaseError, OSError) as error:
            raise _fault(error) from error

    def remove(self, key: str) -> None:
        """Remove an object that is not what it should be, if that is allowed."""
        with suppress(errors.BaseError, OSError):
            obstore.delete(self._store, key)

    def listed(self, under: str) -> Iterator[tuple[str, int, float]]:
        """Pass over keys, sizes and the wall seconds of their coming.

        Raises:
            DepotError: they cannot be listed.
        """
        try:
            # the overloads for Arrow are untyped where it is not installed
            for batch in obstore.list(self._store, under):  # pyright: ignore[reportUnknownMemberType]
                for one in batch:
                    yield one["path"], one["size"], one["last_modified"].timestamp()
        except (errors.BaseError, OSError) as error:
            raise _fault(error) from error

    def check(self) -> None:
        """Return when the store answers and knows us. Writes nothing.

        Raises:
            DepotError: it does not.
        """
        try:
            found = obstore.list(self._store, CHECK, chunk_size=1)  # pyright: ignore[reportUnknownMemberType]
            next(iter(found), None)
        except errors.PermissionDeniedError as error:
            # who may only write may not list; a wrong key has a code of its own
            if "AccessDenied" not in str(error):
                raise _fault(error) from error
        except (errors.BaseError, OSError) as error:
            raise _fault(error) from error

    def close(self) -> None:
        """Nothing is held."""


def _opened(depot: Depot, patience: float) -> ObjectStore:
    options = dict(depot.options)
    endpoint = options.get("endpoint", "")
    client: Any = {
        "timeout": timedelta(seconds=patience),
        "connect_timeout": timedelta(seconds=min(10.0, patience)),
    }
    retry: Any = {"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=patience)}
    common: Any = {
        "prefix": depot.prefix or None,
        "client_options": client,
        "retry_config": retry,
    }
    given: Any = {}
    match depot.scheme:
        case "gs":
            if endpoint:
                given["base_url"] = endpoint
            opens: Any = GCSStore
        case "az":
            if endpoint:
                given["endpoint"] = endpoint
            opens = AzureStore
        case _:
            given, opens = s3_settings(options), S3Store
            endpoint = given.get("endpoint", "")
    client["allow_http"] = endpoint.startswith("http://")
    store: ObjectStore = opens(depot.place, **given, **common)
    return store


def s3_settings(options: dict[str, str]) -> dict[str, str]:
    """Return what the environment's own names do not tell the library: profile and endpoint.

    The order is that of the AWS tools: keys in the environment before those of a profile, an
    endpoint for S3 alone before one for all services, the environment before the file.
    """
    profile = options.get("profile") or os.environ.get("AWS_PROFILE") or "default"
    kept = _profile("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials", profile)
    named = profile if profile == "default" else f"profile {profile}"
    about = _profile("AWS_CONFIG_FILE", "~/.aws/config", named)
    given: dict[str, str] = {}
    if "AWS_ACCESS_KEY_ID" not in os.environ or options.get("profile"):
        source = kept if "aws_access_key_id" in kept else about
        for name in ("access_key_id", "secret_access_key", "session_token"):
            if value := source.get(f"aws_{name}"):
                given[name] = value
    endpoint = (
        options.get("endpoint")
        or os.environ.get("AWS_ENDPOINT_URL_S3")
        or os.environ.get("AWS_ENDPOINT_URL")
        or about.get("endpoint_url")
    )
    if endpoint:
        given["endpoint"] = endpoint
    region = options.get("region") or (
        "" if {"AWS_REGION", "AWS_DEFAULT_REGION"} & os.environ.keys() else about.get("region", "")
    )
    if region:
        given["region"] = region
    return given


def _profile(variable: str, usual: str, section: str) -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read(Path(os.environ.get(variable) or usual).expanduser())
    return dict(parser[section]) if section in parser else {}


def _fault(error: Exception) -> DepotError:
    text = str(error)
    if isinstance(error, errors.PermissionDeniedError | errors.UnauthenticatedError):
        return DepotError("denied", told(text))
    if isinstance(error, FileNotFoundError):
        return DepotError("absent", told(text))
    for sign, fault in _FAULTS:
        if sign in text:
            return DepotError(fault, told(text))
    return DepotError("failed", told(text))
