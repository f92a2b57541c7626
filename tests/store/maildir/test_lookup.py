"""A file is found where it should be without a listing, and is absent only by one."""

import os

import pytest

from daemon.model.errors import StoreForeign
from daemon.model.flags import FLAGGED, SEEN, Flag
from daemon.store.maildir import lookup
from daemon.store.maildir.lookup import Sought


@pytest.fixture
def listings(monkeypatch) -> list[str]:
    """The parts that were listed."""
    listed: list[str] = []
    names = lookup.OpenMaildir.names

    def noted(self, part=None):
        listed.append(part)
        return names(self, part)

    monkeypatch.setattr(lookup.OpenMaildir, "names", noted)
    return listed


@pytest.mark.parametrize(
    ("path", "sought"),
    [
        ("cur/a:2,S", Sought(path="cur/a:2,S")),
        ("cur/a:2,FS", Sought(flags=frozenset({SEEN, FLAGGED}))),
        ("new/a", Sought(flags=frozenset())),
        ("cur/a:2,", Sought(flags=frozenset())),
        ("cur/a:2,S", Sought(path="cur/a:2,", flags=frozenset({SEEN}))),
    ],
)
async def test_file_is_found_where_it_should_be(garden, listings, path, sought) -> None:
    garden.put(path)
    found = await garden.tree.look_up(".", {"a": sought})
    assert found.entries["a"].path == path
    assert (found.absent, found.is_empty, listings) == (frozenset(), None, [])


async def test_file_that_is_elsewhere_is_found_by_a_listing(garden, listings) -> None:
    garden.put("cur/a:2,FRS")
    found = await garden.tree.look_up(
        ".", {"a": Sought(path="new/a"), "b": Sought(), "c": Sought(path="new/c")}
    )
    assert found.entries["a"].path == "cur/a:2,FRS"
    assert (found.absent, found.is_empty) == ({"b", "c"}, False)
    assert listings == ["new", "cur"], "one listing, new/ first"


async def test_mailbox_without_files_is_empty(garden) -> None:
    garden.put("cur/.hidden")
    assert (await garden.tree.look_up(".", {"a": Sought()})).is_empty


async def test_name_that_begins_like_another_is_another(garden) -> None:
    garden.put("cur/ab:2,S")
    assert (await garden.tree.look_up(".", {"a": Sought()})).absent == {"a"}


async def test_keywords_are_read_by_the_map_of_the_mailbox(garden) -> None:
    garden.put("dovecot-keywords", b"0 work\n")
    garden.put("cur/a:2,Sa")
    garden.put("cur/b:2,z")
    found = await garden.tree.look_up(
        ".", {"a": Sought(flags=frozenset({SEEN, Flag("work")})), "b": Sought()}
    )
    assert found.entries["a"].flags == {SEEN, "work"}
    assert (found.keywords, found.unknown_letters) == ({"work"}, {"b"})


async def test_map_that_grew_while_files_were_looked_up_is_read_again(garden, monkeypatch) -> None:
    """sync.md 27: another program gives a keyword its letter after the map was read, and before the file was seen."""
    garden.put("cur/a:2,S")
    listed = lookup.OpenMaildir.names

    def names(maildir, *parts):
        if (garden.root / "cur" / "a:2,S").exists():
            garden.put("dovecot-keywords", b"0 work\n")
            (garden.root / "cur" / "a:2,S").rename(garden.root / "cur" / "a:2,Sa")
        return listed(maildir, *parts)

    monkeypatch.setattr(lookup.OpenMaildir, "names", names)
    found = await garden.tree.look_up(".", {"a": Sought()})
    assert found.entries["a"].flags == {SEEN, "work"}
    assert (found.keywords, found.unknown_letters) == ({"work"}, frozenset())


async def test_link_and_directory_are_no_files(garden) -> None:
    (garden.root / "cur" / "a:2,S").symlink_to("/etc/passwd")
    (garden.root / "cur" / "b:2,S").mkdir()
    sought = {name: Sought(path=f"cur/{name}:2,S") for name in ("a", "b")}
    found = await garden.tree.look_up(".", sought)
    assert found.entries == {}
    assert found.absent == frozenset(), "something is there"


async def test_directory_without_identity_proves_nothing(garden) -> None:
    os.unlink(garden.root / "mailsyncd-id")
    with pytest.raises(StoreForeign):
        await garden.tree.look_up(".", {"a": Sought()})
