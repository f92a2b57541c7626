"""Which backups can be put back: only those after which there is one right end."""

from pathlib import Path

import pytest

from daemon.model.flags import SEEN
from tests.histories.backup import Backup, Part
from tests.histories.model import Model
from tests.histories.nouns import Box, Side


@pytest.fixture
def model() -> Model:
    model = Model()
    model.boxes += [Box("INBOX", "."), Box("Archive", ".Archive")]
    for number, stem in enumerate("abc", 1):
        one = model.add(stem.encode(), model.boxes[0], number, set(), None)
        one.stem, one.uid = stem, number
    model.begin_round()
    return model


@pytest.fixture
def backup(model, tmp_path: Path) -> Backup:
    store = tmp_path / "store"
    (store / "mail" / "cur").mkdir(parents=True)
    for name in ("index.sqlite3", "state.sqlite3", "mail/cur/a"):
        (store / name).write_text("then")
    backup = Backup.keep(store, model)
    for name in ("index.sqlite3", "state.sqlite3", "mail/cur/a"):
        (store / name).write_text("now")
    (store / "mail" / "cur" / "b").write_text("now")
    return backup


@pytest.mark.parametrize(
    ("part", "then"),
    [
        (Part.INDEX, {"index.sqlite3"}),
        (Part.DATABASES, {"index.sqlite3", "state.sqlite3"}),
        (Part.TREE, {"mail/cur/a"}),
        (Part.WHOLE, {"index.sqlite3", "state.sqlite3", "mail/cur/a"}),
    ],
)
def test_only_that_part_is_what_it_was(backup, model, tmp_path, part, then):
    store = tmp_path / "store"
    assert backup.may_be_put_back(part, model)
    backup.put_back(store, part, model)
    files = {str(path.relative_to(store)): path.read_text() for path in store.rglob("*") if path.is_file()}
    assert {name for name, text in files.items() if text == "then"} == then
    assert ("mail/cur/b" in files) is ("mail/cur/a" not in then)


def test_file_whose_message_was_deleted_since_is_back_and_stays_here_alone(backup, model, tmp_path):
    model.removed(model.placed[0], Side.THERE)
    model.begin_round()
    assert backup.may_be_put_back(Part.TREE, model)
    backup.put_back(tmp_path / "store", Part.TREE, model)
    assert model.left[model.boxes[0]] == [b"a"]
    assert model.resettable() == [model.boxes[1]]


def test_what_moved_or_is_like_another_hinders_an_older_tree_and_nothing_else(backup, model):
    model.moved(model.placed[0], model.boxes[1], Side.THERE)
    assert not backup.may_be_put_back(Part.TREE, model)
    assert backup.may_be_put_back(Part.INDEX, model)


def test_flags_and_new_messages_hinder_nothing(backup, model):
    model.turn(model.placed[0], SEEN, Side.HERE)
    model.add(b"d", model.boxes[0], 4, set(), None)
    assert all(backup.may_be_put_back(part, model) for part in Part)


def test_other_mailboxes_and_marked_messages_hinder(backup, model):
    model.placed[0].is_marked = True
    assert not any(backup.may_be_put_back(part, model) for part in Part)
    model.placed[0].is_marked = False
    model.boxes[1].name = "Projects"
    assert not any(backup.may_be_put_back(part, model) for part in Part)


def test_stowed_file_hinders_a_tree_and_not_the_databases(backup, model):
    model.placed[0].is_stowed = True
    assert [part for part in Part if backup.may_be_put_back(part, model)] == [Part.INDEX, Part.DATABASES]
