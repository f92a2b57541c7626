"""Settings of accounts on the session's Dovecot."""

import pytest

from daemon.model.ids import AccountId
from daemon.model.settings import ImapSettings, PasswordSource, Pop3Settings, Tls


@pytest.fixture
def account(mailbag):
    """`account("imap")`, `account("pop3", port=…)`: this test's user."""
    server = mailbag.server

    def make(protocol, **changes):
        kind, port = (
            (ImapSettings, server.imaps_port) if protocol == "imap" else (Pop3Settings, server.pop3s_port)
        )
        values = {
            "id": AccountId("work"),
            "host": "localhost",
            "port": port,
            "tls": Tls.IMPLICIT,
            "ca_file": server.ca_file,
            "username": mailbag.user,
            "password": PasswordSource(literal=mailbag.password),
        }
        return kind(**{**values, **changes})

    return make
