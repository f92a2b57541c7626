"""Making answers' models from the service's values: times, sizes, digests and text in the form that goes out."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from api import schemas
from daemon.model.events import Event
from daemon.model.flags import SEEN
from daemon.model.ids import EventId
from daemon.model.jobs import Job
from daemon.model.message import Message
from daemon.model.operations import Operation
from daemon.model.service_status import MailboxStatus, ServiceStatus, last_sync_age_seconds
from daemon.model.states import AccountStatus

_EARLIEST: Final = datetime(1, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9999, 12, 31, tzinfo=UTC)


def moment(seconds: float) -> datetime:
    """Seconds since 1970 as a time in UTC; what the calendar does not reach becomes its nearest end."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return _LATEST if seconds > 0 else _EARLIEST


def moment_or_none(seconds: float | None) -> datetime | None:
    """The same, for times that may be unknown."""
    return None if seconds is None else moment(seconds)


def clean(text: str) -> str:
    """The text without lone surrogates, which JSON over UTF-8 cannot carry."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def clean_or_none(text: str | None) -> str | None:
    """The same, for text that may be absent."""
    return None if text is None else clean(text)


def account_summary(status: AccountStatus, now: float) -> schemas.AccountSummary:
    age = last_sync_age_seconds(status, now)
    return schemas.AccountSummary(
        protocol=status.protocol,
        state=status.state,
        since=moment(status.since),
        unread=status.unread,
        total=status.total,
        last_sync=moment_or_none(status.last_sync),
        last_sync_age_seconds=None if age is None else round(age, 3),
        reason=status.reason,
        detail=clean_or_none(status.detail),
        remedy=clean_or_none(status.remedy),
        retry_at=moment_or_none(status.retry_at),
    )


def service_status(status: ServiceStatus) -> schemas.Status:
    return schemas.Status(
        state=status.state,
        version=status.version,
        uptime_seconds=round(status.uptime_seconds, 3),
        unread=status.unread,
        total=status.total,
        accounts_ok=status.accounts_ok,
        accounts_error=status.accounts_error,
        last_sync=moment_or_none(status.last_sync),
        event_id=status.event_id,
        accounts={account: account_summary(one, status.at) for account, one in status.accounts.items()},
    )


def health(status: AccountStatus) -> schemas.Health:
    return schemas.Health(
        account=status.account,
        state=status.state,
        since=moment(status.since),
        reason=status.reason,
        detail=clean_or_none(status.detail),
        remedy=clean_or_none(status.remedy),
        retry_at=moment_or_none(status.retry_at),
    )


def job(value: Job) -> schemas.JobAnswer:
    result = value.result
    return schemas.JobAnswer(
        id=value.id,
        account=value.account,
        kind=value.kind,
        state=value.state,
        created_at=moment(value.created_at),
        finished_at=moment_or_none(value.finished_at),
        result=None
        if result is None
        else schemas.JobResult(
            downloaded=result.downloaded,
            uploaded=result.uploaded,
            flags_changed=result.flags_changed,
            removed_here=result.removed_here,
            expunged_there=result.expunged_there,
            moved=result.moved,
            failed=result.failed,
            held=result.held,
        ),
        reason=value.reason,
        detail=clean_or_none(value.detail),
    )


def mailbox_item(value: MailboxStatus) -> schemas.MailboxItem:
    record = value.record
    return schemas.MailboxItem(
        name=clean(record.name),
        role=record.special_use,
        total=value.counts.total,
        unread=value.counts.unread,
        uid_validity=record.uid_validity,
        watch=value.watch,
        lag_seconds=None if value.lag_seconds is None else round(value.lag_seconds, 3),
        frozen_reason=record.frozen_reason,
    )


def message_item(message: Message) -> schemas.MessageItem:
    envelope = message.content.envelope
    return schemas.MessageItem(
        id=message.id,
        account=message.account,
        mailbox=clean(message.mailbox),
        flags=sorted(clean(flag) for flag in message.flags),
        unread=SEEN not in message.flags,
        subject=clean(envelope.subject),
        sender=clean(envelope.sender),
        recipients=clean(envelope.recipients),
        message_id_header=clean(envelope.message_id_header),
        date_header=moment_or_none(envelope.date_header),
        internal_date=moment(message.internal_date),
        size_bytes=message.content.wire_size,
        sha256=message.content.wire_sha256.hex(),
        unmatched=message.is_unmatched,
    )


def operation(value: Operation) -> schemas.OperationAnswer:
    return schemas.OperationAnswer(
        id=value.id,
        account=value.account,
        message_id=value.message_id,
        kind=value.kind,
        state=value.state,
        scope=value.scope,
        add=sorted(value.add),
        remove=sorted(value.remove),
        mailbox=clean_or_none(value.target),
        created_at=moment(value.created_at),
        finished_at=moment_or_none(value.finished_at),
        reason=value.reason,
        detail=clean_or_none(value.detail),
    )


def event_item(event: Event) -> schemas.EventItem:
    return schemas.EventItem(
        id=event.id,
        name=event.name,
        account=event.account,
        mailbox=clean_or_none(event.mailbox),
        message_id=event.message_id,
        at=moment(event.at),
        data=_clean_data(event.data),
    )


def event_list(events: tuple[Event, ...], following: EventId) -> schemas.EventList:
    return schemas.EventList(items=[event_item(event) for event in events], next=following)


def _clean_data(data: Mapping[str, object]) -> dict[str, object]:
    return {clean(key): _clean_value(value) for key, value in data.items()}


def _clean_value(value: object) -> object:
    match value:
        case str():
            return clean(value)
        case Mapping():
            return _clean_data(value)
        case list() | tuple() | frozenset():
            return [_clean_value(one) for one in value]
        case _:
            return value
