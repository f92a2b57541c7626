"""Intents are durable before the act."""

from daemon.model.flags import SEEN, Flag
from daemon.model.ids import INBOX
from daemon.model.operations import IntentKind
from tests.store.samples import HOME, WORK, ids_of, maildir_name, message_id, new_intent


async def test_intents_survive_with_everything_recovery_needs(open_store):
    store = await open_store()
    opened = await store.intents.open(
        [
            new_intent(1, flags=frozenset({SEEN, Flag("$Junk")})),
            new_intent(2, IntentKind.UPLOAD),
            new_intent(3, account=HOME),
        ]
    )
    await store.intents.count_attempt([opened[1].id])
    await store.intents.count_attempt([])
    await store.close()
    store = await open_store()
    pending = await store.intents.pending(WORK)
    assert pending[0] == opened[0]
    assert (pending[1].uid, pending[1].uid_next, pending[1].attempts) == (None, 2, 1)
    assert len(pending) == 2


async def test_numbers_are_never_given_twice(open_store):
    store = await open_store()
    first = await store.intents.open([new_intent(1), new_intent(2)])
    await store.intents.close(ids_of(first))
    await store.close()
    store = await open_store()
    second = await store.intents.open([new_intent(3)])
    assert ids_of(first) + ids_of(second) == [1, 2, 3]
    assert await store.intents.open([]) == ()


async def test_closed_intents_leave_names_unless_told_otherwise(store):
    opened = await store.intents.open([new_intent(number) for number in range(1, 4)])
    assert await store.intents.names(WORK, INBOX) == {}
    await store.intents.close(ids_of(opened[:2]))
    await store.intents.close(ids_of(opened[2:]), remember=False)
    await store.intents.close(ids_of(opened))
    await store.intents.close([])
    assert await store.intents.names(WORK, INBOX) == {
        maildir_name(1): message_id(1),
        maildir_name(2): message_id(2),
    }
    assert await store.intents.pending(WORK) == ()


async def test_names_can_be_told_and_told_again(store):
    await store.intents.remember(
        WORK, INBOX, {maildir_name(1): message_id(1), maildir_name(2): message_id(2)}
    )
    await store.intents.remember(WORK, INBOX, {maildir_name(1): message_id(9)})
    await store.intents.remember(WORK, INBOX, {})
    assert await store.intents.names(WORK, INBOX) == {
        maildir_name(1): message_id(9),
        maildir_name(2): message_id(2),
    }
    assert await store.intents.names(HOME, INBOX) == {}
