"""Runs one history on a fresh store again and again, killed before its first, second, third commit, and so on.

Not a test: `test_crash.py` starts it as a process of its own, so that it can fork without threads around. A kill before
commit N is a kill after commit N-1 with all that lies between, so every state of the disk is met. The recovery that follows is killed
once as well. Prints each store's
directory; what was acknowledged before the kill is in the file `told` beside it.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from sqlalchemy import Engine, event

from daemon.model.flags import SEEN
from daemon.model.ids import INBOX
from daemon.model.operations import OperationKind, OperationState
from daemon.store.base import FlagUpdate
from daemon.store.store import Store
from tests.store.samples import (
    VALIDITY,
    WORK,
    HandClock,
    arrival,
    ids_of,
    mailbox,
    message_id,
    new_intent,
    new_message,
    operation,
    operation_id,
    tombstone,
)
from tests.store.samples import event as an_event

MOST_COMMITS = 100


def kill_before_commit(number: int) -> None:
    left = [number]

    def count(_connection: object) -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "commit", count)


async def history(path: Path) -> None:
    with (path.parent / "told").open("w", buffering=1) as told:
        store = await Store.open(path, clock=HandClock())
        await store.mailboxes.save(mailbox())
        told.write("mailbox\n")
        intents = await store.intents.open([new_intent(number) for number in range(1, 5)])
        told.write("intents\n")
        await store.base.confirm(
            WORK,
            INBOX,
            VALIDITY,
            [arrival(number) for number in range(1, 5)],
            [new_message(number) for number in range(1, 5)],
        )
        told.write(f"confirmed {store.events.latest_id}\n")
        await store.intents.close(ids_of(intents))
        told.write("closed\n")
        await store.operations.ask(operation(101, 1))
        told.write("asked\n")
        await store.operations.ask(operation(102, 2, OperationKind.FLAGS, add=frozenset({SEEN})))
        told.write("flagged\n")
        await store.base.record_flags(
            WORK, INBOX, [FlagUpdate(message_id=message_id(3), flags=frozenset({SEEN}))], [an_event()]
        )
        told.write(f"recorded {store.events.latest_id}\n")
        await store.tombstones.bury([tombstone(4)], [an_event()])
        told.write(f"buried {store.events.latest_id}\n")
        await store.operations.finish(operation_id(101), OperationState.FAILED, events=[an_event()])
        told.write(f"finished {store.events.latest_id}\n")
        await store.close()


async def recover(path: Path) -> None:
    await (await Store.open(path, clock=HandClock())).close()


def die_again(path: Path, number: int) -> None:
    """Kill the recovery too, before its commit `number`."""
    child = os.fork()
    if child == 0:
        kill_before_commit(number)
        asyncio.run(recover(path))
        os._exit(0)
    os.waitpid(child, 0)


def main() -> None:
    home = Path(sys.argv[1])
    for number in range(1, MOST_COMMITS):
        directory = home / str(number)
        directory.mkdir()
        child = os.fork()
        if child == 0:
            kill_before_commit(number)
            asyncio.run(history(directory / "store"))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        die_again(directory / "store", 1 + number % 6)
        print(directory, flush=True)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
            return  # it ran to its end: every commit has been tried
        if not os.WIFSIGNALED(status):
            sys.exit(f"the history failed before commit {number}")
    sys.exit("the history does not end")


main()
