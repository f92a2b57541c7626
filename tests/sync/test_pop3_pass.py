"""Polls of a maildrop: what comes down, what stays there, what stays away."""

import tracemalloc

import pytest

from daemon.model.errors import ConnectionLost, MailError, RemoteProtocolError, ServerRefused
from daemon.model.events import EventName
from daemon.model.flags import SEEN
from daemon.model.ids import new_message_id
from daemon.model.maildrop import Sighting
from daemon.model.operations import OperationKind, OperationState
from daemon.model.settings import Tls
from tests.support import corpus
from tests.support.server_side import server_side
from tests.sync.pop3_stage import ACCOUNT, letter, open_drop, open_pop3, sha
from tests.sync.stage import LeapingClock


@pytest.fixture
async def drop(tmp_path):
    async with open_drop(tmp_path) as drop:
        yield drop


class SteadyLeapingClock(LeapingClock):
    """The steady count leaps with the wall clock: time passes."""

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


def gone_sighting(uidl: str) -> Sighting:
    return Sighting(
        uidl=uidl,
        size=1,
        sha256=b"g" * 32,
        header_sha256=b"h" * 32,
        message_id=new_message_id(),
        first_seen=1.0,
    )


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


# Faults


async def test_maildrop_that_shrinks_within_a_session_ends_it(drop):
    """P12."""
    drop.deliver(letter(1), letter(2))
    stats = [b"+OK 2 20\r\n", b"+OK 1 10\r\n"]

    def answer(line: bytes) -> bytes | None:
        if line == b"STAT":
            return stats.pop(0)
        return b"+OK\r\n1 10\r\n.\r\n" if line in {b"LIST", b"UIDL"} else None

    drop.answer(answer)
    async with drop.bridge(leave_on_server=False) as bridge:
        with pytest.raises(RemoteProtocolError) as caught:
            await bridge.poll()
        assert caught.value.reason == "maildrop_changed"
    assert len(drop.there()) == 2


async def test_maildrop_that_always_counts_one_more_than_it_lists_is_fetched_and_emptied(drop):
    """P5."""
    drop.deliver(letter(1), letter(2))
    drop.answer(lambda line: b"+OK 3 100\r\n" if line == b"STAT" else None)
    async with drop.bridge() as bridge:
        assert (await bridge.poll()).downloaded == 2
        assert (await bridge.poll()).is_quiet
    async with drop.bridge(leave_on_server=False) as bridge:
        assert (await bridge.poll()).expunged_there == 2


async def test_doubted_maildrop_that_is_renumbered_after_the_download_loses_nothing(drop):
    """P12: no number is trusted with a deletion that may mean another message by now."""
    drop.deliver(letter(1), letter(2))
    lists = []

    def answer(line: bytes) -> bytes | None:
        if line == b"LIST":
            lists.append(line)
        if line == b"UIDL" and len(lists) >= 2:
            return b"+OK\r\n1 b\r\n2 c\r\n.\r\n"
        return b"+OK 3 100\r\n" if line == b"STAT" else None

    drop.answer(answer)
    async with drop.bridge(leave_on_server=False) as bridge:
        with pytest.raises(RemoteProtocolError):
            await bridge.poll()
        assert bridge.digests() == drop.there()
        assert not drop.said(b"DELE")


async def test_empty_list_of_ids_is_a_server_without_ids(drop):
    """P3: nothing is doubled, nothing deleted, and the ids are taken up when they come."""
    drop.deliver(letter(1), letter(2))
    drop.answer(lambda line: b"+OK\r\n.\r\n" if line == b"UIDL" else None)
    async with drop.bridge(leave_on_server=False) as bridge:
        assert (await bridge.poll()).downloaded == 2
        assert (await bridge.poll()).is_quiet
        assert len(drop.there()) == 2
        drop.answer(lambda line: None)
        result = await bridge.poll()
        assert (result.downloaded, len(bridge.digests())) == (0, 2)


@pytest.mark.parametrize("said", [b"", b"-ERR not now\r\n", b"gibberish\r\n"])
async def test_farewell_unanswered_with_nothing_marked_is_no_failure(drop, said):
    drop.deliver(letter(1))
    drop.answer(lambda line: said if line == b"QUIT" else None)
    async with drop.bridge() as bridge:
        assert (await bridge.poll()).downloaded == 1
        assert (await bridge.poll()).is_quiet
    async with drop.bridge(leave_on_server=False) as bridge:
        with pytest.raises((ConnectionLost, RemoteProtocolError, ServerRefused)):
            await bridge.poll()
        assert drop.said(b"DELE") == 1, "P10: marked, and not taken for deleted"


async def test_maildrop_renumbered_while_messages_come_has_them_fetched_again(drop):
    """P12: a message is put before the others after the listing, so each RETR brings the one before."""
    drop.deliver(letter(1), letter(2))
    bodies = [letter(0), letter(1), letter(2)]
    validity = drop.user.inbox.uid_validity

    def shifted(line):
        word, _, number = line.partition(b" ")
        if word == b"RETR":
            return b"+OK\r\n" + bodies[int(number) - 1] + b".\r\n"
        if word == b"UIDL" and number:
            return f"+OK {int(number)} {validity}.{int(number) - 1}\r\n".encode()
        return None

    drop.answer(shifted)
    async with drop.bridge(leave_on_server=False) as bridge:
        with pytest.raises(RemoteProtocolError) as caught:
            await bridge.poll()
        assert caught.value.reason == "maildrop_changed"
        assert not drop.said(b"DELE")
        drop.answer(lambda line: None)
        assert (await bridge.poll()).downloaded == 1
        assert bridge.digests() == sorted(sha(octets) for octets in bodies)
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


async def test_what_is_long_gone_is_forgotten_once_an_hour_at_most(drop):
    """The walk over all that was ever removed is not part of every poll."""
    clock = SteadyLeapingClock()
    drop.deliver(letter(0))
    async with drop.bridge(clock=clock) as bridge:
        await bridge.poll()
        room = bridge.store.maildrop
        for number in (1, 2):
            await room.save(ACCOUNT, [gone_sighting(f"gone{number}")])
        (first, second) = [
            one.number for one in await room.with_digests(ACCOUNT, [b"g" * 32]) if one.number is not None
        ]
        began = clock.now()
        await room.note_gone(ACCOUNT, [first], began)
        await room.note_gone(ACCOUNT, [second], began + 1800)
        left = []
        for after in (3600, 5400 + 60, 7200 + 60):
            clock.ahead = 30 * 86400.0 + after - 3600 + 60
            drop.deliver(letter(after))
            await bridge.poll()
            left.append([one.number for one in await room.get_many([first, second])])
    assert left == [[second], [second], []]


async def test_mail_that_the_server_removes_by_itself_stays_here(drop):
    """P15: a server may expire what was fetched."""
    drop.deliver(letter(1), letter(2))
    async with drop.bridge() as bridge:
        await bridge.poll()
        drop.user.inbox.expunge(list(drop.user.inbox.messages))
        assert (await bridge.poll()).is_quiet
        assert len(bridge.digests()) == 2
        assert len(await bridge.messages()) == 2


MANY = 200_000
MOST_MIB = 64.0


@pytest.mark.slow
@pytest.mark.timeout(600)  # every allocation is traced
async def test_poll_of_200_000_messages_with_one_new_takes_less_than_64_mib(drop):
    """P13."""
    ids = [f"{number:032x}" for number in range(1, MANY + 1)]
    sizes = b"".join(b"%d %d\r\n" % (number, 1000 + number % 5000) for number in range(1, MANY + 1))
    uidls = "".join(f"{number} {uidl}\r\n" for number, uidl in enumerate(ids, 1)).encode()
    drop.deliver(letter(1))
    said = {
        b"STAT": b"+OK %d 1\r\n" % MANY,
        b"LIST": b"+OK\r\n" + sizes + b".\r\n",
        b"UIDL": b"+OK\r\n" + uidls + b".\r\n",
    }
    whole = b"+OK\r\n" + letter(1) + b".\r\n"
    drop.answer(lambda line: said.get(line) or (whole if line == b"RETR %d" % MANY else None))
    async with drop.bridge() as bridge:
        for start in range(1, MANY, 20_000):
            await bridge.store.maildrop.save(
                ACCOUNT,
                [
                    Sighting(
                        uidl=ids[number - 1],
                        size=1000 + number % 5000,
                        sha256=number.to_bytes(32),
                        header_sha256=bytes(32),
                        message_id=new_message_id(),
                        first_seen=1.0,
                    )
                    for number in range(start, min(start + 20_000, MANY))
                ],
            )
        tracemalloc.start()
        try:
            result = await bridge.poll()
            peak = tracemalloc.get_traced_memory()[1] / 2**20
        finally:
            tracemalloc.stop()
    print(f"peak: {peak:.1f} MiB")
    assert result.downloaded == 1
    assert [drop.commands.count(b"UIDL"), drop.said(b"RETR")] == [1, 1]
    assert peak < MOST_MIB
