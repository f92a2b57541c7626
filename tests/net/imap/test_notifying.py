"""NOTIFY: one connection hears of every mailbox, and nothing it heard is lost. RFC 5465."""

import asyncio

import pytest

from daemon.model.errors import ServerRefused
from daemon.net.imap.client import IdleEnd, StatusResult
from tests.support.server_side import server_side

CAPS = b"IMAP4rev1 UIDPLUS NOTIFY IDLE"


async def settle(client) -> None:
    """Take what a server tells right after NOTIFY."""
    for _ in range(20):
        if await client.idle(renew_after=1.5) is IdleEnd.RENEW:
            return
        client.drain_heard()
    raise AssertionError("the server does not come to rest")


async def hear(client):
    async with asyncio.timeout(20):
        assert await client.idle() is IdleEnd.CHANGED
    return client.drain_heard()


async def test_dovecot_tells_of_every_mailbox_on_one_connection(log_in, mailbag):
    client = await log_in()
    assert client.caps.has("NOTIFY")
    await client.select(b"INBOX")
    await client.notify()
    first = await hear(client)
    assert first.mailboxes[b"Sent"].message_count == 0
    assert first.mailboxes[b"Sent"].uid_validity is not None
    await settle(client)
    with server_side(mailbag) as other:
        other.append(b"Subject: x\r\n\r\nhi\r\n", "Sent")
        heard = await hear(client)
        assert set(heard.mailboxes) == {b"Sent"}
        assert (heard.mailboxes[b"Sent"].message_count, heard.mailboxes[b"Sent"].uid_next) == (1, 2)
        assert not heard.has_listing_change
        other.store([1], "+", "\\Seen", "Sent")
        heard = await hear(client)
        assert heard.mailboxes[b"Sent"].highest_mod_seq > 2
        other.append(b"Subject: x\r\n\r\nhi\r\n")
        heard = await hear(client)
        assert client.selection.exists == 1
        other.create("Fresh")
        heard = await hear(client)
        assert heard.has_listing_change
    assert client.has_notify


async def test_dovecot_tells_of_a_renamed_mailbox(log_in, mailbag):
    client = await log_in()
    await client.create(b"Old")
    await client.select(b"INBOX")
    await client.notify()
    await settle(client)
    with server_side(mailbag) as other:
        other.imap.rename("Old", "New")
        assert (await hear(client)).has_listing_change


async def test_dovecot_goes_on_telling_when_another_mailbox_is_selected(log_in, mailbag):
    client = await log_in()
    await client.select(b"INBOX")
    await client.notify()
    await settle(client)
    await client.select(b"Sent")
    await client.notify()  # not sent again, because Dovecot would fall silent
    with server_side(mailbag) as other:
        other.append(b"Subject: x\r\n\r\nhi\r\n", "INBOX")
        assert b"INBOX" in (await hear(client)).mailboxes


async def answer_notify(part, *first: bytes) -> None:
    await part.answer(
        b"NOTIFY SET STATUS (selected-delayed (MessageNew MessageExpunge FlagChange))"
        b" (personal (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange))",
        *first,
    )


async def idle_with(part, *lines: bytes) -> None:
    tag = await part.hear(b"IDLE")
    await part.say(b"+ idling", *lines)
    await part.hear(b"DONE")
    await part.say(tag + b" OK done")


async def test_push_between_commands_ends_the_wait_at_once(play):
    async def script(part):
        await answer_notify(part)
        await part.answer(b"NOOP", b"* STATUS Other (MESSAGES 4 UIDNEXT 9 UIDVALIDITY 3)")
        await part.stay()

    client = await play(script, caps=CAPS, selected=True)
    await client.notify()
    await client.noop()
    assert await client.idle() is IdleEnd.CHANGED
    heard = client.drain_heard()
    assert heard.mailboxes == {b"Other": StatusResult(message_count=4, uid_next=9, uid_validity=3)}
    assert not client.has_own_news


async def test_push_during_idle_ends_it_and_partial_numbers_are_joined(play):
    async def script(part):
        await answer_notify(part, b"* STATUS inbox (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 3 HIGHESTMODSEQ 4)")
        await part.answer(b"NOOP", b"* STATUS Inbox (UNSEEN 0 HIGHESTMODSEQ 9)")
        await idle_with(part, b"* STATUS Other (MESSAGES 1)")
        await part.stay()

    client = await play(script, caps=CAPS)
    await client.notify()
    await client.noop()
    (numbers,) = (await hear(client)).mailboxes.values()
    assert (numbers.message_count, numbers.unseen_count, numbers.highest_mod_seq) == (1, 0, 9)
    assert (await hear(client)).mailboxes[b"Other"].message_count == 1


async def test_push_survives_a_drain_of_the_selected_mailbox(play):
    """A scan drains what it heard of its own mailbox; the push waits for the reader of `idle`."""

    async def script(part):
        await answer_notify(part)
        await part.answer(b"NOOP", b"* STATUS Other (MESSAGES 1)", b"* 4 EXISTS")
        await part.stay()

    client = await play(script, caps=CAPS, selected=True)
    await client.notify()
    await client.noop()
    assert client.has_own_news
    assert client.drain_heard().mailboxes == {}
    assert set((await hear(client)).mailboxes) == {b"Other"}
    assert not client.drain_heard().mailboxes


async def test_answers_to_status_and_list_are_no_pushes(play):
    async def script(part):
        await answer_notify(part)
        await part.answer(b"STATUS Box", b"* STATUS Box (MESSAGES 1)", b"* STATUS Other (MESSAGES 2)")
        await part.answer(
            b"LIST", b'* LIST () "/" Box', b"* STATUS Box (MESSAGES 1 UIDNEXT 3)", b"* STATUS Box (UNSEEN 1)"
        )
        await part.stay()

    client = await play(script, caps=CAPS + b" LIST-EXTENDED LIST-STATUS")
    await client.notify()
    assert (await client.status(b"Box")).message_count == 1
    assert set((await hear(client)).mailboxes) == {b"Other"}
    (box,) = await client.list_mailboxes()
    assert (box.message_count, box.uid_next) == (1, 3)
    heard = client.take_pushes()
    assert not (heard.mailboxes or heard.has_listing_change)


async def test_without_notify_unasked_status_is_idle_talk(play):
    async def script(part):
        await part.answer(b"NOOP", b"* STATUS Other (MESSAGES 2)", b'* LIST () "/" New')
        await idle_with(part)
        await part.stay()

    client = await play(script, caps=CAPS, selected=True)
    await client.noop()
    assert await client.idle(renew_after=0.1) is IdleEnd.RENEW


async def test_overflow_says_that_track_was_lost(play):
    async def script(part):
        await answer_notify(part)
        await idle_with(part, b"* OK [NOTIFICATIONOVERFLOW] too much going on")
        await idle_with(part, b"* STATUS Other (MESSAGES 2)")
        await part.stay()

    client = await play(script, caps=CAPS, selected=True)
    await client.notify()
    assert (await hear(client)).has_lost_track
    assert not client.has_notify
    assert await client.idle(renew_after=0.1) is IdleEnd.RENEW


@pytest.mark.parametrize(
    "answer", [b"NO [BADEVENT (MessageNew)] no", b"NO [NOTIFICATIONOVERFLOW] no", b"BAD what"]
)
async def test_refused_notify_lets_the_caller_fall_back(play, answer):
    async def script(part):
        await part.answer(b"NOTIFY", with_=answer)
        await idle_with(part)
        await part.stay()

    client = await play(script, caps=CAPS, selected=True)
    with pytest.raises(ServerRefused):
        await client.notify()
    assert not client.has_notify
    client.drain_heard()
    assert await client.idle(renew_after=0.1) is not IdleEnd.WOKEN


async def test_without_idle_the_wait_needs_no_command(play):
    async def script(part):
        await part.answer(b"NOTIFY SET STATUS (selected (MessageNew MessageExpunge FlagChange)) (personal")
        await part.answer(b"NOOP")
        await asyncio.sleep(0.1)
        await part.say(b'* LIST () "/" New (OLDNAME ("Old"))')
        await part.answer(b"NOOP", b"* 4 EXISTS")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 NOTIFY", selected=True)
    await client.notify()
    assert await client.idle(renew_after=0.1) is IdleEnd.RENEW
    heard = await hear(client)
    assert heard.has_listing_change
    client.wake()
    assert await client.idle() is IdleEnd.WOKEN
    assert await client.idle(renew_after=0.1) is IdleEnd.CHANGED
    assert client.selection.exists == 4


async def test_news_of_the_mailbox_being_left_are_kept(play):
    async def script(part):
        await answer_notify(part)
        await part.answer(
            b"SELECT",
            b"* 4 EXISTS",
            b"* OK [CLOSED] left",
            b"* 0 EXISTS",
            b"* OK [UIDVALIDITY 1] x",
            b"* OK [UIDNEXT 2] x",
        )
        await part.stay()

    client = await play(script, caps=CAPS, selected=True)
    await client.notify()
    await client.select(b"Next")
    assert set((await hear(client)).mailboxes) == {b"Box"}


async def test_silence_can_be_asked_for(play):
    async def script(part):
        await answer_notify(part)
        await part.answer(b"NOTIFY SET (selected-delayed (MessageNew MessageExpunge FlagChange))\r\n")
        await part.stay()

    client = await play(script, caps=CAPS)
    await client.notify()
    await client.notify_none()
    assert not client.has_notify


async def test_wake_works_under_notify(play):
    async def script(part):
        await answer_notify(part)
        await idle_with(part)
        await part.stay()

    client = await play(script, caps=CAPS, selected=True)
    await client.notify()
    waiting = asyncio.create_task(client.idle())
    await asyncio.sleep(0.05)
    client.wake()
    assert await waiting is IdleEnd.WOKEN


async def test_pushes_are_taken_without_the_selected_mailboxs_own_news(play):
    """An expunge told by VANISHED is not told again: it is for the scan."""

    async def script(part):
        await answer_notify(part)
        await part.answer(b"NOOP", b"* STATUS Other (MESSAGES 1)", b"* VANISHED 3")
        await part.stay()

    client = await play(script, caps=CAPS, selected=True)
    await client.notify()
    await client.noop()
    assert set(client.take_pushes().mailboxes) == {b"Other"}
    assert not client.take_pushes().mailboxes
    assert client.has_own_news
    assert 3 in client.drain_heard().vanished
    assert not client.has_own_news


async def test_news_heard_and_not_drained_become_a_push_when_their_mailbox_is_left(play):
    async def script(part):
        await answer_notify(part)
        await part.answer(b"NOOP", b"* 4 EXISTS")
        await part.answer(b"SELECT", b"* 0 EXISTS", b"* OK [UIDVALIDITY 1] x", b"* OK [UIDNEXT 2] x")
        await part.stay()

    client = await play(script, caps=CAPS, selected=True)
    await client.notify()
    await client.noop()
    await client.select(b"Next")
    assert not client.has_own_news
    assert set(client.take_pushes().mailboxes) == {b"Box"}


async def test_mailboxes_that_were_left_are_looked_back_at_once(play):
    """QUIRK Dovecot 2.3.19: what it had not noticed of a mailbox when it was left, it never tells."""

    async def script(part):
        await answer_notify(part)
        await part.answer(b"SELECT", b"* 0 EXISTS", b"* OK [UIDVALIDITY 1] x", b"* OK [UIDNEXT 2] x")
        await part.answer(b"STATUS Box", b"* STATUS Box (MESSAGES 4)")
        await part.answer(b"UNSELECT")
        await part.answer(b"STATUS Next", b"* STATUS Next (MESSAGES 0)")
        await part.stay()

    client = await play(script, caps=CAPS + b" UNSELECT", selected=True)
    await client.notify()
    await client.select(b"Next")
    assert (await client.look_back())[b"Box"].message_count == 4
    assert await client.look_back() == {}
    await client.unselect()
    assert set(await client.look_back()) == {b"Next"}


async def test_without_notify_nothing_is_looked_back_at(play):
    async def script(part):
        await part.answer(b"SELECT", b"* 0 EXISTS", b"* OK [UIDVALIDITY 1] x", b"* OK [UIDNEXT 2] x")
        await part.stay()

    client = await play(script, caps=CAPS, selected=True)
    await client.select(b"Next")
    assert await client.look_back() == {}
