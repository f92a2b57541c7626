"""The POP3 engine on a maildrop in memory, or on a real one: what its tests stand on."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from daemon.demo.mailbox import User
from daemon.demo.pop3.maildrop import show_truth
from daemon.demo.pop3.server import Pop3Server
from tests.support.pop3_bridge import ACCOUNT, PASSWORD, Pop3Bridge, open_pop3, sha

__all__ = ["ACCOUNT", "NOON", "Drop", "Pop3Bridge", "let_pass", "letter", "open_drop", "open_pop3", "sha"]

NOON = 1_700_000_000


async def let_pass(bridge: Pop3Bridge, clock, days: float, *, step_hours: float = 20) -> None:
    """Time passes, with polls in it: so many days since `clock` began; the last moment is not polled yet."""
    while clock.ahead < days * 86400.0:
        if clock.ahead:
            await bridge.poll()
        clock.ahead = min(clock.ahead + step_hours * 3600.0, days * 86400.0)


def letter(number: int, text: str = "hello") -> bytes:
    return (
        f"Message-ID: <{number}@drop>\r\nFrom: a@example.org\r\nSubject: letter {number}\r\n\r\n{text}\r\n"
    ).encode()


@dataclass
class Drop:
    """A user's maildrop, with the power to say something else than the truth."""

    user: User
    server: Pop3Server
    path: Path
    commands: list[bytes] = field(default_factory=list)

    def deliver(self, *letters: bytes) -> list[int]:
        return [self.user.inbox.deliver(octets, internal_date=NOON + at) for at, octets in enumerate(letters)]

    def there(self) -> list[str]:
        return sorted(sha(message.octets) for message in self.user.inbox.messages.values())

    def said(self, word: bytes) -> int:
        return sum(command.upper().startswith(word) for command in self.commands)

    def rename_ids(self, rename) -> None:
        """Have every listing say `rename(parcel)` as the unique id."""
        self.server.show = lambda user: [replace(one, uidl=rename(one)) for one in show_truth(user)]

    def answer(self, instead) -> None:
        """`instead(line)` may answer a command: bytes, b"" to end the line, None to leave it be."""

        def intervene(line: bytes) -> bytes | None:
            self.commands.append(line)
            return instead(line)

        self.server.intervene = intervene

    @contextlib.asynccontextmanager
    async def bridge(self, **options) -> AsyncIterator[Pop3Bridge]:
        async with open_pop3(self.path / "store", port=self.server.port, **options) as bridge:
            yield bridge


@contextlib.asynccontextmanager
async def open_drop(path: Path, *, without=()) -> AsyncIterator[Drop]:
    user = User("reader", PASSWORD)
    async with Pop3Server([user], without=without) as server:
        drop = Drop(user, server, path)
        drop.answer(lambda line: None)
        yield drop
