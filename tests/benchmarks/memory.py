"""How much memory a first download takes: 10,000 messages, then with one of 300 MB among them.

    python tests/benchmarks/memory.py --messages 10000 --large-mb 300

`sync` is measured from start to end (ru_maxrss of the child); `run` by the kernel's own high-water mark (VmHWM) once
the account is idle, beside what the same service has when there is nothing to bring.
"""

import argparse
import json
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks import measuring, serving
from tests.benchmarks.measuring import USER
from tests.support.dovecot import Dovecot, free_ports

PATIENCE_SECONDS = 600.0
MOST_MIB = 112.0
MOST_ABOVE_IDLE_MIB = 28.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--large-mb", type=int, default=300)
    options = parser.parse_args()
    rows: list[list[str]] = []
    with measuring.working_place() as place, measuring.filled_server(options.messages) as (server, octets):
        print(
            f"{options.messages:,} messages, {octets / 1e6:.0f} MB; large: {options.large_mb} MB", flush=True
        )
        _sync(place, server, "warm", user="nobody-has-mail")
        idle_sync, _ = _sync(place, server, "empty", user="nobody-has-mail")
        _, idle_run = _run(place, server, "empty-run", user="nobody-has-mail")
        rows.append(_row("sync, nothing to bring", idle_sync, None))
        rows.append(_row("run, idle, nothing brought", idle_run, None))
        for what in ("", f" and one of {options.large_mb} MB"):
            if what:
                server.fill(USER, "INBOX", _large(options.large_mb * 1_000_000))
            name = f"{options.messages:,} messages{what}"
            first, again = _sync(place, server, f"sync{len(rows)}")
            rows.append(_row(f"sync, {name}", first, idle_sync))
            rows.append(_row("sync again, nothing to do", again, idle_sync))
            peak, after = _run(place, server, f"run{len(rows)}")
            rows.append(_row(f"run, {name}", peak, idle_run))
            rows.append(_row("run, idle after it", after, idle_run))
    print()
    print(measuring.table(["", "MiB", "above idle"], rows))
    print(f"\nbounds: {MOST_MIB:.0f} MiB, {MOST_ABOVE_IDLE_MIB:.0f} MiB above the idle process")


def _row(name: str, mib: float, idle: float | None) -> list[str]:
    return [name, f"{mib:.1f}", "" if idle is None else f"{mib - idle:.1f}"]


def _large(size: int) -> Iterator[bytes]:
    line = b"0123456789" * 7 + b"\r\n"
    yield b"Subject: large\r\n\r\n" + line * (size // len(line))


def _sync(place: Path, server: Dovecot, name: str, *, user: str = USER) -> tuple[float, float]:
    """Peaks of a first `sync` into a fresh store and of a second one."""
    config = _config(place, server, name, user)
    argv = [sys.executable, "-m", "daemon", "sync", "--config", str(config)]
    env = measuring.environment(place)
    first = measuring.measure(argv, env=env, log=place / f"{name}.log")
    again = measuring.measure(argv, env=env, log=place / f"{name}-again.log")
    shutil.rmtree(config.parent)
    return first.peak_mib, again.peak_mib


def _run(place: Path, server: Dovecot, name: str, *, user: str = USER) -> tuple[float, float]:
    """Peak of a `run` until its account is idle, and what it has then."""
    config = _config(place, server, name, user)
    with (place / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "daemon", "run", "--config", str(config)],
            cwd=measuring.ROOT,
            env=measuring.environment(place),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            _until_idle(config.parent, process)
            peak, now = serving.status_mib(process.pid, "VmHWM"), serving.status_mib(process.pid, "VmRSS")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
    shutil.rmtree(config.parent)
    return peak, now


def _config(place: Path, server: Dovecot, name: str, user: str) -> Path:
    home = place / name
    home.mkdir()
    path = measuring.write_config(home / "config.toml", store=home / "store", server=server)
    [port] = free_ports(1)
    text = path.read_text(encoding="utf-8").replace("127.0.0.1:0", f"127.0.0.1:{port}")
    path.write_text(text.replace(f'username = "{USER}"', f'username = "{user}"'), encoding="utf-8")
    (home / "port").write_text(str(port), encoding="ascii")
    return path


def _until_idle(home: Path, process: subprocess.Popen[bytes]) -> None:
    port = (home / "port").read_text(encoding="ascii")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        time.sleep(0.1)
        if process.poll() is not None:
            sys.exit(f"the service ended with {process.returncode}")
        try:
            token = (home / "store" / "api-token").read_text(encoding="ascii").strip()
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/v1/status", headers={"Authorization": f"Bearer {token}"}
            )
            with urllib.request.urlopen(request, timeout=5) as answer:
                state = json.load(answer)["accounts"]["work"]["state"]
        except OSError:
            continue
        if state == "idle":
            return
    sys.exit("the account does not become idle")


if __name__ == "__main__":
    main()
