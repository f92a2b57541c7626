"""Jobs on directories and between them; the others are tested where their parts are."""

import pytest

from daemon.model.errors import StoreError, StoreForeign
from daemon.model.flags import SEEN, Flag
from daemon.model.ids import MaildirName
from daemon.model.views import LocalEntry
from daemon.store.maildir.errors import MessageGone, NameTaken

WORK = Flag("Work")


async def test_ensure_makes_a_whole_maildir_once(garden):
    await garden.tree.ensure(".A.B")
    garden.put("cur/a:2,S", mailbox=".A.B")
    await garden.tree.ensure(".A.B")
    assert sorted(path.name for path in (garden.root / ".A.B").iterdir()) == [
        "cur", "maildirfolder", "mailsyncd-id", "new", "tmp",
    ]  # fmt: skip
    assert garden.names("cur", ".A.B") == ["a:2,S"]


async def test_nothing_is_made_in_a_foreign_tree(garden):
    (garden.root / "mailsyncd-id").unlink()
    with pytest.raises(StoreForeign):
        await garden.tree.ensure(".A")
    assert not (garden.root / ".A").exists()


async def test_foreign_mailbox_directory_is_not_taken(garden):
    await garden.tree.ensure(".A")
    other = garden.root / ".A" / "mailsyncd-id"
    other.write_text(other.read_text().replace("store-1", "store-2"))
    with pytest.raises(StoreForeign):
        await garden.tree.ensure(".A")
    assert "store-2" in other.read_text()


async def test_empty_mailbox_directory_is_removed_with_dovecots_files(garden):
    await garden.tree.ensure(".A")
    garden.put("dovecot-uidlist", mailbox=".A")
    garden.put(f"tmp/{garden.tree._maker.tmp(1.0)}", mailbox=".A")
    assert await garden.tree.remove_directory(".A")
    assert not (garden.root / ".A").exists()


@pytest.mark.parametrize("path", ["cur/a:2,S", "new/a", "tmp/someone", "notes.txt"])
async def test_directory_with_anything_of_others_is_kept(garden, path):
    await garden.tree.ensure(".A")
    garden.put(path, mailbox=".A")
    assert not await garden.tree.remove_directory(".A")
    assert (garden.root / ".A" / path).exists()
    assert await garden.tree.check_identity(".A") == 0
    assert garden.names("cur", ".A") is not None


async def test_root_is_never_removed_or_renamed(garden):
    assert not await garden.tree.remove_directory(".")
    with pytest.raises(StoreError):
        await garden.tree.rename_directory(".", ".B")
    assert await garden.tree.check_identity() == 0


async def test_fs_children_stay_when_their_parent_goes(garden):
    tree = garden.another(layout="fs")
    await tree.ensure("A")
    await tree.ensure("A/B")
    assert await tree.remove_directory("A")
    assert await tree.check_identity("A/B") == 0
    assert "A" not in await tree.list_directories()


async def test_mailbox_directory_is_renamed_and_never_onto_another(garden):
    for directory in (".A", ".B"):
        await garden.tree.ensure(directory)
    garden.put("cur/a:2,S", mailbox=".A")
    with pytest.raises(NameTaken):
        await garden.tree.rename_directory(".A", ".B")
    await garden.tree.rename_directory(".A", ".C")
    assert garden.names("cur", ".C") == ["a:2,S"]
    assert await garden.tree.list_directories() == (".", ".B", ".C")


async def test_rename_that_ended_after_its_first_step_is_taken_up(garden):
    await garden.tree.ensure(".A")
    garden.put("cur/a:2,S", mailbox=".A")
    (garden.root / ".B").mkdir()
    await garden.tree.rename_directory(".A", ".B")
    assert garden.names("cur", ".B") == ["a:2,S"]


async def test_fs_rename_makes_the_parents(garden):
    tree = garden.another(layout="fs")
    await tree.ensure("A")
    await tree.rename_directory("A", "X/Y/A")
    assert await tree.check_identity("X/Y/A") == 0


async def test_move_keeps_name_flags_and_octets(garden):
    await garden.tree.ensure(".A")
    (garden.root / ".A" / "dovecot-keywords").write_text("0 Other\n")
    (entry,) = await garden.deliver(b"octets", flags=frozenset({SEEN, WORK}))
    moved = await garden.tree.move(".", entry, ".A")
    assert moved.maildir_name == entry.maildir_name
    assert moved.flags == {SEEN, WORK}
    assert moved.path.endswith(":2,Sb")
    assert (garden.root / ".A" / moved.path).read_bytes() == b"octets"
    assert garden.names("cur") == []


@pytest.mark.parametrize("path", ["new/a", "cur/a", "cur/a:2,"])
async def test_file_without_flags_moves_within_its_kind(garden, path):
    await garden.tree.ensure(".A")
    garden.put(path)
    entry = (await garden.tree.scan(".")).entries["a"]
    moved = await garden.tree.move(".", entry, ".A")
    assert moved.path == ("new/a" if path == "new/a" else "cur/a:2,")


async def test_move_neither_overwrites_nor_guesses(garden):
    await garden.tree.ensure(".A")
    garden.put("cur/a:2,S")
    garden.put("cur/a:2,S", b"theirs", mailbox=".A")
    entry = (await garden.tree.scan(".")).entries["a"]
    with pytest.raises(NameTaken):
        await garden.tree.move(".", entry, ".A")
    (garden.root / "cur/a:2,S").unlink()
    with pytest.raises(MessageGone):
        await garden.tree.move(".", entry, ".A")
    assert (garden.root / ".A/cur/a:2,S").read_bytes() == b"theirs"


async def test_file_is_found_in_any_mailbox(garden):
    await garden.tree.ensure(".A")
    garden.put("cur/a:2,S", mailbox=".A")
    directory, entry = await garden.tree.find(MaildirName("a"), [".", ".A"])
    assert (directory, entry.path) == (".A", "cur/a:2,S")
    assert await garden.tree.find(MaildirName("b"), [".", ".A"]) is None


def carried(name: str, letters: str, flags=frozenset()) -> LocalEntry:
    return LocalEntry(maildir_name=MaildirName(name), path=f"cur/{name}:2,{letters}", flags=flags)


async def test_letters_carried_from_another_mailbox_are_written_anew(garden):
    """Those that the file showed there; others were set here, and what neither map explains is not guessed."""
    await garden.tree.ensure(".A")
    garden.put("dovecot-keywords", b"0 Work\n1 Later\n")
    garden.put("dovecot-keywords", b"0 Junk\n1 later\n", mailbox=".A")
    moved = [
        (carried("kept", "Sa"), frozenset({SEEN, WORK})),
        (carried("set-here", "Sa"), frozenset({SEEN})),
        (carried("alike", "Sb"), frozenset({SEEN, Flag("LATER")})),
        (carried("unknown", "Sz"), frozenset({SEEN, WORK})),
        (carried("gone", "Sa"), frozenset({WORK})),
    ]
    for entry, _ in moved[:-1]:
        garden.put(entry.path, mailbox=".A")
    results = await garden.tree.carry_letters(".", ".A", moved)
    assert results[0] == carried("kept", "Sc", frozenset({SEEN, WORK}))
    assert results[1:] == [entry for entry, _ in moved[1:]]
    assert garden.names("cur", ".A") == ["alike:2,Sb", "kept:2,Sc", "set-here:2,Sa", "unknown:2,Sz"]
