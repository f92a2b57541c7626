"""The command as its users have it, against a real server."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.installation import Installation

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def pycache(tmp_path_factory) -> Path:
    """Compiled modules of all the processes, apart from the source tree."""
    return tmp_path_factory.mktemp("pycache")


@pytest.fixture
def install(tmp_path, pycache) -> Callable[[], Installation]:
    """Makes installations: `install()` is a new one without an account."""

    def make() -> Installation:
        return Installation(tmp_path / f"installation{next(_numbers)}", pycache=pycache)

    return make


@pytest.fixture
def installation(install, mailbag) -> Installation:
    """An installation with the account `work` of a user nobody has used before."""
    made = install()
    made.add(mailbag)
    return made
