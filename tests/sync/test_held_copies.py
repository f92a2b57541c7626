"""Copies made on a server that names octets: taken from the tree, proved by their digest, else fetched."""

import pytest

from tests.sync.stage import agree, letter, messages, sha

BIG = letter(2, "\r\n".join(["y" * 70] * 20_000))


def copy(stage, uid: int, target: str) -> None:
    message = stage.box().messages[uid]
    stage.deliver(message.octets, mailbox=target)


@pytest.mark.parametrize("octets", [letter(1), BIG], ids=["small", "large"])
async def test_copy_of_what_is_held_is_not_fetched(stage, octets):
    async with stage.bridge() as bridge:
        stage.deliver(octets)
        await bridge.sync()
        fetched = stage.line.count(b"BODY.PEEK[]")
        copy(stage, 1, "Archive")
        await bridge.sync()
        assert stage.line.count(b"BODY.PEEK[]") == fetched
        assert await bridge.digests("Archive") == [sha(octets)]
        assert len({one.id for one in await messages(bridge)}) == 2
        await agree(bridge, stage, "INBOX", "Archive")


@pytest.mark.parametrize("octets", [letter(1), BIG], ids=["small", "large"])
@pytest.mark.parametrize("harm", ["changed", "gone"])
async def test_file_that_is_not_what_the_index_says_is_not_copied(stage, octets, harm):
    async with stage.bridge() as bridge:
        stage.deliver(octets)
        stage.user.create("Archive")
        await bridge.sync()
        await bridge.disconnect()
        ((_, path),) = (await bridge.files()).items()
        if harm == "changed":
            path.write_bytes(octets[:-3] + b"!\r\n")
        else:
            path.unlink()
        copy(stage, 1, "Archive")
        await bridge.run_pass(only={"Archive"})
        assert await bridge.digests("Archive") == [sha(octets)]


async def test_same_name_of_another_size_is_fetched(stage):
    stage.line.replace(rb"EMAILID \([^)]*\)", rb"EMAILID (M1)")
    async with stage.bridge() as bridge:
        stage.deliver(letter(1))
        await bridge.sync()
        stage.deliver(letter(1, "longer by far"), mailbox="Archive")
        await bridge.sync()
        await agree(bridge, stage, "INBOX", "Archive")


async def test_move_is_known_by_the_name_whatever_the_date(stage):
    """A server that gives moved messages a new internal date."""
    async with stage.bridge() as bridge:
        stage.user.create("Archive")
        stage.deliver(letter(1), letter(2, "another size"))
        await bridge.sync()
        fetched = stage.line.count(b"BODY.PEEK[")
        message = stage.box().messages[1]
        stage.box("Archive").deliver(message.octets, internal_date=message.internal_date + 999)
        stage.box().expunge([1])
        result = await bridge.sync()
        assert (result.moved, result.downloaded) == (1, 0)
        assert stage.line.count(b"BODY.PEEK[") == fetched, "not even a header"
        await agree(bridge, stage, "INBOX", "Archive")
