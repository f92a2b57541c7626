import os

import pytest

from daemon.model.errors import StoreForeign
from daemon.store.maildir import identity


def reason_of(raised) -> str:
    assert raised.value.remedy
    return raised.value.reason


async def test_claimed_tree_is_ours_and_stays_so(garden):
    assert await garden.tree.check_identity() == 0
    await garden.tree.claim()
    status = (garden.root / "mailsyncd-id").stat()
    assert status.st_mode & 0o777 == 0o600


async def test_missing_id_file_is_store_missing(garden):
    (garden.root / "mailsyncd-id").unlink()
    with pytest.raises(StoreForeign) as raised:
        await garden.tree.check_identity()
    assert reason_of(raised) == "store_missing"
    assert f"the mail directory {garden.root} has no" in str(raised.value)


async def test_missing_tree_is_store_missing(garden):
    os.rename(garden.root, garden.root.with_name("away"))
    with pytest.raises(StoreForeign) as raised:
        await garden.tree.check_identity()
    assert reason_of(raised) == "store_missing"
    assert f"the mail directory {garden.root} is missing" in str(raised.value)


@pytest.mark.parametrize("other", [{"store_id": "store-2"}, {"account": "home"}])
async def test_tree_of_another_store_or_account_is_foreign(garden, other):
    with pytest.raises(StoreForeign) as raised:
        await garden.another(**other).check_identity()
    assert reason_of(raised) == "store_foreign"
    with pytest.raises(StoreForeign):
        await garden.another(**other).claim(adopt=True)
    assert await garden.tree.check_identity() == 0


@pytest.mark.parametrize(
    "content", [b"", b"mailsyncd-id 1\n", b"\xff" * 5000, b"store store-1\naccount work\n"]
)
async def test_damaged_id_file_is_no_identity(garden, content):
    (garden.root / "mailsyncd-id").write_bytes(content)
    with pytest.raises(StoreForeign):
        await garden.tree.check_identity()


async def test_id_file_must_be_a_regular_file(garden):
    id_file = garden.root / "mailsyncd-id"
    real = id_file.rename(garden.root.with_name("real"))
    id_file.symlink_to(real)
    with pytest.raises(StoreForeign):
        await garden.tree.check_identity()


async def test_each_mailbox_directory_has_its_own(garden):
    await garden.tree.ensure(".Sent")
    assert await garden.tree.check_identity(".Sent") == 0
    (garden.root / ".Sent" / "mailsyncd-id").unlink()
    with pytest.raises(StoreForeign):
        await garden.tree.check_identity(".Sent")


async def test_generation_is_written_and_read(garden):
    await garden.tree.record_generation(7)
    assert await garden.tree.check_identity() == 7
    await garden.another().claim(generation=9)
    assert await garden.tree.check_identity() == 7


async def test_generation_is_not_written_into_a_foreign_tree(garden):
    with pytest.raises(StoreForeign):
        await garden.another(store_id="store-2").record_generation(3)


async def test_empty_maildir_may_be_claimed(garden):
    (garden.root / "mailsyncd-id").unlink()
    (garden.root / "dovecot-uidlist").write_text("x")
    await garden.tree.claim()
    assert await garden.tree.check_identity() == 0


@pytest.mark.parametrize("what", ["message", "message in another mailbox", "other files"])
async def test_tree_with_content_needs_adoption(garden, what):
    await garden.tree.ensure(".Sent")
    for directory in (".", ".Sent"):
        (garden.root / directory / "mailsyncd-id").unlink()
    {
        "message": lambda: garden.put("cur/a:2,S"),
        "message in another mailbox": lambda: garden.put("new/a", mailbox=".Sent"),
        "other files": lambda: garden.put("thesis.tex"),
    }[what]()
    with pytest.raises(StoreForeign) as raised:
        await garden.tree.claim()
    assert reason_of(raised) == "store_foreign"
    assert not (garden.root / "mailsyncd-id").exists()
    await garden.tree.claim(adopt=True)
    assert await garden.tree.check_identity() == 0
    assert await garden.tree.check_identity(".Sent") == 0


async def test_interrupted_claim_is_made_again(garden, monkeypatch):
    """The root's id file is written last."""
    await garden.tree.ensure(".Sent")
    for directory in (".", ".Sent"):
        (garden.root / directory / "mailsyncd-id").unlink()
    real = identity.write

    def failing(fd, directory, *rest):
        if directory == ".":
            raise KeyboardInterrupt
        real(fd, directory, *rest)

    monkeypatch.setattr(identity, "write", failing)
    with pytest.raises(KeyboardInterrupt):
        garden.tree._blocking.claim(False, 0)
    monkeypatch.undo()
    with pytest.raises(StoreForeign):
        await garden.tree.check_identity()
    await garden.tree.claim()
    assert await garden.tree.check_identity(".Sent") == 0


async def test_fs_root_is_no_mailbox(garden):
    tree = garden.another(layout="fs")
    tree._blocking.root = garden.root.with_name("fs")
    await tree.claim()
    assert [path.name for path in tree._blocking.root.iterdir()] == ["mailsyncd-id"]
    await tree.ensure("INBOX")
    await tree.ensure("A/B")
    assert await tree.list_directories() == ("A/B", "INBOX")
