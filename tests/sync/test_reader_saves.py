"""Moves made by mutt's and aerc's own save commands in a tree kept by us, while passes go on: nothing lost, nothing twice.

aerc renames the file, so that nothing of any message crosses the line. Mutt writes a new file with a Content-Length of
its own and removes the old one: other octets, so an upload.
"""

import asyncio
import contextlib
import re
from collections import Counter

import pytest

from daemon.model.settings import Tls
from tests.support.bridge import open_bridge, settings_for
from tests.support.proxy import WireProxy
from tests.support.server_side import server_side
from tests.support.terminal import find_program, run_in_terminal

COUNT = 30
LAYOUTS = pytest.mark.parametrize("layout", ["maildir++", "fs"])
_ADDED = re.compile(rb"(?mi)^(Content-Length|Lines|Status|X-Status):.*\r?\n")


def letters() -> list[bytes]:
    return [
        f"Message-ID: <{number}@saved>\r\nFrom: a@example.org\r\nSubject: letter {number}\r\n"
        f"Date: Mon, 01 Jan 2024 00:00:{number:02d} +0000\r\n\r\nwhat is in letter {number}\r\n".encode()
        for number in range(COUNT)
    ]


@contextlib.asynccontextmanager
async def in_step(mailbag, path, layout):
    mailbag.fill("INBOX", letters())
    mailbag.fill("Archive", [])
    async with WireProxy(mailbag.server.imap_port) as proxy:
        settings = settings_for(mailbag, port=proxy.port, tls=Tls.NONE, ca_file=None, layout=layout)
        async with open_bridge(path / "store", mailbag, settings=settings) as bridge:
            await bridge.sync()
            await bridge.disconnect()
            proxy.sessions.clear()
            yield bridge, proxy


async def while_passes_go_on(bridge, *argv: str, **options) -> None:
    """The program runs, and the engine meets whatever it is doing."""
    program = asyncio.create_task(asyncio.to_thread(run_in_terminal, argv, **options))
    while not program.done():
        await bridge.run_pass()
        await asyncio.wait([program], timeout=0.05)
    await program
    await bridge.sync()


async def assert_saved_once(bridge, mailbag) -> None:
    with server_side(mailbag) as server:
        assert server.uids() == []
        there = Counter(server.bodies("Archive").values())
        here = server.digests("Archive")
    plain = Counter(_ADDED.sub(b"", octets) for octets in there)
    assert plain == Counter(letters()), "lost or twice"
    files = [path.read_bytes() for path in (await bridge.files("Archive")).values()]
    assert Counter(_ADDED.sub(b"", re.sub(rb"(?<!\r)\n", b"\r\n", octets)) for octets in files) == plain
    assert await bridge.files() == {}
    assert len(here) == COUNT
    assert (await bridge.run_pass()).is_quiet


@pytest.mark.slow
@LAYOUTS
async def test_messages_saved_by_mutt_are_there_once(mailbag, tmp_path, layout):
    async with in_step(mailbag, tmp_path, layout) as (bridge, _):
        root = bridge.tree.root
        inbox, archive = (root, "=.Archive") if layout == "maildir++" else (root / "INBOX", "=Archive")
        settings = tmp_path / "muttrc"
        settings.write_text(
            f"set folder={root}\nset spoolfile={inbox}\nset mbox_type=Maildir\nset confirmappend=no\n"
            "set confirmcreate=no\nset delete=yes\nset move=no\nset quit=yes\nset sleep_time=0\n"
            f'push "<tag-pattern>~A<enter><tag-prefix><save-message>{archive}<enter><sync-mailbox><quit>"\n'
        )
        await while_passes_go_on(
            bridge, find_program("mutt"), "-n", "-F", str(settings), "-f", str(inbox), home=tmp_path
        )
        await assert_saved_once(bridge, mailbag)


@pytest.mark.slow
@LAYOUTS
async def test_messages_saved_by_aerc_are_moved_without_an_octet(mailbag, tmp_path, layout):
    async with in_step(mailbag, tmp_path, layout) as (bridge, proxy):
        kind = "maildirpp" if layout == "maildir++" else "maildir"
        accounts = tmp_path / "config" / "aerc" / "accounts.conf"
        accounts.parent.mkdir(parents=True)
        accounts.write_text(
            f"[work]\nsource = {kind}://{bridge.tree.root}\ndefault = INBOX\nfrom = me <me@example.org>\n"
        )
        accounts.chmod(0o600)
        await while_passes_go_on(
            bridge,
            find_program("aerc"),
            home=tmp_path,
            keys=[b":mark -a\r", b":mv Archive\r", b":quit\r"],
        )
        await assert_saved_once(bridge, mailbag)
        for session in proxy.sessions:
            assert session.bodies_fetched() == []
            assert b"APPEND" not in session.to_server
