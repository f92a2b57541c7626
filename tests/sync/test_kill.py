"""kill -9 at random moments of a real download and a real upload, over a real socket.

After each kill the next start goes on. At the end nothing is lost, nothing is there twice, and no body was fetched
whose file was already in new/ or cur/ when the process died. The seed is printed; MAILSYNCD_KILLS says how many.
"""

import asyncio
import hashlib
import os
import random
from pathlib import Path

import pytest

from daemon.model.ids import MailboxName, MaildirName
from daemon.model.local_news import FileEvent, FileNews, LocalNews
from daemon.model.settings import Tls
from tests.support import corpus
from tests.support.bridge import ACCOUNT, open_bridge, settings_for
from tests.support.child import start_look_at_news, start_sync
from tests.support.proxy import WireProxy
from tests.support.server_side import server_side

KILLS = int(os.environ.get("MAILSYNCD_KILLS", "10"))
SEED = int(os.environ.get("MAILSYNCD_SEED", str(random.SystemRandom().randrange(1 << 30))))


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_kill_during_first_download_loses_doubles_and_refetches_nothing(mailbag, tmp_path):
    rng = random.Random(SEED)
    print(f"MAILSYNCD_SEED={SEED}")
    mailbag.fill("INBOX", corpus.messages(1500, seed=4, smallest=500, largest=20_000))
    mailbag.fill("Archive", corpus.messages(500, seed=5, smallest=500, largest=20_000))
    with server_side(mailbag) as server:
        there = {mailbox: server.digests(mailbox) for mailbox in ("INBOX", "Archive")}
    kills = rounds = 0
    while kills < KILLS:
        rounds += 1
        store = tmp_path / f"store{rounds}"
        async with WireProxy(mailbag.server.imap_port) as proxy:
            settings = settings_for(mailbag, port=proxy.port, tls=Tls.NONE, ca_file=None)
            in_place: list[tuple[int, set[str]]] = []
            for _ in range(rng.randint(1, 6)):
                child = start_sync(store, settings)
                if not await ended_within(child, rng.uniform(0.1, 2.5)):
                    child.kill()
                    kills += 1
                child.join()
                in_place.append((len(proxy.sessions), digests_in_place(store)))
            async with open_bridge(store, mailbag, settings=settings) as bridge:
                await bridge.sync()
                assert (await bridge.sync()).is_quiet
                for mailbox, digests in there.items():
                    assert await bridge.digests(mailbox) == digests, "lost or twice"
                    view = await bridge.store.base.load(ACCOUNT, MailboxName(mailbox))
                    assert len(view.entries) == len(digests)
            for session_count, digests in in_place:
                later = {sha for one in proxy.sessions[session_count:] for sha in one.bodies_fetched()}
                again = digests & later
                assert not again, f"{len(again)} bodies fetched although their file was in place"


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_kill_during_upload_sends_nothing_twice_and_loses_nothing(mailbag, tmp_path):
    rng = random.Random(SEED + 1)
    print(f"MAILSYNCD_SEED={SEED}")
    kills = rounds = 0
    fresh = list(corpus.messages(500, seed=6, smallest=500, largest=9_000))
    while kills < KILLS:
        rounds += 1
        mailbox = f"Round {rounds}"
        mailbag.fill(mailbox, corpus.small(5, seed=rounds))
        store = tmp_path / f"store{rounds}"
        settings = settings_for(mailbag, mailboxes=(mailbox,))
        async with open_bridge(store, mailbag, settings=settings) as bridge:
            await bridge.sync()
            record = await bridge.store.mailboxes.get(ACCOUNT, MailboxName(mailbox))
            cur = bridge.tree.root / record.directory / "cur"
        for number, octets in enumerate(fresh):
            (cur / f"{number}.me.host:2,S").write_bytes(octets)
        for _ in range(rng.randint(1, 5)):
            child = start_sync(store, settings)
            if not await ended_within(child, rng.uniform(0.05, 1.2)):
                child.kill()
                kills += 1
            child.join()
        async with open_bridge(store, mailbag, settings=settings) as bridge:
            await bridge.sync()
            assert (await bridge.sync()).is_quiet
            with server_side(mailbag) as server:
                there = server.digests(mailbox)
            assert len(there) == 505
            assert await bridge.digests(mailbox) == there


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_kill_while_files_follow_a_move_loses_doubles_and_fetches_nothing(mailbag, tmp_path):
    rng = random.Random(SEED + 2)
    print(f"MAILSYNCD_SEED={SEED}")
    kills = rounds = 0
    while kills < KILLS // 2:
        rounds += 1
        here, there = f"From {rounds}", f"To {rounds}"
        mailbag.fill(here, corpus.messages(400, seed=rounds, smallest=500, largest=9_000))
        mailbag.fill(there, [])
        store = tmp_path / f"store{rounds}"
        async with WireProxy(mailbag.server.imap_port) as proxy:
            settings = settings_for(
                mailbag, mailboxes=(here, there), port=proxy.port, tls=Tls.NONE, ca_file=None
            )
            async with open_bridge(store, mailbag, settings=settings) as bridge:
                await bridge.sync()
                before = await bridge.store.base.load(ACCOUNT, MailboxName(here))
            with server_side(mailbag) as server:
                digests = server.digests(here)
                server.imap.uid("COPY", "1:*", f'"{there}"')
                server.expunge(server.uids(here), here)
            proxy.sessions.clear()
            for _ in range(rng.randint(1, 5)):
                child = start_sync(store, settings)
                if not await ended_within(child, rng.uniform(0.3, 1.5)):
                    child.kill()
                    kills += 1
                child.join()
            async with open_bridge(store, mailbag, settings=settings) as bridge:
                await bridge.sync()
                assert (await bridge.sync()).is_quiet
                assert await bridge.digests(there) == digests, "lost or twice"
                assert await bridge.digests(here) == []
                after = await bridge.store.base.load(ACCOUNT, MailboxName(there))
                assert {one.message_id for one in after.entries} == {one.message_id for one in before.entries}
            assert not [sha for one in proxy.sessions for sha in one.bodies_fetched()]
        if rounds > 4 * KILLS:
            break  # a machine too quick to be caught in the act


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_kill_during_a_pass_over_what_was_told_loses_doubles_and_revives_nothing(mailbag, tmp_path):
    rng = random.Random(SEED + 3)
    print(f"MAILSYNCD_SEED={SEED}")
    kills = rounds = 0
    while kills < max(KILLS // 4, 1):
        mailbox = MailboxName(f"Told {rounds}")
        mailbag.fill(mailbox, corpus.small(150, seed=100 + rounds))
        store = tmp_path / f"store{rounds}"
        settings = settings_for(mailbag, mailboxes=(mailbox,))
        async with open_bridge(store, mailbag, settings=settings) as bridge:
            await bridge.sync()
            before = {
                entry.maildir_name: entry
                for entry in (await bridge.store.base.load(ACCOUNT, mailbox)).entries
            }
            told = changed_here(await bridge.files(mailbox), seed=200 + rounds)
        with server_side(mailbag) as server:
            gone = {before[name].uid for name, news in told.items() if news.is_gone}
            vanishing = sorted(entry.uid for name, entry in before.items() if name not in told)[:20]
            server.expunge(vanishing, mailbox)
            server.store(server.uids(mailbox)[-20:], "+", "\\Answered", mailbox)
            for octets in corpus.small(20, seed=300 + rounds):
                server.append(octets, mailbox)
            expected = {uid: octets for uid, octets in server.bodies(mailbox).items() if uid not in gone}
        child = start_look_at_news(store, settings, LocalNews(files={mailbox: told}))
        # The first one runs to its end: only what was told is looked at, with nothing killed.
        if not await ended_within(child, rng.uniform(0.1, 1.0) if rounds else 60.0):
            child.kill()
            kills += 1
        child.join()
        async with open_bridge(store, mailbag, settings=settings) as bridge:
            await bridge.sync()
            assert (await bridge.sync()).is_quiet
            with server_side(mailbag) as server:
                there, flags = server.bodies(mailbox), server.flags(mailbox)
            assert len(there) == len(expected) + 20
            assert expected.items() <= there.items()
            assert await bridge.digests(mailbox) == digests_of(there.values()), "lost, twice or come back"
            after = (await bridge.store.base.load(ACCOUNT, mailbox)).entries
            assert {entry.uid: entry.flags for entry in after} == flags
            kept = {entry.maildir_name: entry.message_id for entry in after}
            assert all(kept.get(name, before[name].message_id) == before[name].message_id for name in before)
        rounds += 1
        if rounds > 4 * KILLS:
            break  # a machine too quick to be caught in the act


def changed_here(files: dict[str, Path], *, seed: int) -> dict[MaildirName, FileNews]:
    """Files unlinked, flagged and added by another program, and what a watch tells of that."""
    told: dict[MaildirName, FileNews] = {}
    cur = next(iter(files.values())).parent.parent / "cur"
    for at, (name, path) in enumerate(sorted(files.items())[:60]):
        if at % 3 == 0:
            path.unlink()
            told[name] = FileNews(FileEvent.UNLINKED, f"{path.parent.name}/{path.name}")
        else:
            marked = path.rename(cur / f"{name}:2,FS")
            told[name] = FileNews(FileEvent.RENAMED, f"cur/{marked.name}")
    for number, octets in enumerate(corpus.small(20, seed=seed)):
        fresh = cur / f"{number}.told.host:2,S"
        fresh.write_bytes(octets)
        told[MaildirName(f"{number}.told.host")] = FileNews(FileEvent.ARRIVED, f"cur/{fresh.name}")
    return told


def digests_of(bodies) -> list[str]:
    return sorted(hashlib.sha256(octets).hexdigest() for octets in bodies)


async def ended_within(child, seconds: float) -> bool:
    """Whether the child ended by itself in that time; the proxy goes on meanwhile."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        if child.exitcode is not None:
            assert child.exitcode == 0, "the child failed by itself"
            return True
        await asyncio.sleep(0.01)
    return False


def digests_in_place(store: Path) -> set[str]:
    tree = store / "mail" / ACCOUNT
    return {
        hashlib.sha256(path.read_bytes()).hexdigest()
        for part in ("new", "cur")
        for path in tree.glob(f"**/{part}/*")
    }
