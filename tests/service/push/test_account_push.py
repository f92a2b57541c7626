"""What an account keeps over its lines: what proved broken on one is left out of the next."""

import asyncio
import zlib
from dataclasses import replace

from daemon.demo.imap.server import ImapServer
from daemon.demo.mailbox import User
from daemon.model.ids import AccountId
from daemon.model.states import AccountState as S
from tests.sync.meddler import Meddler


async def test_line_with_broken_compression_is_followed_by_one_without(
    open_house, scripted, imap_account, quick_pace, until, told
) -> None:
    scripted.capabilities = "IMAP4rev1 IDLE COMPRESS=DEFLATE"
    scripted.on["COMPRESS"] = lambda tag, _: f"{tag} OK now\r\n".encode() + b"\xff\xff this is no deflate"
    house = await open_house(imap_account(scripted.port), pace=quick_pace, compress="on")
    await house.reaches(S.IDLE)
    assert scripted.commands.count("COMPRESS") == 1
    assert house.connects == 2
    await told(house, "offline", "compress_broken")
    assert any(
        entry["event"] == "capability.distrusted" and entry["capability"] == "COMPRESS=DEFLATE"
        for entry in house.log.entries
    )
    scripted.drop_all()
    await until(lambda: house.connects == 3)
    await house.reaches(S.IDLE)
    assert scripted.commands.count("COMPRESS") == 1


async def test_line_with_unreadable_vanished_is_followed_by_one_without_qresync(
    open_house, imap_account, quick_pace, until
) -> None:
    """S9: else each session ends the same way, and no mailbox of the account is ever in step again."""
    user = User("me", "secret")
    inbox, other = user.find("INBOX") or user.create("INBOX"), user.create("Z")
    for number in range(3):
        inbox.deliver(b"Subject: %d\r\n\r\nx\r\n" % number, internal_date=1_700_000_000 + number)
    async with ImapServer([user]) as server, Meddler(server.port) as line:
        line.replace(rb"VANISHED (\(EARLIER\) )?(\d+)", rb"VANISHED \1\2,,9")
        house = await open_house(imap_account(line.port), pace=quick_pace)
        counts = house.store.mailboxes.counts

        async def are(inbox_count: int, other_count: int) -> None:
            async with asyncio.timeout(10):
                while True:
                    found = await counts(AccountId("work"))
                    totals = {name: one.total for name, one in found.items()}
                    if (totals.get("INBOX"), totals.get("Z")) == (inbox_count, other_count):
                        return
                    await asyncio.sleep(0.01)

        await are(3, 0)
        inbox.expunge([1])
        other.deliver(b"Subject: new\r\n\r\nx\r\n", internal_date=1_700_000_009)
        await are(2, 1)
        await house.reaches(S.IDLE)
        assert [
            entry["capability"] for entry in house.log.entries if entry["event"] == "capability.distrusted"
        ] == ["QRESYNC"]
        assert line.count(b"ENABLE QRESYNC") == 1


async def test_main_line_lost_to_a_second_one_comes_back_without_it(
    open_house, scripted, boxes, imap_account, quick_pace, until
) -> None:
    """Some servers make room for the newest connection by dropping the oldest."""
    first: list = []

    def login(tag: str, _: str) -> bytes:
        if not first:
            first.extend(scripted._writers)
        elif scripted.logins == 2:
            asyncio.get_running_loop().call_later(0.2, first[0].transport.abort)
        return f"{tag} OK done\r\n".encode()

    scripted.on["LOGIN"] = login
    pace = replace(quick_pace, pass_interval_seconds=3600.0)
    house = await open_house(imap_account(scripted.port, max_connections=3), pace=pace)
    await until(lambda: scripted.logins == 3)
    await until(lambda: house.control.account_status("work").reason == "connections_limited")
    assert any(entry["event"] == "line.blamed" for entry in house.log.entries)
    await asyncio.sleep(0.3)
    assert scripted.logins == 3


def test_what_the_broken_server_says_is_no_deflate():
    """The test's own premise."""
    try:
        zlib.decompressobj(-zlib.MAX_WBITS).decompress(b"\xff\xff this is no deflate")
    except zlib.error:
        return
    raise AssertionError("it can be inflated")
