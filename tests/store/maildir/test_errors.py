import errno

import pytest

from daemon.model.errors import Blast, Retry, StoreError, StoreForeign
from daemon.store.maildir.errors import MessageGone, NameTaken, disk_errors


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (errno.ENOSPC, "disk_full"),
        (errno.EDQUOT, "disk_full"),
        (errno.EROFS, "store_readonly"),
        (errno.EACCES, "store_readonly"),
        (errno.EPERM, "store_readonly"),
        (errno.EIO, "store_io"),
        (errno.EMFILE, "store_io"),
    ],
)
def test_errno_becomes_its_reason_with_a_remedy(code, reason):
    with pytest.raises(StoreError) as raised, disk_errors("cannot write"):
        raise OSError(code, "words of the system")
    assert raised.value.reason == reason
    assert raised.value.remedy
    assert "cannot write" in str(raised.value)
    assert isinstance(raised.value.__cause__, OSError)


def test_store_errors_pass_unchanged():
    with pytest.raises(StoreForeign), disk_errors("x"):
        raise StoreForeign("gone")


@pytest.mark.parametrize("kind", [MessageGone, NameTaken])
def test_one_file_stops_nothing_else(kind):
    assert kind.blast is Blast.MESSAGE
    assert kind.retry is Retry.NEVER
