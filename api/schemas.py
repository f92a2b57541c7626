"""What goes over HTTP: one pydantic model a shape.

Answers: times are RFC 3339 in UTC, sizes are octets of the wire form, digests are SHA-256 in hex, flags are sorted.
Requests: unknown fields are refused. No answer carries a secret, or has a field that is not named here; the one secret that is
taken, AdviceRequest's, prints as ***.
"""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator


class Answer(BaseModel):
    """A body we send."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Body(BaseModel):
    """A body we take: JSON types as they are, nothing converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class Query(BaseModel):
    """A query string we take."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


# -- requests ---------------------------------------------------------------------------------------------------

WaitSeconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _on_one_line(secret: SecretStr) -> SecretStr:
    """The password, unless it holds what no mail protocol can carry."""
    if any(char in "\0\r\n" for char in secret.get_secret_value()):
        raise ValueError("a password has no line break")
    return secret


LoginText = Annotated[str, Field(min_length=1, max_length=320, pattern=r"^[^\x00-\x1f\x7f]+$")]
LoginSecret = Annotated[SecretStr, Field(min_length=1, max_length=1024), AfterValidator(_on_one_line)]
FlagText = Annotated[str, Field(min_length=1, max_length=100)]


class NoQuery(Query):
    """No parameters."""


class WaitQuery(Query):
    """`wait`: seconds until the answer is given whether finished or not."""

    wait: WaitSeconds | None = None


class StatusQuery(Query):
    """`format=text` is for eyes."""

    format: Literal["json", "text"] = "json"


class HeldMailbox(Body):
    """A mailbox by the name under which its deletions are held."""

    mailbox: str = Field(min_length=1, max_length=1000)


class MessagesQuery(Query):
    """Which messages, and which page of them."""

    account: str | None = Field(default=None, pattern=r"^[a-z0-9_-]{1,32}$")
    mailbox: str | None = Field(default=None, max_length=1000, pattern=r"^[^\x00-\x1f\x7f]+$")
    unread: bool | None = None
    limit: int = Field(default=50, ge=1)
    cursor: str | None = Field(default=None, max_length=200)


class EventsQuery(Query):
    """Where to go on, which names (with commas), how long to wait for the first (JSON only), how many at most."""

    since: str | None = Field(default=None, max_length=100, pattern=r"^[\x21-\x7e]+$")
    types: str | None = Field(default=None, max_length=1000)
    timeout: WaitSeconds | None = None
    limit: int = Field(default=256, ge=1)


class FlagChange(Body):
    r"""Flags by name: `\Seen`, `\Flagged`, or a keyword."""

    add: list[FlagText] = Field(default_factory=list, max_length=100)
    remove: list[FlagText] = Field(default_factory=list, max_length=100)


class MessagePatch(Body):
    """What is to change of a message."""

    flags: FlagChange


# -- answers ----------------------------------------------------------------------------------------------------


class Alive(Answer):
    """The process answers, or is ready."""

    state: Literal["alive", "ready"]


class AccountSummary(Answer):
    """One account in the status."""

    protocol: str
    state: str
    since: datetime
    unread: int
    total: int
    last_sync: datetime | None
    last_sync_age_seconds: float | None
    reason: str | None
    detail: str | None
    remedy: str | None
    retry_at: datetime | None


class Status(Answer):
    """The whole service."""

    state: str
    version: str
    uptime_seconds: float
    unread: int
    total: int
    accounts_ok: int
    accounts_error: int
    last_sync: datetime | None
    event_id: str
    accounts: dict[str, AccountSummary]


class Health(Answer):
    """One account is well; the same members stand in the problem when it is not."""

    account: str
    state: str
    since: datetime
    reason: str | None
    detail: str | None
    remedy: str | None
    retry_at: datetime | None


class HeldItem(Answer):
    """Deletions of one mailbox that wait for a person: `count` of its `total` messages would go, `here` or `there`."""

    mailbox: str
    side: str
    count: int
    total: int
    reason: str
    since: datetime


class HeldList(Answer):
    """All that are held in one account."""

    items: list[HeldItem]


class JobResult(Answer):
    """What a sync did, all its passes together."""

    downloaded: int
    uploaded: int
    flags_changed: int
    removed_here: int
    expunged_there: int
    moved: int
    failed: int
    held: int


class JobAnswer(Answer):
    """What was asked of an account, and how far it is."""

    id: str
    account: str
    kind: str
    state: str
    created_at: datetime
    finished_at: datetime | None
    result: JobResult | None
    reason: str | None
    detail: str | None


class MailboxItem(Answer):
    """One mailbox. `name` is decoded, with `/` between parts.

    `watch` is how changes of this mailbox are noticed: `notify` and `idle` are told by the server at once, `poll` is asked
    for by the schedule. `lag_seconds` is the time since it was last known to be in step with the server: 0 while it is
    told and nothing is outstanding, else since then, or since the last look at it began; null before the first look.
    """

    name: str
    role: str | None
    total: int
    unread: int
    uid_validity: int | None
    watch: str
    lag_seconds: float | None
    frozen_reason: str | None


class MailboxList(Answer):
    """An account's mailboxes."""

    items: list[MailboxItem]


class MessageItem(Answer):
    """One message. `internal_date` is when the server got it, `date_header` what the sender wrote."""

    id: str
    account: str
    mailbox: str
    flags: list[str]
    unread: bool
    subject: str
    sender: str
    recipients: str
    message_id_header: str
    date_header: datetime | None
    internal_date: datetime
    size_bytes: int
    sha256: str
    unmatched: bool


class MessageList(Answer):
    """One page. `next` goes on behind it; `state` is the place in the journal from which on changes are news."""

    items: list[MessageItem]
    next: str | None
    state: str


class OperationAnswer(Answer):
    """A change to a message, and how far it is. `scope` is `local` where the server is not told (POP3)."""

    id: str
    account: str
    message_id: str
    kind: str
    state: str
    scope: str
    add: list[str]
    remove: list[str]
    mailbox: str | None
    created_at: datetime
    finished_at: datetime | None
    reason: str | None
    detail: str | None


class EventItem(Answer):
    """One line of the journal."""

    id: str
    name: str
    account: str
    mailbox: str | None
    message_id: str | None
    at: datetime
    data: dict[str, object]


class EventList(Answer):
    """Events in order. `next` is the `since` to go on with, also when there are none."""

    items: list[EventItem]
    next: str


class AdviceRequest(Body):
    """What to look at, and what is wanted; null or left out where nobody knows. With `username` and `password`, which go
    together, it logs in as well, to see how much mail there is.
    """

    address: str = Field(min_length=1, max_length=320, pattern=r"^[^\x00-\x20\x7f]+$")
    several_devices: bool | None = None
    empty_server: bool | None = None
    local_deletions: bool | None = None
    slow_line: bool | None = None
    username: LoginText | None = None
    password: LoginSecret | None = None

    @model_validator(mode="after")
    def _is_whole_login(self) -> Self:
        if (self.username is None) is not (self.password is None):
            raise ValueError("username and password go together")
        return self


class ServerSeen(Answer):
    """A server that answered: what it says it can do, and `facts` in plain words.

    `mailboxes`, `messages` and `size_bytes` are known after a login, `size_bytes` only where the server says it; `login_error`
    says why the login failed. On POP3: `unique_ids`, `expires` (false: mail may stay for ever), `expire_days` and
    `login_delay_seconds`. Each is null where it is not known.
    """

    host: str
    port: int
    tls: str
    capabilities: list[str]
    mechanisms: list[str]
    facts: list[str]
    mailboxes: int | None
    messages: int | None
    size_bytes: int | None
    login_error: str | None
    unique_ids: bool | None
    expires: bool | None
    expire_days: int | None
    login_delay_seconds: int | None


class AdviceAnswer(Answer):
    """`protocol` is null where nothing answers. `config` is a block for the config file. `imap` and `pop3` are null where
    nothing answers over that protocol.
    """

    protocol: Literal["imap", "pop3"] | None
    headline: str
    reasons: list[str]
    cautions: list[str]
    config: str | None
    imap: ServerSeen | None
    pop3: ServerSeen | None
