import os
import subprocess
import sys
import time

import pytest

from daemon.model.errors import StoreError, StoreForeign
from daemon.model.flags import FLAGGED, SEEN, Flag
from daemon.model.ids import MaildirName
from daemon.store.maildir import scan
from daemon.store.maildir.keywords import KeywordMap
from daemon.store.maildir.scan import DirStamp, Twin

WORK = Flag("Work")


async def test_listing_has_names_paths_flags_and_whose_they_are(garden):
    garden.put("new/a")
    garden.put("cur/b,S=1:2,FS")
    (ours,) = await garden.deliver(b"x")
    found = await garden.tree.scan(".")
    assert {name: (entry.path, entry.flags, entry.is_ours) for name, entry in found.entries.items()} == {
        "a": ("new/a", frozenset(), False),
        "b,S=1": ("cur/b,S=1:2,FS", {FLAGGED, SEEN}, False),
        ours.maildir_name: (ours.path, frozenset(), True),
    }


async def test_dot_files_are_no_messages(garden):
    garden.put("cur/.hidden")
    found = await garden.tree.scan(".")
    assert not found.entries
    assert not found.oddities


@pytest.mark.timeout(10)
async def test_what_is_no_regular_file_is_reported_and_never_opened(garden):
    """faults.md L18: opening the FIFO would never return."""
    (garden.root / "cur" / "link:2,S").symlink_to("/etc/passwd")
    os.mkfifo(garden.root / "new" / "fifo")
    (garden.root / "cur" / "directory").mkdir()
    (garden.root / "cur" / os.fsdecode(b"bad\xff")).write_bytes(b"x")
    found = await garden.tree.scan(".")
    assert not found.entries
    assert sorted(found.oddities) == ["cur/bad\\udcff", "cur/directory", "cur/link:2,S", "new/fifo"]
    assert await garden.tree.find(MaildirName("fifo"), ["."]) is None


async def test_missing_or_unreadable_directory_is_no_listing(garden):
    with pytest.raises(StoreForeign):
        await garden.tree.scan(".Gone")
    (garden.root / "cur").rmdir()
    with pytest.raises(StoreForeign):
        await garden.tree.scan(".")


async def test_twins_are_reported_and_separated(garden):
    """sync.md 6: another inode under the same unique name is another message."""
    garden.put("new/a", b"one")
    garden.put("cur/a:2,S", b"two")
    found = await garden.tree.scan(".")
    assert list(found.entries) == ["a"]
    (twin,) = found.duplicates
    (path,) = await garden.tree.separate_twins(".", found.duplicates)
    again = await garden.tree.scan(".")
    assert not again.duplicates
    assert len(again.entries) == 2
    assert again.entries["a"].path == twin.first
    assert {(garden.root / entry.path).read_bytes() for entry in again.entries.values()} == {b"one", b"two"}
    assert not garden.tree.is_ours(scan.entry_of(path, KeywordMap()).maildir_name)


async def test_second_name_of_one_file_is_dropped(garden):
    os.link(garden.put("new/a", b"one"), garden.root / "cur" / "a:2,S")
    found = await garden.tree.scan(".")
    assert await garden.tree.separate_twins(".", found.duplicates) == []
    assert garden.names("new") + garden.names("cur") == ["a:2,S"]


async def test_hard_link_under_another_name_is_kept(garden):
    os.link(garden.put("cur/a:2,S", b"one"), garden.root / "cur" / "b:2,S")
    found = await garden.tree.scan(".")
    assert not found.duplicates
    assert len(found.entries) == 2


async def test_twins_that_are_no_longer_two_are_left_alone(garden):
    garden.put("cur/a:2,S")
    assert await garden.tree.separate_twins(".", [Twin(MaildirName("a"), "cur/a:2,S", "new/a")]) == []
    assert garden.names("cur") == ["a:2,S"]


def test_file_seen_twice_because_it_was_renamed_is_one(garden, monkeypatch):
    """readdir may give the old and the new name of one file; only one of them exists."""
    garden.put("cur/a:2,S")
    real = scan._list_part

    def twice(maildir, part, oddities):
        yield from ("a",) if part == "new" else real(maildir, part, oddities)

    monkeypatch.setattr(scan, "_list_part", twice)
    with garden.maildir() as maildir:
        found = scan.scan_maildir(maildir, KeywordMap())
    assert not found.duplicates
    assert found.entries["a"].path == "cur/a:2,S"


def test_path_that_still_exists_wins(garden, monkeypatch):
    garden.put("new/a")
    monkeypatch.setattr(
        scan, "_list_part", lambda maildir, part, oddities: ["a" if part == "new" else "a:2,S"]
    )
    with garden.maildir() as maildir:
        found = scan.scan_maildir(maildir, KeywordMap())
    assert not found.duplicates
    assert found.entries["a"].path == "new/a"


async def test_keywords_come_by_the_map_and_unknown_letters_are_told(garden):
    (garden.root / "dovecot-keywords").write_text("0 Work\n")
    garden.put("cur/a:2,Sa")
    garden.put("cur/b:2,Sz")
    found = await garden.tree.scan(".")
    assert found.entries["a"].flags == {SEEN, WORK}
    assert found.entries["b"].flags == {SEEN}
    assert found.unknown_letters == {"b"}
    assert found.keywords == {WORK}


async def test_map_that_grew_meanwhile_is_read_again(garden):
    """sync.md 27: an unknown letter means re-read the map."""
    garden.put("cur/a:2,a")
    await garden.tree.scan(".")
    (garden.root / "dovecot-keywords").write_text("0 Work\n")
    assert (await garden.tree.scan(".")).entries["a"].flags == {WORK}


async def test_equal_stamps_prove_that_nothing_changed(garden):
    time.sleep(0.03)
    before = (await garden.tree.stamps(["."]))[0]
    assert before == (await garden.tree.stamps(["."]))[0]
    assert DirStamp.parse(str(before)) == before
    for change in (
        lambda: garden.put("new/a"),
        lambda: (garden.root / "new" / "a").rename(garden.root / "cur" / "a:2,"),
        lambda: (garden.root / "cur" / "a:2,").rename(garden.root / "cur" / "a:2,S"),
        lambda: (garden.root / "dovecot-keywords").write_text("0 x\n"),
        (garden.root / "cur" / "a:2,S").unlink,
    ):
        change()
        time.sleep(0.03)
        after = (await garden.tree.stamps(["."]))[0]
        assert after != before
        before = after


async def test_stamp_taken_right_after_a_change_proves_nothing(garden, monkeypatch):
    monkeypatch.setattr(scan, "SETTLE_SECONDS", 3600.0)  # a busy machine may take longer than the real one
    garden.put("new/a")
    stamp = (await garden.tree.stamps(["."]))[0]
    assert stamp.unsettled
    assert stamp != (await garden.tree.stamps(["."]))[0]
    assert DirStamp.parse(str(stamp)) is None


async def test_stamp_from_the_future_proves_nothing(garden):
    os.utime(garden.root / "new", (time.time() + 1e6,) * 2)
    assert (await garden.tree.stamps(["."]))[0].unsettled


@pytest.mark.parametrize("text", ["", "x", "1 2 3", "1 2 3 4 5 6 7", "1 2 3 4 5 6 0 0"])
def test_stamp_of_another_form_is_not_read(text):
    assert DirStamp.parse(text) is None


async def test_absent_name_is_gone_after_two_listings_of_all_mailboxes(garden):
    await garden.tree.ensure(".Other")
    garden.put("cur/moved:2,S", mailbox=".Other")
    wanted = [MaildirName("moved"), MaildirName("removed")]
    missing = await garden.tree.confirm_missing(wanted, [".", ".Other"])
    assert missing.gone == {"removed"}
    assert missing.found["moved"][0] == ".Other"
    assert missing.found["moved"][1].flags == {SEEN}
    assert not missing.unproved


async def test_missing_mailbox_proves_nothing_about_anything(garden):
    with pytest.raises(StoreForeign):
        await garden.tree.confirm_missing([MaildirName("a")], [".", ".Gone"])


async def test_nothing_wanted_needs_no_listing(garden):
    assert await garden.tree.confirm_missing([], [".Gone"]) == scan.Missing()


async def test_second_listing_begins_after_the_first_has_ended(garden, monkeypatch):
    """A name that the first listing lacks and the second has is not missing (sync.md 12)."""
    listings = []
    real = scan.paths_of

    def counted(maildir, wanted):
        found = real(maildir, wanted)
        listings.append(sorted(found))
        if len(listings) == 1:
            garden.put("cur/late:2,S")
        return found

    monkeypatch.setattr(scan, "paths_of", counted)
    missing = await garden.tree.confirm_missing([MaildirName("late")], ["."])
    assert listings == [[], ["late"]]
    assert not missing.gone


async def test_file_missed_by_two_disturbed_listings_is_found_by_a_third(garden, monkeypatch):
    """readdir may miss a file that is renamed meanwhile, even twice in a row; the directory's time betrays it."""
    garden.put("cur/a:2,")
    real = scan.paths_of
    letters = ["F", "S"]

    def missing_it(maildir, wanted):
        if not letters:
            return real(maildir, wanted)
        (path,) = (garden.root / "cur").iterdir()
        path.rename(path.with_name(f"a:2,{letters.pop()}"))
        return {}

    monkeypatch.setattr(scan, "paths_of", missing_it)
    missing = await garden.tree.confirm_missing([MaildirName("a")], ["."])
    assert not missing.gone
    assert set(missing.found) == {"a"}


async def test_directory_replaced_meanwhile_is_no_snapshot(garden, monkeypatch):
    real = scan.paths_of

    def replacing(maildir, wanted):
        found = real(maildir, wanted)
        os.rename(garden.root / "cur", garden.root / "away")
        os.mkdir(garden.root / "cur")
        (garden.root / "away").rmdir()
        return found

    monkeypatch.setattr(scan, "paths_of", replacing)
    missing = await garden.tree.confirm_missing([MaildirName("a")], ["."])
    assert missing.unproved == {"a"}


@pytest.mark.parametrize("way", ["flags", "new to cur", "between mailboxes"])
async def test_file_renamed_without_pause_is_never_gone(garden, way):
    """faults.md L16: an MUA renames while we list; one readdir alone misses such files now and then."""
    await garden.tree.ensure(".B")
    bystander = garden.put("cur/bystander:2,S")
    for number in range(4000):  # enough for several calls of getdents, between which names move
        os.link(bystander, garden.root / "cur" / f"bystander{number}:2,S")
    paths = {
        "flags": ("cur/lively:2,", "cur/lively:2,FS", "cur/lively:2,T"),
        "new to cur": ("new/lively", "cur/lively:2,S"),
        "between mailboxes": ("cur/lively:2,S", ".B/cur/lively:2,S"),
    }[way]
    garden.put(paths[0])
    loop = (
        "import itertools, os, sys; paths = sys.argv[1:]\n"
        "for a, b in zip(itertools.cycle(paths), itertools.cycle(paths[1:] + paths[:1])): os.rename(a, b)"
    )
    mua = subprocess.Popen([sys.executable, "-c", loop, *paths], cwd=garden.root)
    try:
        for _ in range(6):
            missing = await garden.tree.confirm_missing(
                [MaildirName("lively"), MaildirName("other")], [".", ".B"]
            )
            assert "lively" not in missing.gone
    finally:
        mua.kill()
        mua.wait()
    missing = await garden.tree.confirm_missing([MaildirName("lively"), MaildirName("other")], [".", ".B"])
    assert missing.gone == {"other"}
    assert set(missing.found) == {"lively"}


async def test_broken_listing_is_an_error_not_a_short_listing(garden, monkeypatch):
    garden.put("cur/a:2,S")

    class Broken:
        def __enter__(self):
            return self

        def __exit__(self, *exc):
            return None

        def __iter__(self):
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "scandir", lambda fd: Broken())
    with pytest.raises(StoreError):
        await garden.tree.scan(".")
    with pytest.raises(StoreError):
        await garden.tree.confirm_missing([MaildirName("a")], ["."])
