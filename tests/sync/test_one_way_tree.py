"""What programs and people do to a tree that answers to no server."""

import shutil

import pytest

from daemon.model.errors import StoreForeign
from daemon.model.events import EventName
from daemon.model.flags import SEEN, Flag
from daemon.model.operations import OperationKind
from tests.sync.pop3_stage import letter, open_drop, sha


@pytest.fixture
async def drop(tmp_path):
    async with open_drop(tmp_path) as drop:
        yield drop


def make_mailbox(bridge, directory):
    path = bridge.tree.root / directory
    for part in ("cur", "new", "tmp"):
        (path / part).mkdir(parents=True)
    return path


async def test_directory_made_by_another_program_is_a_mailbox_with_its_mail(drop):
    drop.deliver(letter(1))
    async with drop.bridge() as bridge:
        await bridge.poll()
        path = make_mailbox(bridge, ".Lists.python")
        (path / "new" / "1.me.host").write_bytes(letter(9))
        await bridge.engine.follow_tree()
        assert [one.content.envelope.subject for one in await bridge.messages("Lists/python")] == ["letter 9"]
        told = await bridge.events(EventName.MAILBOX_CREATED, EventName.MESSAGE_NEW)
        assert [(event.name, event.mailbox) for event in told] == [
            (EventName.MAILBOX_CREATED, "Lists/python"),
            (EventName.MESSAGE_NEW, "Lists/python"),
        ]
        assert told[1].data["origin"] == "local"


async def test_removed_directory_takes_its_mailbox_along(drop):
    drop.deliver(letter(1))
    async with drop.bridge() as bridge:
        await bridge.poll()
        path = make_mailbox(bridge, ".Old")
        (path / "cur" / "1.me.host:2,S").write_bytes(letter(9))
        await bridge.engine.follow_tree()
        shutil.rmtree(path)
        await bridge.engine.follow_tree()
        told = await bridge.events(EventName.MAILBOX_REMOVED, EventName.MESSAGE_DELETED)
        assert [event.name for event in told] == [EventName.MESSAGE_DELETED, EventName.MAILBOX_REMOVED]
        assert [record.name for record in await bridge.store.mailboxes.list("drop")] == ["INBOX"]


async def test_directory_of_another_store_is_left_alone_and_stops_nothing(drop):
    drop.deliver(letter(1))
    async with drop.bridge() as bridge:
        await bridge.poll()
        path = make_mailbox(bridge, ".Foreign")
        text = (bridge.tree.root / "mailsyncd-id").read_text()
        (path / "mailsyncd-id").write_text(text.replace("account drop", "account other"))
        drop.deliver(letter(2))
        assert (await bridge.poll()).downloaded == 1
        assert [record.name for record in await bridge.store.mailboxes.list("drop")] == ["INBOX"]


async def test_tree_that_is_not_there_deletes_nothing(drop):
    drop.deliver(letter(1), letter(2))
    async with drop.bridge() as bridge:
        await bridge.poll()
        bridge.tree.root.rename(drop.path / "unmounted")
        with pytest.raises(StoreForeign):
            await bridge.poll()
        bridge.tree.root.mkdir()
        with pytest.raises(StoreForeign):
            await bridge.poll()
        assert len(await bridge.messages()) == 2
        bridge.tree.root.rmdir()
        (drop.path / "unmounted").rename(bridge.tree.root)
        assert (await bridge.poll()).is_quiet


async def test_restored_tree_gets_again_what_is_missing_in_it(drop):
    drop.deliver(letter(1))
    async with drop.bridge() as bridge:
        await bridge.poll()
        root = bridge.tree.root
    shutil.copytree(root, drop.path / "backup")
    drop.deliver(letter(2))
    async with drop.bridge() as bridge:
        await bridge.poll()
    shutil.rmtree(root)
    (drop.path / "backup").rename(root)
    async with drop.bridge() as bridge:
        await bridge.poll()
        assert bridge.digests() == sorted([sha(letter(1)), sha(letter(2))])
        assert len(await bridge.messages()) == 2
        assert (await bridge.poll()).is_quiet


async def test_file_copied_by_a_person_is_a_message_of_its_own(drop):
    drop.deliver(letter(1))
    async with drop.bridge() as bridge:
        await bridge.poll()
        path = next(iter(bridge.files().values()))
        (path.parent / "2.me.host").write_bytes(path.read_bytes())
        await bridge.engine.follow_tree()
        assert len({one.id for one in await bridge.messages()}) == 2
        drop.rename_ids(lambda one: f"new-{one.uid}")
        assert (await bridge.poll()).downloaded == 0
        assert len(await bridge.messages()) == 2


async def test_unreadable_file_waits_and_holds_up_nothing(lowly_path):
    async with open_drop(lowly_path) as drop, drop.bridge() as bridge:
        await bridge.poll()
        path = bridge.tree.root / "cur" / "1.me.host:2,S"
        path.write_bytes(letter(9))
        path.chmod(0)
        with pytest.raises(PermissionError):
            path.read_bytes()
        drop.deliver(letter(1))
        result = await bridge.poll()
        assert (result.downloaded, result.failed) == (1, 1)
        path.chmod(0o600)
        await bridge.poll()
        assert {one.content.envelope.subject for one in await bridge.messages()} == {"letter 1", "letter 9"}


async def test_wish_for_a_keyword_without_a_letter_is_kept_in_the_index(drop):
    """Sync.md 27: the twenty-seventh; a file that cannot show it denies nothing."""
    drop.deliver(letter(1))
    async with drop.bridge() as bridge:
        await bridge.poll()
        lines = "".join(f"{number} k{number}\n" for number in range(26))
        (bridge.tree.root / "dovecot-keywords").write_text(lines)
        ((message),) = await bridge.messages()
        late = Flag("late")
        operation = await bridge.ask(message.id, OperationKind.FLAGS, add={late, SEEN, Flag("K3")})
        await bridge.poll()
        assert (await bridge.store.operations.get(operation.id)).state == "done"
        for _ in range(2):
            ((message),) = await bridge.messages()
            assert {flag.lower() for flag in message.flags} == {"late", "\\seen", "k3"}
            assert (await bridge.poll()).is_quiet
        operation = await bridge.ask(message.id, OperationKind.FLAGS, remove={late})
        await bridge.poll()
        assert (await bridge.store.operations.get(operation.id)).state == "done"
        ((message),) = await bridge.messages()
        assert late not in message.flags
