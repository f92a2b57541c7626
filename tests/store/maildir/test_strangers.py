"""What a directory is that no mailbox has yet."""

import pytest

from daemon.model.mailbox import Owner


@pytest.mark.parametrize(
    ("id_file", "owner"),
    [
        (None, Owner.NOBODY),
        ("mailsyncd-id 1\nstore store-1\naccount work\ngeneration 0\n", Owner.OURS),
        ("mailsyncd-id 1\nstore store-2\naccount work\ngeneration 0\n", Owner.OTHER),
        ("mailsyncd-id 1\nstore store-1\naccount home\ngeneration 0\n", Owner.OTHER),
        ("who knows", Owner.OTHER),
    ],
)
async def test_id_file_says_whose_it_is(garden, id_file, owner):
    for part in ("cur", "new", "tmp"):
        (garden.root / ".A" / part).mkdir(parents=True)
    if id_file is not None:
        (garden.root / ".A" / "mailsyncd-id").write_text(id_file)
    garden.put("cur/1.x:2,S", mailbox=".A")
    garden.put("new/2.y", mailbox=".A")
    garden.put("new/.hidden", mailbox=".A")
    found = await garden.tree.look_at(".A")
    assert (found.owner, found.name, found.is_complete) == (owner, "A", True)
    assert found.files == {"1.x", "2.y"}


async def test_link_in_the_place_of_the_id_file_is_not_ours(garden):
    for part in ("cur", "new", "tmp"):
        (garden.root / ".A" / part).mkdir(parents=True)
    (garden.root / ".A" / "mailsyncd-id").symlink_to(garden.root / "mailsyncd-id")
    assert (await garden.tree.look_at(".A")).owner is Owner.OTHER


async def test_directory_without_tmp_is_not_complete(garden):
    for part in ("cur", "new"):
        (garden.root / ".A" / part).mkdir(parents=True)
    assert not (await garden.tree.look_at(".A")).is_complete


async def test_directory_that_is_gone_again_is_nothing(garden):
    assert await garden.tree.look_at(".A") is None
    (garden.root / ".A" / "cur").mkdir(parents=True)
    assert await garden.tree.look_at(".A") is None


async def test_name_that_nobody_could_have_made_is_none(garden):
    name = ".a\\zz"
    for part in ("cur", "new", "tmp"):
        (garden.root / name / part).mkdir(parents=True)
    assert (await garden.tree.look_at(name)).name is None
