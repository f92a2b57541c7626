"""A stage with everything, and a way to others with less."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.dovecot import temporary_home
from tests.support.lowly import as_lowly_user
from tests.sync.stage import Stage, open_stage


@pytest.fixture
async def stage(tmp_path) -> AsyncIterator[Stage]:
    """The engine's surroundings: a server in memory with all its extensions."""
    async with open_stage(tmp_path) as one:
        yield one


@pytest.fixture
def lowly_path() -> Iterator[Path]:
    """A directory of an unprivileged user, whom permissions stop; the test runs as that user."""
    with temporary_home() as home, as_lowly_user(home):
        yield home


@pytest.fixture
async def lowly_stage(lowly_path) -> AsyncIterator[Stage]:
    """The stage, for tests in which a permission is missing."""
    async with open_stage(lowly_path) as one:
        yield one
