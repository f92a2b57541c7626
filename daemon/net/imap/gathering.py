"""UIDs told in several answers of one command, gathered up to a limit: a server may repeat itself for ever.

Pure. A breach ends the session: a part of what vanished would look like the whole.
"""

from typing import Final

from daemon.model.errors import RemoteProtocolError
from daemon.model.ids import Uid
from daemon.model.uidset import UidSet, UidSetBuilder

MOST_RANGES: Final = 1_000_000
"""Eight MiB. A mailbox of two million messages of which every other one went."""


class GatheredUids:
    """A growing set."""

    __slots__ = ("_builder",)

    def __init__(self) -> None:
        self._builder = UidSetBuilder()

    def __bool__(self) -> bool:
        return len(self._builder) > 0

    def add(self, uids: UidSet) -> None:
        """Add a set. Raises RemoteProtocolError (flood) when all of them are too many pieces."""
        self._require_room(uids.range_count)
        self._builder.add_set(uids)

    def add_one(self, uid: Uid) -> None:
        """Add one UID; the same limit."""
        self._require_room(1)
        self._builder.add(uid, uid)

    def _require_room(self, count: int) -> None:
        if len(self._builder) + count > MOST_RANGES:
            raise RemoteProtocolError(
                f"more than {MOST_RANGES} separate ranges of UIDs told at once", reason="flood"
            )

    def take(self) -> UidSet:
        """The set; empty afterwards."""
        return self._builder.build()
