import hashlib
import os
from pathlib import Path

import pytest

from daemon.model.errors import StoreError
from daemon.model.ids import MaildirName
from daemon.store.maildir import reading
from daemon.store.maildir.errors import MessageGone

A = MaildirName("a")


@pytest.mark.parametrize("path", ["new/a", "cur/a:2,", "cur/a:2,S", "cur/a:2,FRSz"])
@pytest.mark.parametrize("hint", [None, "cur/a:2,T"])
async def test_file_is_found_by_its_unique_name(garden, path, hint):
    garden.put(path, b"octets")
    assert await garden.tree.read(".", A, hint) == b"octets"


async def test_absent_file_is_gone(garden):
    for call in (garden.tree.read, garden.tree.open, garden.tree.content_of):
        with pytest.raises(MessageGone):
            await call(".", A, "cur/a:2,S")


async def test_descriptor_is_of_the_file(garden):
    garden.put("cur/a:2,S", b"octets")
    fd = await garden.tree.open(".", A)
    assert os.read(fd, 100) == b"octets"
    os.close(fd)


@pytest.mark.timeout(10)
async def test_link_and_fifo_are_refused_even_when_named(garden):
    (garden.root / "cur" / "a:2,S").symlink_to("/etc/passwd")
    with pytest.raises(StoreError):
        await garden.tree.read(".", A, "cur/a:2,S")
    os.mkfifo(garden.root / "cur" / "b:2,S")
    with pytest.raises(StoreError):
        await garden.tree.read(".", MaildirName("b"), "cur/b:2,S")


async def test_wire_form_is_streamed_in_bounded_chunks(garden):
    octets = b"line\r\nbare\nbare\r" * 200_000
    garden.put("cur/a:2,S", octets)
    chunks = [chunk async for chunk in garden.tree.wire_chunks(".", A)]
    assert b"".join(chunks) == octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    assert max(map(len, chunks)) <= 2 * 256 << 10
    facts = await garden.tree.content_of(".", A)
    assert facts.wire_size == sum(map(len, chunks))
    assert facts.wire_sha256 == hashlib.sha256(b"".join(chunks)).digest()
    assert facts.file_sha256 == hashlib.sha256(octets).digest()


async def test_stream_left_early_gives_its_descriptor_back(garden):
    garden.put("cur/a:2,S", b"x" * (1 << 20))
    before = len(list(Path("/proc/self/fd").iterdir()))
    stream = garden.tree.wire_chunks(".", A)
    await anext(stream)
    assert len(list(Path("/proc/self/fd").iterdir())) > before
    await stream.aclose()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_reader_closed_while_a_thread_reads_closes_after_it(garden):
    garden.put("cur/a:2,S", b"x" * 100)
    reader = reading._Reader(garden.root, ".", A, None)
    with reader._lock:
        reader.close()
    assert reader.next_chunk() == b""
    assert reader._fd == -1


async def test_status_tells_size_time_and_inode_without_opening(garden):
    (entry,) = await garden.deliver(b"12345", internal_date=1_600_000_000)
    garden.put("cur/b:2,S", b"1")
    entries = [entry, (await garden.tree.scan(".")).entries["b"]]
    os.rename(garden.root / "cur/b:2,S", garden.root / "cur/b:2,FS")
    found = await garden.tree.status_of(".", entries)
    assert (found[entry.maildir_name].size, found[entry.maildir_name].mtime) == (5, 1_600_000_000)
    assert found["b"].path == "cur/b:2,FS"
    assert found["b"].inode == (garden.root / "cur/b:2,FS").stat().st_ino
    (garden.root / "cur/b:2,FS").unlink()
    assert set(await garden.tree.status_of(".", entries)) == {entry.maildir_name}
