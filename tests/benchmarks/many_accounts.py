"""What many POP3 accounts cost one service: memory above that of a service with a single one, and how late its loop is.

    python tests/benchmarks/many_accounts.py --accounts 200 --minutes 3

Every account is polled each minute, and every second one message arrives for one of them. The loop's lag is taken from
outside: the time `GET /livez`, which does nothing, takes to answer while the polls go on. That is never less than the lag.
"""

import argparse
import asyncio
import smtplib
import statistics
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks import measuring, serving
from tests.support import corpus
from tests.support.dovecot import PASSWORD, Dovecot, temporary_home

MESSAGES_EACH = 50
ASK_EVERY_SECONDS = 0.05
ARRIVAL_EVERY_SECONDS = 1.0
MIB_ABOVE_IDLE = 64.0
LAG_SECONDS = 0.05
LOGIN = "pop3-login: Info: Login:"
NO_LIMIT_OF_PROCESSES = """
service pop3 {
  process_limit = 400
}
service pop3-login {
  process_limit = 400
}
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--accounts", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=3.0)
    options = parser.parse_args()
    with measuring.working_place() as place, temporary_home() as home:
        server = Dovecot(home, extra=NO_LIMIT_OF_PROCESSES)
        server.start()
        try:
            users = [f"user{number:03}" for number in range(options.accounts)]
            for seed, user in enumerate(users):
                server.fill(
                    user, "INBOX", corpus.messages(MESSAGES_EACH, seed=seed, smallest=1_000, largest=30_000)
                )
            idle = asyncio.run(_measure(place / "one", server, users[:1], 0.5))
            many = asyncio.run(_measure(place / "all", server, users, options.minutes))
        finally:
            server.stop()
    print(
        f"{options.accounts} accounts of {MESSAGES_EACH} messages, polled every minute for {options.minutes:g} minutes"
    )
    print(measuring.table(HEAD, [["one account", *idle.row()], [f"{len(users)} accounts", *many.row()]]))
    print(f"MiB above one account: {many.mib - idle.mib:.1f} (bound {MIB_ABOVE_IDLE:.0f})")
    print(f"p99 of the loop's lag: {many.lag(0.99) * 1000:.1f} ms (bound {LAG_SECONDS * 1000:.0f})")


HEAD = ("", "MiB", "peak MiB", "CPU %", "polls", "lag p50 ms", "lag p99 ms", "lag max ms")


class Taken:
    """What one service showed."""

    def __init__(self, *, mib: float, peak_mib: float, cpu: float, polls: int, lags: list[float]) -> None:
        self.mib = mib
        self._peak_mib = peak_mib
        self._cpu = cpu
        self._polls = polls
        self._lags = sorted(lags)

    def lag(self, share: float) -> float:
        """Seconds that no more than this share of the requests took."""
        return self._lags[min(len(self._lags) - 1, int(len(self._lags) * share))]

    def row(self) -> list[str]:
        figures = (self.mib, self._peak_mib, self._cpu * 100)
        lags = (statistics.median(self._lags), self.lag(0.99), self._lags[-1])
        return [
            *(f"{one:.1f}" for one in figures),
            str(self._polls),
            *(f"{one * 1000:.1f}" for one in lags),
        ]


async def _measure(place: Path, server: Dovecot, users: list[str], minutes: float) -> Taken:
    place.mkdir()
    config = _config(place, server, users)
    async with serving.service(config, place) as process, serving.http(place / "store") as http:
        await serving.until_state(http, "polling", seconds=600)
        polls = server.log.count(LOGIN)
        began, spent = time.monotonic(), serving.cpu_seconds(process.pid)
        lags: list[float] = []
        arrivals = asyncio.create_task(_deliver(server, users))
        while time.monotonic() - began < minutes * 60:
            asked = time.perf_counter()
            async with http.get("/livez") as answer:
                await answer.read()
            lags.append(time.perf_counter() - asked)
            await asyncio.sleep(ASK_EVERY_SECONDS)
        arrivals.cancel()
        seconds = time.monotonic() - began
        return Taken(
            mib=serving.status_mib(process.pid, "VmRSS"),
            peak_mib=serving.status_mib(process.pid, "VmHWM"),
            cpu=(serving.cpu_seconds(process.pid) - spent) / seconds,
            polls=server.log.count(LOGIN) - polls,
            lags=lags,
        )


def _config(place: Path, server: Dovecot, users: list[str]) -> Path:
    accounts = "".join(
        f'[accounts.{user}]\nprotocol = "pop3"\nhost = "localhost"\nport = {server.pop3s_port}\n'
        f'ca_file = "{server.ca_file}"\nusername = "{user}"\npassword = "{PASSWORD}"\npoll_interval = "60s"\n'
        for user in users
    )
    path = place / "config.toml"
    path.write_text(f'[store]\npath = "{place / "store"}"\n[api]\nlisten = []\n{accounts}', encoding="utf-8")
    path.chmod(0o600)
    return path


async def _deliver(server: Dovecot, users: list[str]) -> None:
    number = 0
    while True:
        await asyncio.to_thread(_deliver_one, server, users[number % len(users)], number)
        number += 1
        await asyncio.sleep(ARRIVAL_EVERY_SECONDS)


def _deliver_one(server: Dovecot, user: str, number: int) -> None:
    text = f"From: a@example.org\r\nSubject: arrival {number}\r\n\r\nhello\r\n"
    with smtplib.LMTP("127.0.0.1", server.lmtp_port) as lmtp:
        lmtp.sendmail("a@example.org", [user], text)


if __name__ == "__main__":
    main()
