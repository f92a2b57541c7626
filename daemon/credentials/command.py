"""Secrets from a program: run without a shell, for at most ten seconds, in a process group of its own.

What it writes to standard error is dropped, not logged: password programs are known to put secrets there.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from typing import Final

from daemon.model.errors import CredentialUnavailable

RUN_LIMIT_SECONDS: Final = 10.0
MOST_BYTES: Final = 64 * 1024  # what a pipe holds (pipe(7)): more blocks the program until its time is up

_NOT_FOR_CHILDREN: Final = frozenset(
    {"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}
)
"""Of sd_notify(3) and sd_listen_fds(3): a child could speak for the service."""


async def read_output(arguments: Sequence[str], env: Mapping[str, str]) -> bytes:
    """What the program wrote to standard output, at most 64 KiB.

    Raises:
        CredentialUnavailable: It could not be started, failed, or was not done in time.
    Cancellation:
        Safe. The process group is killed.
    """
    program = os.path.basename(arguments[0])  # noqa: PTH119 - text for a person; arguments may hold secrets
    reading, writing = os.pipe2(os.O_CLOEXEC)
    try:
        try:
            process = await _start(arguments, env, writing, program)
        finally:
            os.close(writing)
        try:
            async with asyncio.timeout(RUN_LIMIT_SECONDS):
                status = await process.wait()
        except TimeoutError as error:
            raise CredentialUnavailable(
                f"{program} was not done after {RUN_LIMIT_SECONDS:.0f} s and was stopped",
                remedy="run it by hand; it must not ask for anything, and write the password alone",
            ) from error
        finally:
            await _end(process)
        if status != 0:
            how = f"signal {-status}" if status < 0 else f"status {status}"
            raise CredentialUnavailable(f"{program} failed with {how}", remedy="run it by hand to see why")
        return _available(reading)
    finally:
        os.close(reading)


async def _start(
    arguments: Sequence[str], env: Mapping[str, str], output: int, program: str
) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.DEVNULL,
            env={name: value for name, value in env.items() if name not in _NOT_FOR_CHILDREN},
            start_new_session=True,
        )
    except OSError as error:
        raise CredentialUnavailable(
            f"{program} cannot be run: {os.strerror(error.errno or 0)}",
            remedy="correct the command; write the full path of a program that is not in the service's PATH",
        ) from error


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill a program that is still running, with its children, and collect its status."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _available(descriptor: int) -> bytes:
    """What lies in the pipe now; the program has ended, so all of it is there."""
    os.set_blocking(descriptor, False)
    try:
        return os.read(descriptor, MOST_BYTES)
    except BlockingIOError:  # a child that left the group still holds the other end, and nothing was written
        return b""
