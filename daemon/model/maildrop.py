"""What is remembered of a message in a POP3 maildrop, longer than it lies there.

A unique id alone does not say which message it is: servers repeat, change and reuse them (sync.md 25). So the digests of
the octets stand beside it.
"""

from dataclasses import dataclass

from daemon.model.ids import MessageId


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One message as it was listed, and the octets that were behind it.

    `uidl` is None where the server has none, `size` is what LIST said, not what came. `number` names the row, None for
    one that is not stored yet. `first_seen`, `gone_at` and `removed_at` are seconds since 1970, UTC; gone since then
    from the maildrop, None while it is listed; removed when we had the server delete it, None where we did not.
    `message_id` is the message it became here, which may be deleted by now.
    """

    number: int | None = None
    uidl: str | None
    size: int | None
    sha256: bytes
    header_sha256: bytes
    message_id: MessageId
    first_seen: float
    gone_at: float | None = None
    removed_at: float | None = None
