"""What is lost on our side: the index is made anew, a tree that is gone is no wish to delete."""

import shutil

from tests.end_to_end.installation import eventually
from tests.support import corpus
from tests.support.proxy import WireProxy
from tests.support.server_side import server_side


async def test_lost_index_is_made_anew_without_loss_copies_or_downloads(installation, mailbag):
    mailbag.fill("INBOX", corpus.small(20))
    mailbag.fill("Archive", corpus.small(10, seed=2), flags="FS")
    async with WireProxy(mailbag.server.imap_port) as proxy:
        installation.add(mailbag, port=proxy.port, tls="none", ca_file=None)
        async with installation.running() as service:
            await service.until_state("idle")
            before = {message["id"]: message for message in await service.messages()}
            place = (await service.get("/v1/status"))["event_id"]
            await service.kill()
        for path in installation.store.glob("index.sqlite3*"):
            path.unlink()
        sessions = len(proxy.sessions)
        async with installation.running() as service:
            await service.until_state("idle")
            after = {message["id"]: message for message in await service.messages()}
            assert after == before, "the same messages by the same ids"
            assert [one for session in proxy.sessions[sessions:] for one in session.bodies_fetched()] == []
            gone = await service.ask("GET", f"/v1/events?since={place}")
            assert (gone.status, gone.json["code"]) == (410, "events_gone")
            assert len(installation.files()) == 20
            with server_side(mailbag) as server:
                assert len(server.uids()) == 20


async def test_emptied_mailbox_is_held_and_nothing_is_removed_there(installation, mailbag):
    mailbag.fill("INBOX", corpus.small(80))
    assert (await installation.call("sync")).code == 0
    for path in installation.files().values():
        path.unlink()
    async with installation.running() as service:
        held = await service.until_state("held")
        assert held["reason"] == "deletion_held"
        assert held["remedy"]
        assert (await service.ask("GET", "/v1/accounts/work/health")).status == 503
        assert "deletion.held" in [event["name"] for event in await service.events()]
        with server_side(mailbag) as server:
            assert len(server.uids()) == 80
            server.append(b"Subject: still coming\r\n\r\nyes\r\n")

        async def has_come() -> bool:
            return any(b"still coming" in path.read_bytes() for path in installation.files().values())

        await eventually(has_come)
        shown = await installation.call("status")
        assert shown.code == 1
        assert "held" in shown.out
        assert await service.stop() == 0
    done = await installation.call("sync")
    assert done.code == 1
    assert "80 deletions held" in done.out
    with server_side(mailbag) as server:
        assert len(server.uids()) == 81


async def test_missing_or_foreign_tree_is_held(installation, mailbag):
    """As when the disk with the mail is not mounted, or another one is."""
    mailbag.fill("INBOX", corpus.small(3))
    assert (await installation.call("sync")).code == 0
    tree = installation.store / "mail" / "work"
    away = installation.home / "away"
    tree.rename(away)
    missing = await installation.call("sync")
    assert missing.code == 1
    assert "failed (store_" in missing.out
    tree.mkdir(mode=0o700)
    (tree / "cur").mkdir()
    foreign = await installation.call("sync")
    assert foreign.code == 1
    assert "failed (store_" in foreign.out
    assert list(tree.glob("cur/*")) == [], "nothing is written into it"
    with server_side(mailbag) as server:
        assert len(server.uids()) == 3
    shutil.rmtree(tree)
    away.rename(tree)
    done = await installation.call("sync")
    assert (done.code, done.out) == (0, "work: nothing to do\n")


async def test_removals_on_either_side_reach_the_other(installation, mailbag):
    mailbag.fill("INBOX", corpus.small(10))
    async with installation.running() as service:
        await service.until_state("idle")
        with server_side(mailbag) as server:
            server.expunge(server.uids()[:2])

            async def are_gone_here() -> bool:
                return len(installation.files()) == 8

            await eventually(are_gone_here)
            for path in sorted(installation.files().values())[:3]:
                path.unlink()
            await service.post("/v1/accounts/work/sync?wait=20")

            async def are_gone_there() -> bool:
                return len(server.uids()) == 5

            await eventually(are_gone_there)

        async def are_told() -> bool:
            names = [event["name"] for event in await service.events()]
            return names.count("message.deleted") == 5

        await eventually(are_told)
        assert len(await service.messages()) == 5
