"""The engine against a real Dovecot: both ways, to quiescence, nothing lost and nothing twice."""

import hashlib
import os
import shutil

import pytest

from daemon.model.errors import StoreForeign
from daemon.model.events import EventName
from daemon.model.flags import SEEN
from daemon.model.ids import MailboxName
from daemon.model.message import MessageQuery
from daemon.store.events import EventsGone
from daemon.sync import filling
from tests.support import corpus
from tests.support.bridge import ACCOUNT, open_bridge
from tests.support.server_side import server_side


def sha(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()


async def test_first_pass_brings_every_mailbox_byte_for_byte(mailbag, tmp_path):
    shares = corpus.spread(130)
    for seed, (mailbox, count) in enumerate(shares.items()):
        mailbag.fill(mailbox, corpus.small(count, seed=seed))
    async with open_bridge(tmp_path / "store", mailbag) as bridge:
        result = await bridge.sync()
        assert result.downloaded == 130
        with server_side(mailbag) as server:
            for mailbox in shares:
                assert await bridge.digests(mailbox) == server.digests(mailbox)


async def test_second_sync_transfers_nothing_and_writes_nothing(mailbag, tmp_path):
    mailbag.fill("INBOX", corpus.small(30))
    async with open_bridge(tmp_path / "store", mailbag) as bridge:
        await bridge.sync()
    async with open_bridge(tmp_path / "store", mailbag) as bridge:
        before = sorted((path, path.stat().st_mtime_ns) for path in (await bridge.files()).values())
        sent = (await bridge.connect()).bytes_received
        assert (await bridge.sync()).is_quiet
        assert bridge.client.bytes_received - sent < 6000
        assert before == sorted((path, path.stat().st_mtime_ns) for path in (await bridge.files()).values())


async def test_changes_on_both_sides_meet_in_one_sync(mailbag, tmp_path):
    """200 flag changes, 100 new and 50 expunged on each side; both sides equal afterwards."""
    mailbag.fill("INBOX", corpus.small(600), flags="")
    async with open_bridge(tmp_path / "store", mailbag) as bridge:
        await bridge.sync()
        with server_side(mailbag) as server:
            uids = server.uids()
            server.store(uids[:200], "+", "\\Flagged")
            server.expunge(uids[500:550])
            for octets in corpus.small(100, seed=2):
                server.append(octets)
        view = await bridge.store.base.load(ACCOUNT, MailboxName("INBOX"))
        by_uid = {entry.uid: entry.maildir_name for entry in view.entries}
        files = await bridge.files()
        for uid in uids[200:400]:
            path = files[by_uid[uid]]
            path.rename(path.parent.parent / "cur" / f"{by_uid[uid]}:2,RS")
        for uid in uids[550:600]:
            files[by_uid[uid]].unlink()
        fresh = corpus.small(100, seed=3)
        inbox = bridge.tree.root
        for number, octets in enumerate(fresh):
            (inbox / "tmp" / f"{number}.me.host").write_bytes(octets)
            (inbox / "tmp" / f"{number}.me.host").rename(inbox / "cur" / f"{number}.me.host:2,S")
        result = await bridge.sync()
        assert (result.downloaded, result.uploaded, result.removed_here, result.expunged_there) == (
            100,
            100,
            50,
            50,
        )
        with server_side(mailbag) as server:
            assert await bridge.digests() == server.digests()
            flags = server.flags()
            for uid in uids[:200]:
                assert flags[uid] == {"\\Flagged"}
            for uid in uids[200:400]:
                assert flags[uid] == {"\\Answered", "\\Seen"}
            view = await bridge.store.base.load(ACCOUNT, MailboxName("INBOX"))
            assert {entry.uid: entry.flags for entry in view.entries} == flags
            letters = {
                path.name.partition(":2,")[0]: path.name.partition(":2,")[2]
                for path in (await bridge.files()).values()
            }
            assert all(letters[by_uid[uid]] == "F" for uid in uids[:200])


async def test_bare_line_feeds_go_up_as_crlf_and_stay_on_disk(mailbag, tmp_path):
    async with open_bridge(tmp_path / "store", mailbag) as bridge:
        await bridge.sync()
        path = bridge.tree.root / "cur" / "1.me.host:2,"
        path.write_bytes(b"Subject: lf\n\nhello\nworld\n")
        assert (await bridge.sync()).uploaded == 1
        with server_side(mailbag) as server:
            assert list(server.bodies().values()) == [b"Subject: lf\r\n\r\nhello\r\nworld\r\n"]
        assert path.read_bytes() == b"Subject: lf\n\nhello\nworld\n"
        assert (await bridge.sync()).is_quiet


async def test_copy_into_another_mailbox_goes_up_and_a_move_is_a_move(mailbag, tmp_path):
    mailbag.fill("INBOX", corpus.small(3))
    mailbag.fill("Archive", [])
    async with open_bridge(tmp_path / "store", mailbag) as bridge:
        await bridge.sync()
        first, second, _ = sorted((await bridge.files()).values())
        archive = bridge.tree.root / ".Archive"
        shutil.copy2(first, archive / "cur" / first.name)
        second.rename(archive / "cur" / second.name)
        ids = {
            item.maildir_name: item.id for item in (await bridge.store.messages.page(MessageQuery())).items
        }
        result = await bridge.sync()
        assert (result.uploaded, result.moved, result.downloaded, result.expunged_there) == (1, 1, 0, 0)
        with server_side(mailbag) as server:
            assert await bridge.digests("INBOX") == server.digests("INBOX")
            assert await bridge.digests("Archive") == server.digests("Archive")
            assert len(server.uids("Archive")) == 2
        name = second.name.partition(":")[0]
        moved = await bridge.store.messages.get(ids[name])
        assert moved.mailbox == "Archive"
        assert (await bridge.sync()).is_quiet


async def test_freed_inode_given_to_another_message_is_no_move(mailbag, tmp_path):
    """Sync.md 9: the file system hands the inode on; another name with other octets is a new message and a deletion."""
    mailbag.fill("INBOX", corpus.small(2))
    mailbag.fill("Archive", [])
    async with open_bridge(tmp_path / "store", mailbag) as bridge:
        await bridge.sync()
        victim = min((await bridge.files()).values())
        inode = victim.stat().st_ino
        victim.write_bytes(b"Subject: other\r\n\r\nnot the same\r\n")
        target = bridge.tree.root / ".Archive" / "cur" / "9.me.host:2,S"
        victim.rename(target)
        assert target.stat().st_ino == inode
        result = await bridge.sync()
        assert (result.moved, result.uploaded, result.expunged_there) == (0, 1, 1)
        with server_side(mailbag) as server:
            assert list(server.bodies("Archive").values()) == [b"Subject: other\r\n\r\nnot the same\r\n"]


async def test_same_name_with_other_octets_in_another_mailbox_is_no_move(mailbag, tmp_path):
    mailbag.fill("INBOX", corpus.small(2))
    mailbag.fill("Archive", [])
    async with open_bridge(tmp_path / "store", mailbag) as bridge:
        await bridge.sync()
        victim = min((await bridge.files()).values())
        target = bridge.tree.root / ".Archive" / "cur" / victim.name
        victim.rename(target)
        target.write_bytes(b"Subject: other\r\n\r\nnot the same\r\n")
        result = await bridge.sync()
        assert result.moved == 0
        with server_side(mailbag) as server:
            assert list(server.bodies("Archive").values()) == [b"Subject: other\r\n\r\nnot the same\r\n"]
            assert await bridge.digests("INBOX") == server.digests("INBOX")


async def test_backfill_is_no_new_mail_and_later_mail_is(mailbag, tmp_path):
    mailbag.fill("INBOX", corpus.small(5))
    async with open_bridge(tmp_path / "store", mailbag) as bridge:
        await bridge.sync()
        assert await new_mail(bridge) == []
        with server_side(mailbag) as server:
            server.append(b"Subject: fresh\r\n\r\nx\r\n")
        await bridge.sync()
        assert await new_mail(bridge) == ["fresh"]


async def new_mail(bridge) -> list[str]:
    events = await bridge.store.events.since(None, types={EventName.MESSAGE_NEW})
    return [event.data["subject"] for event in events]


async def test_emptied_tree_is_held_and_nothing_is_deleted_on_the_server(mailbag, tmp_path):
    mailbag.fill("INBOX", corpus.small(60))
    async with open_bridge(tmp_path / "store", mailbag) as bridge:
        await bridge.sync()
        for path in (await bridge.files()).values():
            path.unlink()
        result = await bridge.sync()
        assert result.held == 60
        assert result.expunged_there == 0
        events = await bridge.store.events.since(None, types={EventName.DELETION_HELD})
        assert [event.data["count"] for event in events] == [60]
    async with open_bridge(tmp_path / "store", mailbag) as bridge:
        assert (await bridge.sync()).held == 60, "a restart is no decision"
        with server_side(mailbag) as server:
            assert len(server.uids()) == 60
        await bridge.engine.approve(MailboxName("INBOX"))
        assert (await bridge.sync()).expunged_there == 60
        with server_side(mailbag) as server:
            assert server.uids() == []


async def test_mailbox_directory_missing_is_held_and_not_made_anew(mailbag, tmp_path):
    mailbag.fill("Archive", corpus.small(3))
    mailbag.fill("INBOX", corpus.small(3))
    async with open_bridge(tmp_path / "store", mailbag) as bridge:
        await bridge.sync()
        (bridge.tree.root / ".Archive").rename(tmp_path / "gone")
        with server_side(mailbag) as server:
            server.append(b"Subject: fresh\r\n\r\nx\r\n")
        result = await bridge.sync()
        assert (result.held, result.downloaded, result.expunged_there) == (3, 1, 0)
        assert not (bridge.tree.root / ".Archive").exists()
        (tmp_path / "gone").rename(bridge.tree.root / ".Archive")
        result = await bridge.sync()
        assert (result.held, result.expunged_there) == (0, 0)
        with server_side(mailbag) as server:
            assert len(server.uids("Archive")) == 3


@pytest.mark.parametrize("how", ["missing", "empty", "foreign"])
async def test_tree_that_is_not_ours_stops_the_account(mailbag, tmp_path, how):
    mailbag.fill("INBOX", corpus.small(3))
    async with open_bridge(tmp_path / "store", mailbag) as bridge:
        await bridge.sync()
        root = bridge.tree.root
        root.rename(tmp_path / "unmounted")
        if how != "missing":
            for part in ("cur", "new", "tmp"):
                (root / part).mkdir(parents=True)
        if how == "foreign":
            (root / "mailsyncd-id").write_text("another store\n")
        with pytest.raises(StoreForeign):
            await bridge.run_pass()
        if how != "missing":
            assert list((root / "cur").iterdir()) == []
        with server_side(mailbag) as server:
            assert len(server.uids()) == 3


async def test_file_renamed_during_the_scan_is_not_missing(mailbag, tmp_path):
    """Sync.md 12: another program renames all the time while passes run; no message is taken for deleted."""
    import threading

    mailbag.fill("INBOX", corpus.small(40), flags="")
    async with open_bridge(tmp_path / "store", mailbag) as bridge:
        await bridge.sync()
        paths = sorted((await bridge.files()).values())
        stop = threading.Event()

        def rename_for_ever() -> None:
            cur = paths[0].parent.parent / "cur"
            here = {path.name.partition(":")[0]: path for path in paths}
            letters = ["", "S", "FS", "RS"]
            turn = 0
            while not stop.is_set():
                turn += 1
                for name, path in here.items():
                    target = cur / f"{name}:2,{letters[turn % 4]}"
                    try:
                        os.rename(path, target)
                    except FileNotFoundError:  # the engine was faster
                        found = [one for one in cur.iterdir() if one.name.startswith(name)]
                        target = found[0] if found else path
                    here[name] = target

        worker = threading.Thread(target=rename_for_ever)
        worker.start()
        try:
            for _ in range(15):
                result = await bridge.run_pass()
                assert result.expunged_there == 0
                assert result.held == 0
        finally:
            stop.set()
            worker.join()
        await bridge.sync()
        with server_side(mailbag) as server:
            assert len(server.uids()) == 40
            assert await bridge.digests() == server.digests()


async def test_uidvalidity_change_keeps_local_mail_and_downloads_nothing(mailbag, tmp_path):
    mailbag.fill("INBOX", corpus.small(20))
    async with open_bridge(tmp_path / "store", mailbag) as bridge:
        await bridge.sync()
        ids = {item.id for item in (await bridge.store.messages.page(MessageQuery())).items}
        await bridge.disconnect()
        for name in ("dovecot-uidlist", "dovecot.index.log", "dovecot.index", "dovecot.index.cache"):
            (mailbag.server.mailbox_dir(mailbag.user) / name).unlink(missing_ok=True)
        for name in ("dovecot-uidvalidity",):
            for path in mailbag.server.mailbox_dir(mailbag.user).glob(f"{name}*"):
                path.unlink()
        import time

        time.sleep(1.1)  # Dovecot takes the second for a new UIDVALIDITY
        before = await bridge.store.mailboxes.get(ACCOUNT, MailboxName("INBOX"))
        result = await bridge.sync()
        after = await bridge.store.mailboxes.get(ACCOUNT, MailboxName("INBOX"))
        assert before.uid_validity != after.uid_validity
        assert (result.downloaded, result.uploaded, result.expunged_there, result.removed_here) == (
            0,
            0,
            0,
            0,
        )
        assert {item.id for item in (await bridge.store.messages.page(MessageQuery())).items} == ids
        events = await bridge.store.events.since(None, types={EventName.MAILBOX_RESET})
        assert len(events) == 1


async def test_lost_index_is_rebuilt_without_a_download_and_with_the_same_ids(mailbag, tmp_path):
    """Sync.md 4 and 5: marks and event ids over a rebuild."""
    mailbag.fill("INBOX", corpus.small(25))
    mailbag.fill("Archive", corpus.small(10, seed=2))
    async with open_bridge(tmp_path / "store", mailbag) as bridge:
        await bridge.sync()
        with server_side(mailbag) as server:
            server.append(b"Subject: fresh\r\n\r\nx\r\n")
        await bridge.sync()
        ids = {item.id for item in (await bridge.store.messages.page(MessageQuery())).items}
        last = bridge.store.events.latest_id
        epoch = bridge.store.epoch
    for path in (tmp_path / "store").glob("index.sqlite3*"):
        path.unlink()
    async with open_bridge(tmp_path / "store", mailbag) as bridge:
        result = await bridge.sync()
        assert (result.downloaded, result.uploaded, result.expunged_there) == (0, 0, 0)
        assert {item.id for item in (await bridge.store.messages.page(MessageQuery())).items} == ids
        assert bridge.store.epoch != epoch
        assert await new_mail(bridge) == [], "a rebuild is no new mail"
        with pytest.raises(EventsGone):
            await bridge.store.events.since(last)
        record = await bridge.store.mailboxes.get(ACCOUNT, MailboxName("INBOX"))
        view = await bridge.store.base.load(ACCOUNT, MailboxName("INBOX"))
        assert record.is_first_pass_done
        assert record.uid_next == max(entry.uid for entry in view.entries) + 1
        assert (await bridge.sync()).is_quiet


async def test_existing_maildir_is_taken_over_without_a_transfer(mailbag, tmp_path):
    """Somebody who comes from another program keeps the tree; headers tell which file is which message."""
    mail = corpus.small(12)
    mailbag.fill("INBOX", mail)
    root = tmp_path / "old-tree"
    for part in ("cur", "new", "tmp"):
        (root / part).mkdir(parents=True)
    for number, octets in enumerate(mail[:10]):
        (root / "cur" / f"{number}.old.host:2,S").write_bytes(octets)
    (root / "cur" / "77.old.host:2,S").write_bytes(b"Subject: only here\r\n\r\nx\r\n")
    async with open_bridge(tmp_path / "store", mailbag, maildir=root) as bridge:
        result = await bridge.sync()
        assert (result.downloaded, result.uploaded) == (2, 1)
        with server_side(mailbag) as server:
            assert await bridge.digests() == server.digests()


async def test_large_message_streams_to_disk(mailbag, tmp_path):
    big = b"Subject: big\r\n\r\n" + b"0123456789abcdef" * 4 * 1024 * 256 + b"\r\n"
    mailbag.fill("INBOX", [big, *corpus.small(3)])
    async with open_bridge(tmp_path / "store", mailbag) as bridge:
        assert (await bridge.sync()).downloaded == 4
        assert sha(big) in await bridge.digests()


async def test_large_messages_between_batches_are_never_taken_from_under_the_disk(
    mailbag, tmp_path, monkeypatch
):
    """A literal begins while a full batch waits to be sent off: it belongs to a batch of its own.

    Small batches, one in flight at a time, make that wait the rule.
    """
    monkeypatch.setattr(filling, "BATCH_BYTES", 100_000)
    monkeypatch.setattr(filling, "BATCHES_IN_FLIGHT", 1)
    mail = list(corpus.messages(400, seed=8, smallest=20_000, largest=60_000))
    for number in range(12):
        big = b"Subject: big %d\r\n\r\n" % number + b"0123456789abcde\n" * 80_000 + b"\r\n"
        mail.insert(number * 34, big)
    mailbag.fill("INBOX", mail)
    async with open_bridge(tmp_path / "store", mailbag) as bridge:
        assert (await bridge.sync()).downloaded == 412
        with server_side(mailbag) as server:
            assert await bridge.digests() == server.digests()


async def test_flag_set_on_a_message_is_seen_in_the_index(mailbag, tmp_path):
    mailbag.fill("INBOX", corpus.small(1), flags="")
    async with open_bridge(tmp_path / "store", mailbag) as bridge:
        await bridge.sync()
        with server_side(mailbag) as server:
            server.store(server.uids(), "+", "\\Seen")
        await bridge.sync()
        (item,) = (await bridge.store.messages.page(MessageQuery())).items
        assert item.flags == {SEEN}
        events = await bridge.store.events.since(None, types={EventName.MESSAGE_FLAGS})
        assert events[-1].message_id == item.id
