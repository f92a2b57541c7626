"""Pairs of what went and what came, by cases; and the facts that are left when moves are taken out."""

from daemon.model.flags import NO_FLAGS
from daemon.model.ids import MailboxName, MaildirName, MessageId, Uid
from daemon.model.views import BaseEntry, LocalEntry, RemoteEntry
from daemon.sync.actions import MailboxFacts, MoveLocal
from daemon.sync.relocations import (
    Came,
    Gone,
    Whereabouts,
    less_moved,
    less_renamed,
    less_unread,
    less_waiting,
    pair_by_email_id,
    pair_by_header,
    suspects,
)

INBOX = MailboxName("INBOX")
ARCHIVE = MailboxName("Archive")
LISTS = MailboxName("Lists")


def base(uid=1, name="a", message="m1"):
    return BaseEntry(
        message_id=MessageId(message), uid=Uid(uid), maildir_name=MaildirName(name), flags=NO_FLAGS
    )


def file(name="a"):
    return LocalEntry(maildir_name=MaildirName(name), path=f"cur/{name}:2,", flags=NO_FLAGS)


def gone(uid=1, *, mailbox=INBOX, sizes=(100,), date=5, header=b"h", octets=b"o", email_id=None):
    return Gone(
        mailbox=mailbox,
        base=base(uid, name=f"f{uid}", message=f"m{uid}"),
        file=Whereabouts(mailbox=mailbox, entry=file(f"f{uid}")),
        sizes=frozenset(sizes),
        internal_date=date,
        header_sha256=header,
        wire_sha256=octets,
        email_id=email_id,
    )


def came(uid=1, *, mailbox=ARCHIVE, size=100, date=5, email_id=None):
    return Came(
        mailbox=mailbox,
        entry=RemoteEntry(uid=Uid(uid), flags=NO_FLAGS, size=size, internal_date=date, email_id=email_id),
    )


def short(pairs):
    return [(lost.mailbox, lost.base.uid, one.mailbox, one.entry.uid) for lost, one in pairs]


def by_header(lost, found, digests=None):
    digests = digests or {(one.mailbox, one.entry.uid): b"h" for one in found}
    return short(pair_by_header(lost, found, digests))


def test_same_email_id_and_size_is_a_move():
    assert short(pair_by_email_id([gone(email_id="M1")], [came(email_id="M1", date=99)])) == [
        (INBOX, 1, ARCHIVE, 1)
    ]


def test_same_email_id_of_another_size_is_not_believed():
    assert not pair_by_email_id([gone(email_id="M1")], [came(email_id="M1", size=101)])


def test_unknown_email_id_pairs_nothing():
    assert not pair_by_email_id([gone()], [came()])


def test_equal_email_ids_are_matched_in_order_and_once_each():
    lost = [gone(2, email_id="M1"), gone(1, email_id="M1"), gone(3, email_id="M1")]
    found = [came(9, email_id="M1"), came(4, email_id="M1")]
    assert short(pair_by_email_id(lost, found)) == [(INBOX, 1, ARCHIVE, 4), (INBOX, 2, ARCHIVE, 9)]


def test_file_size_counts_as_well_as_the_wire_size():
    assert by_header([gone(sizes=(95, 100))], [came(size=95)])
    assert by_header([gone(sizes=(95, 100))], [came(size=100)])


def test_header_is_asked_of_those_only_whose_size_and_date_leave_doubt():
    lost = [gone(1), gone(2, sizes=(7,), date=8)]
    found = [came(1), came(2, size=7, date=5), came(3, mailbox=LISTS, size=7, date=8), came(4, size=None)]
    assert suspects(lost, found) == {ARCHIVE: {1}, LISTS: {3}}


def test_mailbox_itself_is_no_target():
    assert suspects([gone()], [came(mailbox=INBOX)]) == {}
    assert not by_header([gone()], [came(mailbox=INBOX)])
    assert not pair_by_email_id([gone(email_id="M1")], [came(mailbox=INBOX, email_id="M1")])


def test_two_different_names_given_by_the_server_speak_against_it():
    assert suspects([gone(email_id="M1")], [came(email_id="M2")]) == {}
    assert not by_header([gone(email_id="M1")], [came(email_id="M2")])
    assert by_header([gone(email_id="M1")], [came()])


def test_another_header_is_another_message():
    assert not by_header([gone()], [came()], {(ARCHIVE, Uid(1)): b"other"})


def test_header_that_was_not_answered_pairs_nothing():
    assert not by_header([gone()], [came()], {(LISTS, Uid(1)): b"h"})


def test_another_date_is_another_message():
    assert not by_header([gone(date=5)], [came(date=6)])


def test_equal_octets_are_matched_as_multisets():
    lost = [gone(1), gone(2), gone(1, mailbox=LISTS)]
    assert by_header(lost, [came(7), came(8)]) == [(INBOX, 1, ARCHIVE, 7), (INBOX, 2, ARCHIVE, 8)]


def test_different_octets_under_one_key_are_left_to_be_fetched():
    assert not by_header([gone(1, octets=b"x"), gone(2, octets=b"y")], [came(7), came(8)])


def test_more_that_came_than_went_are_fetched():
    assert by_header([gone(1)], [came(7), came(8)]) == [(INBOX, 1, ARCHIVE, 7)]


def move(uid=1, *, lies_in=INBOX):
    return MoveLocal(
        source=INBOX,
        target=ARCHIVE,
        base=base(uid, message=f"m{uid}"),
        entry=RemoteEntry(uid=Uid(7), flags=NO_FLAGS),
        lies_in=lies_in,
        file=file("a"),
    )


def test_facts_are_less_what_a_move_explains():
    here = MailboxFacts(
        mailbox=INBOX,
        remote_vanished_stated=(base(1, message="m1"), base(2, message="m2")),
        remote_vanished_inferred=(base(1, message="m1"),),
        gone_on_both=(base(1, message="m1"),),
        local_appeared=(file("b"),),
    )
    left = less_moved(here, [move()])
    assert left == MailboxFacts(
        mailbox=INBOX, remote_vanished_stated=(base(2, message="m2"),), local_appeared=(file("b"),)
    )
    there = MailboxFacts(
        mailbox=ARCHIVE,
        remote_appeared=(RemoteEntry(uid=Uid(7), flags=NO_FLAGS), RemoteEntry(uid=Uid(8), flags=NO_FLAGS)),
    )
    assert [entry.uid for entry in less_moved(there, [move()]).remote_appeared] == [8]


def test_file_that_lies_elsewhere_is_no_new_message_there():
    facts = MailboxFacts(mailbox=LISTS, local_appeared=(file("a"), file("b")))
    assert less_moved(facts, [move(lies_in=LISTS)]).local_appeared == (file("b"),)
    assert less_moved(facts, [move()]).local_appeared == (file("a"), file("b"))


def test_removals_that_wait_are_undecided():
    facts = MailboxFacts(
        mailbox=INBOX,
        remote_vanished_stated=(base(1, message="m1"),),
        remote_vanished_inferred=(base(2, message="m2"), base(3, message="m3")),
    )
    left = less_waiting(facts, {"m1", "m3"})
    assert [entry.message_id for entry in left.remote_vanished_inferred] == ["m2"]
    assert not left.remote_vanished_stated
    assert [entry.message_id for entry in left.undecided] == ["m1", "m3"]


def test_message_gone_there_and_renamed_here_is_undecided_first():
    facts = MailboxFacts(mailbox=INBOX, gone_on_both=(base(1, message="m1"), base(2, message="m2")))
    left = less_renamed(facts, {"m1": (INBOX, file("x")), "m2": (ARCHIVE, file("y"))})
    assert [entry.message_id for entry in left.undecided] == ["m1"]
    assert [entry.message_id for entry in left.gone_on_both] == ["m2"]


def test_what_may_be_a_file_that_nobody_could_read_is_undecided():
    facts = MailboxFacts(
        mailbox=INBOX,
        local_vanished=(base(1, message="m1"), base(2, message="m2")),
        deleted_and_vanished=(base(3, message="m3"),),
        gone_on_both=(base(4, message="m4"),),
        local_appeared=(file("x"), file("y")),
    )
    left = less_unread(facts, {(INBOX, "x"), (ARCHIVE, "y")}, {"m1", "m3", "m4"})
    assert (left.local_appeared, left.unread) == ((file("y"),), (file("x"),))
    assert [entry.message_id for entry in left.local_vanished] == ["m2"]
    assert not left.deleted_and_vanished
    assert not left.gone_on_both
    assert [entry.message_id for entry in left.undecided] == ["m1", "m3", "m4"]
