"""Live histories over one world: `python -m tests.histories.live WORLD --seed SEED --histories COUNT`.

Exit status 1 with the shrunk history, its seed and how to repeat it, where one does not end as the model says.
"""

import argparse
import asyncio
import logging
import secrets
import sys
import time

import structlog
import uvloop

from tests.histories.machine import live
from tests.histories.worlds import WORLDS, open_world


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.histories.live", description=__doc__)
    parser.add_argument("world", choices=WORLDS)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 32))
    parser.add_argument("--histories", type=int, default=100)
    parser.add_argument("--as-it-is", action="store_true", help="do not make a history that fails shorter")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    again = f"python -m tests.histories.live {options.world} --seed {options.seed} --histories {options.histories}"
    started = time.monotonic()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        entered = open_world(options.world)
        world = runner.run(entered.__aenter__())
        try:
            lived = live(
                world,
                runner,
                count=options.histories,
                from_seed=options.seed,
                is_shrunk=not options.as_it_is,
            )
        except BaseException:
            print(f"MAILSYNCD_SEED={options.seed}\nagain: {again}")
            raise
        finally:
            runner.run(entered.__aexit__(None, None, None))
    print(f"{lived} histories over {options.world} in {time.monotonic() - started:.0f} s: {again}")
    return 0 if lived >= options.histories else 1


if __name__ == "__main__":
    sys.exit(main())
