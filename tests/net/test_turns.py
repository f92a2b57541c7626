"""Portions of one line: full buffers wait for their turn, slow ones become smaller."""

from daemon.net.turns import LEAST_BYTES, LONGEST_TURN_SECONDS, Turns

MOST = 256 * 1024


def test_full_portion_waits_for_its_turn_and_a_short_one_does_not():
    turns = Turns(MOST)
    assert turns.note(MOST, 0.0)
    assert not turns.note(MOST - 1, 0.0)


def test_portions_that_last_long_are_halved_to_the_least():
    turns = Turns(MOST)
    sizes = []
    for _ in range(8):
        turns.note(turns.portion_bytes, 2 * LONGEST_TURN_SECONDS)
        sizes.append(turns.portion_bytes)
    assert sizes == [MOST // 2, MOST // 4, MOST // 8, *[LEAST_BYTES] * 5]


def test_quick_full_portions_grow_again_to_the_most():
    turns = Turns(MOST)
    for _ in range(10):
        turns.note(turns.portion_bytes, 1.0)
    turns.note(10, 0.0)
    assert turns.portion_bytes == LEAST_BYTES
    for _ in range(10):
        turns.note(turns.portion_bytes, 0.0)
    assert turns.portion_bytes == MOST


def test_portion_that_fits_its_turn_keeps_its_size():
    turns = Turns(MOST)
    turns.note(MOST, 1.0)
    turns.note(MOST // 2, LONGEST_TURN_SECONDS / 2)
    assert turns.portion_bytes == MOST // 2
