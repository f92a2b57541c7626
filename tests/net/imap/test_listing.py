"""LIST on servers with much, little and odd things to say."""

import pytest

from daemon.model.errors import Throttled
from daemon.model.mailbox import SpecialUse


async def test_one_answer_where_the_server_can(play):
    async def script(part):
        await part.answer(
            b'LIST "" "*" RETURN (SUBSCRIBED SPECIAL-USE STATUS (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ))',
            b'* LIST (\\Subscribed) "." Inbox',
            b"* STATUS INBOX (MESSAGES 5 UIDNEXT 9 UIDVALIDITY 3 HIGHESTMODSEQ 11)",
            b'* LIST (\\Trash \\HasNoChildren) "." "Deleted Items.Old"',
            b'* LIST (\\NonExistent \\HasChildren) "." Gone',
            b'* LIST (\\Subscribed) "." Inbox',
            b'* STATUS "Deleted Items.Old" (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 4)',
        )
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 LIST-EXTENDED LIST-STATUS SPECIAL-USE CONDSTORE")
    inbox, trash, gone = await client.list_mailboxes()
    assert (inbox.name, inbox.wire_name, inbox.is_subscribed) == ("INBOX", b"Inbox", True)
    assert (inbox.message_count, inbox.uid_next, inbox.uid_validity, inbox.highest_mod_seq) == (5, 9, 3, 11)
    assert trash.name == "Deleted Items/Old"
    assert trash.special_use is SpecialUse.TRASH
    assert trash.highest_mod_seq is None
    assert not gone.is_selectable


async def test_plain_server_is_asked_by_list_lsub_and_status(play):
    async def script(part):
        tags = {}
        for _ in range(2):
            line = await part.reader.readline()
            tags[line.split()[1]] = line.split()[0]
        await part.say(b'* LIST () "/" A', b'* LIST (\\Noselect) "/" B', tags[b"LIST"] + b" OK")
        await part.say(b'* LSUB () "/" A', tags[b"LSUB"] + b" OK")
        await part.answer(
            b"STATUS A (MESSAGES UIDNEXT UIDVALIDITY UNSEEN)",
            b"* STATUS A (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 3 UNSEEN 0)",
        )
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1")
    one, other = await client.list_mailboxes()
    assert one.is_subscribed
    assert (one.message_count, one.unseen_count) == (1, 0)
    assert not other.is_selectable
    assert other.message_count is None


async def test_refused_status_leaves_one_mailbox_without_numbers(play):
    async def script(part):
        await part.answer(b"LIST", b'* LIST () "/" A', b'* LIST () "/" B')
        await part.answer(b"LSUB")
        await part.answer(b"STATUS A", with_=b"NO [INUSE] locked")
        await part.answer(b"STATUS B", b"* STATUS B (MESSAGES 1)")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1")
    one, other = await client.list_mailboxes()
    assert one.message_count is None
    assert other.message_count == 1


async def test_personal_prefix_is_removed_unless_that_collides(play):
    async def script(part):
        await part.answer(b"NAMESPACE", b'* NAMESPACE (("INBOX." ".")) NIL NIL')
        await part.answer(
            b"LIST",
            b'* LIST () "." INBOX',
            b'* LIST () "." INBOX.Sent',
            b'* LIST () "." INBOX.Both',
            b'* LIST () "." Both',
            b'* LIST () "." INBOX.&AOQ-',
        )
        await part.answer(b"LSUB")
        for _ in range(5):
            await part.answer(b"STATUS")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 NAMESPACE")
    names = [one.name for one in await client.list_mailboxes()]
    assert names == ["INBOX", "Sent", "INBOX/Both", "Both", "ä"]
    assert client.wire_name_for("Neu/Ä") == b"INBOX.Neu.&AMQ-"
    assert client.wire_name_for("INBOX") == b"INBOX"


async def test_extended_listing_that_shows_nothing_is_asked_plainly(play):
    """Strato, MailKit#1957: an empty listing would look like a deleted account (S10)."""

    async def script(part):
        await part.answer(b"RETURN (SUBSCRIBED STATUS")
        await part.answer(b'LIST "" "*"\r\n', b'* LIST () "/" INBOX')
        await part.answer(b"LSUB")
        await part.answer(b"STATUS INBOX", b"* STATUS INBOX (MESSAGES 1)")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 LIST-EXTENDED LIST-STATUS")
    (inbox,) = await client.list_mailboxes()
    assert inbox.message_count == 1


async def test_many_status_never_exceed_the_window(play):
    """geary, bgo 766552: some fifty STATUS in flight break Exchange's parser."""
    import asyncio

    count = 120
    most = 0

    async def script(part):
        nonlocal most
        await part.answer(b"LIST", *(b'* LIST () "/" m%d' % number for number in range(count)))
        await part.answer(b"LSUB")
        done = 0
        while done < count:
            await asyncio.sleep(0.02)
            tags = []
            while len(tags) + done < count:
                try:
                    async with asyncio.timeout(0.01):
                        tags.append(await part.hear(b"STATUS"))
                except TimeoutError:
                    break
            most = max(most, len(tags))
            await part.say(*(tag + b" OK" for tag in tags))
            done += len(tags)
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1")
    assert len(await client.list_mailboxes()) == count
    assert 2 <= most <= 25


async def test_hundred_thousand_mailboxes_are_listed(play):
    """S24."""
    count = 100_000

    async def script(part):
        await part.answer(b"LIST", *(b'* LIST () "/" a/%d' % number for number in range(count)))
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 LIST-EXTENDED LIST-STATUS")
    assert len(await client.list_mailboxes()) == count


async def test_refused_list_is_raised(play):
    async def script(part):
        while True:
            tag = await part.hear()
            await part.say(tag + b" BAD User is authenticated but not connected.")

    client = await play(script, caps=b"IMAP4rev1")
    with pytest.raises(Throttled):
        await client.list_mailboxes()


async def test_rev2_server_is_never_asked_by_lsub(play):
    """RFC 9051 appendix E; imapflow list.js: Exchange refuses LSUB in rev2 mode."""

    async def script(part):
        await part.answer(b"NAMESPACE", b'* NAMESPACE (("" "/")) NIL NIL')
        await part.answer(
            b"RETURN (SUBSCRIBED SPECIAL-USE STATUS (",
            b'* LIST (\\Subscribed \\HasChildren) "/" "B\xc3\xbccher"',
            b'* LIST (\\HasNoChildren) "/" "B\xc3\xbccher/Neu" (OLDNAME ("Alt"))',
            b'* LIST () "/" "A & B"',
        )
        await part.stay()

    client = await play(script, caps=b"IMAP4rev2")
    parent, child, other = await client.list_mailboxes()
    assert parent.name == "Bücher"
    assert (child.name, child.old_wire_name) == ("Bücher/Neu", b"Alt")
    assert other.name == "A & B"
    assert client.wire_name_for("Grüße/Ä") == "Grüße/Ä".encode()


async def test_empty_rev2_listing_is_asked_again_without_lsub(play):
    async def script(part):
        await part.answer(b"NAMESPACE")
        await part.answer(b"RETURN (SUBSCRIBED")
        await part.answer(b'LIST "" "*"\r\n', b'* LIST () "/" INBOX')
        await part.answer(b"STATUS INBOX", b"* STATUS INBOX (MESSAGES 1)")
        await part.answer(b"NOOP")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev2")
    await client.list_mailboxes()
    await client.noop()


async def test_each_personal_namespace_is_listed(play):
    """RFC 2342 §5: a server may leave further ones out of the listing of everything."""

    async def script(part):
        await part.answer(
            b"NAMESPACE", b'* NAMESPACE (("" "/")("#mh/" "/")("*odd*" "/")) NIL (("Shared/" "/"))'
        )
        await part.answer(b'LIST "" "*" RETURN', b'* LIST () "/" INBOX')
        await part.answer(b'LIST "" "#mh/*" RETURN', b'* LIST () "/" "#mh/inbox"')
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 NAMESPACE LIST-EXTENDED LIST-STATUS")
    assert [one.name for one in await client.list_mailboxes()] == ["INBOX", "#mh/inbox"]
    assert client.wire_name_for("New") == b"New"


async def test_second_line_of_a_mailbox_adds_to_the_first(play):
    """A NOTIFY push in the middle of a listing tells only what changed; a mailbox that is gone is gone."""

    async def script(part):
        await part.answer(
            b"LIST",
            b'* LIST (\\Sent) "/" Sent',
            b'* LIST (\\Subscribed) "/" Sent',
            b'* LIST () "/" Old',
            b'* LIST (\\NonExistent) "/" Old',
        )
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 LIST-EXTENDED LIST-STATUS")
    sent, old = await client.list_mailboxes()
    assert sent.special_use is SpecialUse.SENT
    assert sent.is_subscribed
    assert not old.is_selectable


async def test_roles_of_rfc_8457_and_of_any_letter_case_are_known(play):
    async def script(part):
        await part.answer(b"LIST", b'* LIST (\\Important) "/" A', b'* LIST (\\TRASH \\Subscribed) "/" B')
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 LIST-EXTENDED LIST-STATUS SPECIAL-USE")
    roles = [one.special_use for one in await client.list_mailboxes()]
    assert roles == [SpecialUse.IMPORTANT, SpecialUse.TRASH]


async def test_more_mailboxes_than_any_account_has_are_a_flood(play, monkeypatch):
    """S24: bounded."""
    from daemon.model.errors import RemoteProtocolError
    from daemon.net.imap import listing

    monkeypatch.setattr(listing, "MOST_MAILBOXES", 10)

    async def script(part):
        await part.answer(b"LIST", *(b'* LIST () "/" m%d' % number for number in range(20)))
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 LIST-EXTENDED LIST-STATUS")
    with pytest.raises(RemoteProtocolError) as caught:
        await client.list_mailboxes()
    assert caught.value.reason == "too_many_mailboxes"
    assert "more mailboxes than are taken: 10" in str(caught.value)


@pytest.mark.parametrize("kind", [b'LIST () "/"', b'LSUB () "/"', b"STATUS"])
async def test_names_longer_than_all_names_may_be_are_refused(play, monkeypatch, kind):
    """Names of 60 kB: few of them fill what is kept."""
    from daemon.model.errors import RemoteProtocolError
    from daemon.net.imap import listing

    monkeypatch.setattr(listing, "MOST_NAME_BYTES", 1 << 20)
    tail = b" (UIDNEXT 1)" if kind == b"STATUS" else b""

    async def script(part):
        await part.answer(
            b"LIST", *(b'* %b "%d%b"%b' % (kind, number, b"n" * 60_000, tail) for number in range(60))
        )
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 LIST-EXTENDED LIST-STATUS")
    with pytest.raises(RemoteProtocolError) as caught:
        await client.list_mailboxes()
    assert caught.value.reason == "too_many_mailboxes"


async def test_name_that_no_command_can_say_is_listed_and_never_used(play):
    """NUL, CR and LF come in literals; without this the account would stumble over its own command for ever."""

    async def script(part):
        lines = [b'* LIST () "/" {3}\r\na%bb' % octet for octet in (b"\0", b"\r", b"\n")]
        await part.answer(b"LIST", *lines, b'* LIST () "/" good')
        await part.answer(b"LSUB")
        await part.answer(b"STATUS good", b"* STATUS good (UIDNEXT 4)")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1")
    mailboxes = await client.list_mailboxes()
    assert [one.is_selectable for one in mailboxes] == [False, False, False, True]
    assert len({one.name for one in mailboxes}) == 4
    assert mailboxes[3].uid_next == 4
