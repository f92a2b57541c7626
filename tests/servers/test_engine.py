"""The engine on every server there is, with extensions as shipped and without them: both sides equal, nothing twice."""

import asyncio
import os

import pytest

from daemon.model.ids import MailboxName
from daemon.net.imap.values import IdleEnd
from tests.servers.conftest import KINDS, PLAIN, UNLIKE
from tests.support import corpus
from tests.support.bridge import ACCOUNT, open_bridge
from tests.support.filling import NOON
from tests.support.server_side import server_side
from tests.sync.stage import sha

REFUSED = {"cyrus": {"50 % & more"}, "courier": {"Rechnungen 🧾", "~tilde"}, "dovecot": {"~tilde"}}
"""Names that a server does not take at all, or never lets be selected."""


def fill(server, mailbox, messages, *flags):
    server.ensure(mailbox)
    for number, octets in enumerate(messages):
        server.append(octets, mailbox, " ".join(flags), at=NOON + number)


async def base_of(bridge, mailbox="INBOX"):
    return {
        entry.uid: entry
        for entry in (await bridge.store.base.load(ACCOUNT, MailboxName(mailbox))).entries
        if entry.maildir_name is not None
    }


async def assert_same(bridge, server, *mailboxes):
    """Both sides have the same octets and the same flags, base says so, and a further pass does nothing."""
    for mailbox in mailboxes or ("INBOX",):
        assert await bridge.digests(mailbox) == server.digests(mailbox)
        base = {uid: entry.flags for uid, entry in (await base_of(bridge, mailbox)).items()}
        assert base == server.flags(mailbox)
    again = await bridge.run_pass()
    assert again.is_quiet
    assert (again.failed, again.held) == (0, 0)


def put(bridge, name, octets, *, directory=".", letters="S"):
    """A file as a mail program would leave it."""
    path = bridge.tree.root / directory / "cur" / f"{name}:2,{letters}"
    path.write_bytes(octets)
    return path


def taken_by(kind, names):
    return tuple(name for name in names if name not in REFUSED[kind.partition("-")[0]])


async def test_first_pass_brings_every_mailbox_and_a_further_one_does_nothing(mailbag, kind, tmp_path):
    shares = corpus.spread(40, mailboxes=taken_by(kind, corpus.MAILBOXES))
    with server_side(mailbag) as server:
        for seed, (mailbox, count) in enumerate(shares.items()):
            fill(server, mailbox, corpus.messages(count, seed=seed, smallest=200, largest=20_000), "\\Seen")
        async with open_bridge(tmp_path / "store", mailbag) as bridge:
            assert (await bridge.sync()).downloaded == 40
            await assert_same(bridge, server, *shares)
            files = {path: path.stat().st_mtime_ns for path in (await bridge.files()).values()}
            assert min(files.values()) == NOON * 10**9  # INTERNALDATE
        async with open_bridge(tmp_path / "store", mailbag) as bridge:
            assert (await bridge.sync()).is_quiet
            assert files == {path: path.stat().st_mtime_ns for path in (await bridge.files()).values()}


async def test_flags_and_keywords_meet_from_both_sides(mailbag, tmp_path):
    with server_side(mailbag) as server:
        fill(server, "INBOX", corpus.small(8), "\\Seen", "first")
        async with open_bridge(tmp_path / "store", mailbag) as bridge:
            await bridge.sync()
            uids = server.uids()
            base = await base_of(bridge)
            files = await bridge.files()
            server.store(uids[:2], "+", "\\Flagged project")
            server.store(uids[1:3], "-", "\\Seen first")
            for uid in uids[4:6]:
                path = files[base[uid].maildir_name]
                path.rename(path.with_name(f"{base[uid].maildir_name}:2,RST"))
            map_ = bridge.tree.root / "dovecot-keywords"
            letters = dict(line.split(" ") for line in map_.read_text().splitlines())
            free = next(number for number in range(26) if str(number) not in letters)
            map_.write_text(map_.read_text() + f"{free} ours\n")
            path = files[base[uids[6]].maildir_name]
            path.rename(path.with_name(f"{base[uids[6]].maildir_name}:2,{chr(97 + free)}"))
            await bridge.sync()
            assert server.flags() == {
                uids[0]: {"\\Seen", "first", "\\Flagged", "project"},
                uids[1]: {"\\Flagged", "project"},
                uids[2]: frozenset(),
                uids[3]: {"\\Seen", "first"},
                uids[4]: {"\\Answered", "\\Seen", "\\Deleted"},
                uids[5]: {"\\Answered", "\\Seen", "\\Deleted"},
                uids[6]: {"ours"},
                uids[7]: {"\\Seen", "first"},
            }
            await assert_same(bridge, server)


async def test_new_files_go_up_once_with_flags_and_date(mailbag, tmp_path):
    letters = [octets for octets in corpus.small(12) if octets.partition(b"\r\n\r\n")[0].isascii()]
    with server_side(mailbag) as server:
        server.ensure("Archive")
        async with open_bridge(tmp_path / "store", mailbag) as bridge:
            await bridge.sync()
            for number, octets in enumerate(letters):
                os.utime(put(bridge, f"{number}.me.host", octets, letters="FS"), (NOON, NOON))
            put(bridge, "lf.me.host", b"Subject: lf\n\nhello\n", directory=".Archive", letters="")
            assert (await bridge.sync()).uploaded == len(letters) + 1
            assert server.digests() == sorted(map(sha, letters))
            assert set(server.flags().values()) == {frozenset({"\\Flagged", "\\Seen"})}
            assert set(server.dates().values()) == {NOON}
            assert list(server.bodies("Archive").values()) == [b"Subject: lf\r\n\r\nhello\r\n"]
            await assert_same(bridge, server)


async def test_deletions_cross_over_in_both_directions(mailbag, tmp_path):
    """The highest UIDs too: Cyrus tells nothing of those to a client that asks up to the last one (cyrus-imapd#6071)."""
    with server_side(mailbag) as server:
        fill(server, "INBOX", corpus.small(12), "\\Seen")
        async with open_bridge(tmp_path / "store", mailbag) as bridge:
            await bridge.sync()
            uids = server.uids()
            base = await base_of(bridge)
            for uid in uids[:3]:
                (await bridge.files())[base[uid].maildir_name].unlink()
            server.expunge([*uids[4:6], *uids[10:]])
            result = await bridge.sync()
            assert (result.expunged_there, result.removed_here) == (3, 4)
            assert server.uids() == [uids[3], *uids[6:10]]
            await assert_same(bridge, server)


async def test_local_moves_are_moves_on_the_server(mailbag, tmp_path):
    with server_side(mailbag) as server:
        fill(server, "INBOX", corpus.small(6), "\\Seen", "project")
        server.ensure("Archive/2024")
        async with open_bridge(tmp_path / "store", mailbag) as bridge:
            await bridge.sync()
            for path in sorted((await bridge.files()).values())[:4]:
                path.rename(bridge.tree.root / ".Archive.2024" / "cur" / path.name)
            result = await bridge.sync()
            assert (result.moved, result.uploaded, result.downloaded, result.expunged_there) == (4, 0, 0, 0)
            assert len(server.uids("Archive/2024")) == 4
            assert len(server.uids("INBOX")) == 2
            assert set(server.flags("Archive/2024").values()) == {frozenset({"\\Seen", "project"})}
            await assert_same(bridge, server, "INBOX", "Archive/2024")


async def test_what_the_server_does_meanwhile_is_found_by_the_next_pass(mailbag, tmp_path):
    """The line stays up and the mailbox selected: no SELECT tells it anew."""
    with server_side(mailbag) as server:
        fill(server, "INBOX", corpus.small(6), "\\Seen")
        async with open_bridge(tmp_path / "store", mailbag) as bridge:
            await bridge.sync()
            uids = server.uids()
            server.store(uids[:1], "+", "\\Flagged")
            await bridge.sync()
            server.expunge(uids[-2:])
            fill(server, "INBOX", corpus.small(2, seed=2))
            await bridge.sync()
            server.store(uids[1:2], "-", "\\Seen")
            server.expunge(server.uids()[-1:])
            await bridge.sync()
            assert len(server.uids()) == 5
            await assert_same(bridge, server)


@pytest.mark.parametrize("change", ["new", "flags", "expunge"])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in PLAIN], indirect=True)
async def test_idle_hears_what_another_client_does(mailbag, change, tmp_path):
    with server_side(mailbag) as server:
        fill(server, "INBOX", corpus.small(3), "\\Seen")
        async with open_bridge(tmp_path / "store", mailbag) as bridge:
            await bridge.sync()
            client = await bridge.connect()
            await client.select(b"INBOX")
            waiting = asyncio.create_task(client.idle(renew_after=30))
            await asyncio.sleep(0.2)
            uids = server.uids()
            if change == "new":
                fill(server, "INBOX", corpus.small(1, seed=2))
            elif change == "flags":
                server.store(uids[:1], "+", "\\Flagged")
            else:
                server.expunge(uids[-1:])
            assert await waiting is IdleEnd.CHANGED
            await bridge.sync()
            await assert_same(bridge, server)


@pytest.mark.parametrize("kind", UNLIKE, indirect=True)
async def test_mailbox_made_anew_keeps_what_is_here_and_fetches_nothing_twice(mailbag, tmp_path):
    """Another UIDVALIDITY: the UIDs are void, the messages are not."""
    letters = corpus.small(5)
    with server_side(mailbag) as server:
        fill(server, "Archive", letters, "\\Seen")
        async with open_bridge(tmp_path / "store", mailbag) as bridge:
            await bridge.sync()
            before = server.uid_validity("Archive")
            files = set((await bridge.files("Archive")).values())
            while server.uid_validity("Archive") == before:
                server.delete("Archive")
                server.create("Archive")
            fill(server, "Archive", [*letters[:4], *corpus.small(1, seed=2)], "\\Seen")
            assert (await bridge.sync()).downloaded == 1
            assert files < set((await bridge.files("Archive")).values())
            assert len(server.uids("Archive")) == 5
            assert (await bridge.run_pass()).is_quiet


async def test_names_with_signs_come_as_they_are_and_go_back(mailbag, kind, tmp_path):
    names = taken_by(kind, ["Ünïcode & more", "~tilde", "plus+and-minus", "INBOX2", "x (y)"])
    with server_side(mailbag) as server:
        for name in names:
            fill(server, name, corpus.small(1))
        async with open_bridge(tmp_path / "store", mailbag) as bridge:
            assert (await bridge.sync()).downloaded == len(names)
            for name in names:
                record = await bridge.store.mailboxes.get(ACCOUNT, MailboxName(name))
                put(bridge, "up.me.host", b"Subject: up\r\n\r\nup\r\n", directory=record.directory)
            assert (await bridge.sync()).uploaded == len(names)
            await assert_same(bridge, server, *names)


@pytest.mark.parametrize("kind", UNLIKE, indirect=True)
async def test_every_octet_of_odd_messages_comes_as_the_server_tells_it(mailbag, tmp_path):
    """No header, no body, no last line end, NUL-free 8-bit text, dots and lines of 20,000 octets."""
    odd = [
        b"Subject: no body\r\n\r\n",
        b"\r\nno header\r\n",
        b"Subject: no end\r\n\r\nlast line",
        b"Subject: dots\r\n\r\n.\r\n..\r\n.x\r\n",
        b"Subject: \xc3\xbc\xff 8-bit\r\n\r\n\xe4\xf6\xfc \x80\x7f\x01\r\n",
        b"Subject: long\r\n\r\n" + b"x" * 20_000 + b"\r\n",
        b"Subject: From\r\n\r\nFrom here\r\n>From there\r\n",
        b"From nobody Mon Jan  1 00:00:00 2024\r\nSubject: mbox\r\n\r\nx\r\n",
        b"Subject: blank lines\r\n\r\n\r\n\r\n\r\n",
    ]
    with server_side(mailbag) as server:
        taken = [octets for octets in odd if server.takes(octets)]
        assert len(taken) > len(odd) - 3
        async with open_bridge(tmp_path / "store", mailbag) as bridge:
            assert (await bridge.sync()).downloaded == len(taken)
            await assert_same(bridge, server)


@pytest.mark.parametrize("kind", UNLIKE, indirect=True)
async def test_odd_files_go_up_once_and_stay_as_they_are(mailbag, tmp_path):
    """Whatever the server makes of them: Cyrus writes X for 8-bit text in headers."""
    odd = {
        "1.me.host": b"Subject: no end\n\nlast line",
        "2.me.host": "Subject: Ваш заказ\r\n\r\nтекст\r\n".encode(),
        "3.me.host": b"Subject: mixed\r\n\r\none\ntwo\r\nthree\r\n",
        "4.me.host": b"Subject: dots\n\n.\n..\n",
    }
    with server_side(mailbag) as server:
        async with open_bridge(tmp_path / "store", mailbag) as bridge:
            await bridge.sync()
            for name, octets in odd.items():
                put(bridge, name, octets)
            assert (await bridge.sync()).uploaded == len(odd)
            for name, path in (await bridge.files()).items():
                assert path.read_bytes() == odd[name]
        async with open_bridge(tmp_path / "store", mailbag) as bridge:
            assert (await bridge.sync()).is_quiet
            assert len(server.uids()) == len(odd)
        async with open_bridge(tmp_path / "other", mailbag) as bridge:
            assert (await bridge.sync()).downloaded == len(odd)
            await assert_same(bridge, server)


@pytest.mark.parametrize("kind", UNLIKE, indirect=True)
async def test_many_letters_come_and_go_in_batches(mailbag, tmp_path):
    """More than one command's worth of everything."""
    letters = [f"Subject: {number}\r\n\r\n{number}\r\n".encode() for number in range(40)]
    with server_side(mailbag) as server:
        server.ensure("Archive")
        async with open_bridge(tmp_path / "store", mailbag) as bridge:
            await bridge.sync()
            for number, octets in enumerate(letters):
                put(bridge, f"{number}.me.host", octets)
            assert (await bridge.sync()).uploaded == len(letters)
            for path in (await bridge.files()).values():
                path.rename(bridge.tree.root / ".Archive" / "cur" / path.name)
            result = await bridge.sync()
            assert (result.moved, result.uploaded, result.downloaded) == (len(letters), 0, 0)
            await assert_same(bridge, server, "INBOX", "Archive")
        async with open_bridge(tmp_path / "other", mailbag) as bridge:
            assert (await bridge.sync()).downloaded == len(letters)
            await assert_same(bridge, server, "INBOX", "Archive")
