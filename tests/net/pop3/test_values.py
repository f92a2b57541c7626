"""Values that others hold on to must not change under them."""

import dataclasses

import pytest

from daemon.net.pop3 import values


@pytest.mark.parametrize("kind", [values.MaildropEntry, values.FetchedMessage])
def test_values_are_frozen_and_have_no_dict(kind):
    assert kind.__dataclass_params__.frozen
    assert dataclasses.is_dataclass(kind)
    assert "__slots__" in vars(kind)


def test_octets_of_mail_are_not_shown():
    assert "secret" not in repr(values.FetchedMessage(1, b"secret"))
