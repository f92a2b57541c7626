"""How soon a flag or an expunge by another client, in any mailbox, is here: from its announcement to file and event.

    python tests/benchmarks/latency_changes.py --trials 50 --mailboxes 200

`mailsyncd run` stands behind a proxy in this process, so all times are of one clock: the command sent by a client that has
the mailbox selected, the server's word about it passing the proxy (`* STATUS name` where NOTIFY tells of a mailbox that is
not selected, FETCH, EXPUNGE or VANISHED where it is), the file renamed or gone (looked for every half millisecond), the
event on the stream. A message is marked \\Deleted before the trial in which it is expunged. How many connections
the service has made is printed too.
"""

import argparse
import asyncio
import imaplib
import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

import aiohttp

from tests.benchmarks import measuring, serving
from tests.benchmarks.latency import create_mailboxes, directory_of, log_in
from tests.benchmarks.serving import PATIENCE_SECONDS
from tests.support.dovecot import Dovecot, temporary_home
from tests.support.proxy import WireProxy

FLAGS = ("a flag set", (b" FETCH (",), b"event: message.flags")
EXPUNGE = ("an expunge", (b"* VANISHED ", b" EXPUNGE\r\n"), b"event: message.deleted")


@dataclass(frozen=True)
class Times:
    """One change's way, in seconds of one clock."""

    sent: float
    announced: float
    file: float
    event: float


@dataclass(frozen=True)
class Scene:
    """What a trial needs."""

    server: Dovecot
    proxy: WireProxy
    store: Path
    http: aiohttp.ClientSession
    stream: aiohttp.ClientResponse


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--mailboxes", type=int, default=200)
    options = parser.parse_args()
    with measuring.working_place() as place, temporary_home() as home:
        server = Dovecot(home)
        server.start()
        try:
            measuring.fill(server, "INBOX", 100, seed=1)
            names = ["INBOX", *create_mailboxes(server, options.mailboxes - 1)]
            chosen = random.Random(1).choices(names, k=options.trials)
            found, connections = asyncio.run(_measure(place, server, chosen))
        finally:
            server.stop()
    for what, times in found.items():
        print(_report(what, times))
    print(
        f"{options.mailboxes} mailboxes, {len(set(chosen))} of them changed; connections made: {connections}"
    )


async def _measure(
    place: Path, server: Dovecot, mailboxes: Sequence[str]
) -> tuple[dict[str, list[Times]], int]:
    store = place / "store"
    async with WireProxy(server.imap_port) as proxy:
        account = f'host = "127.0.0.1"\nport = {proxy.port}\ntls = "none"\n'
        config = measuring.write_config(place / "config.toml", store=store, server=server, account=account)
        async with serving.service(config, place), serving.http(store) as http:
            await serving.until_state(http, "idle")
            async with http.get("/v1/events", headers={"Accept": "text/event-stream"}) as stream:
                scene = Scene(server=server, proxy=proxy, store=store, http=http, stream=stream)
                found: dict[str, list[Times]] = {FLAGS[0]: [], EXPUNGE[0]: []}
                for name in mailboxes:
                    found[FLAGS[0]].append(await _flag(scene, name))
                    found[EXPUNGE[0]].append(await _expunge(scene, name))
        return found, len(proxy.sessions)


async def _flag(scene: Scene, mailbox: str) -> Times:
    r"""The first message that is not \\Flagged."""
    client = await asyncio.to_thread(_select, scene.server, mailbox)
    uid = (await asyncio.to_thread(client.uid, "SEARCH", "UNFLAGGED"))[1][0].split()[0].decode()
    try:
        return await _timed(
            scene, mailbox, FLAGS, lambda: client.uid("STORE", uid, "+FLAGS.SILENT", r"(\Flagged)")
        )
    finally:
        await asyncio.to_thread(client.logout)


async def _expunge(scene: Scene, mailbox: str) -> Times:
    """The last message; that it is marked is followed before the clock runs."""
    client = await asyncio.to_thread(_select, scene.server, mailbox)
    uid = (await asyncio.to_thread(client.uid, "SEARCH", "ALL"))[1][0].split()[-1].decode()
    marked = asyncio.create_task(_heard(scene.stream, FLAGS[2]), name="benchmark:marked")
    await asyncio.to_thread(client.uid, "STORE", uid, "+FLAGS.SILENT", r"(\Deleted)")
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await marked
        return await _timed(scene, mailbox, EXPUNGE, lambda: client.uid("EXPUNGE", uid))
    finally:
        await asyncio.to_thread(client.logout)


def _select(server: Dovecot, mailbox: str) -> imaplib.IMAP4:
    client = log_in(server)
    client.select(f'"{mailbox}"')
    return client


async def _timed(
    scene: Scene, mailbox: str, kind: tuple[str, tuple[bytes, ...], bytes], change: Callable[[], object]
) -> Times:
    _, words, event_line = kind
    await serving.until_state(scene.http, "idle")
    await asyncio.sleep(random.uniform(0.3, 0.6))
    before = _listing(scene, mailbox)
    starts = [len(session.to_client) for session in scene.proxy.sessions]
    async with asyncio.timeout(PATIENCE_SECONDS):
        async with asyncio.TaskGroup() as group:
            file = group.create_task(asyncio.to_thread(_changed, scene, mailbox, before))
            event = group.create_task(_heard(scene.stream, event_line))
            sent = time.monotonic()
            group.create_task(asyncio.to_thread(change))
    found = [
        session.time_of(word, start=start)
        for session, start in zip(scene.proxy.sessions, starts, strict=True)
        for word in (*words, f"* STATUS {mailbox} ".encode())
    ]
    announced = min(when for when in found if when is not None)
    return Times(sent=sent, announced=announced, file=file.result(), event=event.result())


def _listing(scene: Scene, mailbox: str) -> frozenset[str]:
    place = directory_of(scene.store, mailbox)
    return frozenset(name for part in ("new", "cur") for name in os.listdir(place / part))


def _changed(scene: Scene, mailbox: str, before: frozenset[str]) -> float:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while _listing(scene, mailbox) == before and time.monotonic() < deadline:
        time.sleep(0.0005)
    return time.monotonic()


async def _heard(stream: aiohttp.ClientResponse, event_line: bytes) -> float:
    async for line in stream.content:
        if line.strip() == event_line:
            return time.monotonic()
    raise ConnectionError("the event stream ended")


def _report(what: str, times: list[Times]) -> str:
    ways = {
        "command sent to announcement (the server's own)": [one.announced - one.sent for one in times],
        "announcement to file": [one.file - one.announced for one in times],
        "announcement to event": [one.event - one.announced for one in times],
        "command sent to file": [one.file - one.sent for one in times],
    }
    rows = [
        [
            name,
            f"{measuring.median(values) * 1000:.1f}",
            f"{min(values) * 1000:.1f}",
            f"{max(values) * 1000:.1f}",
        ]
        for name, values in ways.items()
    ]
    return measuring.table([f"{len(times)} x {what}", "median ms", "min ms", "max ms"], rows)


if __name__ == "__main__":
    main()
