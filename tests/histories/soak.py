"""Histories for as long as there is time: `make soak MINUTES=60`.

Every share of histories has a new seed; what was lived is kept in `.cache/soak/lived.jsonl`, so that the next run goes
on where this one ended. What failed is printed at once with its seed and how to repeat it, kept in
`.cache/soak/failures/`, and lived again first by the next run. Exit status 1 if anything failed.
"""

import argparse
import itertools
import json
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from tests.histories.crew import ROOT, Lived, Share, live_shares
from tests.histories.worlds import DOVECOTS, TWINS

PLACE: Final = ROOT / ".cache" / "soak"
TWIN_SHARE: Final = 50
DOVECOT_SHARE: Final = 10
TWIN_ROUNDS: Final = 4  # so often over each server in memory, then once over each Dovecot


class Diary:
    """What was lived so far, and what failed."""

    def __init__(self, place: Path) -> None:
        self._lived = place / "lived.jsonl"
        self._failures = place / "failures"
        self._failures.mkdir(parents=True, exist_ok=True)

    def next_seed(self) -> int:
        """One above all that were tried."""
        lines = self._lived.read_text().splitlines() if self._lived.exists() else []
        seeds = [json.loads(line)["seed"] for line in lines]
        return max(seeds) + 1 if seeds else secrets.randbelow(1 << 30)

    def failed(self) -> list[Share]:
        """Shares that failed when they were lived last."""
        found = []
        for path in sorted(self._failures.glob("*.txt")):
            world, seed, histories = path.stem.rsplit("_", 2)
            found.append(Share(world=world, seed=int(seed), histories=int(histories)))
        return found

    def note(self, lived: Lived) -> None:
        share = lived.share
        with self._lived.open("a") as file:
            line = {
                "world": share.world,
                "seed": share.seed,
                "histories": share.histories,
                "well": lived.is_well,
            }
            file.write(json.dumps(line) + "\n")
        kept = self._failures / f"{share.world}_{share.seed}_{share.histories}.txt"
        if lived.is_well:
            kept.unlink(missing_ok=True)
        else:
            kept.write_text(lived.said)


def shares_until(is_over: Callable[[], bool], diary: Diary) -> Iterator[Share]:
    """What failed before, then new seeds until it is time to end; the worlds in turn."""
    yield from diary.failed()
    seeds = itertools.count(diary.next_seed())
    turns = [(world, TWIN_SHARE) for world in TWINS] * TWIN_ROUNDS
    turns += [(world, DOVECOT_SHARE) for world in DOVECOTS]
    for world, histories in itertools.cycle(turns):
        if is_over():
            return
        yield Share(world=world, seed=next(seeds), histories=histories)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.histories.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    options = parser.parse_args()
    ends_at = time.monotonic() + options.minutes * 60
    diary = Diary(PLACE)
    well = failed = 0
    for lived in live_shares(shares_until(lambda: time.monotonic() >= ends_at, diary)):
        diary.note(lived)
        well += lived.share.histories if lived.is_well else 0
        failed += not lived.is_well
        print(lived.said.strip(), flush=True)
    print(
        f"{well} histories ended as the model says; {failed} shares with a failure, kept in {PLACE}/failures"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
