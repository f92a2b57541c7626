"""Where a large literal goes while it is still arriving."""

from typing import Protocol


class Sink(Protocol):
    """Takes the octets of one literal in order. Implemented by `store.maildir`, fed by `net`.

    `write` copies and never blocks; `net` pauses reading while `backlog_bytes` is above its limit and awaits
    `drain()`. Exactly one of `end` and `abort` is called, and nothing after it.
    """

    @property
    def backlog_bytes(self) -> int:
        """Octets taken but not yet handed to the disk."""
        ...

    def write(self, data: memoryview) -> None: ...

    async def drain(self) -> None:
        """Return once the backlog is written; raises StoreError."""
        ...

    async def end(self) -> None:
        """The literal is complete; raises StoreError."""
        ...

    def abort(self) -> None:
        """The line was lost; what was written is removed."""
        ...
