"""The health store: schema, writer, reader, self-repair.

Two faces with different weights: `store.Store` is the healer's writer; `read` needs the standard
library only, so that a status command answers at once. Importing this package loads neither.

    schema     the tables, and the migrations that lead to them
    project    event -> rows; pure
    buffer     what waits for the writer: bounded, decisions outlive samples
    writer     the one thread that writes
    opening    opens the file, refuses what is not ours, sets aside what is damaged
    upkeep     retention and free pages, in small bites
    faults     what a database error means, in words
    ballast    a spare megabyte for the day the disk is full
    read       rows for people, standard library only
    stream     events and snapshots out of the store again
"""
