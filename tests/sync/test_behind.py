"""Numbers told now against those of the last look, by cases."""

from daemon.model.ids import INBOX, AccountId, MailboxName, ModSeq, Uid, UidValidity
from daemon.model.mailbox import MailboxRecord, RemoteMailbox
from daemon.model.views import BaseView, RemoteView
from daemon.store.maildir.scan import DirStamp
from daemon.sync.actions import MailboxFacts
from daemon.sync.behind import behind_in, changed_in
from daemon.sync.local_scan import Listing
from daemon.sync.mailboxes import KnownMailboxes
from daemon.sync.seen import Seen

ARCHIVE = MailboxName("Archive")
FRESH = MailboxName("Fresh")


def record(name=INBOX, uid_next=5, count=3):
    return MailboxRecord(
        account=AccountId("work"),
        name=name,
        wire_name=name.encode(),
        delimiter="/",
        directory=name,
        uid_validity=UidValidity(1),
        uid_next=None if uid_next is None else Uid(uid_next),
        highest_mod_seq=ModSeq(9),
        message_count=count,
        is_first_pass_done=True,
    )


def told(name=INBOX, uid_next=5, count=3, mod_seq=9):
    return RemoteMailbox(
        name=name,
        wire_name=name.encode(),
        delimiter="/",
        uid_validity=UidValidity(1),
        uid_next=None if uid_next is None else Uid(uid_next),
        highest_mod_seq=ModSeq(mod_seq),
        message_count=count,
    )


def seen(name=INBOX, uid_next=5, count=3):
    remote = RemoteView(
        mailbox=name,
        uid_validity=UidValidity(1),
        uid_next=Uid(uid_next),
        highest_mod_seq=ModSeq(9),
        message_count=count,
    )
    return Seen(
        record=record(name, uid_next=1),
        base=BaseView(mailbox=name, uid_validity=None, uid_next=None, highest_mod_seq=None),
        listing=Listing(
            entries={}, lettered_keywords=frozenset(), unexplained=frozenset(), stamp=DirStamp(())
        ),
        remote=remote,
        facts=MailboxFacts(mailbox=name),
        adoptable={},
    )


def known(*records):
    by_name = {one.name: one for one in records}
    return KnownMailboxes(records=by_name, remote={}, all_records=by_name, trash=None)


def behind(listed, *, looked_at=(), records=(), served=None):
    all_known = known(*records)
    names = all_known.records if served is None else {name: all_known.records[name] for name in served}
    found, unknown = behind_in(
        {one.name: one for one in listed}, {one.record.name: one for one in looked_at}, all_known, names
    )
    return set(found), unknown


def test_same_uid_next_is_not_behind_whatever_else_changed():
    assert behind([told(count=1, mod_seq=99)], records=[record()]) == (set(), frozenset())


def test_higher_uid_next_is_behind():
    assert behind([told(uid_next=6)], records=[record()]) == ({INBOX}, frozenset())


def test_what_this_pass_saw_goes_before_what_is_stored():
    assert behind([told(uid_next=5)], looked_at=[seen()], records=[record(uid_next=1)]) == (
        set(),
        frozenset(),
    )
    assert behind([told(uid_next=6)], looked_at=[seen()], records=[record(uid_next=6)])[0] == {INBOX}


def test_unknown_number_is_behind():
    assert behind([told(uid_next=None)], records=[record(uid_next=None)])[0] == {INBOX}


def test_mailbox_that_is_new_or_not_served_is_named():
    found = behind(
        [told(), told(FRESH), told(ARCHIVE, uid_next=7)],
        records=[record(), record(ARCHIVE)],
        served=[INBOX],
    )
    assert found == (set(), {FRESH, ARCHIVE})


def test_listing_without_inbox_is_not_believed():
    assert behind([], records=[record()]) == (set(), {INBOX})


def test_changed_are_those_whose_numbers_differ_in_anything():
    records = {INBOX: record(), ARCHIVE: record(ARCHIVE)}
    listed = {INBOX: told(count=2), ARCHIVE: told(ARCHIVE)}
    assert set(changed_in(listed, {}, records, frozenset({INBOX, ARCHIVE, FRESH}))) == {INBOX}
    assert set(changed_in(listed, {INBOX: seen(count=2)}, records, frozenset({INBOX}))) == set()
