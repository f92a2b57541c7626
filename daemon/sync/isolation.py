"""One mailbox's fault is one mailbox's: recorded, and the others go on (design.md 4.5)."""

from collections.abc import Iterator
from contextlib import contextmanager

from structlog.typing import FilteringBoundLogger

from daemon.model.errors import Blast, MailError
from daemon.model.mailbox import MailboxRecord
from daemon.model.passes import PassResult
from daemon.sync.tally import Tally


@contextmanager
def isolated(record: MailboxRecord, tally: Tally, log: FilteringBoundLogger) -> Iterator[None]:
    """Within it, a fault of one mailbox or message is recorded and goes no further; what stops the account passes."""
    try:
        yield
    except MailError as exc:
        if exc.blast in {Blast.ACCOUNT, Blast.SERVICE}:
            raise
        tally.add(PassResult(failed=1))
        log.warning("mailbox.skipped", mailbox=record.name, reason=exc.reason, detail=str(exc))
