"""What the benchmarks share: a server full of mail, a child process measured to its end, figures in columns."""

import contextlib
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support import corpus
from tests.support.dovecot import PASSWORD, Dovecot, temporary_home

USER = "bench"
LARGEST_BYTES = 150_000  # sizes log-uniform up to here come to the 35 kB on average that real mailboxes have
RUN_HEAD = ("median s", "min s", "max s", "CPU s", "peak MiB")
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Run:
    """One process from start to end."""

    seconds: float
    cpu_seconds: float
    peak_mib: float


def measure(argv: Sequence[str], *, env: Mapping[str, str], log: Path, nothing_new: int = 0) -> Run:
    """Run a command to its end; what it says goes to `log`, and is shown if it fails.

    `nothing_new` is a further exit status that is no failure.
    """
    os.sync()  # what the run before left unwritten is not this run's burden
    spent = log.with_suffix(".json")
    around = [sys.executable, "-I", "-S", str(ROOT / "tests" / "support" / "spent.py"), str(spent)]
    with log.open("wb") as output:
        code = subprocess.call(
            [*around, *argv], cwd=ROOT, env=dict(env), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    if code not in (0, nothing_new):
        sys.exit(f"{' '.join(argv)} ended with {code}:\n{log.read_text(errors='replace')[-4000:]}")
    return Run(**json.loads(spent.read_bytes()))


def environment(home: Path) -> dict[str, str]:
    """As an installed command has it: modules compiled beforehand, nothing of the caller's Python settings."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONPYCACHEPREFIX": str(home / "pycache"),
    }


def write_config(
    path: Path, *, store: Path, server: Dovecot, account: str = "", protocol: str = "imap"
) -> Path:
    """A configuration with the benchmark's account; `account` holds settings of it that differ."""
    settings = account or f'host = "localhost"\nport = {server.imaps_port}\nca_file = "{server.ca_file}"\n'
    path.write_text(
        f'[store]\npath = "{store}"\n[api]\nlisten = ["127.0.0.1:0"]\n[accounts.work]\nprotocol = "{protocol}"\n'
        f'username = "{USER}"\npassword = "{PASSWORD}"\n{settings}',
        encoding="utf-8",
    )
    path.chmod(0o600)
    return path


@contextlib.contextmanager
def filled_server(count: int) -> Iterator[tuple[Dovecot, int]]:
    """A Dovecot whose user has `count` messages in the corpus's mailboxes, and how many octets they are."""
    with temporary_home() as home:
        server = Dovecot(home)
        server.start()
        total = 0
        try:
            for seed, (name, share) in enumerate(corpus.spread(count).items(), start=1):
                total += fill(server, name, share, seed)
            yield server, total
        finally:
            server.stop()


def fill(server: Dovecot, mailbox: str, count: int, seed: int) -> int:
    """Deliver `count` messages; how many octets they are."""
    sizes = []

    def counted() -> Iterator[bytes]:
        for octets in corpus.messages(count, seed=seed, smallest=4_000, largest=120_000):
            sizes.append(len(octets))
            yield octets

    server.fill(USER, mailbox, counted())
    return sum(sizes)


@contextlib.contextmanager
def working_place() -> Iterator[Path]:
    """A directory on the disk that is measured; $TMPDIR chooses another."""
    with tempfile.TemporaryDirectory(prefix="mailsyncd-bench-") as place:
        yield Path(place)


def digests(tree: Path) -> list[str]:
    """SHA-256 of every message below a tree, sorted."""
    return sorted(
        hashlib.sha256(path.read_bytes()).hexdigest()
        for path in tree.rglob("*")
        if path.parent.name in ("cur", "new") and path.is_file()
    )


def figures(runs: Sequence[Run]) -> list[str]:
    """The columns of RUN_HEAD: wall time, then what it took."""
    seconds = [run.seconds for run in runs]
    return [
        f"{median(seconds):.2f}",
        f"{min(seconds):.2f}",
        f"{max(seconds):.2f}",
        f"{median([run.cpu_seconds for run in runs]):.2f}",
        f"{max(run.peak_mib for run in runs):.0f}",
    ]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Text in columns, numbers to the right."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = [
        "  ".join(
            text.ljust(width) if column == 0 else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in [head, ["-" * width for width in widths], *rows]
    ]
    return "\n".join(lines)
