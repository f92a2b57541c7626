"""Mailboxes made, renamed and removed while the service runs, on either side."""

import shutil

from tests.end_to_end.installation import Done, eventually
from tests.support.server_side import server_side


def letter(number: int) -> bytes:
    return b"From: ada@example.org\r\nSubject: letter %d\r\n\r\nHello.\r\n" % number


async def told(service, name: str) -> list[str]:
    return [event["mailbox"] for event in await service.events(f"&types={name}")]


async def test_directory_made_renamed_and_removed_here_is_followed_at_once(installation, mailbag):
    """No schedule is waited for: the watch of the tree wakes the account."""
    async with installation.running() as service:
        await service.until_state("idle")
        root = installation.store / "mail" / "work"
        for part in ("tmp", "new", "cur"):
            (root / ".Projekte" / part).mkdir(parents=True)
        (root / ".Projekte" / "cur" / "1.me:2,S").write_bytes(letter(1))

        async def has(mailbox: str) -> bool:
            with server_side(mailbag) as server:
                status, _ = server.imap.select(f'"{mailbox}"', readonly=True)
                return status == "OK" and len(server.uids(mailbox)) == 1

        await eventually(lambda: has("Projekte"))
        await service.until_state("idle")
        (root / ".Projekte").rename(root / ".Plans")
        await eventually(lambda: has("Plans"))

        async def renamed() -> bool:
            return await told(service, "mailbox.renamed") == ["Plans"]

        await eventually(renamed)
        await service.until_state("idle")
        assert await service.events("&types=deletion.held") == [], (
            "a rename is no loss, not even for a moment"
        )
        assert not await has("Projekte")
        shutil.rmtree(root / ".Plans")
        await service.until_state("held")
        assert await has("Plans")
        shown = await installation.call("held")
        assert (shown.code, "work: Plans: 1 of 1 would go on the server" in shown.out) == (1, True), shown
        [item] = (await service.get("/v1/accounts/work/held"))["items"]
        assert (item["mailbox"], item["side"], item["count"]) == ("Plans", "there", 1)
        strange = await installation.call("approve", "work", "Projekte")
        assert (strange.code, strange.out) == (1, "")
        assert await has("Plans")
        approved = await installation.call("approve", "work", "Plans")
        assert approved.code == 0, approved
        assert not await has("Plans")
        await service.until_state("idle")
        assert await installation.call("held") == Done(0, "Nothing is held.\n", "")


async def test_mailbox_renamed_and_removed_on_the_server_is_followed_by_the_next_look(installation, mailbag):
    with server_side(mailbag) as server:
        server.create("Lists")
        server.append(letter(1), "Lists")
        async with installation.running() as service:
            await service.until_state("idle")
            [before] = await service.messages("mailbox=Lists")
            server.imap.rename("Lists", "Groups")
            await service.post("/v1/accounts/work/sync?wait=30")
            [after] = await service.messages("mailbox=Groups")
            assert after["id"] == before["id"]
            assert await told(service, "mailbox.renamed") == ["Groups"]
            server.imap.delete("Groups")
            await service.post("/v1/accounts/work/sync?wait=30")
            assert await service.messages("mailbox=Groups") == []
            assert await told(service, "mailbox.removed") == ["Groups"]
            assert not (installation.store / "mail" / "work" / ".Groups").exists()
