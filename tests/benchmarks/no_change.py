"""What a pass over an account costs in which nothing has changed: round trips, octets, seconds; beside mbsync.

    python tests/benchmarks/no_change.py --messages 1000 10000 100000 --mailboxes 200 --runs 5

For each number of messages a Dovecot holds them in as many mailboxes; `mailsyncd sync` brings them once, its later runs have
nothing to do. What crosses the line is counted at a proxy in a run of its own, the seconds are those of runs without it, with
the start of the interpreter. mbsync runs in turn against the same server. Messages are small: their size is not what this is about.
"""

import argparse
import asyncio
import re
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks import measuring
from tests.benchmarks.first_download import MBSYNC, MBSYNC_PAUSE_SECONDS
from tests.benchmarks.measuring import USER, Run
from tests.support import corpus
from tests.support.dovecot import PASSWORD, Dovecot, temporary_home
from tests.support.proxy import WireProxy, WireSession

_COMMAND = re.compile(rb"^A\d+ ", re.MULTILINE)


@dataclass(frozen=True)
class Wire:
    """What one pass said and heard. `turns` counts how often the server spoke after we had: round trips."""

    commands: int
    turns: int
    to_server: int
    to_client: int


@dataclass(frozen=True)
class Figures:
    """Of one number of messages: the first pass, later ones, and those of mbsync."""

    first: Run
    again: list[Run]
    wire: Wire
    their_first: Run | None
    their_again: list[Run]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--mailboxes", type=int, default=200)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    mbsync = shutil.which("mbsync")
    found: dict[int, Figures] = {}
    for count in options.messages:
        with measuring.working_place() as place, temporary_home() as home:
            server = Dovecot(home)
            server.start()
            try:
                _fill(server, count, options.mailboxes)
                print(f"{count:,} messages in {options.mailboxes} mailboxes", flush=True)
                found[count] = _measure(place, server, mbsync, options.runs)
            finally:
                server.stop()
    print()
    print(_report(found))


def _fill(server: Dovecot, count: int, mailboxes: int) -> None:
    """Files as Dovecot's own delivery leaves them, spread evenly; it indexes them when it is first asked."""
    shares = [count // mailboxes + (number < count % mailboxes) for number in range(mailboxes)]
    bodies = corpus.small(200)
    for number, share in enumerate(shares):
        directory = server.mailbox_dir(USER, "INBOX" if number == 0 else f"box{number:03}")
        for part in ("tmp", "new", "cur"):
            (directory / part).mkdir(parents=True, exist_ok=True)
        for position in range(share):
            octets = b"X-Place: %d.%d\n" % (number, position) + bodies[position % len(bodies)]
            name = f"{1_700_000_000 + position}.M{position}P{number}.host,S={len(octets)}:2,S"
            (directory / "cur" / name).write_bytes(octets)
    server.own(USER)


def _measure(place: Path, server: Dovecot, mbsync: str | None, runs: int) -> Figures:
    direct = measuring.write_config(place / "direct.toml", store=place / "store", server=server)
    argv = [sys.executable, "-m", "daemon", "sync", "--config", str(direct)]
    env = measuring.environment(place)
    first = measuring.measure(argv, env=env, log=place / "first.log")
    their_first = None
    theirs: list[str] = []
    if mbsync is not None:
        theirs = [mbsync, "-q", "-c", str(_mbsyncrc(place, server)), "bench"]
        their_first = measuring.measure(theirs, env=env, log=place / "theirs.log")
    time.sleep(MBSYNC_PAUSE_SECONDS)
    again: list[Run] = []
    their_again: list[Run] = []
    for number in range(runs):
        again.append(measuring.measure(argv, env=env, log=place / f"again{number}.log"))
        if theirs:
            their_again.append(measuring.measure(theirs, env=env, log=place / f"theirs{number}.log"))
    return Figures(first, again, asyncio.run(_on_the_wire(place, server)), their_first, their_again)


def _mbsyncrc(place: Path, server: Dovecot) -> Path:
    (place / "theirs" / "mail").mkdir(parents=True)
    path = place / "theirs" / "mbsyncrc"
    mail = place / "theirs" / "mail"
    path.write_text(
        MBSYNC.format(
            port=server.imaps_port, user=USER, password=PASSWORD, ca_file=server.ca_file, mail=mail
        ),
        encoding="utf-8",
    )
    return path


async def _on_the_wire(place: Path, server: Dovecot) -> Wire:
    """The octets of one more pass, in clear through a proxy."""
    async with WireProxy(server.imap_port) as proxy:
        # the approved server is told by its host, not by its port
        account = f'host = "localhost"\nport = {proxy.port}\ntls = "none"\n'
        config = measuring.write_config(
            place / "proxied.toml", store=place / "store", server=server, account=account
        )
        argv = [sys.executable, "-m", "daemon", "sync", "--config", str(config)]
        env = measuring.environment(place)
        await asyncio.to_thread(measuring.measure, argv, env=env, log=place / "proxied.log")
        return wire_of(proxy.sessions)


def wire_of(sessions: list[WireSession]) -> Wire:
    """What these connections carried together."""
    return Wire(
        commands=sum(len(_COMMAND.findall(one.to_server)) for one in sessions),
        turns=sum(one.turns for one in sessions),
        to_server=sum(len(one.to_server) for one in sessions),
        to_client=sum(len(one.to_client) for one in sessions),
    )


def _report(found: dict[int, Figures]) -> str:
    wire = [
        [
            f"{count:,}",
            str(one.wire.commands),
            str(one.wire.turns),
            f"{one.wire.to_server:,}",
            f"{one.wire.to_client:,}",
        ]
        for count, one in found.items()
    ]
    seconds = []
    for count, one in found.items():
        seconds.append(_row(f"{count:,}, mailsyncd, first", [one.first]))
        seconds.append(_row(f"{count:,}, mailsyncd, nothing to do", one.again))
        if one.their_first is not None:
            seconds.append(_row(f"{count:,}, mbsync, first", [one.their_first]))
            seconds.append(_row(f"{count:,}, mbsync, nothing to do", one.their_again))
    return (
        measuring.table(["messages", "commands", "round trips", "octets out", "octets in"], wire)
        + "\n\n"
        + measuring.table(["", "median s", "min s", "max s", "CPU s", "peak MiB"], seconds)
    )


def _row(name: str, runs: list[Run]) -> list[str]:
    return [
        name,
        f"{measuring.median([run.seconds for run in runs]):.2f}",
        f"{min(run.seconds for run in runs):.2f}",
        f"{max(run.seconds for run in runs):.2f}",
        f"{measuring.median([run.cpu_seconds for run in runs]):.2f}",
        f"{max(run.peak_mib for run in runs):.0f}",
    ]


if __name__ == "__main__":
    main()
