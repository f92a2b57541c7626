"""What was seen in maildrops."""

from dataclasses import replace

from daemon.model.ids import new_message_id
from daemon.model.maildrop import Sighting
from tests.store.samples import HOME, WORK

DIGEST = b"d" * 32


def sighting(uidl="a", size=10, sha256=DIGEST, **rest):
    return Sighting(
        uidl=uidl,
        size=size,
        sha256=sha256,
        header_sha256=b"h" * 32,
        message_id=rest.pop("message_id", None) or new_message_id(),
        first_seen=rest.pop("first_seen", 100.0),
        **rest,
    )


async def keys(store, account=WORK):
    return await store.maildrop.compare(account, lambda found: [tuple(key) for key in found])


async def test_sightings_are_kept_by_account_and_over_restarts(open_store):
    store = await open_store()
    first = sighting("a")
    await store.maildrop.save(WORK, [first, sighting(None, None)])
    await store.maildrop.save(HOME, [sighting("b")])
    await store.close()
    store = await open_store()
    assert await keys(store) == [(1, "a", 10), (2, None, None)]
    assert await store.maildrop.get_many([1, 99]) == (replace(first, number=1),)
    assert [key[1] for key in await keys(store, HOME)] == ["b"]


async def test_sighting_with_a_number_is_changed_not_added(store):
    await store.maildrop.save(WORK, [sighting("a")])
    (known,) = await store.maildrop.with_digests(WORK, [DIGEST])
    await store.maildrop.save(WORK, [replace(known, uidl="b", size=11)])
    assert await keys(store) == [(1, "b", 11)]


async def test_what_is_gone_keeps_the_time_it_went(store):
    await store.maildrop.save(WORK, [sighting("a"), sighting("b")])
    await store.maildrop.note_gone(WORK, [1], 200.0)
    await store.maildrop.note_gone(WORK, [1], 300.0)
    assert (await store.maildrop.get_many([1]))[0].gone_at == 200.0
    assert await store.maildrop.count(WORK) == 1
    assert await store.maildrop.prune(WORK, 200.0) == 0
    assert await store.maildrop.prune(WORK, 300.0) == 1
    assert await store.maildrop.get_many([1]) == ()
    assert await keys(store) == [(2, "b", 10)]


async def test_nothing_is_compared_with_what_is_gone(store):
    await store.maildrop.save(WORK, [sighting("a"), sighting("b"), sighting("c")])
    await store.maildrop.note_gone(WORK, [1], 200.0)
    await store.maildrop.note_removed(WORK, [2], 200.0)
    assert await keys(store) == [(3, "c", 10)]
    await store.maildrop.note_removed(WORK, [2], None)
    assert await keys(store) == [(2, "b", 10), (3, "c", 10)]


async def test_what_we_had_deleted_loses_its_id_in_time_and_not_its_row(store):
    one = sighting("a")
    await store.maildrop.save(WORK, [one])
    await store.maildrop.note_removed(WORK, [1], 200.0)
    assert await store.maildrop.prune(WORK, 200.0) == 0
    assert await store.maildrop.prune(WORK, 300.0) == 1
    assert await store.maildrop.prune(WORK, 300.0) == 0
    assert await store.maildrop.get_many([1]) == (
        replace(one, number=1, uidl=None, size=None, gone_at=200.0, removed_at=200.0),
    )


async def test_due_are_those_in_the_drop_with_an_id_and_seen_long_enough_ago(store):
    await store.maildrop.save(
        WORK,
        [
            sighting("old", first_seen=100.0),
            sighting("new", first_seen=300.0),
            sighting(None, first_seen=100.0),
            sighting("gone", first_seen=100.0, gone_at=150.0),
        ],
    )
    (old,) = await store.maildrop.get_many(await store.maildrop.due(WORK, 200.0))
    assert old.uidl == "old"


async def test_another_drop_forgets_ids_and_keeps_digests(store):
    await store.maildrop.save(WORK, [sighting("a", gone_at=50.0), sighting("b")])
    await store.maildrop.unname(WORK, 200.0)
    assert [
        (one.uidl, one.size, one.gone_at) for one in await store.maildrop.with_digests(WORK, [DIGEST])
    ] == [
        (None, None, 50.0),
        (None, None, 200.0),
    ]


async def test_forgotten_messages_have_no_sighting(store):
    one, other = sighting("a"), sighting("b")
    await store.maildrop.save(WORK, [one, other])
    await store.maildrop.forget(WORK, [one.message_id])
    assert [key[1] for key in await keys(store)] == ["b"]


async def test_first_sight_is_shifted_but_never_into_the_future(store):
    await store.maildrop.save(WORK, [sighting("a", first_seen=100.0), sighting("b", first_seen=300.0)])
    await store.maildrop.save(HOME, [sighting("c", first_seen=100.0)])
    await store.maildrop.shift_first_seen(WORK, 150.0, latest=400.0)
    assert [one.first_seen for one in await store.maildrop.get_many([1, 2, 3])] == [250.0, 400.0, 100.0]
    await store.maildrop.shift_first_seen(WORK, -50.0, latest=1000.0)
    assert [one.first_seen for one in await store.maildrop.get_many([1, 2])] == [200.0, 350.0]


async def test_every_change_of_an_accounts_sightings_makes_another_revision(store):
    room = store.maildrop
    seen = [room.revision(WORK)]
    message_id = new_message_id()
    await room.save(WORK, [sighting("a", message_id=message_id), sighting("b"), sighting("c")])
    seen.append(room.revision(WORK))
    for change in (
        room.note_gone(WORK, [2], 200.0),
        room.note_removed(WORK, [3], 200.0),
        room.shift_first_seen(WORK, 1.0, latest=1000.0),
        room.prune(WORK, 300.0),
        room.forget(WORK, [message_id]),
        room.unname(WORK, 400.0),
    ):
        await change
        seen.append(room.revision(WORK))
    assert len(set(seen)) == len(seen)
    assert room.revision(HOME) == 0


async def test_pruning_of_nothing_is_no_change(store):
    await store.maildrop.save(WORK, [sighting("a")])
    before = store.maildrop.revision(WORK)
    assert await store.maildrop.prune(WORK, 300.0) == 0
    assert store.maildrop.revision(WORK) == before


async def test_earliest_of_those_in_the_maildrop_is_told(store):
    assert await store.maildrop.earliest(WORK) is None
    await store.maildrop.save(WORK, [sighting("a", first_seen=50.0), sighting("b", first_seen=60.0)])
    assert await store.maildrop.earliest(WORK) == 50.0
    await store.maildrop.note_gone(WORK, [1], 200.0)
    assert await store.maildrop.earliest(WORK) == 60.0
