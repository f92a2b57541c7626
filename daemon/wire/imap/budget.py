"""How much a server may say between two tagged answers, measured by what there is to tell.

Pure counting. A mailbox of a million messages may be told of at length, an empty one may not: the budget grows with the largest
EXISTS heard, up to the limits that hold for any server. Octets of literals have a limit of their own. A breach is terminal (faults.md S17).
"""

from daemon.model.errors import RemoteProtocolError
from daemon.wire.imap.limits import Limits


class Budget:
    """Counts responses and text since the last tagged answer."""

    __slots__ = ("_bytes", "_count", "_limits", "_literal_bytes", "_messages")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._messages = 0
        self._count = 0
        self._bytes = 0
        self._literal_bytes = 0

    def note_exists(self, count: int) -> None:
        """A mailbox of so many messages is, or was, selected."""
        self._messages = max(self._messages, count)

    def renew(self) -> None:
        """A command was answered."""
        self._count = self._bytes = self._literal_bytes = 0

    def spend(self, count: int, size: int, *, is_quiet: bool) -> None:
        """Take responses and text off; `is_quiet` while nothing or only IDLE is in flight.

        Raises:
            RemoteProtocolError: reason flood.
        """
        self._count += count
        self._bytes += size
        limits = self._limits
        fair_count = limits.fair_count + limits.fair_count_a_message * self._messages
        fair_bytes = limits.fair_bytes + limits.fair_bytes_a_message * self._messages
        most_count = limits.quiet_untagged_count if is_quiet else limits.untagged_count
        most_bytes = limits.quiet_untagged_bytes if is_quiet else limits.untagged_bytes
        if self._count > min(most_count, fair_count) or self._bytes > min(most_bytes, fair_bytes):
            raise RemoteProtocolError(
                f"{self._count} responses, {self._bytes} bytes, and no command is answered", reason="flood"
            )

    def spend_literal(self, size: int, *, is_quiet: bool) -> None:
        """Take octets of literals off.

        Raises:
            RemoteProtocolError: reason flood.
        """
        self._literal_bytes += size
        limits = self._limits
        if self._literal_bytes > (limits.quiet_literal_bytes if is_quiet else limits.literal_bytes):
            raise RemoteProtocolError(
                f"{self._literal_bytes} bytes of literals, and no command is answered", reason="flood"
            )
