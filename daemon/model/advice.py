"""Which of the two protocols fits an account: what a person wants, and what is recommended, with its reasons."""

from dataclasses import dataclass
from typing import Literal

Protocol = Literal["imap", "pop3"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wants:
    """What a person wants; None where they did not say."""

    has_several_devices: bool | None = None
    is_server_to_be_emptied: bool | None = None
    are_deletions_to_stay_local: bool | None = None
    is_line_slow: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """`protocol` None where nothing answers. `config` is a block for the config file, ready to paste."""

    protocol: Protocol | None
    headline: str
    reasons: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()
    config: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSeen:
    """A server that answered, and what it says it can do: `capabilities` in capitals, `facts` in plain words.

    How much mail there is is known after a login only, and `octets` only where the server says so; `login_error` says why
    the login failed. Of POP3: `has_unique_ids`, `is_mail_expiring` (False: kept for ever), `expire_days` and
    `login_delay_seconds`, each None where it is not known.
    """

    host: str
    port: int
    tls: str
    capabilities: tuple[str, ...]
    mechanisms: tuple[str, ...]
    facts: tuple[str, ...] = ()
    mailboxes: int | None = None
    messages: int | None = None
    octets: int | None = None
    login_error: str | None = None
    has_unique_ids: bool | None = None
    is_mail_expiring: bool | None = None
    expire_days: int | None = None
    login_delay_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Consultation:
    """The advice, and what it stands on: None where nothing answers over that protocol."""

    advice: Advice
    imap: ServerSeen | None
    pop3: ServerSeen | None
