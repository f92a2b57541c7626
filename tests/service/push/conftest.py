"""A scripted server with several mailboxes that take mail, and claims as a test wants them."""

import asyncio
import re
from dataclasses import dataclass, field

import pytest

BODY = b"Subject: hello\r\n\r\nworld\r\n"


@dataclass
class Boxes:
    """Mailboxes behind a `ScriptedImap`; `deliver` adds a message without a word to anybody.

    The numbers of a selected mailbox are told by NOOP alone, so that IDLE and NOTIFY are as silent as the server's words.
    """

    server: object
    counts: dict[str, int] = field(default_factory=lambda: {"INBOX": 0, "a": 0, "b": 0})
    selected: str | None = None
    is_telling_at_noop: bool = False
    _told: int = 0

    def __post_init__(self) -> None:
        self.server.on |= {
            "LIST": self._list,
            "STATUS": self._status,
            "SELECT": self._select,
            "EXAMINE": self._examine,
            "NOOP": self._noop,
            "NOTIFY": self._notify,
            "UID FETCH": self._fetch,
        }

    def deliver(self, name: str) -> None:
        self.counts[name] += 1

    def status_of(self, name: str) -> bytes:
        count = self.counts[name]
        return f"* STATUS {name} (MESSAGES {count} UIDNEXT {count + 1} UIDVALIDITY 7)\r\n".encode()

    def _list(self, tag: str, _: str) -> bytes:
        return b"".join(f'* LIST () "/" {name}\r\n'.encode() for name in self.counts) + _ok(tag)

    def _status(self, tag: str, arguments: str) -> bytes:
        return self.status_of(arguments.split(" ", maxsplit=1)[0].strip('"')) + _ok(tag)

    def _select(self, tag: str, arguments: str) -> bytes:
        name = arguments.split(" ", maxsplit=1)[0].strip('"')
        if name not in self.counts:
            return f"{tag} NO [NONEXISTENT] gone\r\n".encode()
        self.selected = name
        self._told = self.counts[self.selected]
        return self._numbers(self.selected) + _ok(tag, "[READ-WRITE]")

    def _examine(self, tag: str, arguments: str) -> bytes:
        name = arguments.split(" ", maxsplit=1)[0].strip('"')
        if name not in self.counts:
            return f"{tag} NO [NONEXISTENT] gone\r\n".encode()
        return self._numbers(name) + _ok(tag, "[READ-ONLY]")

    def _numbers(self, name: str) -> bytes:
        count = self.counts[name]
        return (
            f"* {count} EXISTS\r\n* FLAGS (\\Seen)\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT {count + 1}] x\r\n"
        ).encode()

    def _noop(self, tag: str, _: str) -> bytes:
        """Tell of the selected mailbox, once, if there is something to tell."""
        count = self.counts.get(self.selected, 0)
        is_news, self._told = count != self._told, count
        return (f"* {count} EXISTS\r\n".encode() if is_news and self.is_telling_at_noop else b"") + _ok(tag)

    def _notify(self, tag: str, arguments: str) -> bytes:
        if "STATUS" not in arguments:
            return _ok(tag)
        return b"".join(self.status_of(name) for name in self.counts) + _ok(tag)

    def _fetch(self, tag: str, arguments: str) -> bytes:
        uids, _, items = arguments.partition(" ")
        found = re.findall(r"(\d+)(?::(\d+|\*))?", uids)
        last = self.counts[self.selected]
        wanted = {
            uid
            for first, until in found
            for uid in range(int(first), min(last, last if until == "*" else int(until or first)) + 1)
        }
        lines = b""
        for uid in sorted(wanted):
            body = b" BODY[] {%d}\r\n%s" % (len(BODY), BODY) if "BODY.PEEK[]" in items else b""
            lines += (
                f'* {uid} FETCH (UID {uid} FLAGS () RFC822.SIZE {len(BODY)} INTERNALDATE "01-Jan-2024 00:00:00 +0000"'
            ).encode()
            lines += body + b")\r\n"
        return lines + _ok(tag)


def _ok(tag: str, code: str = "") -> bytes:
    return f"{tag} OK {code} done\r\n".encode()


@pytest.fixture
def boxes(scripted) -> Boxes:
    return Boxes(scripted)


@pytest.fixture
def told():
    """`await told(house, "idle", "notify_silent")`: return once the journal has this state with this reason."""

    async def wait(house, state: str, reason: str) -> None:
        for _ in range(1000):
            if (state, reason) in (states := await house.states_told()):
                return
            await asyncio.sleep(0.01)
        raise AssertionError(states)

    return wait
