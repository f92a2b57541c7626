"""Which rung bears, how many lines there are, and whom they watch."""

import pytest

from daemon.model.ids import AccountId
from daemon.model.mailbox import MailboxRecord, SpecialUse
from daemon.model.states import WatchMode
from daemon.service.push.ladder import busiest, extra_lines, rung


def record(name: str, **changes) -> MailboxRecord:
    return MailboxRecord(
        account=AccountId("work"),
        name=name,
        wire_name=name.encode(),
        delimiter="/",
        directory=f".{name}",
        **changes,
    )


@pytest.mark.parametrize(
    ("has_notify", "has_idle", "can_watch_inbox", "expected"),
    [
        (True, True, True, WatchMode.NOTIFY),
        (True, False, False, WatchMode.NOTIFY),
        (False, True, True, WatchMode.IDLE),
        (False, True, False, WatchMode.POLL),
        (False, False, True, WatchMode.POLL),
    ],
)
def test_highest_rung_that_bears_is_taken(has_notify, has_idle, can_watch_inbox, expected):
    assert rung(has_notify=has_notify, has_idle=has_idle, can_watch_inbox=can_watch_inbox) is expected


@pytest.mark.parametrize(("connections", "extra"), [(1, 0), (2, 0), (3, 1), (4, 2), (32, 30)])
def test_one_connection_is_kept_in_reserve(connections, extra):
    assert extra_lines(connections) == extra


def test_busiest_mailboxes_come_first_and_inbox_is_not_among_them():
    records = [record(name) for name in ("INBOX", "a", "b", "c")]
    found = busiest(records, {"INBOX": 90, "b": 7, "c": 9}, 2)
    assert [one.name for one in found] == ["c", "b"]


def test_mailboxes_without_mail_fill_the_lines_by_name():
    records = [record(name) for name in ("INBOX", "b", "a")]
    assert [one.name for one in busiest(records, {}, 5)] == ["a", "b"]


def test_trash_and_junk_come_last_whatever_they_get():
    records = [
        record("Junk", special_use=SpecialUse.JUNK),
        record("a"),
        record("Bin", special_use=SpecialUse.TRASH),
    ]
    assert [one.name for one in busiest(records, {"Junk": 999, "Bin": 50}, 2)] == ["a", "Junk"]


def test_frozen_mailbox_is_left_alone():
    assert busiest([record("a", frozen_reason="held")], {"a": 5}, 2) == ()
