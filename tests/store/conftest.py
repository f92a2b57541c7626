"""A store of one's own."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from daemon.store.store import Store
from tests.store.samples import HandClock


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
async def open_store(store_path: Path, clock: HandClock) -> AsyncIterator[Callable[..., Awaitable[Store]]]:
    """Opens the store; what is still open at the end is closed."""
    opened: list[Store] = []

    async def open_it(**options) -> Store:
        store = await Store.open(store_path, clock=clock, **options)
        opened.append(store)
        return store

    yield open_it
    for store in opened:
        await store.close()


@pytest.fixture
async def store(open_store) -> Store:
    return await open_store()
