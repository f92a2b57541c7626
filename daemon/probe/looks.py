"""What a server shows of itself, over IMAP and over POP3: facts for an advice.

With a login also how much mail there is. Nothing on the server changes: no mailbox is selected, no message fetched.
"""

import asyncio
import base64
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from daemon.model.clock import Clock
from daemon.model.errors import MailError
from daemon.model.secret import Secret
from daemon.net.deadlines import Timers
from daemon.net.endpoint import Endpoint
from daemon.net.imap.client import ImapClient
from daemon.net.pop3.client import Pop3Client
from daemon.net.pop3.values import MaildropEntry
from daemon.wire.pop3.capabilities import Expire, LoginDelay

KNOCK = Timers(
    resolve_seconds=5.0,
    connect_seconds=5.0,
    handshake_seconds=8.0,
    greeting_seconds=8.0,
    silence_seconds=15.0,
)
"""A person waits for this, and most of the places tried are not there."""

Login = tuple[str, Secret]

_Client = TypeVar("_Client", ImapClient, Pop3Client)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """How much mail there is; octets None where the server does not say. One mailbox on POP3."""

    mailboxes: int
    messages: int
    octets: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImapLook:
    """An IMAP server. `login_error` says why the login was refused, None where it was not, or not tried."""

    endpoint: Endpoint
    capabilities: frozenset[str]
    mechanisms: frozenset[str]
    has_idle: bool
    has_notify: bool
    has_move: bool
    has_uidplus: bool
    has_quick_resync: bool
    contents: Contents | None = None
    login_error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pop3Look:
    """A POP3 server. `has_uidl` None where neither its capabilities nor a message in the maildrop shows it."""

    endpoint: Endpoint
    capabilities: frozenset[str]
    mechanisms: frozenset[str]
    has_uidl: bool | None
    has_top: bool
    expire: Expire | None
    login_delay: LoginDelay | None
    contents: Contents | None = None
    login_error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Nothing answers over this protocol; the places tried and why each is none."""

    tried: tuple[tuple[Endpoint, str], ...] = field(default_factory=tuple)


async def look_at_imap(
    endpoints: Sequence[Endpoint], login: Login | None, clock: Clock, timers: Timers = KNOCK
) -> ImapLook | Silence:
    """The first of these places where IMAP is spoken over a line that can be trusted."""
    found = await _first(endpoints, lambda endpoint: ImapClient.connect(endpoint, clock=clock, timers=timers))
    if isinstance(found, Silence):
        return found
    endpoint, client = found
    contents: Contents | None = None
    error: str | None = None
    try:
        if login is not None:
            try:
                await client.authenticate(*login)
                contents = await _imap_contents(client)
            except MailError as exc:
                error = _said(exc, login)
        caps = client.caps
        return ImapLook(
            endpoint=endpoint,
            capabilities=caps.names,
            mechanisms=caps.sasl_mechanisms,
            has_idle=caps.has("IDLE"),
            has_notify=caps.has("NOTIFY"),
            has_move=caps.has("MOVE"),
            has_uidplus=caps.has("UIDPLUS"),
            has_quick_resync=caps.has("QRESYNC"),
            contents=contents,
            login_error=error,
        )
    finally:
        await client.logout()


async def _imap_contents(client: ImapClient) -> Contents:
    mailboxes = [mailbox for mailbox in await client.list_mailboxes() if mailbox.is_selectable]
    octets: int | None = None
    if client.caps.has("STATUS=SIZE"):
        results = [await client.status(mailbox, with_size=True) for mailbox in mailboxes]
        octets = sum(result.size or 0 for result in results)
    return Contents(
        mailboxes=len(mailboxes),
        messages=sum(mailbox.message_count or 0 for mailbox in mailboxes),
        octets=octets,
    )


async def look_at_pop3(
    endpoints: Sequence[Endpoint], login: Login | None, clock: Clock, timers: Timers = KNOCK
) -> Pop3Look | Silence:
    """The first of these places where POP3 is spoken over a line that can be trusted."""
    found = await _first(endpoints, lambda endpoint: Pop3Client.connect(endpoint, clock=clock, timers=timers))
    if isinstance(found, Silence):
        return found
    endpoint, client = found
    contents: Contents | None = None
    error: str | None = None
    has_ids: bool | None = True if client.caps.has("UIDL") else None
    try:
        if login is not None:
            try:
                await client.authenticate(*login)
                entries = await client.list_messages()
                has_ids = _has_ids(client, entries)
                contents = Contents(
                    mailboxes=1, messages=len(entries), octets=sum(entry.size or 0 for entry in entries)
                )
                await client.quit()
            except MailError as exc:
                error = _said(exc, login)
        caps = client.caps
        return Pop3Look(
            endpoint=endpoint,
            capabilities=caps.names,
            mechanisms=caps.sasl_mechanisms,
            has_uidl=has_ids,
            has_top=caps.has("TOP"),
            expire=caps.expire,
            login_delay=caps.login_delay,
            contents=contents,
            login_error=error,
        )
    finally:
        client.abort()


def _has_ids(client: Pop3Client, entries: Sequence[MaildropEntry]) -> bool | None:
    """Whether messages have unique ids: an empty maildrop proves nothing, and one id that was listed proves them."""
    if client.caps.has("UIDL"):
        return True
    return any(one.uidl is not None for one in entries) if entries else None


def _said(error: MailError, login: Login) -> str:
    """The error's sentence, without the secret: it has the server's words, and a server may repeat what it was told."""
    username, secret = login
    text, shown = secret.reveal(), str(error)
    for spelling in (text, _base64(text), _base64(f"\0{username}\0{text}")):
        if spelling:
            shown = shown.replace(spelling, "***")
    return shown


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "replace")).decode()


async def _first(
    endpoints: Sequence[Endpoint], connect: Callable[[Endpoint], Coroutine[Any, Any, _Client]]
) -> tuple[Endpoint, _Client] | Silence:
    """Knock everywhere at once; the likeliest that answers is kept, the others are let go of."""
    knocks = [
        asyncio.create_task(connect(endpoint), name=f"probe:{endpoint.host}:{endpoint.port}")
        for endpoint in endpoints
    ]
    tried: list[tuple[Endpoint, str]] = []
    try:
        for endpoint, knock in zip(endpoints, knocks, strict=True):
            try:
                return endpoint, await knock
            except MailError as exc:
                tried.append((endpoint, str(exc)))
        return Silence(tried=tuple(tried))
    finally:
        await _let_go(knocks[len(tried) + 1 :])


async def _let_go(knocks: Sequence[asyncio.Task[_Client]]) -> None:
    for knock in knocks:
        knock.cancel()
    for outcome in await asyncio.gather(*knocks, return_exceptions=True):
        if isinstance(outcome, ImapClient | Pop3Client):
            outcome.abort()
