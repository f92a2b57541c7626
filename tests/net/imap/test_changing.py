"""STORE, COPY, MOVE and EXPUNGE: sets, verdicts, and the commands that are never sent."""

import pytest

from daemon.model.errors import LocalProtocolError, ServerRefused
from daemon.model.flags import DELETED, SEEN
from daemon.model.uidset import UidSet


async def test_sets_have_at_most_five_hundred_uids(play):
    """sync.md 21."""
    sets = []

    async def script(part):
        for _ in range(3):
            line = await part.reader.readline()
            sets.append(UidSet.parse(line.split()[3].decode()))
            await part.say(line.split()[0] + b" OK")
        await part.stay()

    client = await play(script, selected=True)
    await client.store_flags(UidSet(range(1, 1201)), add=frozenset({SEEN}))
    assert [len(one) for one in sets] == [500, 500, 200]


async def test_first_refusal_is_raised_when_all_were_answered(play):
    async def script(part):
        await part.answer(b"+FLAGS.SILENT", with_=b"NO [NOPERM] read-only")
        await part.answer(b"-FLAGS.SILENT")
        await part.answer(b"NOOP")
        await part.stay()

    client = await play(script, selected=True)
    with pytest.raises(ServerRefused) as caught:
        await client.store_flags(UidSet([1]), add=frozenset({SEEN}), remove=frozenset({DELETED}))
    assert caught.value.code == "NOPERM"
    await client.noop()


async def test_many_stores_have_a_verdict_each(play):
    async def script(part):
        await part.answer(b"UID STORE 1 +FLAGS.SILENT")
        await part.answer(b"UID STORE 2 +FLAGS.SILENT", with_=b"NO no")
        await part.answer(b"UID STORE 3 -FLAGS.SILENT")
        await part.stay()

    client = await play(script, selected=True)
    seen, none = frozenset({SEEN}), frozenset()
    verdicts = await client.store_many(
        [
            (UidSet([1]), seen, none),
            (UidSet([2]), seen, none),
            (UidSet([3]), none, seen),
            (UidSet([4]), none, none),
        ]
    )
    assert [one is None for one in verdicts] == [True, False, True, True]


async def test_copyuid_tells_where_copies_went(play):
    async def script(part):
        await part.answer(b"UID COPY 1:2 Box", with_=b"OK [COPYUID 9 1:2 11:12] done")
        await part.answer(b"UID COPY 1:2 Box", with_=b"OK done")
        await part.stay()

    client = await play(script, selected=True)
    got = await client.copy(UidSet([1, 2]), b"Box")
    assert got.uid_validity == 9
    assert got.pairs == {1: 11, 2: 12}
    got = await client.copy(UidSet([1, 2]), b"Box")
    assert got.uid_validity is None
    assert not got.pairs


async def test_move_tells_copyuid_before_its_answer(play):
    async def script(part):
        await part.answer(b"UID MOVE 1 Box", b"* OK [COPYUID 9 1 11] moved", b"* 1 EXPUNGE")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1 MOVE UIDPLUS", selected=True)
    assert (await client.move(UidSet([1]), b"Box")).pairs == {1: 11}
    assert client.has_comings_or_goings


async def test_move_without_the_extension_copies_marks_and_expunges(play):
    async def script(part):
        await part.answer(b"UID COPY 1 Box", with_=b"OK [COPYUID 9 1 11] done")
        await part.answer(b"UID STORE 1 +FLAGS.SILENT (\\Deleted)")
        await part.answer(b"UID EXPUNGE 1")
        await part.stay()

    client = await play(script, selected=True)
    assert (await client.move(UidSet([1]), b"Box")).pairs == {1: 11}


async def test_refused_copy_stops_a_move_before_anything_is_marked(play):
    async def script(part):
        await part.answer(b"UID COPY", with_=b"NO [TRYCREATE] none")
        await part.answer(b"NOOP")
        await part.stay()

    client = await play(script, selected=True)
    with pytest.raises(ServerRefused):
        await client.move(UidSet([1]), b"Box")
    await client.noop()


async def test_without_uidplus_nothing_is_expunged(play):
    """A bare EXPUNGE would take what others marked."""

    async def script(part):
        await part.answer(b"NOOP")
        await part.stay()

    client = await play(script, caps=b"IMAP4rev1", selected=True)
    with pytest.raises(LocalProtocolError):
        await client.expunge(UidSet([1]))
    with pytest.raises(LocalProtocolError):
        await client.move(UidSet([1]), b"Box")
    await client.noop()
