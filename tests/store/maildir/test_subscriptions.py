"""The file of subscriptions, in both of Dovecot's forms and under its lock."""

import os
import stat
import time

import pytest

from daemon.model.errors import StoreError
from daemon.store.maildir import subscriptions
from daemon.store.maildir.subscriptions import SubscriptionsLocked, directory_of, line_of

HEADER = b"V\t2\n\n"


@pytest.mark.parametrize(
    ("directory", "layout", "line"),
    [
        (".", "maildir++", "INBOX"),
        (".A.B", "maildir++", "A\tB"),
        (".a\\2eb", "maildir++", "a\\2eb"),
        ("INBOX", "fs", "INBOX"),
        ("A/B.c", "fs", "A\tB.c"),
    ],
)
def test_line_names_the_directory(directory, layout, line):
    assert line_of(directory, layout) == line
    assert directory_of(line, layout) == directory


async def test_new_file_has_the_present_form(garden):
    assert await garden.tree.read_subscriptions() is None
    await garden.tree.change_subscriptions(add=[".B", ".", ".A.x"])
    assert (garden.root / "subscriptions").read_bytes() == HEADER + b"A\tx\nB\nINBOX\n"
    assert await garden.tree.read_subscriptions() == {".", ".A.x", ".B"}
    assert not (garden.root / "subscriptions.lock").exists()
    assert stat.S_IMODE((garden.root / "subscriptions").stat().st_mode) == 0o600


async def test_old_form_stays_the_old_form(garden):
    (garden.root / "subscriptions").write_bytes(b"A.x\nTrash\n")
    assert await garden.tree.read_subscriptions() == {".A.x", ".Trash"}
    await garden.tree.change_subscriptions(add=[".B.y"], remove=[".Trash"])
    assert (garden.root / "subscriptions").read_bytes() == b"A.x\nB.y\n"


async def test_lines_of_others_stay_in_their_order(garden):
    foreign = HEADER + b"z\nG\xff\x011\ny\n"
    (garden.root / "subscriptions").write_bytes(foreign)
    await garden.tree.change_subscriptions(add=[".A"], remove=[".y"])
    assert (garden.root / "subscriptions").read_bytes() == HEADER + b"z\nG\xff\x011\nA\n"


async def test_nothing_to_change_writes_nothing(garden):
    await garden.tree.change_subscriptions(add=[".A"])
    before = (garden.root / "subscriptions").stat()
    await garden.tree.change_subscriptions(add=[".A"], remove=[".B"])
    assert (garden.root / "subscriptions").stat() == before
    assert not (garden.root / "subscriptions.lock").exists()


async def test_mode_of_the_file_is_kept(garden):
    (garden.root / "subscriptions").write_bytes(HEADER)
    (garden.root / "subscriptions").chmod(0o644)
    await garden.tree.change_subscriptions(add=[".A"])
    assert stat.S_IMODE((garden.root / "subscriptions").stat().st_mode) == 0o644


async def test_empty_file_says_nothing(garden):
    (garden.root / "subscriptions").touch()
    assert await garden.tree.read_subscriptions() is None


async def test_lock_of_another_program_is_respected_and_a_silent_one_is_not(garden, monkeypatch):
    monkeypatch.setattr(subscriptions, "LOCK_DEADLINE_SECONDS", 0.05)
    lock = garden.root / "subscriptions.lock"
    lock.write_text("theirs")
    with pytest.raises(SubscriptionsLocked):
        await garden.tree.change_subscriptions(add=[".A"])
    assert lock.read_text() == "theirs"
    os.utime(lock, (time.time() - 60,) * 2)
    await garden.tree.change_subscriptions(add=[".A"])
    assert await garden.tree.read_subscriptions() == {".A"}


async def test_link_in_its_place_is_not_followed(garden, tmp_path):
    target = tmp_path / "elsewhere"
    target.write_bytes(HEADER + b"A\n")
    (garden.root / "subscriptions").symlink_to(target)
    with pytest.raises(StoreError):
        await garden.tree.read_subscriptions()
    with pytest.raises(StoreError):
        await garden.tree.change_subscriptions(add=[".B"])
    assert target.read_bytes() == HEADER + b"A\n"
    assert not (garden.root / "subscriptions.lock").exists()
