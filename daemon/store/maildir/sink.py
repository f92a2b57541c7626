"""TmpSink: a literal too large for memory goes to tmp/ while it arrives (decisions.md 8).

Implements `daemon.model.sink.Sink`. `write` only copies; `drain` and `end` hand the backlog to the pool.
"""

from collections.abc import Callable

from daemon.model.errors import LocalProtocolError, StoreError
from daemon.store.maildir import content
from daemon.store.maildir.errors import disk_errors
from daemon.store.maildir.tmpfile import StagedFile, TmpFile
from daemon.store.pools import Pools


class TmpSink:
    """One literal's way into a file of tmp/; `result` is the staged file once `end` has returned."""

    def __init__(
        self, pools: Pools, create: Callable[[], TmpFile], size: int | None, internal_date: int | None
    ) -> None:
        """`size` None where the length is known only when the last octet has come, as with POP3."""
        self._pools = pools
        self._create = create
        self._size = size
        self._internal_date = internal_date
        self._backlog: list[bytes] = []
        self._backlog_bytes = 0
        self._file: TmpFile | None = None
        self._meter = content.ContentMeter()
        self._result: StagedFile | None = None

    @property
    def backlog_bytes(self) -> int:
        """Octets taken but not yet handed to the disk."""
        return self._backlog_bytes

    @property
    def result(self) -> StagedFile:
        """The staged file; LocalProtocolError before `end` has returned."""
        if self._result is None:
            raise LocalProtocolError("the literal has not ended")
        return self._result

    def write(self, data: memoryview) -> None:
        """Take a copy."""
        self._backlog.append(bytes(data))
        self._backlog_bytes += len(data)

    async def drain(self) -> None:
        """Return once the backlog is written; raises StoreError."""
        if self._backlog:
            chunks, self._backlog, self._backlog_bytes = self._backlog, [], 0
            await self._pools.run("files", self._store, chunks)

    async def end(self) -> None:
        """The literal is complete; raises StoreError, also when its length is not the one announced."""
        chunks, self._backlog, self._backlog_bytes = self._backlog, [], 0
        self._result = await self._pools.run("files", self._finish, chunks)

    def abort(self) -> None:
        """The line was lost. What was written goes when the batch closes, for removing a file may block."""
        self._backlog.clear()
        self._backlog_bytes = 0

    def _store(self, chunks: list[bytes]) -> None:
        with disk_errors("cannot write to tmp"):
            if self._file is None:
                self._file = self._create()
            joined = b"".join(chunks)
            self._file.write(joined)
            self._meter.feed(joined)

    def _finish(self, chunks: list[bytes]) -> StagedFile:
        self._store(chunks)
        if self._file is None or self._size not in {None, self._meter.file_size}:
            raise StoreError(f"{self._meter.file_size} octets arrived, {self._size} were announced")
        date = self._internal_date if self._internal_date is not None else self._meter.received_date()
        with disk_errors("cannot write to tmp"):
            self._file.finish(date)
        return StagedFile(
            tmp_name=self._file.name,
            content=self._meter.result(),
            internal_date=date,
            file=self._file,
        )
