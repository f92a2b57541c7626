"""What the engine can do so far: each rule that waits for one of these is played only when it is switched on here.

One place, so that a power lands with one line. A rule whose power is off is not offered at all, and says nothing.
"""

from enum import StrEnum
from typing import Final


class Power(StrEnum):
    """A thing that both sides are kept in step about."""

    MAILBOX_MADE_HERE = "a directory made in the tree becomes a mailbox on the server"
    MAILBOX_RENAMED_HERE = "a directory renamed in the tree renames the mailbox on the server"
    MAILBOX_REMOVED_HERE = "a directory removed from the tree removes the mailbox, once approved"
    MAILBOX_RENAMED_THERE = "a mailbox renamed on the server renames its directory"
    MAILBOX_REMOVED_THERE = "a mailbox deleted on the server removes its directory, once approved"
    FILE_RENAMED_IN_PLACE = (
        "a file under another unique name in its mailbox stays the same message, with both sides' flags"
    )
    MOVES_THERE_ARE_RENAMES = (
        "a message moved on the server takes its file with it, and what was flagged here meanwhile"
    )
    FLAGS_WITHOUT_MOD_SEQUENCES = (
        "flags changed by others are found in mailboxes without mod-sequences on a server that knows them"
    )


_NOT_YET: Final[frozenset[Power]] = frozenset()
POWERS: Final[frozenset[Power]] = frozenset(Power) - _NOT_YET
