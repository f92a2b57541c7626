"""What the breaker is told of a mailbox is the same whether all of it was seen or a part."""

from dataclasses import replace

import pytest

from daemon.model.flags import FLAGGED, NO_FLAGS
from daemon.model.views import BaseEntry, BaseState, BaseView, LocalEntry, RemoteEntry, RemoteView
from daemon.sync.actions import MailboxFacts
from daemon.sync.guard import DeletionBreaker, Side
from daemon.sync.holds import Holds
from daemon.sync.local_scan import Listing
from daemon.sync.seen import Seen
from tests.store.samples import INBOX, VALIDITY, WORK, mailbox, maildir_name, message_id

HOLDS = Holds(account=WORK, store=None, breaker=DeletionBreaker(share_limit=0.5))


def entry(number: int, state: BaseState = BaseState.SYNCED) -> BaseEntry:
    return BaseEntry(
        message_id=message_id(number),
        uid=number,
        maildir_name=maildir_name(number),
        flags=NO_FLAGS,
        state=state,
    )


def seen(*entries: BaseEntry, files: tuple[int, ...] = (), count: int = 3) -> Seen:
    listed = {
        maildir_name(number): LocalEntry(maildir_name=maildir_name(number), path="new/x", flags=NO_FLAGS)
        for number in files
    }
    return Seen(
        record=mailbox(),
        base=BaseView(
            mailbox=INBOX, uid_validity=VALIDITY, uid_next=9, highest_mod_seq=9, entries=tuple(entries)
        ),
        listing=Listing(entries=listed, lettered_keywords=NO_FLAGS, unexplained=frozenset(), stamp=None),
        remote=RemoteView(
            mailbox=INBOX, uid_validity=VALIDITY, uid_next=9, highest_mod_seq=9, message_count=count
        ),
        facts=MailboxFacts(mailbox=INBOX),
        adoptable={},
    )


def test_size_is_that_of_all_messages_on_both_sides() -> None:
    whole = seen(entry(1), entry(2), entry(3, BaseState.MARKED))
    part = replace(seen(entry(1)), size=2)
    assert whole.situation(HOLDS).size == part.situation(HOLDS).size == 2


@pytest.mark.parametrize(
    ("one", "inhabited"),
    [
        (seen(files=(1,)), {Side.HERE, Side.THERE}),
        (replace(seen(), has_more_files=True), {Side.HERE, Side.THERE}),
        (seen(), {Side.THERE}),
        (seen(count=0), set()),
    ],
)
def test_sides_with_messages_are_inhabited(one: Seen, inhabited) -> None:
    assert one.situation(HOLDS).inhabited == inhabited


def test_emptied_mailbox_is_doubtful() -> None:
    assert seen(entry(1), count=0).situation(HOLDS).are_statements_doubtful
    assert not seen(entry(1), count=1).situation(HOLDS).are_statements_doubtful


def told(number: int, mod_seq: int | None, flags=frozenset({FLAGGED})) -> RemoteEntry:
    return RemoteEntry(uid=number, flags=flags, mod_seq=mod_seq)


@pytest.mark.parametrize(
    ("field", "state", "there", "deleted", "mark"),
    [
        ("local_vanished", BaseState.SYNCED, told(1, 5), (), 4),
        ("deleted_by_name", BaseState.SYNCED, told(1, 5), (), 4),
        ("deleted_and_vanished", BaseState.SYNCED, told(1, 5), (), 4),
        ("local_vanished", BaseState.SYNCED, told(1, 10), (), 9),
        ("local_vanished", BaseState.SYNCED, told(1, 11), (), 9),
        ("local_vanished", BaseState.SYNCED, told(1, 1), (), None),
        ("local_vanished", BaseState.SYNCED, told(1, None), (), None),
        ("local_vanished", BaseState.SYNCED, told(1, 5), (1,), 9),
        ("local_vanished", BaseState.SYNCED, told(1, 5, NO_FLAGS), (), 9),
        ("local_vanished", BaseState.SYNCED, told(2, 5), (), 9),
        ("local_vanished", BaseState.ASIDE, told(1, 5), (), 9),
        ("remote_vanished_stated", BaseState.SYNCED, told(1, 5), (), 9),
    ],
)
def test_mark_stays_below_changed_flags_of_what_was_to_go_and_is_still_there(
    field, state, there, deleted, mark
) -> None:
    one = seen(entry(1, state))
    one = replace(
        one,
        remote=replace(one.remote, changed={there.uid: there}),
        facts=replace(one.facts, **{field: one.base.entries}),
    )
    assert one.mark_after(deleted) == mark
