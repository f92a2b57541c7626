"""How soon a change in the tree is on the server, and a change on the server in the tree, in mailboxes small and large.

    python tests/benchmarks/local_latency.py --trials 50

`mailsyncd run` stands behind a proxy in this process, so all times are of one clock. From `rename` or `unlink` in the tree
to the tagged OK of UID STORE or UID EXPUNGE; from the announcement of a flag set by another client to the renamed file
(looked for every half millisecond). Between two trials the account comes to rest.
"""

import argparse
import asyncio
import imaplib
import math
import os
import random
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

import aiohttp

from tests.benchmarks import measuring, serving
from tests.benchmarks.measuring import USER
from tests.benchmarks.serving import PATIENCE_SECONDS
from tests.support.dovecot import PASSWORD, Dovecot, temporary_home
from tests.support.proxy import WireProxy, WireSession

REST_SECONDS = 0.25
OTHERS = 199
FIRST_DOWNLOAD_SECONDS = 300.0


@dataclass(frozen=True)
class Scene:
    """What the account holds: messages in INBOX, and in each of the other mailboxes."""

    name: str
    inbox: int
    others: int = 0
    each: int = 0


SCENES = (
    Scene("100", 100),
    Scene("10,000", 10_000),
    Scene("10,000 and 199 mailboxes", 10_000, OTHERS, 5),
    Scene("100, in any of 200 mailboxes", 100, OTHERS, 5),
)
KINDS = ("flag here", "deletion here", "flag there")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--scenes", type=int, nargs="*", default=list(range(len(SCENES))))
    options = parser.parse_args()
    rows = []
    for number in options.scenes:
        scene = SCENES[number]
        with measuring.working_place() as place, temporary_home() as home:
            server = Dovecot(home)
            server.start()
            try:
                _fill(server, scene)
                times = asyncio.run(_measure(place, server, scene, options.trials))
            finally:
                server.stop()
        for kind in KINDS:
            rows.append([f"{scene.name}: {kind}", *_figures(times[kind])])
            print(rows[-1], file=sys.stderr)
    print(measuring.table([f"{options.trials} trials each", "median ms", "p95 ms", "max ms"], rows))


def _fill(server: Dovecot, scene: Scene) -> None:
    small = [b"From: a@example.org\r\nSubject: %d\r\n\r\nSome text.\r\n" % n for n in range(scene.inbox)]
    server.fill(USER, "INBOX", small)
    for number in range(scene.others):
        server.fill(USER, f"Lists.{number:03}", small[: scene.each])


async def _measure(place: Path, server: Dovecot, scene: Scene, trials: int) -> dict[str, list[float]]:
    store = place / "store"
    tree = store / "mail" / "work"
    async with WireProxy(server.imap_port) as proxy:
        account = f'host = "127.0.0.1"\nport = {proxy.port}\ntls = "none"\ndelete = "expunge"\n'
        config = measuring.write_config(place / "config.toml", store=store, server=server, account=account)
        async with serving.service(config, place), serving.http(store) as http:
            await serving.until_state(http, "idle", seconds=FIRST_DOWNLOAD_SECONDS)
            other = imaplib.IMAP4("127.0.0.1", server.imap_port)
            other.login(USER, PASSWORD)
            other.select()
            bench = Bench(tree, proxy, http, other, anywhere="any" in scene.name)
            times: dict[str, list[float]] = {kind: [] for kind in KINDS}
            for _ in range(trials):
                times["flag here"].append(await bench.change_here("UID STORE", _mark))
                times["deletion here"].append(await bench.change_here("UID EXPUNGE", Path.unlink))
                times["flag there"].append(await bench.change_there())
            return times


def _mark(file: Path) -> None:
    name, _, letters = file.name.partition(":2,")
    letters = letters.replace("F", "") if "F" in letters else "F" + letters
    file.rename(file.parent.parent / "cur" / f"{name}:2,{letters}")


@dataclass
class Bench:
    """The service at rest, and what changes around it."""

    tree: Path
    proxy: WireProxy
    http: aiohttp.ClientSession
    other: imaplib.IMAP4
    anywhere: bool

    async def change_here(self, command: str, act: Callable[[Path], None]) -> float:
        """Seconds from the change of a file to the answer of the command."""
        await self._rest()
        file = self._any_file(self._any_directory())
        marks = [(session, len(session.to_server), len(session.to_client)) for session in self.proxy.sessions]
        began = time.monotonic()
        act(file)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                for session, sent, heard in marks:
                    if (when := _answered(session, command, sent, heard)) is not None:
                        return when - began
                await asyncio.sleep(0.001)

    async def change_there(self) -> float:
        """Seconds from the announcement of a flag in INBOX to the file that shows it."""
        await self._rest()
        file = self._any_file(self.tree)
        starts = [(session, len(session.to_client)) for session in self.proxy.sessions]
        uid = int(re.search(rb"Subject: (\d+)", file.read_bytes())[1]) + 1
        sign = "-" if "F" in file.name.partition(":2,")[2] else "+"
        await asyncio.to_thread(self.other.uid, "STORE", str(uid), f"{sign}FLAGS.SILENT", r"(\Flagged)")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while file.exists():
                await asyncio.sleep(0.0005)
        shown = time.monotonic()
        told = [session.time_of(b" FETCH (", start=start) for session, start in starts]
        return shown - min(when for when in told if when is not None)

    def _any_directory(self) -> Path:
        if not self.anywhere:
            return self.tree
        return random.choice([path.parent for path in self.tree.glob("*/cur") if any(path.iterdir())])

    def _any_file(self, directory: Path) -> Path:
        files = [entry.path for part in ("cur", "new") for entry in os.scandir(directory / part)]
        return Path(random.choice(files))

    async def _rest(self) -> None:
        """Return when the account is idle and nothing has crossed the line for a while."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                before = [len(session.to_server) for session in self.proxy.sessions]
                await asyncio.sleep(REST_SECONDS)
                if before == [len(session.to_server) for session in self.proxy.sessions]:
                    break
        await serving.until_state(self.http, "idle")


def _answered(session: WireSession, command: str, sent: int, heard: int) -> float | None:
    """When the first such command after these points was answered."""
    asked = re.search(rb"(?m)^(\S+) " + command.encode(), session.to_server[sent:])
    return None if asked is None else session.time_of(asked[1] + b" OK", start=heard)


def _figures(values: list[float]) -> list[str]:
    ordered = sorted(values)
    p95 = ordered[max(0, math.ceil(len(ordered) * 0.95) - 1)]
    return [f"{one * 1000:.1f}" for one in (measuring.median(ordered), p95, ordered[-1])]


if __name__ == "__main__":
    main()
