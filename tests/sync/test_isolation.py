"""One mailbox's fault is recorded and goes no further; what stops the account passes through."""

import pytest
import structlog

from daemon.model.errors import (
    ConnectionLost,
    MailError,
    MessageUnavailable,
    ServerRefused,
    StoreError,
    Throttled,
    UidValidityChanged,
)
from daemon.model.mailbox import MailboxRecord
from daemon.sync.isolation import isolated
from daemon.sync.tally import Tally

RECORD = MailboxRecord(account="a", name="INBOX", wire_name=b"INBOX", delimiter="/", directory=".")


def within(error: BaseException) -> Tally:
    tally = Tally("a", lambda _: None)
    with isolated(RECORD, tally, structlog.get_logger()):
        raise error
    return tally


@pytest.mark.parametrize(
    "error", [ServerRefused("no", status="NO"), UidValidityChanged("void"), MessageUnavailable("gone")]
)
def test_fault_of_a_mailbox_or_message_is_counted_once(error):
    assert within(error).result.failed == 1


@pytest.mark.parametrize(
    "error",
    [ConnectionLost("gone"), StoreError("full"), Throttled("slow", status="NO"), MailError("whatever")],
)
def test_fault_of_the_account_passes(error):
    with pytest.raises(type(error)):
        within(error)


@pytest.mark.parametrize("error", [KeyError("defect"), LookupError("defect")])
def test_defect_is_never_hidden(error):
    with pytest.raises(type(error)):
        within(error)


def test_no_fault_counts_nothing():
    tally = Tally("a", lambda _: None)
    with isolated(RECORD, tally, structlog.get_logger()):
        tally.expect(messages=1, octets=1)
    assert tally.result.failed == 0
