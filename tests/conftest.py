"""Fixtures of the whole suite: a real Dovecot for the session, a fresh user of it for each test."""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.support.dovecot import PASSWORD, Dovecot, temporary_home

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
def dovecot() -> Iterator[Dovecot]:
    """One server for the session; tests keep apart by their users."""
    with temporary_home() as home:
        server = Dovecot(home)
        server.start()
        yield server
        server.stop()


@pytest.fixture
def mailbag(dovecot) -> Mailbag:
    """A user nobody has used before."""
    return Mailbag(dovecot, f"user{next(_numbers)}")


@pytest.fixture
def dovecot_factory() -> Iterator[Callable[..., Dovecot]]:
    """Servers of the test's own, for stopping, starting and other capabilities."""
    with contextlib.ExitStack() as stack:

        def make(**options) -> Dovecot:
            server = Dovecot(stack.enter_context(temporary_home()), **options)
            stack.callback(server.stop)
            server.start()
            return server

        yield make
