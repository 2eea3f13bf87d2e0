"""The health store: schema, writer, reader, self-repair.

Two faces with different weights: `Store` is the healer's writer; `read` needs the standard library
only, so that a status command answers at once. Importing this package loads neither.

    schema     the tables, and the migrations that lead to them
    project    event -> rows; pure
    buffer     what waits for the writer: bounded, decisions outlive samples
    writer     the one thread that writes: `pieces` of work into the `held` file
    opening    opens the file, refuses what is not ours, sets aside what is damaged
    begun      what takes a damaged file's place: whole before it bears the name
    own        were our files written by hand? `tail` knows what they lack then
    rescue     files that lost their name, or found each other by mistake; `asides` has names
    unfinished copies that a killed healer was at: kept if whole, else cleared away
    spill      what waits, kept until the next start while nothing can be written
    beside     the one other connection of the healer's process, and those of other programs;
               `paired`: has the healer open what bears the names?
    upkeep     retention and free pages, in small bites
    salvage    what a damaged file still knows; `carving` finds its rows page by page
    backup     a whole copy while the store is in use
    faults     what a database error means, in words
    ballast    a spare megabyte for the day the disk is full
    read       rows for people, standard library only
    numbering  which numbers a file gives its events
    stream     events and snapshots out of the store again
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from healmon.store.store import Store

__all__ = ["Store"]


def __getattr__(name: str) -> object:
    if name == "Store":
        from healmon.store.store import Store  # noqa: PLC0415 - too heavy for a reader

        return Store
    raise AttributeError(name)
