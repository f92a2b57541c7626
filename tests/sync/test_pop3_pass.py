"""Polls of a maildrop: what comes down, what stays there, what stays away."""

import pytest

from daemon.model.errors import ConnectionLost, MailError, RemoteProtocolError, ServerRefused
from daemon.model.events import EventName
from daemon.model.flags import SEEN
from daemon.model.operations import OperationKind, OperationState
from daemon.model.settings import Tls
from tests.support import corpus
from tests.support.server_side import server_side
from tests.sync.pop3_stage import letter, open_drop, open_pop3, sha
from tests.sync.stage import LeapingClock


@pytest.fixture
async def drop(tmp_path):
    async with open_drop(tmp_path) as drop:
        yield drop


def real(mailbag, **options):
    """Settings of an account on the real server."""
    server = mailbag.server
    return {
        "port": server.pop3s_port,
        "tls": Tls.IMPLICIT,
        "ca_file": server.ca_file,
        "username": mailbag.user,
        "password": mailbag.password,
        **options,
    }


async def test_every_message_of_a_real_maildrop_comes_byte_for_byte_and_once(mailbag, tmp_path):
    mailbag.fill("INBOX", corpus.messages(400))
    with server_side(mailbag) as server:
        expected = server.digests()
    async with open_pop3(tmp_path / "store", **real(mailbag)) as bridge:
        assert (await bridge.poll()).downloaded == 400
        assert bridge.digests() == expected
        assert (await bridge.poll()).is_quiet
        assert bridge.digests() == expected
        assert len(await bridge.messages()) == 400
    with server_side(mailbag) as server:
        assert server.digests() == expected, "nothing is deleted there by default"


async def test_next_poll_costs_one_listing_and_no_message(drop):
    drop.deliver(*(letter(number) for number in range(30)))
    async with drop.bridge() as bridge:
        await bridge.poll()
        drop.commands.clear()
        assert (await bridge.poll()).is_quiet
        assert [drop.said(word) for word in (b"UIDL", b"LIST", b"RETR", b"TOP", b"DELE")] == [1, 1, 0, 0, 0]
    async with drop.bridge() as bridge:
        drop.commands.clear()
        assert (await bridge.poll()).is_quiet
        assert drop.said(b"RETR") == 0


async def test_mail_is_new_from_the_second_poll_on(drop):
    drop.deliver(letter(1))
    async with drop.bridge() as bridge:
        await bridge.poll()
        assert await bridge.events(EventName.MESSAGE_NEW) == []
        drop.deliver(letter(2), letter(3))
        await bridge.poll()
        told = await bridge.events(EventName.MESSAGE_NEW)
        assert [event.data["subject"] for event in told] == ["letter 2", "letter 3"]


async def test_time_of_a_message_is_when_its_header_says_it_was_received(drop):
    head = b"Received: by mx.example.org; Tue, 14 Nov 2023 22:13:20 +0000\r\nDate: Mon, 1 Jan 2001 00:00:00 +0000\r\n"
    drop.deliver(head + letter(1), letter(2))
    async with drop.bridge() as bridge:
        await bridge.poll()
        by_subject = {message.content.envelope.subject: message for message in await bridge.messages()}
        assert by_subject["letter 1"].internal_date == 1_700_000_000
        path = bridge.files()[by_subject["letter 1"].maildir_name]
        assert int(path.stat().st_mtime) == 1_700_000_000
        assert by_subject["letter 2"].internal_date > 1_700_000_000


# What is done here stays here


async def test_message_deleted_here_stays_there_and_does_not_come_back(drop):
    drop.deliver(letter(1), letter(2), letter(3))
    async with drop.bridge() as bridge:
        await bridge.poll()
        first, second, third = await bridge.messages()
        operation = await bridge.ask(first.id)
        bridge.files()[second.maildir_name].unlink()
        assert (await bridge.poll()).removed_here == 2
        assert [message.id for message in await bridge.messages()] == [third.id]
        assert (await bridge.store.operations.get(operation.id)).state is OperationState.DONE
    async with drop.bridge() as bridge:
        assert (await bridge.poll()).is_quiet
        assert len(bridge.digests()) == 1
    assert len(drop.there()) == 3
    assert not drop.said(b"DELE")


async def test_message_deleted_here_does_not_come_back_under_another_id(drop):
    drop.deliver(letter(1), letter(2))
    async with drop.bridge() as bridge:
        await bridge.poll()
        await bridge.ask((await bridge.messages())[0].id)
        await bridge.poll()
        drop.rename_ids(lambda one: f"other-{one.uid}")
        result = await bridge.poll()
        assert (result.downloaded, drop.said(b"RETR")) == (0, 4)
        assert len(bridge.digests()) == 1
        drop.commands.clear()
        assert (await bridge.poll()).is_quiet
        assert drop.said(b"RETR") == 0, "fetched again at most once"


async def test_flags_and_moves_stay_here(drop):
    drop.deliver(letter(1), letter(2))
    async with drop.bridge() as bridge:
        await bridge.poll()
        first, second = await bridge.messages()
        path = bridge.files()[first.maildir_name]
        path.rename(path.parent.parent / "cur" / f"{first.maildir_name}:2,S")
        archive = bridge.tree.root / ".Archive"
        for part in ("cur", "new", "tmp"):
            (archive / part).mkdir(parents=True)
        path = bridge.files()[second.maildir_name]
        path.rename(archive / "new" / path.name)
        result = await bridge.engine.follow_tree()
        assert (result.flags_changed, result.moved) == (1, 1)
        assert [(message.id, message.flags) for message in await bridge.messages()] == [
            (first.id, frozenset({SEEN}))
        ]
        assert [message.id for message in await bridge.messages("Archive")] == [second.id]
        moved = await bridge.events(EventName.MESSAGE_MOVED)
        assert [(event.message_id, event.data["to"]) for event in moved] == [(second.id, "Archive")]
        assert (await bridge.poll()).is_quiet
        assert len(drop.there()) == 2


async def test_flags_asked_for_are_put_on_the_file_and_settled(drop):
    drop.deliver(letter(1))
    async with drop.bridge() as bridge:
        await bridge.poll()
        (message,) = await bridge.messages()
        operation = await bridge.ask(message.id, OperationKind.FLAGS, add={SEEN})
        await bridge.engine.follow_tree()
        await bridge.engine.follow_tree()
        assert (await bridge.store.operations.get(operation.id)).state is OperationState.DONE
        assert next(iter(bridge.files().values())).name.endswith(":2,S")


# What leaves the server


async def test_stored_messages_leave_the_server_when_told_to(drop):
    drop.deliver(letter(1), letter(2))
    async with drop.bridge(leave_on_server=False) as bridge:
        assert (await bridge.poll()).expunged_there == 2
        assert drop.there() == []
        assert len(bridge.digests()) == 2
        assert (await bridge.poll()).is_quiet


async def test_many_messages_are_announced_for_one_poll_before_they_leave(drop):
    drop.deliver(*(letter(number) for number in range(101)))
    async with drop.bridge(leave_on_server=False) as bridge:
        assert (await bridge.poll()).expunged_there == 0
        assert bridge.engine.announced_count == 101
        assert len(drop.there()) == 101
        assert (await bridge.poll()).expunged_there == 101
        assert bridge.engine.announced_count == 0


async def test_messages_leave_after_their_days_counted_over_restarts(drop):
    drop.deliver(letter(1))
    clock = LeapingClock()
    async with drop.bridge(leave_on_server=14 * 86400, clock=clock) as bridge:
        await bridge.poll()
        clock.ahead = 13.9 * 86400
    async with drop.bridge(leave_on_server=14 * 86400, clock=clock) as bridge:
        drop.deliver(letter(2))
        await bridge.poll()
        assert len(drop.there()) == 2
        clock.ahead = 14.1 * 86400
        drop.commands.clear()
        assert (await bridge.poll()).expunged_there == 1
        assert drop.said(b"TOP") == 1, "the header is looked at before"
        assert drop.there() == [sha(letter(2))]


async def test_nothing_leaves_when_the_header_is_another(drop):
    drop.deliver(letter(1))
    clock = LeapingClock()
    async with drop.bridge(leave_on_server=86400, clock=clock) as bridge:
        await bridge.poll()
        uid, message = next(iter(drop.user.inbox.messages.items()))
        other = letter(7)
        assert len(other) == len(message.octets)
        drop.user.inbox.messages[uid] = type(message)(
            uid=uid, octets=other, flags=message.flags, internal_date=1, mod_seq=1
        )
        clock.ahead = 2 * 86400
        await bridge.poll()
        assert drop.there() == [sha(other)], "what is behind the id is not what was stored"


async def test_refused_quit_counts_as_not_deleted(drop):
    """P10."""
    drop.deliver(letter(1))
    drop.answer(lambda line: b"-ERR not all removed\r\n" if line == b"QUIT" else None)
    async with drop.bridge(leave_on_server=False) as bridge:
        with pytest.raises(ServerRefused):
            await bridge.poll()
        drop.answer(lambda line: None)
        assert len(drop.there()) == 1
        assert (await bridge.poll()).expunged_there == 1
        assert len(bridge.digests()) == 1


# Unique ids that are none (sync.md 25)


async def test_equal_ids_in_one_listing_lose_and_double_nothing_and_delete_nothing(drop):
    """P1."""
    drop.deliver(letter(1), letter(2), letter(3, "longer"), letter(1))
    drop.rename_ids(lambda one: "same")
    async with drop.bridge(leave_on_server=False) as bridge:
        await bridge.poll()
        assert bridge.digests() == drop.there()
        assert (await bridge.poll()).is_quiet
        assert len(drop.there()) == 4
        drop.deliver(letter(4))
        assert (await bridge.poll()).downloaded == 1
        assert bridge.digests() == drop.there()


async def test_changed_ids_double_nothing(drop):
    """P2."""
    drop.deliver(*(letter(number) for number in range(20)))
    async with drop.bridge() as bridge:
        await bridge.poll()
        before = [message.id for message in await bridge.messages()]
        drop.rename_ids(lambda one: f"new-{one.uid}")
        assert (await bridge.poll()).is_quiet
        assert [message.id for message in await bridge.messages()] == before
        assert bridge.digests() == drop.there()
        drop.rename_ids(lambda one: f"1001.{one.uid}")
        await bridge.poll()
        assert bridge.digests() == drop.there()


async def test_id_with_another_size_is_another_message(drop):
    drop.deliver(letter(1))
    drop.rename_ids(lambda one: "reused")
    async with drop.bridge(leave_on_server=True) as bridge:
        await bridge.poll()
        drop.user.inbox.expunge(list(drop.user.inbox.messages))
        drop.deliver(letter(2, "something longer"))
        assert (await bridge.poll()).downloaded == 1
        assert len(bridge.digests()) == 2, "one-way: what left the server stays here"


@pytest.mark.parametrize("without", [["UIDL"], ["UIDL", "TOP"], ["UIDL", "TOP", "PIPELINING"]])
async def test_server_without_ids_doubles_nothing_and_loses_nothing_there(tmp_path, without):
    """P3."""
    async with open_drop(tmp_path, without=without) as drop:
        drop.deliver(letter(1), letter(2), letter(2))
        async with drop.bridge(leave_on_server=False) as bridge:
            await bridge.poll()
            assert bridge.digests() == drop.there()
            assert (await bridge.poll()).is_quiet
            drop.deliver(letter(3))
            assert (await bridge.poll()).downloaded == 1
            assert bridge.digests() == drop.there()
            assert not drop.said(b"DELE")


@pytest.mark.parametrize("uidl", ["../../../etc/passwd", "x" * 600, "with space", "a/b", ""])
async def test_odd_ids_are_only_compared(drop, uidl):
    """P4."""
    drop.deliver(letter(1), letter(2))
    drop.rename_ids(lambda one: f"{uidl}{one.uid}" if uidl else "")
    async with drop.bridge() as bridge:
        await bridge.poll()
        assert bridge.digests() == drop.there()
        assert (await bridge.poll()).is_quiet


# Faults


async def test_refused_message_holds_up_none_and_is_asked_for_later(drop):
    """P9."""
    drop.deliver(letter(1), letter(2), letter(3))
    clock = LeapingClock()
    drop.answer(lambda line: b"-ERR locked by the scanner\r\n" if line == b"RETR 2" else None)
    async with drop.bridge(clock=clock) as bridge:
        result = await bridge.poll()
        assert (result.downloaded, result.failed) == (2, 1)
        drop.answer(lambda line: None)
        assert (await bridge.poll()).downloaded == 0, "not at every poll"
        clock.ahead = 3600
        assert (await bridge.poll()).downloaded == 1
        assert bridge.digests() == drop.there()


async def test_line_lost_in_a_message_stores_nothing_of_it(drop):
    """P7."""
    drop.deliver(letter(1), letter(2), letter(3))
    drop.answer(lambda line: b"" if line == b"RETR 3" else None)
    async with drop.bridge(leave_on_server=False) as bridge:
        with pytest.raises(ConnectionLost):
            await bridge.poll()
        assert len(drop.there()) == 3
        drop.answer(lambda line: None)
        await bridge.poll()
        assert len(bridge.digests()) == 3
        assert len(set(bridge.digests())) == 3


async def test_listing_with_wrong_sizes_does_not_matter(drop):
    """P5."""
    drop.deliver(letter(1), letter(2), b"Subject: big\r\n\r\n" + b"x" * 70 * 1024 + b"\r\n" * 30)
    lies = {b"1": b"-7", b"2": b"99999999999999999999999", b"3": b"12"}
    listing = b"+OK\r\n" + b"".join(b"%s %s\r\n" % item for item in lies.items()) + b".\r\n"
    drop.answer(lambda line: listing if line == b"LIST" else None)
    async with drop.bridge() as bridge:
        await bridge.poll()
        assert bridge.digests() == drop.there()
        assert (await bridge.poll()).is_quiet


async def test_maildrop_that_shrinks_within_a_session_ends_it(drop):
    """P12."""
    drop.deliver(letter(1), letter(2))
    drop.answer(lambda line: b"+OK\r\n1 10\r\n.\r\n" if line in {b"LIST", b"UIDL"} else None)
    async with drop.bridge(leave_on_server=False) as bridge:
        with pytest.raises(RemoteProtocolError) as caught:
            await bridge.poll()
        assert caught.value.reason == "maildrop_changed"
    assert len(drop.there()) == 2


async def test_large_message_goes_through_the_disk(drop):
    big = b"Received: by a; Tue, 14 Nov 2023 22:13:20 +0000\r\nSubject: big\r\n\r\n" + b".dots\r\n" * 400_000
    drop.deliver(letter(1), big, letter(2))
    async with drop.bridge(leave_on_server=False) as bridge:
        assert (await bridge.poll()).downloaded == 3
        assert sha(big) in bridge.digests()
        found = [one for one in await bridge.messages() if one.content.envelope.subject == "big"]
        assert found[0].internal_date == 1_700_000_000
    assert drop.there() == []


async def test_other_server_means_other_ids(drop):
    drop.deliver(letter(1), letter(2))
    drop.rename_ids(lambda one: str(one.uid))
    async with drop.bridge() as bridge:
        await bridge.poll()
    drop.user.inbox.expunge(list(drop.user.inbox.messages))
    drop.user.inbox.uid_next = 1
    drop.deliver(letter(8), letter(2))
    async with drop.bridge(host="127.0.0.1") as bridge:
        assert (await bridge.poll()).downloaded == 1
        assert bridge.digests() == sorted(sha(letter(number)) for number in (1, 2, 8))


async def test_account_kept_over_imap_is_refused(drop):
    async with drop.bridge() as bridge:
        await bridge.store.facts.set("drop", "fingerprint", "imap reader@localhost")
        with pytest.raises(MailError, match="kept over IMAP") as caught:
            await bridge.poll()
        assert caught.value.reason == "protocol_changed"


async def test_lost_index_is_rebuilt_without_a_message_fetched_or_doubled(drop):
    drop.deliver(letter(1), letter(2), letter(3))
    async with drop.bridge() as bridge:
        await bridge.poll()
        ids = {message.id for message in await bridge.messages()}
        gone = (await bridge.messages())[0]
        await bridge.ask(gone.id)
        await bridge.poll()
        ids.discard(gone.id)
    for path in (drop.path / "store").glob("index.sqlite3*"):
        path.unlink()
    async with drop.bridge() as bridge:
        drop.commands.clear()
        await bridge.poll()
        assert {message.id for message in await bridge.messages()} == ids
        assert drop.said(b"RETR") == 0
        assert len(bridge.digests()) == 2
