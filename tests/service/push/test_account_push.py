"""What an account keeps over its lines: a compression that proved broken is left out of the next one."""

import asyncio
import zlib
from dataclasses import replace

from daemon.model.states import AccountState as S


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
