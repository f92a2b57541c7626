"""Errors: one tree, each with blame, reach and a stable reason."""

from pathlib import Path

import pytest

from daemon.model import errors
from daemon.model.errors import Blast, ConfigError, ConfigProblem, MailError, Retry, no_account


def every_error():
    found = [MailError]
    for error in found:
        found.extend(error.__subclasses__())
    return found


def test_every_error_says_when_to_retry_how_far_it_reaches_and_why():
    for error in every_error():
        assert isinstance(error.retry, Retry)
        assert isinstance(error.blast, Blast)
        assert error.default_reason == error.default_reason.lower()


def test_every_error_of_the_module_stands_in_its_drawing():
    drawn = errors.__doc__
    own = [error.__name__ for error in every_error() if error.__module__ == errors.__name__]
    assert all(f"{name} " in drawn or f"{name}\n" in drawn for name in own)


def test_config_error_tells_all_problems_one_a_line():
    problems = (
        ConfigProblem(file=Path("c.toml"), key="api.listen", problem="is empty", remedy="give an address"),
        ConfigProblem(file=None, key="store", problem="is missing", remedy="add [store]"),
    )
    assert str(ConfigError(problems)).splitlines() == [
        "c.toml: api.listen: is empty; give an address",
        "store: is missing; add [store]",
    ]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("wrok", "there is no account 'wrok'"),
        ("../etc", "there is no account of that name"),
        ("a\r\nb", "there is no account of that name"),
        ("x" * 33, "there is no account of that name"),
    ],
)
def test_account_that_does_not_exist_is_named_where_it_could_be_one(asked, said):
    error = no_account(asked, {"work", "home"})
    assert (str(error), error.reason, error.remedy) == (said, "account_unknown", "there are: home, work")
    assert no_account(asked, ()).remedy == "there are: none"
