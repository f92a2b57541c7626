"""What the benchmarks of the running service share: `mailsyncd run` as a child, its control socket, what it has spent."""

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from tests.benchmarks import measuring

PATIENCE_SECONDS = 30.0


@contextlib.asynccontextmanager
async def service(config: Path, place: Path) -> AsyncIterator[subprocess.Popen[bytes]]:
    """The service, stopped at the end as systemd stops it; it logs to `place`."""
    with (place / "service.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "daemon", "run", "--config", str(config)],
            cwd=measuring.ROOT,
            env=measuring.environment(place),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            if code := await asyncio.to_thread(process.wait, 10):
                print(f"the service ended with {code}", file=sys.stderr)


@contextlib.asynccontextmanager
async def http(store: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """The control socket, once it is there: the same routes, no token."""
    path = store / "control.sock"
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not path.exists():
            await asyncio.sleep(0.05)
    connector = aiohttp.UnixConnector(str(path))
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession("http://localhost", connector=connector, timeout=timeout) as session:
        yield session


async def until_state(
    session: aiohttp.ClientSession, state: str, *, seconds: float = PATIENCE_SECONDS
) -> None:
    """Wait until every account has this state.

    Raises:
        TimeoutError: Not within `seconds`.
    """
    async with asyncio.timeout(seconds):
        while True:
            async with session.get("/v1/status") as answer:
                accounts = (await answer.json())["accounts"].values()
            if all(account["state"] == state for account in accounts):
                return
            await asyncio.sleep(0.05)


def status_mib(pid: int, key: str) -> float:
    """A line of /proc/PID/status (proc(5)): VmHWM is the peak of this program image, VmRSS what it has now."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) / 1024
    raise LookupError(key)


def cpu_seconds(pid: int) -> float:
    """What all threads of a process have run so far, to the nanosecond (/proc/PID/task/TID/schedstat)."""
    spent = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a thread that has just ended
            spent += int((thread / "schedstat").read_text(encoding="ascii").split()[0])
    return spent / 1e9
