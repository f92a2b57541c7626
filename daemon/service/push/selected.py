"""The mailbox that the main line has selected: which it is, and what the server said of it that no scan has taken.

A pass may leave INBOX and select it again for what it has to change there: mail that came meanwhile is told by that
SELECT and by nothing else, neither IDLE nor NOTIFY. So what each SELECT said is held against the store, once.
"""

from structlog.typing import FilteringBoundLogger

from daemon.model.errors import ServerRefused, Throttled
from daemon.model.ids import INBOX, AccountId
from daemon.model.mailbox import MailboxRecord
from daemon.model.states import WatchMode
from daemon.net.imap.client import ImapClient, Selection
from daemon.net.imap.pushes import key_of
from daemon.service.pace import Pace
from daemon.service.pulse import Pulse
from daemon.service.push.news import Kept, is_behind
from daemon.service.wakes import NOTHING, Agenda
from daemon.store.store import Store


class Selected:
    """One line's view of its selected mailbox."""

    def __init__(
        self,
        *,
        account: AccountId,
        client: ImapClient,
        store: Store,
        pulse: Pulse,
        pace: Pace,
        log: FilteringBoundLogger,
    ) -> None:
        self._account = account
        self._client = client
        self._store = store
        self._pulse = pulse
        self._pace = pace
        self._log = log
        self._judged: Selection | None = None
        self._followed: dict[bytes, Selection] = {}
        self.inbox_refusal: ServerRefused | None = None
        """Why INBOX cannot be watched on this line."""

    def record(self, kept: Kept) -> MailboxRecord | None:
        """The record of the selected mailbox, if it is one of those `kept`."""
        selection = self._client.selection
        return None if selection is None else kept.get(key_of(selection.wire_name))

    def heard(self, kept: Kept) -> Agenda:
        """The selected mailbox, if something was heard of it that no scan has taken."""
        if not self._client.has_own_news:
            return NOTHING
        record = self.record(kept)
        if record is None:
            self._client.drain_heard()  # of a mailbox that nobody keeps in step: no scan would ever take it
            return NOTHING
        return Agenda(frozenset({record.name}))

    def unseen(self, kept: Kept) -> Agenda:
        """The selected mailbox, if its SELECT told more than the store has; each SELECT is judged once.

        The same numbers are followed once: a message that cannot be fetched would otherwise keep us from watching.
        """
        said, record = self._client.as_selected, self.record(kept)
        if said is None or record is None or record.frozen_reason is not None or said is self._judged:
            return NOTHING
        self._judged = said
        before = self._followed.pop(said.wire_name, None)
        if not is_behind(record, said):
            return NOTHING
        self._followed[said.wire_name] = said
        return NOTHING if before is not None and _same(before, said) else Agenda(frozenset({record.name}))

    async def open_inbox(self, mode: WatchMode) -> None:
        """Select INBOX where it must be, or nothing else is; `inbox_refusal` where the server refuses."""
        record = await self._store.mailboxes.get(self._account, INBOX)
        selection = self._client.selection
        is_elsewhere = selection is not None and mode is WatchMode.NOTIFY
        if record is None or self.inbox_refusal is not None or is_elsewhere:
            return
        if selection is not None and selection.wire_name == record.wire_name:
            return
        self._pulse.expect(self._pace.watch_grace_seconds)
        try:
            await self._client.select(record.wire_name)
        except ServerRefused as exc:
            if isinstance(exc, Throttled):
                raise
            self.inbox_refusal = exc
            self._log.warning("inbox.refused", reason=exc.reason, code=exc.code)


def _same(one: Selection, other: Selection) -> bool:
    return (one.uid_validity, one.uid_next, one.highest_mod_seq, one.exists) == (
        other.uid_validity,
        other.uid_next,
        other.highest_mod_seq,
        other.exists,
    )
