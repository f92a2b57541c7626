"""What the model lets happen in a round, so that there is one right end."""

import pytest

from daemon.model.flags import SEEN
from daemon.model.settings import DeleteRule
from tests.histories.model import Model
from tests.histories.nouns import KEYWORDS, TRASH, Box, Side

LETTER = b"Subject: 1\r\n\r\n"


@pytest.fixture
def model() -> Model:
    model = Model()
    model.boxes += [
        Box("INBOX", "."),
        Box("Archive", ".Archive"),
        Box("Lists", ".Lists"),
        Box(TRASH, ".Trash"),
    ]
    one = model.add(LETTER, model.boxes[0], 1, set(), None)
    one.stem, one.uid = "a", 7
    model.begin_round()
    return model


def test_what_one_side_took_the_other_leaves_alone(model):
    (one,) = model.takeable(Side.THERE)
    model.moved(one, model.boxes[1], Side.HERE)
    assert model.takeable(Side.THERE) == []


def test_a_flag_is_turned_in_one_direction_by_both_sides(model):
    (one,) = model.placed
    assert model.turn(one, SEEN, Side.HERE)
    assert model.turn(one, SEEN, Side.THERE)
    assert one.flags == {SEEN}
    model.begin_round()
    assert not model.turn(one, SEEN, Side.THERE)


def test_a_copy_of_the_same_name_may_not_be_taken_for_a_move(model):
    (one,) = model.placed
    model.copied(one, model.boxes[1], set(), Side.HERE).stem = "a"
    assert one not in model.takeable(Side.HERE)
    model.begin_round()
    assert len(model.takeable(Side.HERE)) == 2


def test_nothing_is_taken_where_uids_are_void(model):
    model.boxes[0].is_reset = True
    assert model.takeable(Side.HERE) == model.takeable(Side.THERE) == []


def test_a_mailbox_whose_message_left_by_hand_is_not_reset(model):
    model.removed(model.placed[0], Side.HERE)
    assert model.boxes[0] not in model.resettable()
    model.begin_round()
    assert model.boxes[0] in model.resettable()


@pytest.mark.parametrize(
    ("rule", "left"), [(DeleteRule.EXPUNGE, []), (DeleteRule.MARK, ["INBOX"]), (DeleteRule.TRASH, [TRASH])]
)
def test_a_deletion_leaves_what_the_rule_says(model, rule, left):
    model.rule = rule
    model.deleted_here(model.placed[0])
    assert [one.box.name for one in model.placed] == left
    assert model.boxes[0].was_emptied


def test_without_uidplus_a_move_leaves_a_mark_behind():
    model = Model(has_uidplus=False)
    inbox, archive = Box("INBOX", "."), Box("Archive", ".Archive")
    model.boxes += [inbox, archive]
    one = model.add(LETTER, inbox, 1, set(), None)
    one.stem, one.uid = "a", 7
    model.begin_round()
    model.moved(one, archive, Side.HERE)
    assert [(left.uid, left.is_marked) for left in model.placed] == [(None, False), (7, True)]
    assert model.here(inbox) == []


def test_a_keyword_that_was_there_still_counts_in_its_round(model):
    (one,) = model.placed
    one.flags = {KEYWORDS[0]}
    model.begin_round()
    model.turn(one, KEYWORDS[0], Side.THERE)
    assert one.has_keyword


def test_a_mailbox_that_one_side_renames_the_other_leaves_alone(model):
    inbox, archive = model.boxes[:2]
    archive.owner = Side.THERE
    assert archive not in model.usable(Side.HERE)
    assert archive in model.usable(Side.THERE)
    assert inbox not in model.changeable(Side.THERE)


def test_a_directory_is_renamed_only_with_most_of_the_files_it_is_known_by(model):
    archive, lists = model.boxes[1:3]
    one = model.add(LETTER, archive, 2, set(), None)
    one.stem, one.uid = "b", 1
    model.begin_round()
    assert model.renamable_here() == [archive]
    model.moved(one, lists, Side.HERE)
    assert model.renamable_here() == []


def test_a_name_is_not_used_twice_in_a_round(model):
    archive = model.boxes[1]
    archive.name = "Projects"
    assert model.free_names(["Archive", "Projects", "Other", "Nowhere/Below"]) == ["Other"]
    model.begin_round()
    assert model.free_names(["Archive", "Projects"]) == ["Archive"]


def test_message_whose_file_is_stowed_away_is_there_and_not_here_and_nobody_takes_it(model):
    (one,) = model.placed
    one.is_stowed = True
    assert (model.here(one.box), model.there(one.box)) == ([], [one])
    assert not [side for side in Side if model.takeable(side)]
    assert one.box not in model.resettable()
    model.begin_round()
    assert not model.is_alone(one), "nothing may get its octets while nobody can see it"


def test_what_was_deleted_and_put_back_is_a_message_again(model):
    (one,) = model.placed
    model.deleted_here(one)
    model.restored(one)
    assert (model.placed, model.ghosts) == ([one], [])
