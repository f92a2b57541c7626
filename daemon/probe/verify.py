"""An account tried out, step by step: connect, trust, log in, list. One attempt each; nothing on the server changes."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from daemon.model.clock import Clock
from daemon.model.errors import ConnectionLost, MailError, RemoteProtocolError, TlsFailed
from daemon.model.secret import Secret
from daemon.model.settings import AccountSettings, ImapSettings, Pop3Settings, Tls
from daemon.net.deadlines import DEFAULT_TIMERS, Timers
from daemon.net.endpoint import Endpoint
from daemon.net.imap.client import ImapClient
from daemon.net.pop3.client import Pop3Client

ReadPassword = Callable[[AccountSettings], Awaitable[Secret]]

CONNECT: Final = "connect"
TRUST: Final = "tls"
GREET: Final = "greeting"
PASSWORD: Final = "password"  # noqa: S105 - the name of a step
LOG_IN: Final = "log in"
LIST: Final = "list"
_SHOWN_CAPABILITIES: Final = (
    "IMAP4REV2",
    "QRESYNC",
    "CONDSTORE",
    "NOTIFY",
    "IDLE",
    "MOVE",
    "UIDPLUS",
    "COMPRESS=DEFLATE",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step's result. `detail` is a sentence for a person; a failed one has a stable `reason`, and often a remedy."""

    name: str
    is_ok: bool
    detail: str
    reason: str | None = None
    remedy: str | None = None


async def verify(
    settings: ImapSettings | Pop3Settings,
    *,
    read_password: ReadPassword,
    clock: Clock,
    timers: Timers = DEFAULT_TIMERS,
) -> AsyncGenerator[Step, None]:
    """Each step as it ends; the first that fails is the last.

    Never raises MailError. Closing the iterator early drops the line.
    """
    endpoint = Endpoint(host=settings.host, port=settings.port, tls=settings.tls, ca_file=settings.ca_file)
    client: ImapClient | Pop3Client
    try:
        client = await _connect(settings, endpoint, clock, timers)
    except MailError as exc:
        for step in _failed_line(endpoint, exc):
            yield step
        return
    try:
        for step in _good_line(endpoint, client):
            yield step
        name = PASSWORD
        try:
            secret = await read_password(settings)
            yield Step(name=PASSWORD, is_ok=True, detail="the password could be read")
            name = LOG_IN
            await client.authenticate(settings.username, secret)
            yield Step(name=LOG_IN, is_ok=True, detail=f"accepted as {settings.username}")
            name = LIST
            yield Step(name=LIST, is_ok=True, detail=await _listed(client))
            await _leave(client)
        except MailError as exc:
            yield _failed(name, exc)
    finally:
        client.abort()


async def _connect(
    settings: ImapSettings | Pop3Settings, endpoint: Endpoint, clock: Clock, timers: Timers
) -> ImapClient | Pop3Client:
    if isinstance(settings, ImapSettings):
        return await ImapClient.connect(endpoint, clock=clock, timers=timers)
    return await Pop3Client.connect(endpoint, clock=clock, timers=timers)


async def _listed(client: ImapClient | Pop3Client) -> str:
    if isinstance(client, Pop3Client):
        entries = await client.list_messages()
        size = sum(entry.size or 0 for entry in entries)
        named = "with" if all(entry.uidl for entry in entries) else "without"
        return f"{len(entries):,} messages of {size:,} bytes in all, {named} unique ids"
    mailboxes = await client.list_mailboxes()
    messages = sum(mailbox.message_count or 0 for mailbox in mailboxes)
    said = [name for name in _SHOWN_CAPABILITIES if client.caps.has(name)]
    return (
        f"{sum(mailbox.is_selectable for mailbox in mailboxes):,} mailboxes with {messages:,} messages; "
        f"the server offers {', '.join(said) or 'no extension of use'}"
    )


async def _leave(client: ImapClient | Pop3Client) -> None:
    if isinstance(client, Pop3Client):
        await client.quit()
    else:
        await client.logout()


def _good_line(endpoint: Endpoint, client: ImapClient | Pop3Client) -> list[Step]:
    where = f"{endpoint.host}:{endpoint.port}"
    steps = [Step(name=CONNECT, is_ok=True, detail=f"{where} answers")]
    if endpoint.tls is Tls.NONE:
        steps.append(Step(name=TRUST, is_ok=True, detail="in clear, which is allowed on this machine only"))
    else:
        steps.append(Step(name=TRUST, is_ok=True, detail=f"encrypted; the certificate is {endpoint.host}'s"))
    protocol = "POP3" if isinstance(client, Pop3Client) else "IMAP"
    steps.append(Step(name=GREET, is_ok=True, detail=f"it speaks {protocol}"))
    return steps


def _failed_line(endpoint: Endpoint, error: MailError) -> list[Step]:
    """What was reached before it failed, as far as the error tells."""
    where = f"{endpoint.host}:{endpoint.port}"
    good = [Step(name=CONNECT, is_ok=True, detail=f"{where} answers")]
    if isinstance(error, TlsFailed):
        return [*good, _failed(TRUST, error)]
    if isinstance(error, ConnectionLost) and error.reason not in {
        "not_imap",
        "not_pop3",
        "closed",
        "too_slow",
    }:
        return [_failed(CONNECT, error)]
    if isinstance(error, ConnectionLost | RemoteProtocolError) and endpoint.tls is Tls.IMPLICIT:
        good.append(Step(name=TRUST, is_ok=True, detail="encrypted"))
    return [*good, _failed(GREET, error)]


def _failed(name: str, error: MailError) -> Step:
    return Step(name=name, is_ok=False, detail=str(error), reason=error.reason, remedy=error.remedy)
