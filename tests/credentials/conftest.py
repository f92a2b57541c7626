"""Accounts with each source of a password."""

import pytest

from daemon.model.ids import AccountId
from daemon.model.settings import ImapSettings, PasswordSource


@pytest.fixture
def account():
    """An account whose password comes from the given source."""

    def account(**source) -> ImapSettings:
        return ImapSettings(
            id=AccountId("work"), host="h.example", port=993, username="me", password=PasswordSource(**source)
        )

    return account
