"""Several processes that live histories at once: one history hardly uses more than one core."""

import itertools
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Share:
    """Histories for one process."""

    world: str
    seed: int
    histories: int


@dataclass(frozen=True, kw_only=True)
class Lived:
    """What became of a share: `said` has the shrunk history, its seed and how to repeat it, where one failed."""

    share: Share
    is_well: bool
    said: str


def cores() -> int:
    """How many processes can work at once: those that this one of the test run's workers may take for its own."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return max(1, len(os.sched_getaffinity(0)) // workers)


def shares(world: str, *, seed: int, histories: int) -> list[Share]:
    """The histories dealt out evenly, each share with a seed of its own."""
    count = min(cores(), histories)
    return [
        Share(world=world, seed=seed + number, histories=len(range(number, histories, count)))
        for number in range(count)
    ]


def live_shares(wanted: Iterable[Share]) -> Iterator[Lived]:
    """What became of each, as they end; the next is asked for when there is a core for it."""
    left = iter(wanted)
    with ThreadPoolExecutor(cores()) as pool:
        running = {pool.submit(_live, share) for share in itertools.islice(left, cores())}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            running |= {pool.submit(_live, share) for share in itertools.islice(left, len(done))}
            for one in done:
                yield one.result()


def _live(share: Share) -> Lived:
    command = [
        sys.executable, "-m", "tests.histories.live", share.world,
        "--seed", str(share.seed), "--histories", str(share.histories),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return Lived(share=share, is_well=done.returncode == 0, said=done.stdout + done.stderr)
