"""Reviews of restored backups end by themselves where no pass looks at the mailbox, and take nothing away."""

import shutil

from structlog.testing import capture_logs

from tests.sync.stage import agree, letter, messages, sha
from tests.sync.test_backups import TREE, keep, put_back


async def lived(stage):
    """A backup, and runs of the service after it; both mailboxes have mail."""
    stage.deliver(letter(1))
    stage.deliver(letter(2), letter(3), mailbox="Old")
    async with stage.bridge() as bridge:
        await bridge.sync()
    keep(stage, "backup", *TREE)
    for number in (9, 10):
        async with stage.bridge() as bridge:
            stage.deliver(letter(number))
            await bridge.sync()


def under_review(bridge):
    return bridge.engine._backups.review.mailboxes


async def test_mailbox_that_is_gone_on_the_server_ends_its_review_and_keeps_its_files(stage):
    """Whoever restores a backup may want just these: they stay, and other mailboxes are inferred from again."""
    await lived(stage)
    stage.user.create("Other")
    async with stage.bridge() as bridge:
        await bridge.sync()
    stage.user.delete("Old")
    put_back(stage, "backup", *TREE)
    async with stage.bridge() as bridge:
        await bridge.sync()
        await bridge.sync()
        assert not under_review(bridge)
        await bridge.sync()
        assert await bridge.digests("Old") == sorted([sha(letter(2)), sha(letter(3))])
        assert all(one.is_unmatched for one in await messages(bridge, "Old"))
        stage.user.delete("Other")
        await bridge.sync()
        assert not (bridge.tree.root / ".Other").exists(), "a mailbox that is gone since then is gone"
    async with stage.bridge() as bridge:
        assert (await bridge.sync()).uploaded == 0
        assert "Old" not in stage.user.mailboxes
        for octets in (letter(3), letter(4)):
            stage.deliver(octets, mailbox="Old")
        assert (await bridge.sync()).downloaded == 1, "what is here already does not come down again"
        assert len(await bridge.digests("Old")) == 3


async def test_mailbox_younger_than_the_tree_gets_its_directory_and_its_mail_again(stage):
    """Nobody has to approve what the backup could not have."""
    await lived(stage)
    stage.deliver(letter(20), mailbox="Young")
    stage.user.create("Bare")
    async with stage.bridge() as bridge:
        await bridge.sync()
    put_back(stage, "backup", *TREE)
    async with stage.bridge() as bridge:
        result = await bridge.sync()
        assert (result.held, result.expunged_there) == (0, 0)
        assert not under_review(bridge)
        await agree(bridge, stage, "INBOX", "Old", "Young", "Bare")


async def test_foreign_directory_is_not_made_again_for_a_review(stage):
    await lived(stage)
    put_back(stage, "backup", *TREE)
    (path,) = (stage.path / "store").glob("mail/*/.Old/mailsyncd-id")
    path.write_text(path.read_text().replace("account work", "account other"))
    async with stage.bridge() as bridge:
        await bridge.run_pass()
        assert "Old" in under_review(bridge)
        assert set(bridge.engine.held) == {"Old"}, "a person is asked"
        assert "account other" in path.read_text()


async def test_listing_cut_short_once_ends_no_review(stage):
    await lived(stage)
    put_back(stage, "backup", *TREE)
    box = stage.user.mailboxes.pop("Old")
    async with stage.bridge() as bridge:
        await bridge.run_pass()
        assert under_review(bridge) == {"Old"}
        stage.user.mailboxes["Old"] = box
        await bridge.sync()
        assert not under_review(bridge)
        assert not any(one.is_unmatched for one in await messages(bridge, "Old"))
        await agree(bridge, stage, "INBOX", "Old")


async def test_mailbox_that_config_excludes_ends_its_review_and_is_matched_when_it_is_kept_again(stage):
    """Files that the backup lacks are no deletions, however much later they are looked for."""
    await lived(stage)
    put_back(stage, "backup", *TREE)
    for path in (stage.path / "store").glob("mail/*/.Old/new/*"):
        path.unlink()
    async with stage.bridge(exclude=("Old",)) as bridge:
        await bridge.run_pass()
        assert not under_review(bridge)
    async with stage.bridge() as bridge:
        result = await bridge.sync()
        assert (result.expunged_there, result.held, result.downloaded) == (0, 0, 2)
        await agree(bridge, stage, "INBOX", "Old")


async def test_review_that_goes_on_is_told_once_with_its_reason_and_its_end_is_told(stage):
    await lived(stage)
    put_back(stage, "backup", *TREE)
    async with stage.bridge() as bridge:
        rule = stage.line.refuse(rb"SELECT Old", b"NO [SERVERBUG] oops")
        with capture_logs() as logs:
            for _ in range(3):
                await bridge.run_pass()
            stage.line.rules.remove(rule)
            await bridge.sync()
        told = [one for one in logs if one["event"] in {"backup.review_goes_on", "backup.reviewed"}]
        assert [one["event"] for one in told] == ["backup.review_goes_on", "backup.reviewed"]
        assert (told[0]["mailboxes"], told[0]["failed"]) == (["Old"], ["Old"])


async def test_mailbox_whose_record_is_gone_is_no_longer_under_review(stage):
    await lived(stage)
    put_back(stage, "backup", *TREE)
    async with stage.bridge() as bridge:
        await bridge.engine.recover()
        assert "Old" in under_review(bridge)
        stage.user.delete("Old")
        await bridge.store.mailboxes.remove(bridge.settings.id, "Old", [])
        shutil.rmtree(bridge.tree.root / ".Old")
        await bridge.sync()
        assert not under_review(bridge)
