"""Fixtures of the whole suite: a real Dovecot for the session, a fresh user of it for each test."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.dovecot import PASSWORD, Dovecot

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Mailbag:
    """One user of one server."""

    server: Dovecot
    user: str
    password: str = PASSWORD

    def fill(self, mailbox: str, messages, **options) -> int:
        return self.server.fill(self.user, mailbox, messages, **options)


@pytest.fixture(scope="session")
def dovecot(tmp_path_factory) -> Iterator[Dovecot]:
    """One server for the session; tests keep apart by their users."""
    server = Dovecot(tmp_path_factory.mktemp("dovecot"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def mailbag(dovecot) -> Mailbag:
    """A user nobody has used before."""
    return Mailbag(dovecot, f"user{next(_numbers)}")


@pytest.fixture
def dovecot_factory(tmp_path_factory) -> Iterator[Callable[..., Dovecot]]:
    """Servers of the test's own, for stopping, starting and other capabilities."""
    servers: list[Dovecot] = []

    def make(home: Path | None = None, **options) -> Dovecot:
        server = Dovecot(home or tmp_path_factory.mktemp("dovecot"), **options)
        servers.append(server)
        server.start()
        return server

    yield make
    for server in servers:
        server.stop()
