"""A soak goes on where the last one ended, and begins with what failed."""

from itertools import islice

from tests.histories.crew import Lived, Share
from tests.histories.soak import Diary, shares_until
from tests.histories.worlds import WORLDS

SHARE = Share(world="twin-all", seed=70, histories=5)


def test_seeds_go_on_above_those_that_were_lived(tmp_path):
    Diary(tmp_path).note(Lived(share=SHARE, is_well=True, said=""))
    assert [share.seed for share in islice(shares_until(lambda: False, Diary(tmp_path)), 3)] == [71, 72, 73]


def test_a_failed_share_is_lived_again_first_until_it_is_well(tmp_path):
    diary = Diary(tmp_path)
    diary.note(Lived(share=SHARE, is_well=False, said="a history failed"))
    assert next(shares_until(lambda: True, Diary(tmp_path))) == SHARE
    diary.note(Lived(share=SHARE, is_well=True, said=""))
    assert list(shares_until(lambda: True, Diary(tmp_path))) == []


def test_every_world_has_its_turn(tmp_path):
    shares = islice(shares_until(lambda: False, Diary(tmp_path)), 40)
    assert {share.world for share in shares} == set(WORLDS)
