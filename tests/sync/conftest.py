"""A stage with everything, and a way to others with less."""

from collections.abc import AsyncIterator

import pytest

from tests.sync.stage import Stage, open_stage


@pytest.fixture
async def stage(tmp_path) -> AsyncIterator[Stage]:
    """The engine's surroundings: a server in memory with all its extensions."""
    async with open_stage(tmp_path) as one:
        yield one
