"""Values that others hold on to must not change under them."""

import dataclasses

import pytest

from daemon.net.imap import values


@pytest.mark.parametrize(
    "kind",
    [
        one
        for one in vars(values).values()
        if dataclasses.is_dataclass(one) and one.__module__ == values.__name__
    ],
)
def test_values_are_frozen_and_have_no_dict(kind):
    assert kind.__dataclass_params__.frozen
    assert "__slots__" in vars(kind)


def test_nothing_heard_is_nothing():
    heard = values.Heard()
    assert not (heard.vanished or heard.mailboxes or heard.has_listing_change or heard.has_lost_track)
