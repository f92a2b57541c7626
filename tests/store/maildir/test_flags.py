import os
import threading

import pytest

from daemon.model.flags import ANSWERED, DELETED, FLAGGED, FORWARDED, NO_FLAGS, SEEN, Flag
from daemon.model.ids import MaildirName
from daemon.store.maildir import scan
from daemon.store.maildir.errors import MessageGone, NameTaken
from daemon.store.maildir.flags import FlagChange, changed_path, letters_for
from daemon.store.maildir.keywords import KeywordMap

WORK = Flag("Work")
MAP = KeywordMap({"b": WORK, "c": FORWARDED})
A = MaildirName("a")


@pytest.mark.parametrize(
    ("path", "add", "remove", "expected"),
    [
        ("new/a", {SEEN}, (), "cur/a:2,S"),
        ("cur/a:2,", {SEEN, FLAGGED}, (), "cur/a:2,FS"),
        ("cur/a:2,FS", (), {FLAGGED}, "cur/a:2,S"),
        ("cur/a:2,S", (), {SEEN}, "cur/a:2,"),
        ("cur/a:2,S", {WORK}, (), "cur/a:2,Sb"),
        ("cur/a:2,QSxz", {FLAGGED}, {SEEN}, "cur/a:2,FQxz"),
        ("cur/a:2,S,tail", {FLAGGED}, (), "cur/a:2,FS,tail"),
        ("cur/a", {SEEN}, (), "cur/a:2,S"),
        ("cur/a:2,Sc", (), {FORWARDED}, "cur/a:2,S"),
        ("cur/a:2,", {FORWARDED}, (), "cur/a:2,Pc"),
        ("cur/a:2,SF", {SEEN}, {DELETED}, "cur/a:2,SF"),
        ("new/a", (), {SEEN}, "new/a"),
        ("cur/a:2,S", {Flag("NoLetter")}, {Flag("NeitherThis")}, "cur/a:2,S"),
    ],
)
def test_change_gives_the_path(path, add, remove, expected):
    """Sorted letters; unknown ones survive; nothing to change, nothing to rename (sync.md 6, 27)."""
    assert (
        changed_path(path, FlagChange(maildir_name=A, add=frozenset(add), remove=frozenset(remove)), MAP)
        == expected
    )


def test_letters_are_sorted_and_each_once():
    assert letters_for(frozenset({SEEN, WORK, FLAGGED, FORWARDED}), MAP) == "FPSbc"


async def test_flag_change_is_one_rename_and_one_sync(garden, monkeypatch):
    garden.put("cur/a:2,S")
    synced = []
    real = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda fd: (synced.append(os.readlink(f"/proc/self/fd/{fd}")), real(fd))[1]
    )
    entry = await garden.tree.set_flags(".", A, frozenset({FLAGGED}), expected_path="cur/a:2,S")
    assert entry.path == "cur/a:2,FS"
    assert entry.flags == {FLAGGED, SEEN}
    assert garden.names("cur") == ["a:2,FS"]
    assert synced == [str(garden.root / "cur")]


async def test_file_in_new_moves_to_cur(garden):
    garden.put("new/a")
    entry = await garden.tree.set_flags(".", A, frozenset({SEEN}), expected_path="new/a")
    assert entry.path == "cur/a:2,S"
    assert garden.names("new") == []


async def test_unchanged_file_is_not_touched(garden):
    garden.put("new/a")
    before = (await garden.tree.stamps(["."]))[0]
    entry = await garden.tree.set_flags(".", A, NO_FLAGS, frozenset({SEEN}), "new/a")
    assert entry.path == "new/a"
    assert before.times == (await garden.tree.stamps(["."]))[0].times


@pytest.mark.parametrize("stale", ["new/a", "cur/a:2,S", None])
async def test_file_renamed_by_another_program_is_looked_up_and_merged(garden, stale):
    garden.put("cur/a:2,Rx")
    entry = await garden.tree.set_flags(".", A, frozenset({SEEN}), expected_path=stale)
    assert entry.path == "cur/a:2,RSx"
    assert garden.names("cur") == ["a:2,RSx"]


async def test_stale_path_with_nothing_to_change_is_noticed(garden):
    garden.put("cur/a:2,")
    entry = await garden.tree.set_flags(".", A, frozenset({SEEN}), expected_path="cur/a:2,S")
    assert entry.path == "cur/a:2,S"
    assert garden.names("cur") == ["a:2,S"]


@pytest.mark.parametrize("likely", [frozenset({ANSWERED}), frozenset({FLAGGED}), None])
@pytest.mark.parametrize("path", ["cur/a:2,R", "cur/a:2,Rx"])
async def test_file_without_known_path_is_found_whatever_it_is_thought_to_show(garden, path, likely):
    garden.put(path)
    entry = await garden.tree.set_flags(".", A, frozenset({SEEN}), likely_flags=likely)
    assert entry.path == path.replace("R", "RS")


async def test_file_that_shows_what_is_thought_is_changed_without_a_listing(garden, monkeypatch):
    garden.put("cur/a:2,FR")
    monkeypatch.setattr(scan, "paths_of", None)
    flags_shown = frozenset({ANSWERED, FLAGGED})
    assert (
        await garden.tree.set_flags(".", A, frozenset({SEEN}), likely_flags=flags_shown)
    ).path == "cur/a:2,FRS"


async def test_absent_file_is_gone(garden):
    with pytest.raises(MessageGone):
        await garden.tree.set_flags(".", A, frozenset({SEEN}), expected_path="cur/a:2,")


async def test_twin_in_the_way_is_not_overwritten(garden):
    garden.put("cur/a:2,", b"one")
    garden.put("cur/a:2,S", b"two")
    with pytest.raises(NameTaken):
        await garden.tree.set_flags(".", A, frozenset({SEEN}), expected_path="cur/a:2,")
    assert garden.names("cur") == ["a:2,", "a:2,S"]


async def test_many_changes_answer_each_in_order(garden):
    for name in ("b", "c"):
        garden.put(f"cur/{name}:2,")
    changes = [
        FlagChange(maildir_name=MaildirName(name), add=frozenset({SEEN}), expected_path=path)
        for name, path in (("gone", "cur/gone:2,"), ("b", "cur/b:2,"), ("c", "new/c"))
    ]
    gone, b, c = await garden.tree.set_many_flags(".", changes)
    assert isinstance(gone, MessageGone)
    assert (b.path, c.path) == ("cur/b:2,S", "cur/c:2,S")


async def test_change_reaches_a_file_that_others_keep_renaming(garden):
    """Their letters and ours are both there in the end."""
    garden.put("cur/a:2,")
    stop = threading.Event()

    def toggle() -> None:
        while not stop.wait(0.0003):
            (name,) = garden.names("cur")
            letters = set(name.partition(":2,")[2]) ^ {"F"}
            try:
                os.rename(garden.root / "cur" / name, garden.root / "cur" / f"a:2,{''.join(sorted(letters))}")
            except FileNotFoundError:
                continue

    other = threading.Thread(target=toggle)
    other.start()
    try:
        entry = await garden.tree.set_flags(".", A, frozenset({SEEN}), expected_path="cur/a:2,")
    finally:
        stop.set()
        other.join()
    assert SEEN in entry.flags
    (name,) = garden.names("cur")
    assert "S" in name.partition(":2,")[2]


async def test_removal_is_durable_and_absent_files_count_as_done(garden):
    garden.put("cur/a:2,FS")
    garden.put("new/b")
    removed = await garden.tree.remove(
        ".", [A, MaildirName("b"), MaildirName("gone")], paths={A: "cur/a:2,stale", MaildirName("b"): "new/b"}
    )
    assert removed == {"a", "b"}
    assert garden.names("cur") == garden.names("new") == []
