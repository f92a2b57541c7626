"""The runner has the face that supervisor and control see."""

import inspect

import pytest

from daemon.service.account import AccountRunner
from daemon.service.runner import Runner

FACE = [name for name in vars(Runner) if not name.startswith("_")]


@pytest.mark.parametrize("name", FACE)
def test_runner_has_the_whole_face(name: str) -> None:
    asked, given = vars(Runner)[name], getattr(AccountRunner, name)
    if inspect.isfunction(asked):
        assert inspect.signature(given).parameters.keys() == inspect.signature(asked).parameters.keys()
        assert inspect.iscoroutinefunction(given) == inspect.iscoroutinefunction(asked)
