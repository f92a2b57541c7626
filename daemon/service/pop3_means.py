"""How a POP3 account gets a line and an engine. Imports neither: a service without such an account goes without both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daemon.model.settings import Pop3Settings
    from daemon.net.pop3.client import Pop3Client
    from daemon.service.login import Connect
    from daemon.service.quiescence import OnProgress
    from daemon.sync.pop3_pass import Pop3Sync


@dataclass(frozen=True, slots=True, kw_only=True)
class Pop3Means:
    """Given to whoever runs accounts."""

    connect: Connect[Pop3Client]
    open_engine: Callable[[Pop3Settings, OnProgress], Pop3Sync]
