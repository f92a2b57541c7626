"""Small facts."""

from tests.store.samples import HOME, WORK


async def test_facts_are_kept_by_account_and_over_restarts(open_store):
    store = await open_store()
    await store.facts.set(WORK, "k", "work")
    await store.facts.set(None, "k", "")
    await store.close()
    store = await open_store()
    assert (await store.facts.get(WORK, "k"), await store.facts.get(None, "k")) == ("work", "")
    assert await store.facts.get(HOME, "k") is None
    await store.facts.set(WORK, "k", "changed")
    assert await store.facts.get(WORK, "k") == "changed"
    await store.facts.set(WORK, "k", None)
    await store.facts.set(WORK, "k", None)
    assert (await store.facts.get(WORK, "k"), await store.facts.get(None, "k")) == (None, "")
