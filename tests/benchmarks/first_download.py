"""How long a first download takes beside mbsync: same server, same TLS port, fresh directories, runs in turn.

    python tests/benchmarks/first_download.py --messages 10600 --runs 5

The start of our interpreter is in the figures. mbsync syncs to disk (FSync yes, its default) and does not compress.
"""

import argparse
import shutil
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks import measuring
from tests.benchmarks.measuring import USER, Run
from tests.support.dovecot import PASSWORD, Dovecot

MBSYNC_PAUSE_SECONDS = (
    1.5  # it waits out the second in which a directory was changed; that is not the pass itself
)
MBSYNC = """
FSync yes

IMAPAccount bench
Host localhost
Port {port}
User {user}
Pass {password}
SSLType IMAPS
CertificateFile {ca_file}
DisableExtensions COMPRESS=DEFLATE

IMAPStore there
Account bench

MaildirStore here
Path {mail}/
Inbox {mail}/INBOX
SubFolders Verbatim

Channel bench
Far :there:
Near :here:
Patterns *
Create Near
SyncState *
Sync Pull
"""


def main() -> None:
    options = _options()
    mbsync = shutil.which("mbsync")
    if mbsync is None:
        sys.exit("mbsync is not installed: apt-get install isync")
    with measuring.working_place() as place, measuring.filled_server(options.messages) as (server, octets):
        print(
            f"{options.messages} messages, {octets / 1e6:.0f} MB, {options.runs} runs each, in turn",
            flush=True,
        )
        digests = measuring.digests(server.home / "mail" / USER)
        _ours(place, server, "warm")
        _mbsync(mbsync, place, server, "warm")
        # Directories stay until the end: ext4 hands the inodes of deleted files to the next run, which distorts it.
        ours: list[tuple[Run, Run]] = []
        theirs: list[tuple[Run, Run]] = []
        for number in range(options.runs):
            ours.append(_ours(place, server, f"run{number}", digests if number == 0 else None))
            theirs.append(_mbsync(mbsync, place, server, f"run{number}"))
            print(
                f"  {number + 1}: mailsyncd {ours[-1][0].seconds:.2f} s, mbsync {theirs[-1][0].seconds:.2f} s",
                flush=True,
            )
    print()
    print(_report(ours, theirs))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=10_600)
    parser.add_argument("--runs", type=int, default=5)
    return parser.parse_args()


def _ours(place: Path, server: Dovecot, name: str, digests: list[str] | None = None) -> tuple[Run, Run]:
    """A first download, and a pass with nothing to do after it."""
    home = place / f"ours-{name}"
    home.mkdir()
    config = measuring.write_config(home / "config.toml", store=home / "store", server=server)
    argv = [sys.executable, "-m", "daemon", "sync", "--config", str(config)]
    env = measuring.environment(place)
    first = measuring.measure(argv, env=env, log=place / "ours.log")
    time.sleep(MBSYNC_PAUSE_SECONDS)
    again = measuring.measure(argv, env=env, log=place / "ours-again.log")
    if digests is not None and measuring.digests(home / "store" / "mail" / "work") != digests:
        sys.exit("what mailsyncd has is not what the server has")
    return first, again


def _mbsync(mbsync: str, place: Path, server: Dovecot, name: str) -> tuple[Run, Run]:
    home = place / f"mbsync-{name}"
    (home / "mail").mkdir(parents=True)
    config = home / "mbsyncrc"
    config.write_text(
        MBSYNC.format(
            port=server.imaps_port, user=USER, password=PASSWORD, ca_file=server.ca_file, mail=home / "mail"
        ),
        encoding="utf-8",
    )
    argv = [mbsync, "-q", "-c", str(config), "bench"]
    env = measuring.environment(place)
    first = measuring.measure(argv, env=env, log=place / "mbsync.log")
    time.sleep(MBSYNC_PAUSE_SECONDS)
    again = measuring.measure(argv, env=env, log=place / "mbsync-again.log")
    return first, again


def _report(ours: list[tuple[Run, Run]], theirs: list[tuple[Run, Run]]) -> str:
    rows = []
    for what, which in (("first download", 0), ("nothing to do", 1)):
        for tool, pairs in (("mailsyncd", ours), ("mbsync", theirs)):
            rows.append([f"{tool}, {what}", *measuring.figures([pair[which] for pair in pairs])])
    ratio = measuring.median([run.seconds for run, _ in ours]) / measuring.median(
        [run.seconds for run, _ in theirs]
    )
    rise = max(run.peak_mib for run, _ in ours) - measuring.median([run.peak_mib for _, run in ours])
    return (
        measuring.table(["", *measuring.RUN_HEAD], rows)
        + f"\n\nfirst download, mailsyncd / mbsync: {ratio:.2f}"
        + f"\npeak of the first download above that of a pass with nothing to do: {rise:.0f} MiB"
    )


if __name__ == "__main__":
    main()
