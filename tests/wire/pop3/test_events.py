import dataclasses

import pytest

from daemon.wire.pop3 import commands, events, responses


@pytest.mark.parametrize(
    "kind",
    [
        one
        for module in (events, responses, commands)
        for one in vars(module).values()
        if isinstance(one, type) and dataclasses.is_dataclass(one) and one.__module__ == module.__name__
    ],
)
def test_values_are_frozen_and_have_no_dict(kind):
    assert kind.__dataclass_params__.frozen
    assert "__slots__" in vars(kind)
