"""What comes down from a maildrop, and by what it is known again."""

import contextlib

import pytest
import structlog

from daemon.model.errors import ConnectionLost, RemoteProtocolError, ServerRefused, Throttled
from daemon.net.deadlines import Timers
from daemon.net.download import MOST_REFUSALS
from daemon.sync.pop3_pass import Pop3Sync
from daemon.wire.pop3.limits import Limits
from tests.sync.pop3_stage import letter, open_drop, sha
from tests.sync.stage import LeapingClock


@pytest.fixture
async def drop(tmp_path):
    async with open_drop(tmp_path) as drop:
        yield drop


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


@pytest.mark.parametrize("without", [[], ["TOP"], ["TOP", "PIPELINING"]])
async def test_id_of_a_removed_message_given_to_another_of_its_size_loses_nothing(tmp_path, without):
    """A server may number ids from 1: what was seen under one that was gone says nothing of what it names now."""
    async with open_drop(tmp_path, without=without) as drop:
        drop.rename_ids(lambda one: "1")
        async with drop.bridge(leave_on_server=False) as bridge:
            for number in (1, 2, 3):
                drop.deliver(letter(number))
                result = await bridge.poll()
                assert (result.downloaded, result.expunged_there) == (1, 1)
            assert bridge.digests() == sorted(sha(letter(number)) for number in (1, 2, 3))


async def test_id_given_to_another_message_after_a_lost_quit_loses_nothing(drop):
    """The server deleted, its answer was lost, and the id went to the next message before we came back."""
    drop.deliver(letter(1))
    drop.rename_ids(lambda one: "1")
    async with drop.bridge(leave_on_server=False) as bridge:
        drop.answer(lambda line: b"" if line == b"QUIT" else None)
        with pytest.raises(ConnectionLost):
            await bridge.poll()
        drop.answer(lambda line: None)
        drop.user.inbox.expunge(list(drop.user.inbox.messages))
        drop.deliver(letter(2))
        assert (await bridge.poll()).downloaded == 1
        assert bridge.digests() == sorted(sha(letter(number)) for number in (1, 2))


async def test_drop_that_vanishes_from_one_listing_is_fetched_once_more_and_stored_once(drop):
    """A listing without a message proves nothing; nor does its id afterwards, so the octets are asked for again."""
    drop.deliver(*(letter(number) for number in range(5)))
    async with drop.bridge() as bridge:
        await bridge.poll()
        await bridge.ask((await bridge.messages())[0].id)
        await bridge.poll()
        here = bridge.digests()
        show = drop.server.show
        drop.server.show = lambda user: []
        assert (await bridge.poll()).is_quiet
        drop.server.show = show
        drop.commands.clear()
        assert (await bridge.poll()).downloaded == 0
        assert drop.said(b"RETR") == 5
        assert bridge.digests() == here, "nothing twice, and what was deleted here stays away"
        drop.commands.clear()
        assert (await bridge.poll()).is_quiet
        assert drop.said(b"RETR") == 0


# Equal octets


ALARM = b"Subject: alarm\r\n\r\nalarm\r\n"


@pytest.mark.parametrize("is_deleted_here", [False, True])
async def test_octets_of_a_message_removed_by_us_are_new_mail_under_a_new_id(drop, is_deleted_here):
    clock = LeapingClock()
    async with drop.bridge(leave_on_server=False, clock=clock) as bridge:
        for days in (0, 1, 40, 80):
            clock.ahead = days * 86400.0
            drop.deliver(ALARM)
            result = await bridge.poll()
            assert (result.downloaded, result.expunged_there) == (1, 1)
            if is_deleted_here:
                await bridge.ask((await bridge.messages())[0].id)
                await bridge.poll()
        assert len(bridge.digests()) == (0 if is_deleted_here else 4)


async def test_octets_removed_by_us_are_new_mail_though_the_answer_to_quit_was_lost(drop):
    """P10: the server did delete."""
    drop.deliver(ALARM)
    async with drop.bridge(leave_on_server=False) as bridge:
        drop.answer(lambda line: b"" if line == b"QUIT" else None)
        with pytest.raises(ConnectionLost):
            await bridge.poll()
        drop.answer(lambda line: None)
        drop.user.inbox.expunge(list(drop.user.inbox.messages))
        assert (await bridge.poll()).is_quiet
        drop.deliver(ALARM)
        assert (await bridge.poll()).downloaded == 1
        assert len(bridge.digests()) == 2


@pytest.mark.parametrize("is_answered", [False, True])
async def test_message_that_outlives_its_deletion_is_neither_doubled_nor_revived(drop, is_answered):
    """P10: its id and its octets are those that were to go."""
    drop.deliver(letter(1), letter(2))
    words = b"-ERR not removed\r\n" if is_answered else b""
    async with drop.bridge(leave_on_server=False) as bridge:
        drop.answer(lambda line: words if line == b"QUIT" else None)
        with pytest.raises((ConnectionLost, ServerRefused)):
            await bridge.poll()
        await bridge.ask((await bridge.messages())[0].id)
        drop.answer(lambda line: None)
        result = await bridge.poll()
        assert (result.downloaded, result.expunged_there) == (0, 2)
        assert len(bridge.digests()) == 1


# The memory of ids that vanished


@pytest.mark.parametrize(("days", "revived"), [(29, 0), (31, 1)])
async def test_vanished_message_is_remembered_for_thirty_days(drop, days, revived):
    drop.deliver(letter(1), letter(2))
    clock = LeapingClock()
    async with drop.bridge(clock=clock) as bridge:
        await bridge.poll()
        deleted = next(one for one in await bridge.messages() if one.content.envelope.subject == "letter 1")
        await bridge.ask(deleted.id)
        await bridge.poll()
        show = drop.server.show
        drop.server.show = lambda user: []
        await bridge.poll()
        clock.ahead = days * 86400.0
        await bridge.poll()
        drop.server.show = show
        assert (await bridge.poll()).downloaded == revived
        assert bridge.digests().count(sha(letter(2))) == 1, "what is here is not stored again"


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


def refuses(first: int, last: int):
    """A server that refuses the messages with these numbers."""

    def answer(line: bytes) -> bytes | None:
        is_refused = line.startswith(b"RETR ") and first <= int(line[5:]) <= last
        return b"-ERR infected\r\n" if is_refused else None

    return answer


@pytest.mark.parametrize("without", [[], ["PIPELINING"]])
@pytest.mark.parametrize(("first", "last"), [(1, 25), (1, 60), (36, 95)])
async def test_many_refused_in_a_row_hold_up_none_of_the_others(tmp_path, without, first, last):
    """P9."""
    async with open_drop(tmp_path, without=without) as drop:
        drop.deliver(*(letter(number) for number in range(100)))
        drop.answer(refuses(first, last))
        async with drop.bridge() as bridge:
            result = await bridge.poll()
            refused = last - first + 1
            assert (result.downloaded, result.failed) == (100 - refused, refused)
            drop.commands.clear()
            assert (await bridge.poll()).is_quiet
            assert drop.said(b"RETR") == 0, "each is asked for later"


async def test_server_that_refuses_everything_ends_the_poll_and_is_next_asked_for_others(tmp_path):
    """P9: also by a process that is started for each poll."""
    async with open_drop(tmp_path, without=["PIPELINING"]) as drop:
        drop.deliver(*(letter(number) for number in range(120)))
        drop.answer(refuses(1, 120))
        asked: list[bytes] = []
        for _ in range(2):
            drop.commands.clear()
            async with drop.bridge() as bridge:
                with pytest.raises(ServerRefused):
                    await bridge.poll()
            asked += [line for line in drop.commands if line.startswith(b"RETR ")]
        assert len(asked) == len(set(asked)) == 4 * MOST_REFUSALS
        drop.answer(lambda line: None)
        clock = LeapingClock()
        clock.ahead = 3600
        async with drop.bridge(clock=clock) as bridge:
            await bridge.poll()
            assert bridge.digests() == drop.there()


@pytest.mark.parametrize("is_restarted", [False, True])
async def test_message_that_loses_the_line_holds_up_none_of_the_others(tmp_path, is_restarted):
    """P7: the others come with the next poll, then it is left alone for a while, then it is tried again."""
    async with open_drop(tmp_path, without=["PIPELINING"]) as drop:
        drop.deliver(*(letter(number) for number in range(6)))
        drop.answer(lambda line: b"" if line == b"RETR 3" else None)
        clock = LeapingClock()
        async with contextlib.AsyncExitStack() as stack:
            bridge = await stack.enter_async_context(drop.bridge(clock=clock))
            for stored in (2, 5):
                with pytest.raises(ConnectionLost):
                    await bridge.poll()
                assert len(bridge.digests()) == stored
                if is_restarted:
                    await stack.aclose()
                    bridge = await stack.enter_async_context(drop.bridge(clock=clock))
            drop.commands.clear()
            assert (await bridge.poll()).is_quiet
            assert drop.said(b"RETR") == 0
            drop.deliver(letter(7))
            assert (await bridge.poll()).downloaded == 1
            drop.answer(lambda line: None)
            clock.ahead = 3600
            assert (await bridge.poll()).downloaded == 1
            assert bridge.digests() == drop.there()


async def test_message_that_loses_the_line_is_found_in_a_full_pipe(drop):
    """A line dropped with commands unread may take along what was sent before, so others are blamed first."""
    drop.deliver(*(letter(number) for number in range(60)))
    drop.answer(lambda line: b"" if line == b"RETR 30" else None)
    async with drop.bridge() as bridge:
        lost = 0
        while True:
            try:
                await bridge.poll()
            except ConnectionLost:
                lost += 1
            else:
                break
        assert lost <= 3
        assert len(bridge.digests()) == 59


async def test_message_that_never_comes_holds_up_none_of_the_others(tmp_path):
    """P14."""
    quick = Timers(silence_seconds=0.3)
    async with open_drop(tmp_path, without=["PIPELINING"]) as drop:
        drop.deliver(*(letter(number) for number in range(6)))
        drop.answer(lambda line: b"+OK\r\n" if line == b"RETR 3" else None)
        async with drop.bridge() as bridge:
            for stored in (2, 5):
                with pytest.raises(ConnectionLost) as caught:
                    await bridge.poll(timers=quick)
                assert caught.value.reason == "timeout"
                assert len(bridge.digests()) == stored
            assert (await bridge.poll(timers=quick)).is_quiet


async def test_header_at_which_the_line_is_lost_is_not_asked_for_again(tmp_path):
    """P3: the digest of the whole tells."""
    async with open_drop(tmp_path, without=["UIDL", "PIPELINING"]) as drop:
        drop.deliver(*(letter(number) for number in range(3)))
        async with drop.bridge() as bridge:
            await bridge.poll()
            drop.answer(lambda line: b"" if line == b"TOP 2 0" else None)
            for _ in range(2):
                with pytest.raises(ConnectionLost):
                    await bridge.poll()
            for _ in range(3):
                assert (await bridge.poll()).is_quiet
            assert bridge.digests() == drop.there()


async def test_message_larger_than_any_may_be_is_tried_again_after_days(drop):
    huge = b"Subject: huge\r\n\r\n" + b"x" * 70_000 + b"\r\n"
    drop.deliver(letter(1), huge, letter(2), letter(3))
    tight = Limits(max_message_bytes=60_000, gathered_message_bytes=10_000)
    clock = LeapingClock()
    async with drop.bridge(clock=clock) as bridge:
        with pytest.raises(RemoteProtocolError) as caught:
            await bridge.poll(limits=tight)
        assert caught.value.reason == "message_too_large"
        assert (await bridge.poll(limits=tight)).downloaded == 2
        drop.commands.clear()
        clock.ahead = 2 * 86400
        assert (await bridge.poll()).is_quiet
        clock.ahead = 8 * 86400
        assert (await bridge.poll()).downloaded == 1
        assert bridge.digests() == drop.there()


async def test_message_at_which_the_server_asks_for_patience_holds_up_none_of_the_others(drop):
    drop.deliver(*(letter(number) for number in range(6)))
    drop.answer(lambda line: b"-ERR bandwidth limit exceeded\r\n" if line == b"RETR 3" else None)
    async with drop.bridge() as bridge:
        for _ in range(2):
            with pytest.raises(Throttled):
                await bridge.poll()
        assert (await bridge.poll()).is_quiet
        assert len(bridge.digests()) == 5


async def test_listed_size_that_ran_over_does_not_matter(drop):
    """P5."""
    drop.deliver(letter(1), letter(2))
    listing = b"+OK\r\n1 4294967295\r\n2 18446744073709551615\r\n.\r\n"
    drop.answer(lambda line: listing if line == b"LIST" else None)
    async with drop.bridge() as bridge:
        result = await bridge.poll()
        assert (result.downloaded, result.failed) == (2, 0)
        assert bridge.digests() == drop.there()
        assert (await bridge.poll()).is_quiet


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


async def test_large_message_goes_through_the_disk(drop):
    big = b"Received: by a; Tue, 14 Nov 2023 22:13:20 +0000\r\nSubject: big\r\n\r\n" + b".dots\r\n" * 400_000
    drop.deliver(letter(1), big, letter(2))
    async with drop.bridge(leave_on_server=False) as bridge:
        assert (await bridge.poll()).downloaded == 3
        assert sha(big) in bridge.digests()
        found = [one for one in await bridge.messages() if one.content.envelope.subject == "big"]
        assert found[0].internal_date == 1_700_000_000
    assert drop.there() == []


async def test_each_message_of_gmail_is_durable_before_the_next_is_asked_for(drop):
    """QUIRK Gmail: RETR itself hides a message, so one that was sent and not stored would be lost."""
    drop.deliver(*(letter(number) for number in range(5)))
    async with drop.bridge() as bridge:
        bridge.engine = Pop3Sync(
            settings=bridge.settings.model_copy(update={"host": "pop.gmail.com"}),
            store=bridge.store,
            tree=bridge.tree,
            clock=bridge.clock,
            log=structlog.get_logger(),
            on_progress=lambda progress: None,
        )
        stored: list[int] = []

        def watch(line):
            if line.startswith(b"RETR"):
                stored.append(len(bridge.files()) if stored else 0)
            return b"" if line == b"RETR 5" else None

        drop.answer(watch)
        with pytest.raises(ConnectionLost):
            await bridge.poll()
        assert stored == [0, 1, 2, 3, 4]
        drop.user.inbox.expunge(list(drop.user.inbox.messages)[:4])
        drop.answer(lambda line: None)
        assert (await bridge.poll()).downloaded == 1
        assert bridge.digests() == sorted(sha(letter(number)) for number in range(5))
