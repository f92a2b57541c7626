"""Control: everything that may be asked of the running service, for the HTTP API, the socket and the dashboard.

Handlers call this and nothing below it. It never talks to a server: it reads what is stored, makes wishes durable and
wakes the account. Each resource has its own room beside this one; this page is the index.

Raises `NotFound` for what does not exist, `InvalidRequest` for what cannot be done, `EventsGone` for a place in the
journal that is no more, `StoreError` when the disk refuses. `wait_seconds` means everywhere: None does not wait; a
number waits at most so long, and what is returned says whether it is finished.
"""

from collections.abc import Collection

from daemon.model.advice import Consultation, Wants
from daemon.model.events import Event, EventName
from daemon.model.flags import NO_FLAGS, FlagSet
from daemon.model.ids import EventId
from daemon.model.jobs import Job
from daemon.model.message import Message, MessagePage, MessageQuery
from daemon.model.operations import Operation
from daemon.model.secret import Secret
from daemon.model.service_status import MailboxStatus, ServiceStatus
from daemon.model.states import AccountStatus
from daemon.service.control.access import Access
from daemon.service.control.accounts import AccountsControl
from daemon.service.control.advice import AdviceControl
from daemon.service.control.events import EventsControl, EventSubscription
from daemon.service.control.messages import MessagesControl, RawMessage
from daemon.service.control.status import StatusControl
from daemon.sync.guard import HeldDeletions


class Control:
    """The service as its clients see it; one instance, in the event loop's thread."""

    def __init__(
        self,
        *,
        status: StatusControl,
        accounts: AccountsControl,
        messages: MessagesControl,
        events: EventsControl,
        advice: AdviceControl,
        access: Access,
    ) -> None:
        self._status = status
        self._accounts = accounts
        self._messages = messages
        self._events = events
        self._advice = advice
        self._access = access

    # -- status ------------------------------------------------------------------------------------------------

    def status(self) -> ServiceStatus:
        """The whole service now; no I/O, always answers."""
        return self._status.status()

    def account_status(self, account: str) -> AccountStatus:
        """One account now; no I/O. NotFound(reason=account_unknown)."""
        return self._status.account_status(account)

    def is_account_healthy(self, account: str) -> bool:
        """Whether nobody needs to look at the account (decision 14); no I/O. NotFound(reason=account_unknown)."""
        return self._status.is_account_healthy(account)

    def is_ready(self) -> bool:
        """Whether the store is open and every account has its task; true before the first pass is done."""
        return self._status.is_ready()

    # -- accounts ----------------------------------------------------------------------------------------------

    async def request_sync(self, account: str, *, wait_seconds: float | None) -> Job:
        """A job that is done when a full pass, begun after this call, has reached quiescence."""
        return await self._accounts.request_sync(account, wait_seconds=wait_seconds)

    async def pause(self, account: str, *, wait_seconds: float | None) -> Job:
        """A job that is done when the account has let go of its server; durable before this returns."""
        return await self._accounts.pause(account, wait_seconds=wait_seconds)

    async def resume(self, account: str, *, wait_seconds: float | None) -> Job:
        """A job that is done when the account is logged in again; forgets refused logins. Durable before return."""
        return await self._accounts.resume(account, wait_seconds=wait_seconds)

    async def reconnect(self, account: str, *, wait_seconds: float | None) -> Job:
        """A job that is done when a new connection is logged in; forgets refused logins and waiting times."""
        return await self._accounts.reconnect(account, wait_seconds=wait_seconds)

    def held_deletions(self, account: str) -> tuple[HeldDeletions, ...]:
        """Deletions that were inferred from something missing and wait for a person, by mailbox; no I/O."""
        return self._accounts.held_deletions(account)

    async def approve_deletions(self, account: str, mailbox: str, *, wait_seconds: float | None) -> Job:
        """A job that is done when a pass has carried out what was held. NotFound(reason=hold_unknown)."""
        return await self._accounts.approve_deletions(account, mailbox, wait_seconds=wait_seconds)

    def job(self, job_id: str) -> Job:
        """A job of this run of the service, as far as it is now. NotFound(reason=job_unknown)."""
        return self._accounts.job(job_id)

    async def list_mailboxes(self, account: str) -> tuple[MailboxStatus, ...]:
        """The account's mailboxes by name, INBOX first. NotFound(reason=account_unknown)."""
        return await self._accounts.list_mailboxes(account)

    async def consult(
        self, address: str, wants: Wants, login: tuple[str, Secret] | None = None
    ) -> Consultation:
        """Which of the two protocols fits an address or host. InvalidRequest(reason=address_invalid); MailError with
        reason advice_busy while another one is looked at, or just after a refused login.
        """
        return await self._advice.consult(address, wants, login)

    # -- messages ----------------------------------------------------------------------------------------------

    async def list_messages(self, query: MessageQuery) -> MessagePage:
        """One page, newest first, over all accounts unless the query names one. NotFound(reason=account_unknown)."""
        return await self._messages.list_messages(query)

    async def get_message(self, message_id: str) -> Message:
        """One message; a hidden one (its deletion is on its way) is not found. NotFound(reason=message_unknown)."""
        return await self._messages.get_message(message_id)

    async def open_raw(self, message_id: str) -> RawMessage:
        """The message's octets in wire form, to be read once. NotFound(reason=message_unknown)."""
        return await self._messages.open_raw(message_id)

    async def change_flags(
        self,
        message_id: str,
        *,
        add: FlagSet = NO_FLAGS,
        remove: FlagSet = NO_FLAGS,
        wait_seconds: float | None,
    ) -> Operation:
        """The durable wish; the file is renamed before this returns, the server follows. Repeating is harmless.

        Raises:
            NotFound: reason message_unknown.
            InvalidRequest: reason flag_invalid, flags_contradict or flags_empty.
        """
        return await self._messages.change_flags(
            message_id, add=add, remove=remove, wait_seconds=wait_seconds
        )

    async def delete_message(self, message_id: str, *, wait_seconds: float | None) -> Operation:
        """The durable wish; the message is hidden before this returns, its file goes when the server has answered.

        Deleting a message whose deletion is on its way gives that operation again. NotFound(reason=message_unknown).
        """
        return await self._messages.delete_message(message_id, wait_seconds=wait_seconds)

    async def operation(self, operation_id: str, *, wait_seconds: float | None = None) -> Operation:
        """An operation as far as it is now, or when it is finished. NotFound(reason=operation_unknown)."""
        return await self._messages.operation(operation_id, wait_seconds=wait_seconds)

    # -- events ------------------------------------------------------------------------------------------------

    def latest_event_id(self) -> EventId:
        """The journal's end; no I/O."""
        return self._events.latest_id()

    async def events_since(
        self,
        since: str | None,
        *,
        types: Collection[EventName] | None = None,
        limit: int = 256,
        wait_seconds: float | None = None,
    ) -> tuple[Event, ...]:
        """Events after `since` in commit order, at most `limit`; waits for the first one where asked to.

        None is the beginning of what is kept. Raises EventsGone when `since` is of another epoch or pruned.
        """
        return await self._events.since(since, types=types, limit=limit, wait_seconds=wait_seconds)

    def subscribe_events(self) -> EventSubscription:
        """`async with` it and `await wait(timeout)`: true when something was committed since the last wait.

        It carries no events: read them with `events_since`. A slow reader costs nothing and misses nothing.
        """
        return self._events.subscribe()

    # -- access ------------------------------------------------------------------------------------------------

    def authenticate(self, token: str) -> bool:
        """Whether this is the admin token; takes the same time whatever is wrong with it."""
        return self._access.authenticate(token)
