"""What has changed in a tree that answers to no server."""

from daemon.model.flags import FLAGGED, NO_FLAGS, SEEN, Flag
from daemon.model.ids import MailboxName, MaildirName, MessageId
from daemon.model.views import BaseEntry, BaseView, LocalEntry, LocalView
from daemon.sync.one_way_plan import look_at_mailbox, without_moves

INBOX, ARCHIVE = MailboxName("INBOX"), MailboxName("Archive")


def base(*names, mailbox=INBOX, flags=NO_FLAGS):
    return BaseView(
        mailbox=mailbox,
        uid_validity=None,
        uid_next=None,
        highest_mod_seq=None,
        entries=tuple(
            BaseEntry(
                message_id=MessageId(f"m{name}"),
                uid=None,
                maildir_name=MaildirName(name),
                flags=frozenset(flags),
            )
            for name in names
        ),
    )


def local(mailbox=INBOX, files=(), **rest):
    entries = {
        MaildirName(name): LocalEntry(
            maildir_name=MaildirName(name), path=f"cur/{name}:2,", flags=frozenset(flags)
        )
        for name, flags in dict(files).items()
    }
    return LocalView(mailbox=mailbox, entries=entries, **rest)


def test_nothing_changed_is_nothing_to_do():
    assert look_at_mailbox(base("a"), local(files={"a": ()})).is_empty


def test_file_not_listed_is_gone_only_when_proved():
    assert look_at_mailbox(base("a"), local()).is_empty
    assert [one.maildir_name for one in look_at_mailbox(base("a"), local(missing=frozenset({"a"}))).gone] == [
        "a"
    ]


def test_flags_are_what_the_file_says():
    facts = look_at_mailbox(base("a", flags={SEEN}), local(files={"a": {FLAGGED}}))
    assert [said for _, said in facts.flags] == [frozenset({FLAGGED})]


def test_keyword_without_a_letter_is_no_change():
    keyword = Flag("work")
    view = base("a", flags={keyword})
    assert look_at_mailbox(view, local(files={"a": ()})).is_empty
    lettered = look_at_mailbox(view, local(files={"a": ()}, lettered_keywords=frozenset({keyword})))
    assert [said for _, said in lettered.flags] == [NO_FLAGS]


def test_message_deleted_by_name_is_buried_and_names_of_intents_are_no_arrivals():
    facts = look_at_mailbox(
        base("a"),
        local(files={"a": (), "b": (), "c": ()}, deleted_by_name=frozenset({"ma"}), ignored=frozenset({"b"})),
    )
    assert [one.maildir_name for one in facts.buried] == ["a"]
    assert [one.maildir_name for one in facts.arrived] == ["c"]


def test_file_gone_here_and_come_there_was_moved():
    here = look_at_mailbox(base("a", "b"), local(missing=frozenset({"a", "b"})))
    there = look_at_mailbox(base(mailbox=ARCHIVE), local(ARCHIVE, files={"a": {SEEN}, "c": ()}))
    moves, rest = without_moves([here, there])
    assert [(move.source, move.target, move.base.message_id) for move in moves] == [(INBOX, ARCHIVE, "ma")]
    assert [one.maildir_name for one in rest[0].gone] == ["b"]
    assert [one.maildir_name for one in rest[1].arrived] == ["c"]
