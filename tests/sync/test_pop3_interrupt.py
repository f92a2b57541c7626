"""Stop at every await-step of a poll that does a bit of everything, QUIT included; start afresh: the same end (P11).

At each step nothing has left the server that is not stored here, and at the end nothing is lost, twice or revived.
"""

import shutil

import pytest

from daemon.model.events import EventName
from daemon.model.operations import OperationKind
from daemon.model.secret import Secret
from daemon.net.endpoint import Endpoint
from daemon.net.pop3.client import Pop3Client
from tests.sync.pop3_stage import letter, open_drop, sha
from tests.sync.stage import LeapingClock
from tests.sync.steps import Steps, Stopped

DAYS = 86400
SETTINGS = {"leave_on_server": 2 * DAYS, "poll_interval_seconds": 3 * DAYS}  # so days without a poll count


async def at_first(drop, path) -> dict[str, str]:
    """Five messages seen a day ago; two are removed, one is flagged, one moved, and four more have come."""
    clock = LeapingClock()
    drop.deliver(*(letter(number) for number in range(5)))
    async with drop.bridge(**SETTINGS, clock=clock) as bridge:
        await bridge.poll()
        return {one.content.envelope.subject: one.id for one in await bridge.messages()}


async def meanwhile(drop, bridge, ids) -> None:
    files = {path.read_bytes(): path for path in bridge.files().values()}
    await bridge.ask(ids["letter 0"])
    files[letter(1)].unlink()
    await bridge.ask(ids["letter 2"], OperationKind.FLAGS, add={"\\Seen"})
    archive = bridge.tree.root / ".Archive"
    for part in ("cur", "new", "tmp"):
        (archive / part).mkdir(parents=True)
    files[letter(3)].rename(archive / "cur" / f"{files[letter(3)].name}:2,F")
    drop.deliver(letter(10), letter(11), b"Subject: big\r\n\r\n" + b"z" * (1 << 20) + b"\r\n", letter(11))


async def connect(bridge) -> Pop3Client:
    settings = bridge.settings
    endpoint = Endpoint(host=settings.host, port=settings.port, tls=settings.tls)
    client = await Pop3Client.connect(endpoint, clock=bridge.clock)
    await client.authenticate(settings.username, Secret("open-sesame"))
    return client


def watch(bridge, client, steps: Steps) -> None:
    store, tree = bridge.store, bridge.tree
    for target in (
        store.base, store.messages, store.intents, store.operations, store.tombstones, store.facts,
        store.mailboxes, store.maildrop, store.events, tree, client,
    ):  # fmt: skip
        steps.interpose(target)
    steps.interpose_iterator(client, "fetch_messages")
    open_batch = tree.open_batch

    def counted_batch(directory):
        batch = open_batch(directory)
        batch.write_many = steps.call(batch.write_many)
        return batch

    tree.open_batch = counted_batch


def stored(bridge) -> set[str]:
    root = bridge.tree.root
    return {
        sha(path.read_bytes())
        for part in ("new", "cur")
        for path in (*root.glob(f"{part}/*"), *root.glob(f".Archive/{part}/*"))
    }


async def run(template, path, ids, last: int | None) -> int:
    """One life: changes, a poll that stops, a fresh start. Gives the steps of the poll."""
    shutil.copytree(template, path / "store")
    steps = Steps(last)
    async with open_drop(path) as drop:
        clock = LeapingClock()
        clock.ahead = 3 * DAYS
        drop.deliver(*(letter(number) for number in range(5)))
        options = {**SETTINGS, "clock": clock}
        async with drop.bridge(**options) as bridge:
            await meanwhile(drop, bridge, ids)
            all_letters = set(drop.there())
            removed = {sha(letter(0)), sha(letter(1))}
            client = await connect(bridge)
            watch(bridge, client, steps)
            try:
                await bridge.engine.run_pass(client)
            except BaseException as exc:
                if not isinstance(exc, Stopped) and "Stopped" not in repr(exc):
                    raise
            finally:
                client.abort()
            if last is not None:
                assert all_letters - set(drop.there()) <= stored(bridge) | removed, (
                    "gone there, not stored here"
                )
        async with drop.bridge(**options) as bridge:
            drop.answer(lambda line: None)
            for _ in range(3):
                await bridge.poll()
            clock.ahead = 6 * DAYS
            await bridge.poll()
            assert (await bridge.poll()).is_quiet
            assert drop.there() == []
            assert sorted(bridge.digests()) == sorted(
                sha(octets) for octets in (letter(2), letter(4), letter(10), letter(11), letter(11), _BIG)
            )
            assert bridge.digests(".Archive") == [sha(letter(3))]
            shown = [*await bridge.messages(), *await bridge.messages("Archive")]
            assert {one.id for one in shown if one.content.envelope.subject in {"letter 2", "letter 3", "letter 4"}} == {
                ids["letter 2"], ids["letter 3"], ids["letter 4"]
            }  # fmt: skip
            told = [event.message_id for event in await bridge.events(EventName.MESSAGE_NEW)]
            assert len(told) == len(set(told)) == 4
    return steps.count


_BIG = b"Subject: big\r\n\r\n" + b"z" * (1 << 20) + b"\r\n"


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_poll_stopped_at_any_step_ends_as_if_it_had_not(tmp_path):
    async with open_drop(tmp_path) as drop:
        ids = await at_first(drop, tmp_path)
    template = tmp_path / "store"
    (tmp_path / "whole").mkdir()
    count = await run(template, tmp_path / "whole", ids, None)
    assert count > 40
    for last in range(1, count + 1):
        path = tmp_path / f"step{last}"
        path.mkdir()
        try:
            await run(template, path, ids, last)
        except BaseException as exc:
            exc.add_note(f"stopped at step {last} of {count}")
            raise
        shutil.rmtree(path)
