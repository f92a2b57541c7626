"""How soon a message that arrives in any mailbox is here: from the octets of its announcement to file and event.

    python tests/benchmarks/latency.py --messages 50 --mailboxes 200
    python tests/benchmarks/latency.py --messages 50 --mailboxes 1

`mailsyncd run` stands behind a proxy in this process, so all times are of one clock: delivery begun (LMTP to INBOX, APPEND
by another client to any other mailbox), `* n EXISTS` or `* STATUS name` passing the proxy, the file in new/ (looked for every half
millisecond), `message.new` on the event stream. How many connections the service has made is printed too.
"""

import argparse
import asyncio
import imaplib
import os
import random
import smtplib
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

import aiohttp

from tests.benchmarks import measuring, serving
from tests.benchmarks.measuring import USER
from tests.benchmarks.serving import PATIENCE_SECONDS
from tests.support.dovecot import PASSWORD, Dovecot, temporary_home
from tests.support.proxy import WireProxy


@dataclass(frozen=True)
class Times:
    """One message's way, in seconds of one clock."""

    sent: float
    announced: float
    file: float
    event: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=50)
    parser.add_argument("--mailboxes", type=int, default=200)
    options = parser.parse_args()
    with measuring.working_place() as place, temporary_home() as home:
        server = Dovecot(home)
        server.start()
        try:
            measuring.fill(server, "INBOX", 100, seed=1)
            others = create_mailboxes(server, options.mailboxes - 1)
            chosen = random.Random(1).choices(["INBOX", *others], k=options.messages)
            times, connections = asyncio.run(_measure(place, server, chosen))
        finally:
            server.stop()
    print(_report(times))
    print(
        f"{options.mailboxes} mailboxes, {len(set(chosen))} of them had mail; connections made: {connections}"
    )


def create_mailboxes(server: Dovecot, count: int) -> list[str]:
    """Further mailboxes, each with ten messages."""
    names = [f"lists/group{number:03}" for number in range(count)]
    client = log_in(server)
    for name in names:
        client.create(name)
        for number in range(10):
            client.append(name, "", None, _message(number))
    client.logout()
    return names


def log_in(server: Dovecot) -> imaplib.IMAP4:
    """Another client of the same user."""
    client = imaplib.IMAP4("127.0.0.1", server.imap_port)
    client.login(USER, PASSWORD)
    return client


def directory_of(store: Path, mailbox: str) -> Path:
    """Where a mailbox of these is in the tree."""
    root = store / "mail" / "work"
    return root if mailbox == "INBOX" else root / ("." + mailbox.replace("/", "."))


async def _measure(place: Path, server: Dovecot, mailboxes: Sequence[str]) -> tuple[list[Times], int]:
    store = place / "store"
    async with WireProxy(server.imap_port) as proxy:
        account = f'host = "127.0.0.1"\nport = {proxy.port}\ntls = "none"\n'
        config = measuring.write_config(place / "config.toml", store=store, server=server, account=account)
        async with serving.service(config, place), serving.http(store) as http:
            await serving.until_state(http, "idle")
            async with http.get("/v1/events", headers={"Accept": "text/event-stream"}) as stream:
                times = [await _one(name, proxy, server, store, http, stream) for name in mailboxes]
        return times, len(proxy.sessions)


async def _one(
    mailbox: str,
    proxy: WireProxy,
    server: Dovecot,
    store: Path,
    http: aiohttp.ClientSession,
    stream: aiohttp.ClientResponse,
) -> Times:
    await serving.until_state(http, "idle")
    await asyncio.sleep(random.uniform(0.3, 0.6))
    new = directory_of(store, mailbox) / "new"
    before = set(os.listdir(new))
    starts = [len(session.to_client) for session in proxy.sessions]
    async with asyncio.timeout(PATIENCE_SECONDS):
        async with asyncio.TaskGroup() as group:
            file = group.create_task(asyncio.to_thread(_appeared, new, before))
            event = group.create_task(_heard(stream))
            sent = time.monotonic()
            group.create_task(asyncio.to_thread(_deliver, server, mailbox))
    words = (b" EXISTS\r\n", f"* STATUS {mailbox} ".encode())
    found = [
        session.time_of(word, start=start)
        for session, start in zip(proxy.sessions, starts, strict=True)
        for word in words
    ]
    announced = min(when for when in found if when is not None)
    return Times(sent=sent, announced=announced, file=file.result(), event=event.result())


def _message(number: int) -> bytes:
    return (f"From: a@example.org\r\nSubject: message {number}\r\n\r\n" + "Some text.\r\n" * 200).encode()


def _deliver(server: Dovecot, mailbox: str) -> None:
    text = _message(time.time_ns())
    if mailbox == "INBOX":
        with smtplib.LMTP("127.0.0.1", server.lmtp_port) as lmtp:
            lmtp.sendmail("a@example.org", [USER], text)
        return
    client = log_in(server)
    client.append(mailbox, "", None, text)
    client.logout()


def _appeared(directory: Path, before: set[str]) -> float:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while set(os.listdir(directory)) == before and time.monotonic() < deadline:
        time.sleep(0.0005)
    return time.monotonic()


async def _heard(stream: aiohttp.ClientResponse) -> float:
    """When the next `message.new` came in."""
    async for line in stream.content:
        if line.strip() == b"event: message.new":
            return time.monotonic()
    raise ConnectionError("the event stream ended")


def _report(times: list[Times]) -> str:
    ways = {
        "delivery begun to announcement (the server's own)": [one.announced - one.sent for one in times],
        "announcement to file": [one.file - one.announced for one in times],
        "announcement to event": [one.event - one.announced for one in times],
        "delivery begun to file": [one.file - one.sent for one in times],
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
    return measuring.table([f"{len(times)} messages", "median ms", "min ms", "max ms"], rows)


if __name__ == "__main__":
    main()
