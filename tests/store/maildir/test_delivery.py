import asyncio
import errno
import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from daemon.model.errors import StoreError, StoreForeign
from daemon.model.flags import FLAGGED, SEEN, Flag
from daemon.store.maildir.errors import NameTaken

REPOSITORY = Path(__file__).parents[3]
AWKWARD = [b"", b"\0\xff\r\n", b"a\nb\r\nc\rd\r\r\n", b"\r\n" * 3, bytes(range(256)) * 400, b"no end"]

CHILD = """
import asyncio, sys
from pathlib import Path
from daemon.store.maildir.tree import MaildirTree
from daemon.store.pools import Pools

async def main() -> None:
    root, rounds = Path(sys.argv[1]), int(sys.argv[2])
    pools = Pools()
    tree = MaildirTree(root, layout="maildir++", account="work", store_id="store-1", pools=pools)
    await tree.claim()
    for number in range(rounds):
        async with tree.open_batch(".") as batch:
            staged = await batch.write_many([(b"Subject: %d\\r\\n\\r\\nbody\\r\\n" % number, 1)] * 5)
            print("staged", flush=True)
            names = [tree.new_name(size=one.content.file_size, wire_size=1) for one in staged]
            await tree.publish(".", staged, names, [frozenset({"\\\\Seen"})] * 4 + [frozenset()])
            print(*names, flush=True)
    await pools.close()

asyncio.run(main())
"""


@pytest.mark.parametrize("octets", AWKWARD)
async def test_octets_are_stored_as_they_came(garden, octets):
    (entry,) = await garden.deliver(octets)
    assert (garden.root / entry.path).read_bytes() == octets
    assert f",S={len(octets)}," in entry.maildir_name


async def test_time_is_the_internal_date_and_names_are_ours(garden):
    (entry,) = await garden.deliver(b"x", internal_date=1_234_567_890)
    status = (garden.root / entry.path).stat()
    assert status.st_mtime == 1_234_567_890
    assert status.st_mode & 0o777 == 0o600
    assert entry.is_ours
    assert garden.tree.is_ours(entry.maildir_name)


async def test_no_flags_go_to_new_others_to_cur(garden):
    (fresh,) = await garden.deliver(b"x")
    (seen,) = await garden.deliver(b"x", flags=frozenset({SEEN, FLAGGED}))
    assert fresh.path == f"new/{fresh.maildir_name}"
    assert seen.path == f"cur/{seen.maildir_name}:2,FS"
    assert seen.flags == {SEEN, FLAGGED}


async def test_keyword_is_delivered_by_letter(garden):
    work = Flag("Work")
    (entry,) = await garden.deliver(b"x", flags=frozenset({SEEN, work}))
    assert entry.path.endswith(":2,Sa")
    assert entry.flags == {SEEN, work}
    assert (garden.root / "dovecot-keywords").read_text() == "0 Work\n"


async def test_facts_come_with_the_staged_file(garden):
    async with garden.tree.open_batch(".") as batch:
        staged = await batch.write(b"Subject: hello\n\nbody\n", internal_date=None)
    assert staged.content.envelope.subject == "hello"
    assert staged.content.file_sha256 == hashlib.sha256(b"Subject: hello\n\nbody\n").digest()
    assert staged.content.wire_size == staged.content.file_size + 3


async def test_taken_name_is_left_alone_and_the_others_arrive(garden):
    async with garden.tree.open_batch(".") as batch:
        staged = await batch.write_many([(b"one", 1), (b"two", 1)])
        names = [garden.tree.new_name(size=3, wire_size=3) for _ in staged]
        garden.put(f"new/{names[0]}", b"theirs")
        with pytest.raises(NameTaken):
            await garden.tree.publish(".", staged, names, [frozenset()] * 2)
    assert (garden.root / "new" / names[0]).read_bytes() == b"theirs"
    assert (garden.root / "new" / names[1]).read_bytes() == b"two"
    assert garden.names("tmp") == []


async def test_what_was_not_published_goes_with_the_batch(garden):
    with pytest.raises(ZeroDivisionError):
        async with garden.tree.open_batch(".") as batch:
            await batch.write_many([(b"x", 1)] * 10)
            assert len(garden.names("tmp")) == 10
            raise ZeroDivisionError
    assert garden.names("tmp") == []


async def test_closed_batch_takes_nothing_more(garden):
    batch = garden.tree.open_batch(".")
    await batch.close()
    with pytest.raises(StoreError):
        await batch.write(b"x", internal_date=None)


async def test_missing_mailbox_directory_is_said_and_not_made(garden):
    batch = garden.tree.open_batch(".Gone")
    with pytest.raises(StoreForeign):
        await batch.write(b"x", internal_date=None)
    assert not (garden.root / ".Gone").exists()


async def test_cancelled_write_leaves_nothing_after_the_batch(garden):
    async with garden.tree.open_batch(".") as batch:
        task = asyncio.ensure_future(batch.write_many([(b"x" * 1000, 1)] * 200))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert garden.names("tmp") == []


@pytest.mark.parametrize(
    ("code", "reason"),
    [(errno.ENOSPC, "disk_full"), (errno.EROFS, "store_readonly"), (errno.EIO, "store_io")],
)
async def test_refused_write_leaves_nothing_of_its_call(garden, monkeypatch, code, reason):
    real = os.write
    left = [2]

    def failing(fd: int, data) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(code, os.strerror(code))
        return real(fd, data)

    monkeypatch.setattr(os, "write", failing)
    async with garden.tree.open_batch(".") as batch:
        with pytest.raises(StoreError) as raised:
            await batch.write_many([(b"x", 1)] * 5)
        monkeypatch.undo()
        assert raised.value.reason == reason
        assert garden.names("tmp") == []


async def test_short_writes_are_continued(garden, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, memoryview(data)[:7]))
    (entry,) = await garden.deliver(b"0123456789" * 10)
    monkeypatch.undo()
    assert (garden.root / entry.path).read_bytes() == b"0123456789" * 10


async def test_file_lost_at_fsync_is_an_error_and_is_not_published(garden, monkeypatch):
    """faults.md L7."""
    real = os.fsync
    failed = []

    def failing(fd: int) -> None:
        if not failed:
            failed.append(fd)
            raise OSError(errno.EIO, "Input/output error")
        real(fd)

    async with garden.tree.open_batch(".") as batch:
        staged = await batch.write_many([(b"x", 1)] * 20)
        monkeypatch.setattr(os, "fsync", failing)
        names = [garden.tree.new_name(size=1, wire_size=1) for _ in staged]
        with pytest.raises(StoreError) as raised:
            await garden.tree.publish(".", staged, names, [frozenset()] * 20)
        assert raised.value.reason == "store_io"
        with pytest.raises(StoreError):
            await garden.tree.publish(".", staged, names, [frozenset()] * 20)
    assert garden.names("new") == []
    assert garden.names("tmp") == []


async def test_stale_tmp_files_of_ours_are_cleaned_and_others_kept(garden):
    stale = garden.put(f"tmp/{garden.another()._maker.tmp(1.0)}")
    foreign = garden.put("tmp/1700000000.M1P2.host")
    async with garden.tree.open_batch(".") as batch:
        await batch.write(b"x", internal_date=None)
        assert await garden.tree.clean_tmp(["."]) == 1
        assert not stale.exists()
        assert foreign.exists()
        assert len(garden.names("tmp")) == 2


def test_system_calls_come_in_the_durable_order(tmp_path):
    """write -> fsync of each file -> rename of any -> fsync of cur/ and new/ (faults.md, timers)."""
    trace = tmp_path / "trace"
    calls = "trace=openat,write,fsync,renameat2,link,linkat,rename,renameat"
    subprocess.run(
        ["strace", "-f", "-y", "-qq", "-e", calls, "-o", trace, *_child(tmp_path / "mail", 1)],
        check=True,
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
    )
    lines = re.sub(r"^\d+ +", "", trace.read_text(), flags=re.MULTILINE).splitlines()
    # a call that another thread interrupts is written in two lines; what counts is where it ended
    ends = [line for line in lines if "unfinished" not in line]
    begins = [line for line in lines if "resumed" not in line]
    last_write = max(at for at, line in enumerate(begins) if line.startswith("write(") and "-tmp" in line)
    file_syncs = [at for at, line in enumerate(begins) if line.startswith("fsync(") and "-tmp" in line]
    renames = [at for at, line in enumerate(begins) if line.startswith("renameat2(") and "-tmp" in line]
    assert len(file_syncs) == 5
    assert len(renames) == 5
    assert last_write < min(file_syncs)
    assert max(file_syncs) < min(renames)
    directory_syncs = [
        line
        for line in begins[max(renames) :]
        if line.startswith("fsync(") and re.search(r"/(cur|new)>", line)
    ]
    assert len(directory_syncs) == 2
    assert sum("fsync" in line and line.rstrip().endswith("= 0") for line in ends) >= 7


@pytest.mark.parametrize("delay", [0.0, 0.002, 0.01, 0.05])
def test_kill_leaves_whole_messages_and_stale_tmp_files_only(tmp_path, delay):
    """What was said to be delivered is there; what is there is whole; the rest is cleaned at the next start."""
    root = tmp_path / "mail"
    child = subprocess.Popen(_child(root, 100_000), cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    child.stdout.readline()
    time.sleep(delay)
    child.send_signal(signal.SIGKILL)
    said, _ = child.communicate()
    delivered = {name for line in said.splitlines() if "," in line for name in line.split() if ",W=1" in name}
    there = {path.name.partition(":")[0]: path for part in ("new", "cur") for path in (root / part).iterdir()}
    assert delivered <= set(there)
    for path in there.values():
        assert re.fullmatch(rb"Subject: \d+\r\n\r\nbody\r\n", path.read_bytes())
    asyncio.run(_clean(root))
    assert list((root / "tmp").iterdir()) == []


async def _clean(root: Path) -> None:
    from daemon.store.maildir.tree import MaildirTree
    from daemon.store.pools import Pools

    pools = Pools()
    tree = MaildirTree(root, layout="maildir++", account="work", store_id="store-1", pools=pools)
    await tree.clean_tmp(["."])
    await pools.close()


def _child(root: Path, rounds: int) -> list[str]:
    return [sys.executable, "-B", "-c", CHILD, str(root), str(rounds)]
