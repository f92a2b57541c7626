"""One process at a time, told apart by the kernel."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.model.errors import StoreError, StoreInUse
from daemon.store.lock import StoreLock

OWNER = """
import sys, time
from pathlib import Path
from daemon.store.lock import StoreLock
lock = StoreLock(Path(sys.argv[1]))
lock.acquire()
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def owner(tmp_path: Path):
    """Another process that holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_lock_of_another_process_is_refused_with_its_pid(tmp_path, owner):
    with pytest.raises(StoreInUse) as refused:
        StoreLock(tmp_path).acquire()
    assert refused.value.pid == owner.pid
    assert str(owner.pid) in str(refused.value)


def test_lock_ends_with_a_killed_process(tmp_path, owner):
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    lock = StoreLock(tmp_path)
    lock.acquire()
    assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
    lock.release()


def test_stale_file_of_a_living_process_does_not_block(tmp_path):
    (tmp_path / "lock").write_text(f"{os.getppid()}\n")
    lock = StoreLock(tmp_path)
    lock.acquire()
    lock.release()


def test_owner_without_a_pid_is_refused_without_one(tmp_path):
    held = StoreLock(tmp_path)
    held.acquire()
    (tmp_path / "lock").write_text("no number")
    with pytest.raises(StoreInUse) as refused:
        StoreLock(tmp_path).acquire()
    assert refused.value.pid is None
    held.release()


def test_released_lock_can_be_taken_and_releasing_twice_is_harmless(tmp_path):
    first, second = StoreLock(tmp_path), StoreLock(tmp_path)
    first.acquire()
    first.release()
    first.release()
    second.acquire()
    second.release()


def test_symlink_in_place_of_the_lock_is_refused(tmp_path):
    (tmp_path / "elsewhere").write_text("")
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError) as refused:
        StoreLock(tmp_path).acquire()
    assert refused.value.reason == "store_io"
