"""What a server shows, in words for somebody who knows none of the protocols' own. Pure."""

from daemon.model.advice import ServerSeen
from daemon.probe.looks import ImapLook, Pop3Look, Silence
from daemon.wire.pop3.capabilities import Expire, LoginDelay


def seen(look: ImapLook | Pop3Look | Silence) -> ServerSeen | None:
    """The server as it is told to whoever asked; None where nothing answers."""
    if isinstance(look, Silence):
        return None
    contents = look.contents
    seconds = expire = None
    has_ids = None
    if isinstance(look, Pop3Look):
        seconds = look.login_delay.seconds if look.login_delay is not None else None
        expire, has_ids = look.expire, look.has_uidl
    return ServerSeen(
        host=look.endpoint.host,
        port=look.endpoint.port,
        tls=look.endpoint.tls.value,
        capabilities=tuple(sorted(look.capabilities)),
        mechanisms=tuple(sorted(look.mechanisms)),
        facts=imap_facts(look) if isinstance(look, ImapLook) else pop3_facts(look),
        mailboxes=contents.mailboxes if contents is not None else None,
        messages=contents.messages if contents is not None else None,
        octets=contents.octets if contents is not None else None,
        login_error=look.login_error,
        has_unique_ids=has_ids,
        is_mail_expiring=expire.days is not None if expire is not None else None,
        expire_days=expire.days if expire is not None else None,
        login_delay_seconds=seconds,
    )


def imap_facts(look: ImapLook) -> tuple[str, ...]:
    """How it tells of new mail."""
    if look.has_notify:
        return ("tells of new mail at once, in all mailboxes (NOTIFY)",)
    if look.has_idle:
        return ("tells of new mail at once, in one mailbox on each connection (IDLE)",)
    return ("does not tell of new mail by itself: it has to be asked (no IDLE)",)


def pop3_facts(look: Pop3Look) -> tuple[str, ...]:
    """How messages are named, how long they may stay, and how often it may be asked."""
    found = [_of_ids(look.has_uidl), _of_expiry(look.expire)]
    if look.login_delay is not None and look.login_delay.seconds:
        found.append(_of_delay(look.login_delay))
    return tuple(found)


def _of_ids(has_uidl: bool | None) -> str:
    if has_uidl is None:
        return "does not say whether messages have lasting names (UIDL)"
    if has_uidl:
        return "gives each message a lasting name, so that it is fetched once only (UIDL)"
    return "gives messages no lasting names (no UIDL)"


def _of_expiry(expire: Expire | None) -> str:
    if expire is None:
        return "does not say how long mail may stay there (no EXPIRE)"
    if expire.days is None:
        return "lets mail stay there for as long as you like (EXPIRE NEVER)"
    per_user = "; it may be longer for your account" if expire.is_per_user else ""
    return f"removes mail by itself, {expiry(expire.days)} (EXPIRE {expire.days}){per_user}"


def _of_delay(delay: LoginDelay) -> str:
    per_user = "; it may be less for your account" if delay.is_per_user else ""
    return f"wants at least {span(delay.seconds)} between two visits (LOGIN-DELAY {delay.seconds}){per_user}"


def expiry(days: int) -> str:
    """When the server removes a message: 0 days means that none may be left there (RFC 2449 §6.7)."""
    if days == 0:
        return "as soon as it was fetched"
    return "after a day" if days == 1 else f"after {days:,} days"


def span(seconds: int) -> str:
    """`45 seconds`, `10 minutes`."""
    if seconds >= 120 and seconds % 60 == 0:
        return f"{seconds // 60:,} minutes"
    return f"{seconds:,} second{'' if seconds == 1 else 's'}"
