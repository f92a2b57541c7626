"""The whole client against a real Dovecot: what each command does to mail."""

import asyncio

import pytest

from daemon.model.clock import SystemClock
from daemon.model.errors import AuthenticationFailed, ConnectionLost, ServerRefused
from daemon.model.flags import DELETED, FLAGGED, SEEN, Flag
from daemon.model.ids import INBOX, MailboxName
from daemon.model.mailbox import SpecialUse
from daemon.model.secret import Secret
from daemon.model.settings import Tls
from daemon.model.uidset import UidSet
from daemon.net.endpoint import Endpoint
from daemon.net.imap.client import AppendItem, IdleEnd, ImapClient, QresyncSince

pytestmark = pytest.mark.dovecot


def item(octets: bytes, *flags, date: int = 1_600_000_000) -> AppendItem:
    async def chunks():
        for start in range(0, len(octets), 50_000):
            yield octets[start : start + 50_000]

    return AppendItem(size=len(octets), open_chunks=chunks, internal_date=date, flags=frozenset(flags))


def message(number: int, size: int = 0) -> bytes:
    body = (b"x" * 70 + b"\r\n") * (size // 72 + 1)
    return b"Subject: %d\r\nMessage-ID: <%d@example.org>\r\n\r\n" % (number, number) + body


def no_sink(uid, size):
    raise AssertionError("no sink expected")


@pytest.mark.parametrize("tls", [Tls.IMPLICIT, Tls.STARTTLS, Tls.NONE])
async def test_round_trip_of_everything_a_pass_does(log_in, tls):
    client = await log_in(tls)
    assert client.has_qresync
    assert client.has_condstore
    boxes = {one.name: one for one in await client.list_mailboxes()}
    assert boxes["Trash"].special_use is SpecialUse.TRASH
    assert boxes[INBOX].message_count == 0
    assert boxes[INBOX].uid_validity
    selection = await client.select(b"INBOX")
    assert selection.exists == 0
    assert selection.uid_next == 1

    sent = [message(number, number * 1000) for number in range(40)]
    outcomes = await client.append_many(b"INBOX", [item(octets, SEEN) for octets in sent])
    assert [outcome.uid for outcome in outcomes] == list(range(1, 41))
    assert {outcome.uid_validity for outcome in outcomes} == {selection.uid_validity}

    scan = await client.fetch_entries()
    assert [entry.uid for entry in scan.entries] == list(range(1, 41))
    assert [entry.size for entry in scan.entries] == [len(octets) for octets in sent]
    assert {entry.internal_date for entry in scan.entries} == {1_600_000_000}
    assert all(entry.flags == {SEEN} and entry.mod_seq for entry in scan.entries)
    sizes = {entry.uid: entry.size for entry in scan.entries}
    got = {}
    async for body in client.fetch_bodies(UidSet(sizes), sizes, sink_for=no_sink):
        got[body.uid] = body.octets
    assert [got[uid] for uid in sorted(got)] == sent
    assert await client.list_uids() == UidSet(range(1, 41))
    headers = await client.fetch_headers(UidSet([3, 4]))
    assert headers[3] == sent[2][: sent[2].index(b"\r\n\r\n") + 4]

    before = client.selection.highest_mod_seq
    keyword = Flag("$Work")
    await client.store_flags(UidSet([1, 2]), add=frozenset({FLAGGED, keyword}), remove=frozenset({SEEN}))
    changed = await client.fetch_entries(changed_since=before, with_size=False)
    assert {entry.uid: entry.flags for entry in changed.entries} == {
        uid: {FLAGGED, keyword} for uid in (1, 2)
    }
    verdicts = await client.store_many(
        [(UidSet([3]), frozenset({DELETED}), frozenset()), (UidSet([4]), frozenset(), frozenset({SEEN}))]
    )
    assert verdicts == (None, None)
    await client.expunge(UidSet([3]))
    assert client.drain_heard().vanished == UidSet([3])
    assert client.selection.exists == 39

    await client.list_mailboxes()
    assert client.name_for(client.wire_name_for(MailboxName("Grün/x"))) == "Grün/x"
    await client.create(b"Archive")
    await client.subscribe(b"Archive")
    assert [one.is_subscribed for one in await client.list_mailboxes() if one.name == "Archive"] == [True]
    await client.unsubscribe(b"Archive")
    assert [one.is_subscribed for one in await client.list_mailboxes() if one.name == "Archive"] == [False]
    copied = await client.copy(UidSet([4, 5]), b"Archive")
    assert copied.pairs == {4: 1, 5: 2}
    moved = await client.move(UidSet([6]), b"Archive")
    assert moved.pairs == {6: 3}
    status = await client.status(b"Archive")
    assert status.message_count == 3
    assert status.uid_next == 4
    await client.rename(b"Archive", b"Old")
    with pytest.raises(ServerRefused) as caught:
        await client.select(b"Archive")
    assert "doesn't exist" in str(caught.value)  # Dovecot 2.3 gives SELECT no response code here
    assert client.selection is None
    await client.delete(b"Old")
    await client.unselect()
    await client.noop()
    await client.logout()
    with pytest.raises(ConnectionLost):
        await client.noop()


async def test_qresync_select_tells_what_vanished_and_changed(log_in):
    client = await log_in()
    await client.append_many(b"INBOX", [item(message(number)) for number in range(5)])
    first = await client.select(b"INBOX")
    await client.unselect()
    other = await log_in()
    await other.select(b"INBOX")
    await other.store_flags(UidSet([2]), add=frozenset({DELETED}))
    await other.expunge(UidSet([2]))
    await other.store_flags(UidSet([4]), add=frozenset({SEEN}))
    since = QresyncSince(
        uid_validity=first.uid_validity, mod_seq=first.highest_mod_seq, known_uids=UidSet(range(1, 6))
    )
    again = await client.select(b"INBOX", since=since)
    assert again.vanished == UidSet([2])
    assert [(entry.uid, entry.flags) for entry in again.changed] == [(4, {SEEN})]
    assert again.exists == 4
    assert not client.drain_heard().vanished


async def test_wrong_password_is_told_in_the_servers_words(mailbag):
    server = mailbag.server
    endpoint = Endpoint(host="localhost", port=server.imaps_port, tls=Tls.IMPLICIT, ca_file=server.ca_file)
    client = await ImapClient.connect(endpoint, clock=SystemClock())
    with pytest.raises(AuthenticationFailed) as caught:
        await client.authenticate(mailbag.user, Secret("wrong"))
    assert "AUTHENTICATIONFAILED" in str(caught.value)
    assert "wrong" not in str(caught.value)
    client.abort()


async def test_idle_sees_mail_and_wake_ends_it(log_in):
    watcher = await log_in()
    await watcher.select(b"INBOX")
    waiting = asyncio.create_task(watcher.idle(renew_after=20))
    await asyncio.sleep(0.2)
    writer = await log_in()
    await writer.append_many(b"INBOX", [item(message(1))])
    assert await asyncio.wait_for(waiting, 10) is IdleEnd.CHANGED
    assert watcher.selection.exists == 1
    watcher.drain_heard()
    waiting = asyncio.create_task(watcher.idle(renew_after=20))
    await asyncio.sleep(0.2)
    watcher.wake()
    assert await asyncio.wait_for(waiting, 10) is IdleEnd.WOKEN
    watcher.wake()
    assert await watcher.idle() is IdleEnd.WOKEN
    assert await watcher.idle(renew_after=0.05) is IdleEnd.RENEW
    await watcher.noop()
