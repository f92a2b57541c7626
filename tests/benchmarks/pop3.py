"""How long a POP3 maildrop takes beside mpop, fetchmail and getmail: same server, same TLS port, runs in turn.

    python tests/benchmarks/pop3.py --messages 10000 --runs 3

Each brings the whole maildrop into a fresh place and leaves it on the server, then polls again with nothing to do. mpop and
getmail write a Maildir themselves; fetchmail has no such way and hands each message to the same Dovecot over LMTP. The start
of our interpreter is in the figures. At the end the running service polls the same maildrop again and again: what one poll
costs it in processor time. The first run's files are compared with the server's by SHA-256.
"""

import argparse
import asyncio
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks import measuring, serving
from tests.benchmarks.measuring import USER, Run
from tests.support.dovecot import PASSWORD, Dovecot, mail_ids, temporary_home

MPOP = """
defaults
tls on
tls_starttls off
tls_trust_file {ca_file}
account bench
host localhost
port {port}
user {user}
password {password}
delivery maildir {place}/mail
uidls_file {place}/uidls
keep on
account default : bench
"""
# fetchmail 6.4 refuses a certificate without a common name, even where the alternative names are right: not verified.
FETCHMAIL = """
set idfile "{place}/ids"
set no bouncemail
poll localhost protocol POP3 service {port} uidl
  user "{user}" password "{password}" ssl no sslcertck
  is "{copy}" here keep smtphost 127.0.0.1/{lmtp_port} lmtp
"""
GETMAIL = """
[retriever]
type = SimplePOP3SSLRetriever
server = localhost
port = {port}
username = {user}
password = {password}
ca_certs = {ca_file}
[destination]
type = Maildir
path = {place}/mail/
[options]
read_all = false
delete = false
verbose = 0
delivered_to = false
received = false
"""
FETCHMAIL_HAS_NOTHING = 1  # fetchmail(1), exit codes
STARTS = 10
POLLS = 9  # as many as are made in a row after the first; then a service waits, as servers want it
Tool = Callable[[Path, Dovecot], list[str]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=list(TOOLS))
    options = parser.parse_args()
    for tool in options.tools:
        if tool != "mailsyncd" and shutil.which(tool) is None:
            sys.exit(f"{tool} is not installed: apt-get install mpop fetchmail getmail6")
    with measuring.working_place() as place, temporary_home() as home:
        server = Dovecot(home)
        server.start()
        try:
            octets = measuring.fill(server, "INBOX", options.messages, seed=1)
            print(f"{options.messages:,} messages, {octets / 1e6:.0f} MB, {options.runs} runs each, in turn")
            _measure_tools(place, server, options.tools, options.runs)
            print(asyncio.run(_polls(place, server)))
        finally:
            server.stop()


def _measure_tools(place: Path, server: Dovecot, tools: list[str], runs: int) -> None:
    expected = measuring.digests(server.mailbox_dir(USER))
    taken: dict[str, list[tuple[Run, Run]]] = {tool: [] for tool in tools}
    for number in range(-1, runs):  # the first is to warm up
        for tool in tools:
            here = place / f"{tool}{number}"
            here.mkdir()
            argv = TOOLS[tool](here, server)
            env = measuring.environment(place)
            pair = (
                measuring.measure(argv, env=env, log=here / "first.log"),
                measuring.measure(argv, env=env, log=here / "again.log", nothing_new=FETCHMAIL_HAS_NOTHING),
            )
            if number >= 0:
                taken[tool].append(pair)
                print(f"  {number + 1}: {tool} {pair[0].seconds:.2f} s", file=sys.stderr)
            elif tool == "mailsyncd" and measuring.digests(here / "store" / "mail" / "work") != expected:
                sys.exit("what mailsyncd has is not what the server has")
    rows = [
        [f"{tool}, {what}", *measuring.figures([pair[which] for pair in pairs])]
        for which, what in enumerate(("first poll", "nothing to do"))
        for tool, pairs in taken.items()
    ]
    print(measuring.table(["", *measuring.RUN_HEAD], rows))
    ours = statistics.median(pair[0].seconds for pair in taken["mailsyncd"])
    for tool in tools:
        if tool != "mailsyncd":
            theirs = statistics.median(pair[0].seconds for pair in taken[tool])
            print(f"first poll, mailsyncd / {tool}: {ours / theirs:.2f}")


def _mailsyncd(place: Path, server: Dovecot) -> list[str]:
    return [sys.executable, "-m", "daemon", "sync", "--config", str(_config(place, server))]


def _config(place: Path, server: Dovecot) -> Path:
    config = place / "config.toml"
    account = f'host = "localhost"\nport = {server.pop3s_port}\nca_file = "{server.ca_file}"\n'
    measuring.write_config(config, store=place / "store", server=server, account=account, protocol="pop3")
    return config


def _mpop(place: Path, server: Dovecot) -> list[str]:
    for part in ("tmp", "new", "cur"):
        (place / "mail" / part).mkdir(parents=True, exist_ok=True)
    return ["mpop", "-Q", "-C", str(_settings(place, server, MPOP))]


def _fetchmail(place: Path, server: Dovecot) -> list[str]:
    return ["fetchmail", "--silent", "--nodetach", "--fetchmailrc", str(_settings(place, server, FETCHMAIL))]


def _getmail(place: Path, server: Dovecot) -> list[str]:
    for part in ("tmp", "new", "cur"):
        (place / "mail" / part).mkdir(parents=True, exist_ok=True)
    argv = ["getmail", "-q", "--getmaildir", str(place), "--rcfile", str(_settings(place, server, GETMAIL))]
    if os.getuid() != 0:
        return argv
    uid, gid = mail_ids()  # getmail delivers nothing as root
    subprocess.run(["chown", "-R", f"{uid}:{gid}", str(place)], check=True)
    place.parent.chmod(0o711)
    return ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", *argv]


def _settings(place: Path, server: Dovecot, text: str) -> Path:
    path = place / "rc"
    path.write_text(
        text.format(
            place=place,
            port=server.pop3s_port,
            lmtp_port=server.lmtp_port,
            user=USER,
            copy=f"{USER}-{place.name}",
            password=PASSWORD,
            ca_file=server.ca_file,
        ),
        encoding="utf-8",
    )
    path.chmod(0o600)
    return path


TOOLS: dict[str, Tool] = {
    "mailsyncd": _mailsyncd,
    "mpop": _mpop,
    "fetchmail": _fetchmail,
    "getmail": _getmail,
}


async def _polls(place: Path, server: Dovecot) -> str:
    """What a poll with nothing to do costs the running service, the request that asks for it included."""
    here = place / "service"
    here.mkdir()
    config = _config(here, server)
    spent = []
    for _ in range(STARTS):
        async with serving.service(config, here) as process, serving.http(here / "store") as http:
            await serving.until_state(http, "polling", seconds=600)
            for _ in range(POLLS):
                before = serving.cpu_seconds(process.pid)
                async with http.post("/v1/accounts/work/sync?wait=30") as answer:
                    assert answer.status == HTTPStatus.OK, await answer.text()
                spent.append(serving.cpu_seconds(process.pid) - before)
    milliseconds = sorted(one * 1000 for one in spent)
    return (
        f"a poll with nothing to do by the running service, ms of processor time over {len(spent)}: "
        f"median {statistics.median(milliseconds):.1f}, p95 {milliseconds[int(len(spent) * 0.95)]:.1f}, "
        f"max {milliseconds[-1]:.1f}"
    )


if __name__ == "__main__":
    main()
