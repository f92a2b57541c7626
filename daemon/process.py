"""The process as the kernel sees it: memory, descriptors, core dumps, signals. Linux only.

Nothing here is needed for mail to be right; what the system does not offer is left as it is.
"""

import asyncio
import contextlib
import ctypes
import gc
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final, TypeVar

R = TypeVar("R")

OPEN_FILES: Final = 16_384  # as LimitNOFILE of the unit: 500 accounts, their directories, API clients

_M_TRIM_THRESHOLD: Final = -1  # mallopt(3), malloc.h
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
_PR_SET_DUMPABLE: Final = 4  # prctl(2), linux/prctl.h


def tune() -> None:
    """Private files, few malloc arenas, no core dumps, enough descriptors; call it before any thread starts."""
    os.umask(0o077)
    libc = ctypes.CDLL(None)
    with contextlib.suppress(AttributeError):  # musl has no mallopt
        libc.mallopt(_M_ARENA_MAX, 2)  # one arena a core and thread would keep what each pool once needed
        libc.mallopt(_M_MMAP_THRESHOLD, 256 * 1024)  # set by hand, it no longer grows with what was freed
        libc.mallopt(_M_TRIM_THRESHOLD, 512 * 1024)
    with contextlib.suppress(AttributeError):
        libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)  # memory has passwords in it (A22)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def settle() -> None:
    """Collect what the start left behind and keep the rest out of every later collection."""
    gc.collect()
    gc.freeze()


def run_in_loop(main: Coroutine[Any, Any, R]) -> R:
    """Run to the end, on uvloop where it is installed (the extra `fast`)."""
    try:
        import uvloop  # noqa: PLC0415 - optional

        factory: Callable[[], asyncio.AbstractEventLoop] | None = uvloop.new_event_loop
    except ImportError:
        factory = None
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)


@contextlib.contextmanager
def stop_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Inside the block the first SIGTERM or SIGINT calls `stop`; a second one ends the process at once.

    SIGHUP counts as one where a terminal could hang up, and means nothing to a service without one.
    """
    loop = asyncio.get_running_loop()
    signals = [signal.SIGTERM, signal.SIGINT]
    if _has_terminal():
        signals.append(signal.SIGHUP)
    else:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def first() -> None:
        for number in signals:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        stop()

    for number in signals:
        loop.add_signal_handler(number, first)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


@contextlib.contextmanager
def ends_within(seconds: float, last_words: Callable[[], None]) -> Iterator[None]:
    """End the process with status 1 when the block takes longer, even while the event loop is stuck."""

    def end() -> None:
        last_words()
        os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.name = "mailsyncd-last-resort"
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _has_terminal() -> bool:
    try:
        return sys.stdin is not None and sys.stdin.isatty()
    except ValueError:  # closed by whoever started us
        return False
