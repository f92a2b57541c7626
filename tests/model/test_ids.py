"""Identifiers."""

import pytest

from daemon.model.ids import ACCOUNT_ID_PATTERN, is_hex_id, new_message_id, new_operation_id


def test_new_ids_are_well_formed_and_differ():
    ids = {new_message_id() for _ in range(100)} | {new_operation_id() for _ in range(100)}
    assert len(ids) == 200
    assert all(is_hex_id(made) for made in ids)


@pytest.mark.parametrize(
    "text", ["", "0" * 31, "0" * 33, "G" * 32, "A" * 32, "0" * 32 + "\n", "../" + "0" * 29]
)
def test_other_text_is_no_id(text):
    assert not is_hex_id(text)


@pytest.mark.parametrize(
    ("text", "is_good"),
    [
        ("work", True),
        ("a_b-9", True),
        ("", False),
        ("A", False),
        ("a" * 33, False),
        ("a\n", False),
        ("a/b", False),
    ],
)
def test_account_ids_are_slugs(text, is_good):
    assert bool(ACCOUNT_ID_PATTERN.match(text)) is is_good
