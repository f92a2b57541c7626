"""A program that wants a terminal, given one, typed to, and waited for."""

import contextlib
import fcntl
import os
import pty
import select
import shutil
import signal
import struct
import termios
import time
from collections.abc import Sequence
from pathlib import Path

_QUIET_SECONDS = 0.4  # the screen is drawn: the program waits for a key


def find_program(name: str) -> str:
    """Where it is; a RuntimeError that says what to install where there is none."""
    path = shutil.which(name)
    if path is None:
        raise RuntimeError(
            f"{name} is not installed: `make test` installs it, or run: apt-get install {name}"
        )
    return path


def run_in_terminal(
    argv: Sequence[str], *, home: Path, keys: Sequence[bytes] = (), most_seconds: float = 60.0
) -> bytes:
    """What the program drew until it ended by itself with 0. Each of `keys` is typed when the screen has come to rest.

    Blocks; `home` is its home directory, and nothing of the caller's settings reaches it.
    """
    environment = {"PATH": os.environ["PATH"], "TERM": "xterm", "HOME": str(home), "LANG": "C.UTF-8"}
    for name, part in (("CONFIG", "config"), ("DATA", "data"), ("CACHE", "cache"), ("STATE", "state")):
        environment[f"XDG_{name}_HOME"] = str(home / part)
    environment["XDG_RUNTIME_DIR"] = str(home)
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(argv[0], argv, environment)
    drawn = bytearray()
    try:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        _converse(terminal, list(keys), drawn, time.monotonic() + most_seconds)
    finally:
        os.close(terminal)
        with contextlib.suppress(ProcessLookupError):
            if os.waitpid(pid, os.WNOHANG)[0] == 0:
                os.kill(pid, signal.SIGHUP)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
    return bytes(drawn)


def _converse(terminal: int, keys: list[bytes], drawn: bytearray, end: float) -> None:
    while time.monotonic() < end:
        readable, _, _ = select.select([terminal], [], [], _QUIET_SECONDS)
        if not readable:
            if keys and drawn:
                os.write(terminal, keys.pop(0))
            continue
        try:
            data = os.read(terminal, 65_536)
        except OSError:  # Linux says EIO when the program has closed its side
            return
        if not data:
            return
        drawn += data
    raise TimeoutError(f"the program did not end; it drew {bytes(drawn[-500:])!r}")
