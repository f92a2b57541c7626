"""Digests of tokens."""

from daemon.store.tokens import TokenRecord


async def test_tokens_are_known_at_once_and_over_restarts(open_store, clock):
    store = await open_store()
    admin = await store.tokens.put("admin", b"a" * 32)
    assert admin == TokenRecord(name="admin", sha256=b"a" * 32, scope="admin", created_at=clock.now())
    await store.tokens.put("screen", b"b" * 32, scope="status")
    assert {record.name for record in store.tokens.known} == {"admin", "screen"}
    await store.close()
    store = await open_store()
    assert [record.name for record in await store.tokens.list()] == ["admin", "screen"]
    before = store.commit_count
    assert await store.tokens.put("admin", b"a" * 32) == admin
    assert store.commit_count == before
    await store.tokens.put("admin", b"c" * 32)
    await store.tokens.remove("screen")
    await store.tokens.remove("screen")
    assert [(record.name, record.sha256) for record in store.tokens.known] == [("admin", b"c" * 32)]
