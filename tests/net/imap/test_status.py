"""STATUS asks for what the server offers and takes only the answer of that mailbox."""

import pytest

from daemon.model.errors import ServerRefused
from daemon.model.secret import Secret
from daemon.net.imap import status
from daemon.net.imap.status import same_mailbox
from daemon.net.imap.values import StatusResult


async def test_items_follow_the_capabilities(play):
    async def script(part):
        await part.answer(
            b"STATUS Box (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ MAILBOXID)",
            b"* STATUS Other (MESSAGES 99)",
            b"* STATUS Box (MESSAGES 2 UIDNEXT 3 UIDVALIDITY 4 HIGHESTMODSEQ 5 MAILBOXID (m1))",
        )
        await part.answer(b"STATUS Box", b"* STATUS Other (MESSAGES 99)")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 CONDSTORE OBJECTID")
    got = await client.status(b"Box")
    assert (got.message_count, got.uid_next, got.uid_validity, got.highest_mod_seq) == (2, 3, 4, 5)
    assert got.mailbox_id == "m1"
    assert (await client.status(b"Box")).message_count is None


async def test_cyrus_is_never_asked_for_the_mailbox_id(play):
    """cyrus-imapd#4944: STATUS answers it with freed memory, which may break the line."""

    async def script(part):
        await part.answer(
            b"STATUS Box (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)\r\n",
            b"* STATUS Box (MESSAGES 2 UIDNEXT 3 UIDVALIDITY 4 HIGHESTMODSEQ 5)",
        )
        await part.stay()

    client = await play(
        script, caps=b"IMAP4rev1 CONDSTORE OBJECTID", text=b"mail Cyrus IMAP 3.6.1 server ready"
    )
    await client.authenticate("me", Secret("unused"))
    assert (await client.status(b"Box")).message_count == 2


async def test_missing_mailbox_is_refused(play):
    async def script(part):
        await part.answer(b"STATUS", with_=b"NO [NONEXISTENT] no")
        await part.stay()

    client = await play(script)
    with pytest.raises(ServerRefused) as caught:
        await client.status(b"Box")
    assert caught.value.code == "NONEXISTENT"


def test_inbox_comes_in_any_case_and_no_other_name_does():
    assert same_mailbox(b"Inbox", b"INBOX")
    assert not same_mailbox(b"box", b"Box")


async def test_size_of_all_is_asked_only_when_wanted(play):
    """RFC 8438; DELETED: RFC 9051. It may cost the server a look at every message."""

    async def script(part):
        await part.answer(b"STATUS Box (MESSAGES UIDNEXT UIDVALIDITY UNSEEN)\r\n")
        await part.answer(
            b"STATUS Box (MESSAGES UIDNEXT UIDVALIDITY UNSEEN SIZE DELETED)",
            b"* STATUS Box (SIZE 9000000000 UNSEEN 2 DELETED 1)",
        )
        await part.stay()

    client = await play(script, caps=b"IMAP4rev2")
    await client.status(b"Box")
    got = await client.status(b"Box", with_size=True)
    assert (got.size, got.unseen_count, got.deleted_count) == (9000000000, 2, 1)


async def test_unseen_is_asked_where_a_mailbox_has_no_mod_sequences(play):
    """It costs some servers a look at every message, and mod-sequences tell more."""
    numbers = b"STATUS Box (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ"

    async def script(part):
        await part.answer(numbers + b")")
        await part.answer(
            b"SELECT", b"* 0 EXISTS", b"* OK [UIDVALIDITY 7] x", b"* OK [UIDNEXT 1] x", b"* OK [NOMODSEQ] x"
        )
        await part.answer(numbers + b" UNSEEN)")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 CONDSTORE")
    await client.status(b"Box")
    await client.select(b"Box")
    await client.status(b"Box")


async def test_dovecot_tells_the_size_of_all(log_in, mailbag):
    mailbag.fill("INBOX", [b"Subject: a\r\n\r\nx\r\n"] * 3, flags="")
    client = await log_in()
    got = await client.status(b"INBOX", with_size=True)
    assert (got.message_count, got.unseen_count, got.size) == (3, 3, 51)


async def test_several_mailboxes_are_asked_in_one_go_and_refusals_left_out(play):
    async def script(part):
        tags = [await part.hear(b"STATUS " + name) for name in (b"Gone", b"Other", b"inbox")]
        await part.say(
            tags[0] + b" NO [NONEXISTENT] no",
            b"* STATUS Stranger (MESSAGES 9)",
            b"* STATUS Other (MESSAGES 1)",
            b"* STATUS Other (UIDNEXT 5)",
            tags[1] + b" OK",
            b"* STATUS INBOX (MESSAGES 2)",
            tags[2] + b" OK",
        )
        await part.stay()

    client = await play(script)
    found = await status.statuses(client._session, [b"Gone", b"Other", b"inbox"])
    assert found == {
        b"Other": StatusResult(message_count=1, uid_next=5),
        b"inbox": StatusResult(message_count=2),
    }
