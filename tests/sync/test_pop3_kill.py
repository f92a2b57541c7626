"""kill -9 at random moments of polls that fetch and remove, against a real server (P11).

After each kill nothing is gone there that is not stored here; at the end nothing is lost and nothing is there twice.
The seed is printed; MAILSYNCD_KILLS says how many.
"""

import asyncio
import os
import random

import pytest

from daemon.model.settings import Tls
from tests.support import corpus
from tests.support.child import start_poll
from tests.support.pop3_bridge import open_pop3_as, settings_of, sha
from tests.support.server_side import server_side

KILLS = int(os.environ.get("MAILSYNCD_KILLS", "10"))
SEED = int(os.environ.get("MAILSYNCD_SEED", str(random.SystemRandom().randrange(1 << 30))))
MESSAGES = 600


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_kill_during_polls_loses_nothing_doubles_nothing_and_removes_nothing_unstored(
    mailbag, tmp_path
):
    rng = random.Random(SEED)
    print(f"MAILSYNCD_SEED={SEED}")
    server = mailbag.server
    settings = settings_of(
        port=server.pop3s_port,
        tls=Tls.IMPLICIT,
        ca_file=server.ca_file,
        username=mailbag.user,
        password=mailbag.password,
        leave_on_server=False,
    )
    kills = rounds = 0
    while kills < KILLS:
        rounds += 1
        store = tmp_path / f"store{rounds}"
        mailbag.fill("INBOX", corpus.messages(MESSAGES, seed=rounds, smallest=300, largest=9_000))
        with server_side(mailbag) as side:
            everything = side.digests()
        while kills < KILLS + 1:
            child = start_poll(store, settings)
            is_over = await ended_within(child, rng.uniform(0.02, 0.9))
            if not is_over:
                child.kill()
                kills += 1
            child.join()
            with server_side(mailbag) as side:
                there = side.digests()
            here = digests_in_place(store)
            assert set(everything) - set(there) <= here, "removed there, not stored here"
            if is_over and not there:
                break
        async with open_pop3_as(store, settings) as bridge:
            await bridge.poll()
            await bridge.poll()
            assert (await bridge.poll()).is_quiet
            assert bridge.digests() == everything
            with server_side(mailbag) as side:
                assert side.digests() == []


async def ended_within(child, seconds: float) -> bool:
    """Whether the child ended in that time; a maildrop still locked by the one killed before is no failure."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        if child.exitcode is not None:
            return child.exitcode == 0
        await asyncio.sleep(0.005)
    return False


def digests_in_place(store) -> set[str]:
    tree = store / "mail" / "drop"
    return {sha(path.read_bytes()) for part in ("new", "cur") for path in tree.glob(f"{part}/*")}
