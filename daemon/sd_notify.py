"""Words to the service manager: sd_notify(3) over the socket it named. Does nothing where there is no manager.

Never waits and never fails: a manager that restarts must not take the service with it.
"""

import contextlib
import os
import socket
from collections.abc import Mapping
from typing import Final

MOST_STATUS_CHARACTERS: Final = 200


class ServiceManager:
    """The manager that started this process, if there is one."""

    def __init__(self, env: Mapping[str, str] = os.environ) -> None:
        named = env.get("NOTIFY_SOCKET", "")
        self._address = f"\0{named[1:]}" if named.startswith("@") else named
        self._watchdog = _watchdog_seconds(env)

    @property
    def watchdog_seconds(self) -> float | None:
        """How often `alive` is expected at the latest; None where nobody waits for it."""
        return self._watchdog if self._address else None

    def ready(self, status: str) -> None:
        """The store is open and the API answers; `status` is what `systemctl status` shows."""
        self._send(f"READY=1\nSTATUS={_one_line(status)}")

    def alive(self) -> None:
        """Everything that has to move, moves."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The end has begun."""
        self._send("STOPPING=1\nSTATUS=Stopping")

    def _send(self, words: str) -> None:
        if not self._address:
            return
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock,
        ):
            sock.setblocking(False)
            sock.sendto(words.encode(), self._address)


def _watchdog_seconds(env: Mapping[str, str]) -> float | None:
    """sd_watchdog_enabled(3): the variables count only for the process they name."""
    if env.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    text = env.get("WATCHDOG_USEC", "")
    return int(text) / 1_000_000 if text.isascii() and text.isdigit() and int(text) > 0 else None


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)[:MOST_STATUS_CHARACTERS]
