"""daemon.process: what the kernel is asked for, and how the process ends."""

import asyncio
import gc
import os
import resource
import signal
import subprocess
import sys
import time

import pytest

from daemon import process


def python(code: str) -> subprocess.CompletedProcess[str]:
    """A process of its own: what is set for one cannot be taken back."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
    )


def test_tune_makes_new_files_private(tmp_path):
    done = python(f"from daemon import process; process.tune(); open('{tmp_path}/new', 'w').close()")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600


def test_tune_raises_descriptors_and_forbids_core_dumps():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    done = python(
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))\n"
        "from daemon import process; process.tune()\n"
        "import ctypes; print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    )
    wanted = process.OPEN_FILES if hard == resource.RLIM_INFINITY else min(process.OPEN_FILES, hard)
    assert done.stdout.split() == [str(wanted), "0"], done.stderr


def test_settle_freezes_what_is_there():
    try:
        process.settle()
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()


def test_coroutine_runs_to_its_end():
    async def main() -> int:
        await asyncio.sleep(0)
        return 7

    assert process.run_in_loop(main()) == 7


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_first_signal_asks_to_stop(number):
    stop = asyncio.Event()
    with process.stop_signals(stop.set):
        os.kill(os.getpid(), number)
        async with asyncio.timeout(5):
            await stop.wait()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_second_signal_ends_at_once():
    done = python(
        "import asyncio, os, signal\n"
        "from daemon import process\n"
        "async def main():\n"
        "    with process.stop_signals(lambda: os.kill(os.getpid(), signal.SIGTERM)):\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        await asyncio.sleep(20)\n"
        "asyncio.run(main())"
    )
    assert done.returncode == -signal.SIGTERM


def test_hang_up_means_nothing_without_a_terminal():
    done = python(
        "import asyncio, os, signal\n"
        "from daemon import process\n"
        "async def main():\n"
        "    with process.stop_signals(lambda: print('stop')):\n"
        "        os.kill(os.getpid(), signal.SIGHUP)\n"
        "        await asyncio.sleep(0.05)\n"
        "        print('alive')\n"
        "asyncio.run(main())"
    )
    assert (done.returncode, done.stdout) == (0, "alive\n")


def test_block_that_takes_too_long_ends_the_process():
    began = time.monotonic()
    done = python(
        "import time\n"
        "from daemon import process\n"
        "with process.ends_within(0.1, lambda: print('too long', flush=True)):\n"
        "    time.sleep(20)"
    )
    assert (done.returncode, done.stdout) == (1, "too long\n")
    assert time.monotonic() - began < 10


def test_block_that_ends_in_time_is_left_alone():
    with process.ends_within(60, lambda: pytest.fail("it ended in time")):
        pass
