"""Random two-way histories: both sides end as the model says, nothing lost, nothing twice, and then nothing is written.

The seed is printed. MAILSYNCD_SEED repeats it; MAILSYNCD_HISTORIES says how many histories are lived in all (2,000
where it does not), most of them over the server in memory.
"""

import os
import secrets

import pytest

from tests.histories.crew import live_shares, shares
from tests.histories.worlds import DOVECOTS, TWINS, WORLDS

HISTORIES = int(os.environ.get("MAILSYNCD_HISTORIES", "2000"))
SEED = int(os.environ.get("MAILSYNCD_SEED", str(secrets.randbelow(1 << 32))))
DOVECOT_PART = 20  # one history in so many is lived over each Dovecot: they cost the most


def count_of(world: str) -> int:
    over_each_dovecot = max(1, HISTORIES // DOVECOT_PART // len(DOVECOTS))
    if world in DOVECOTS:
        return over_each_dovecot
    rest = HISTORIES - over_each_dovecot * len(DOVECOTS)
    return max(1, -(-rest // len(TWINS)))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("world", WORLDS)
def test_random_histories_end_as_the_model_says(world):
    print(f"MAILSYNCD_SEED={SEED} MAILSYNCD_HISTORIES={HISTORIES}")
    wanted = shares(world, seed=SEED, histories=count_of(world))
    lived = list(live_shares(wanted))
    assert all(one.is_well for one in lived), "\n".join(one.said for one in lived if not one.is_well)
    assert sum(one.share.histories for one in lived) == count_of(world)


def test_at_least_two_thousand_histories_are_lived_unless_told_otherwise():
    assert sum(map(count_of, WORLDS)) >= HISTORIES
