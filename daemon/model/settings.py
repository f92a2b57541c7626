"""Settings: the configuration as validated values.

Where they come from is `daemon.config`'s business; what they mean stands beside each. Unknown keys are errors.
"""

from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from daemon.model.ids import AccountId


class Tls(StrEnum):
    """How the line is made private. `none` is for loopback only."""

    IMPLICIT = "implicit"
    STARTTLS = "starttls"
    NONE = "none"


class DeleteRule(StrEnum):
    """What a local deletion does on the server."""

    EXPUNGE = "expunge"
    TRASH = "trash"
    MARK = "mark"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, hide_input_in_errors=True)


class StoreSettings(_Strict):
    """`[store]`: everything the service keeps is under `path`."""

    path: Path
    group: str | None = None


class ApiSettings(_Strict):
    """`[api]`: where HTTP is answered. `listen` has `host:port`, `[::1]:port` or `unix:/path`; empty for none."""

    listen: tuple[str, ...] = ("127.0.0.1:8420",)
    token_file: Path | None = None
    hosts: tuple[str, ...] = ()
    tls_cert: Path | None = None
    tls_key: Path | None = None
    behind_proxy: bool = False
    trusted_proxies: tuple[str, ...] = ()


class PasswordSource(_Strict):
    """Exactly one is set. `literal` is kept by the config reader as a Secret outside this value's repr."""

    literal: str | None = Field(default=None, repr=False)
    command: tuple[str, ...] | None = None
    file: Path | None = None
    credential: str | None = None
    env: str | None = None


class AccountSettings(_Strict):
    """`[accounts.ID]`: one login on one server; what both protocols share.

    `maildir` is None for `<store.path>/mail/<account>`. `port` is filled in by the reader.
    """

    id: AccountId
    host: str
    port: int
    tls: Tls = Tls.IMPLICIT
    ca_file: Path | None = None
    username: str
    password: PasswordSource
    maildir: Path | None = None
    layout: Literal["maildir++", "fs"] = "maildir++"


class ImapSettings(AccountSettings):
    """An IMAP account. Patterns are LIST patterns over normalised names. `deletion_limit` is a share of a mailbox."""

    protocol: Literal["imap"] = "imap"
    mailboxes: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    delete: DeleteRule = DeleteRule.EXPUNGE
    max_connections: int = Field(default=4, ge=1, le=32)
    deletion_limit: float = Field(default=0.2, gt=0, le=1)


class Pop3Settings(AccountSettings):
    """A POP3 account. `leave_on_server`: True never DELE, False once safely stored, else seconds from first sight."""

    protocol: Literal["pop3"] = "pop3"
    poll_interval_seconds: float = Field(default=300, ge=30)
    leave_on_server: bool | int = True


class Settings(_Strict):
    """The whole configuration. `source` is the file it was read from."""

    source: Path | None = None
    store: StoreSettings
    api: ApiSettings = ApiSettings()
    accounts: tuple[ImapSettings | Pop3Settings, ...] = ()
    warnings: tuple[str, ...] = ()
