"""Waiting for news on the main line: on the highest rung of the ladder that bears, and down when it breaks.

It says what to look at next, and does no work on mail. There is no sleep on the way from "the server said something" to
the agenda. Under NOTIFY any mailbox may be selected; on the IDLE rung INBOX is, and `watch_lines` watches others.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from structlog.typing import FilteringBoundLogger

from daemon.model.clock import Clock
from daemon.model.errors import ServerRefused, Throttled
from daemon.model.ids import INBOX, AccountId, MailboxName
from daemon.model.passes import PassResult
from daemon.model.settings import ImapSettings
from daemon.model.states import WatchMode
from daemon.net.imap.client import Heard, IdleEnd, ImapClient, StatusResult
from daemon.service.pace import Pace
from daemon.service.pulse import Pulse
from daemon.service.push import ladder
from daemon.service.push.chatter import PAUSE_SECONDS, Chatter
from daemon.service.push.in_step import InStep
from daemon.service.push.news import Kept, News, by_wire_name, read_news
from daemon.service.push.selected import Selected
from daemon.service.push.silence import SilenceTest
from daemon.service.push.trust import CLAIM_OF, Claim, Trust
from daemon.service.push.watch_lines import WatchLines
from daemon.service.wakes import EVERYTHING, NOTHING, Agenda, WakeReason, Wakes
from daemon.store.store import Store
from daemon.sync.imap_pass import ImapSync

_DAY_SECONDS: Final = 24 * 3600
_INBOX_ONLY: Final = Agenda(frozenset({INBOX}))

Show = Callable[[WatchMode], None]


class MainWatch:
    """One session's waiting. `next_agenda` is asked for again and again; between the calls the line belongs to others."""

    def __init__(
        self,
        *,
        settings: ImapSettings,
        store: Store,
        engine: ImapSync,
        client: ImapClient,
        lines: WatchLines,
        wakes: Wakes,
        trust: Trust,
        in_step: InStep,
        pulse: Pulse,
        clock: Clock,
        pace: Pace,
        show: Show,
        log: FilteringBoundLogger,
    ) -> None:
        self._account: AccountId = settings.id
        self._extra_count = ladder.extra_lines(settings.max_connections)
        self._store = store
        self._engine = engine
        self._client = client
        self._lines = lines
        self._wakes = wakes
        self._trust = trust
        self._in_step = in_step
        self._pulse = pulse
        self._clock = clock
        self._pace = pace
        self._show = show
        self._log = log
        self._chatter = Chatter(clock)
        self._silence = SilenceTest(client=client, trust=trust, wakes=wakes, clock=clock, pace=pace)
        self._selected = Selected(
            account=settings.id, client=client, store=store, pulse=pulse, pace=pace, log=log
        )
        self._told_of: frozenset[MailboxName] = frozenset()
        self._is_told_of_all = self._was_notify_tried = self._has_worked = False
        self._strangers: frozenset[bytes] = frozenset()
        self._followed: dict[bytes, StatusResult] = {}
        self._ranked: frozenset[MailboxName] = frozenset()
        self._ranked_at = self._looked_from = float("-inf")
        self._waiting_on: WatchMode | None = None
        lines.on_trouble = self._show_again

    async def next_agenda(self) -> Agenda:
        """What to look at next; it may be nothing, then ask again.

        Raises:
            ConnectionLost: The line is gone.
            Throttled: The server asks for patience.
        """
        await self._calm_down()
        mode = await self._rung()
        await self._place_lines(mode)
        self._lines.note_look(self._looked_from)
        if mode is WatchMode.NOTIFY and not self._client.has_notify:
            # The numbers that NOTIFY begins with leave out the selected mailbox: INBOX is ours in any case.
            if self._client.selection is not None:
                await self._selected.open_inbox(WatchMode.IDLE)
                if not (agenda := self._unseen(await self._kept())).is_empty:
                    return agenda
            return await self._begin_notify()
        if mode is not WatchMode.NOTIFY and self._client.has_notify:
            with suppress(ServerRefused):
                await self._client.notify_none()
        if mode is WatchMode.POLL:
            return await self._poll()
        if not (agenda := await self._selected_news(mode)).is_empty:
            return agenda
        if self._selected.inbox_refusal is not None and mode is WatchMode.IDLE:
            return NOTHING  # to come back on the rung below
        if mode is WatchMode.NOTIFY and not (agenda := await self._look_back()).is_empty:
            return agenda
        return await self._listen(mode)

    def note_found(self) -> None:
        """A pass found something: what the server said was no chatter."""
        self._chatter.clear()

    def note_full_pass(self, agenda: Agenda, result: PassResult, began: float) -> None:
        """A pass over everything that began then (monotonic) is done; what the schedule's found, the server had not told."""
        self._has_worked = True
        self._looked_from = began
        has_arrivals = result.downloaded > 0 or result.removed_here > 0
        if has_arrivals and agenda.reasons == {WakeReason.SCHEDULE} and self._client.has_notify:
            self._silence.suspect()
        self._silence.remember(self._engine.listed)

    def note_pass(self, mailboxes: frozenset[MailboxName], result: PassResult) -> None:
        """A pass over these mailboxes is done: what it changed there the server need not tell."""
        self._has_worked = True
        if not result.is_quiet:
            self._silence.excuse(mailboxes)

    def trouble(self, mode: WatchMode) -> tuple[str, str] | None:
        """Reason and sentence why a better rung than this one does not bear; None where nothing is wrong."""
        if self._selected.inbox_refusal is not None and mode is WatchMode.POLL:
            return "inbox_refused", str(self._selected.inbox_refusal)
        claims = {
            WatchMode.NOTIFY: (),
            WatchMode.IDLE: (Claim.NOTIFY,),
            WatchMode.POLL: (Claim.IDLE, Claim.NOTIFY),
        }
        for claim in claims[mode]:
            breach = self._trust.breach(claim)
            if breach is not None:
                return breach.reason, breach.detail
        return self._lines.trouble if mode is WatchMode.IDLE else None

    # -- the ladder --------------------------------------------------------------------------------------------

    async def _rung(self) -> WatchMode:
        client, trust = self._client, self._trust
        record = await self._store.mailboxes.get(self._account, INBOX)
        is_watchable = (
            record is not None and record.frozen_reason is None and self._selected.inbox_refusal is None
        )
        return ladder.rung(
            has_notify=client.caps.has("NOTIFY")
            and trust.breach(Claim.NOTIFY) is None
            and (client.has_notify or not self._was_notify_tried),
            has_idle=client.caps.has("IDLE") and trust.breach(Claim.IDLE) is None,
            can_watch_inbox=is_watchable,
        )

    async def _place_lines(self, mode: WatchMode) -> None:
        """Have the busiest mailboxes watched by lines of their own, where that is the rung."""
        if mode is not WatchMode.IDLE or self._extra_count == 0:
            self._lines.want(())
            self._ranked = frozenset()
            return
        names, now = frozenset(self._engine.listed), self._clock.monotonic()
        if names == self._ranked and now - self._ranked_at < self._pace.rank_seconds:
            self._lines.check()
            return
        self._ranked, self._ranked_at = names, now
        since = int(self._clock.now()) - ladder.BUSY_DAYS * _DAY_SECONDS
        arrivals = await self._store.messages.arrivals(self._account, since)
        self._lines.want(ladder.busiest((await self._kept()).values(), arrivals, self._extra_count))

    async def _kept(self) -> Kept:
        """Records of the mailboxes that are kept in step, by wire name."""
        listed = self._engine.listed
        records = await self._store.mailboxes.list(self._account)
        return by_wire_name(record for record in records if record.name in listed)

    async def _begin_notify(self) -> Agenda:
        """NOTIFY, once for each line: Dovecot 2.3 falls silent after a second one. It begins with all numbers."""
        self._was_notify_tried = True
        self._pulse.expect(self._pace.watch_grace_seconds)
        try:
            await self._client.notify()
        except ServerRefused as exc:
            self._give_up(Claim.NOTIFY, exc)
            return NOTHING
        kept = await self._kept()
        news = self._read(self._client.take_pushes(), kept, is_opening=True)
        selected = self._selected.record(kept)
        names = {record.name for record in kept.values()} - {None if selected is None else selected.name}
        if names and not names & news.told_of:
            detail = "the server accepts NOTIFY and names none of the account's mailboxes"
            self._trust.withdraw(Claim.NOTIFY, reason="notify_silent", detail=detail)
            return NOTHING
        self._told_of |= frozenset() if selected is None else {selected.name}
        self._is_told_of_all = names <= self._told_of
        return news.agenda

    async def _look_back(self) -> Agenda:
        """Mailboxes that changed when they were left, which nobody tells; the same numbers are followed once."""
        numbers = await self._client.look_back()
        if not numbers:
            return NOTHING
        kept = await self._kept()
        fresh = {name: told for name, told in numbers.items() if self._followed.get(name) != told}
        self._followed.update(fresh)
        news = read_news(Heard(mailboxes=fresh), kept, known_strangers=numbers, is_opening=True)
        return news.agenda

    async def _covered(self, mode: WatchMode) -> frozenset[MailboxName]:
        """The mailboxes this line tells of: other people's and public ones are not in NOTIFY's `personal`."""
        if mode is WatchMode.IDLE:
            return frozenset({INBOX})
        if not self._is_told_of_all:
            return self._told_of
        return frozenset(record.name for record in (await self._kept()).values())

    def _give_up(self, claim: Claim, refusal: ServerRefused) -> None:
        """Believe the claim no longer. A plea for patience is no proof against it: raised again."""
        if isinstance(refusal, Throttled):
            raise refusal
        self._trust.withdraw(claim, reason=f"{claim.lower()}_refused", detail=str(refusal))

    async def _selected_news(self, mode: WatchMode) -> Agenda:
        """The selected mailbox, if the server said more of it than is stored, and INBOX where it is selected for the wait."""
        kept = await self._kept()
        agenda = self._unseen(kept)
        if mode is WatchMode.IDLE and self._client.has_own_news:
            # Heard while it was scanned, of a mailbox that is about to be left: nobody would tell it again.
            self._chatter.note()
            agenda = agenda.joined(self._selected.heard(kept))
        if not agenda.is_empty:
            return agenda
        await self._selected.open_inbox(mode)
        return self._unseen(kept)

    def _unseen(self, kept: Kept) -> Agenda:
        agenda = self._selected.unseen(kept)
        if not agenda.is_empty:
            self._chatter.note()
        return agenda

    # -- waiting -----------------------------------------------------------------------------------------------

    async def _listen(self, mode: WatchMode) -> Agenda:
        """Wait in IDLE, or without a command under NOTIFY where there is no IDLE."""
        is_rung = False

        def ring() -> None:
            nonlocal is_rung
            is_rung = True
            self._client.wake()

        # QUIRK Dovecot 2.3.19, seen 2026-11, tests/benchmarks/latency.py: with 200 mailboxes some changes were told 20 to 30
        # seconds late; cause unknown. So the first wait after work is short, and ends with NOOP.
        is_settling = mode is WatchMode.NOTIFY and self._has_worked
        renew = self._pace.settle_seconds if is_settling else self._pace.idle_renew_seconds
        self._pulse.expect(renew + self._pace.watch_grace_seconds)
        self._begin_wait(mode, await self._covered(mode))
        began = self._clock.monotonic()
        try:
            with self._wakes.ringing(ring):
                end = await self._client.idle(renew_after=renew)
        except ServerRefused as exc:
            self._give_up(Claim.IDLE, exc)
            self._client.distrust(Claim.IDLE)
            return _INBOX_ONLY
        finally:
            self._end_wait()
        lasted = self._clock.monotonic() - began
        if end is IdleEnd.CHANGED:
            is_late = (is_rung or lasted >= renew) and lasted >= self._pace.tell_patience_seconds
            return await self._follow_news(mode, is_late=is_late)
        agenda = self._wakes.take()
        if is_settling and end is IdleEnd.RENEW:
            self._has_worked = False
            await self._client.noop()
            return agenda
        if end is IdleEnd.RENEW or WakeReason.SCHEDULE in agenda.reasons:
            await self._verify(mode, lasted)
        if end is IdleEnd.RENEW:
            return agenda.joined(_INBOX_ONLY)
        if WakeReason.SERVER in agenda.reasons:
            self._chatter.note()
        return agenda

    async def _follow_news(self, mode: WatchMode, *, is_late: bool) -> Agenda:
        """The mailboxes with news, and what else woke us: both ends of a move are looked at in one pass."""
        self._chatter.note()
        kept = await self._kept()
        news = self._read(self._client.take_pushes(), kept)
        claim = CLAIM_OF[mode]
        selected = self._selected.record(kept)
        has_pushes = bool(news.mailboxes) or news.is_everything
        if is_late:
            if has_pushes or self._client.has_comings_or_goings:
                self._trust.note_untold(claim, INBOX if selected is None else selected.name)
        elif has_pushes or mode is WatchMode.IDLE:
            self._trust.note_told(claim)
        agenda = news.agenda.joined(self._wakes.take())
        if mode is WatchMode.NOTIFY and not self._client.has_notify:
            self._trust.withdraw(
                Claim.NOTIFY,
                reason="notify_overflow",
                detail="the server stopped telling of changes because there were too many (NOTIFICATIONOVERFLOW)",
            )
        return agenda.joined(self._selected.heard(kept))

    def _read(self, heard: Heard, kept: Kept, *, is_opening: bool = False) -> News:
        news = read_news(heard, kept, known_strangers=self._strangers, is_opening=is_opening)
        self._silence.note_told(news.told_of)
        self._strangers |= news.strangers
        self._told_of |= news.told_of
        return news

    async def _verify(self, mode: WatchMode, lasted: float) -> None:
        """Nothing was told for a while: find out whether there was nothing to tell."""
        self._pulse.expect(self._pace.watch_grace_seconds)
        with suppress(ServerRefused):
            await self._client.noop()
        # Flags alone prove nothing: a server may keep them back from IDLE, as Gmail does (RFC 9051 §5.2).
        if self._client.has_comings_or_goings and lasted >= self._pace.tell_patience_seconds:
            selected = self._selected.record(await self._kept())
            self._trust.note_untold(CLAIM_OF[mode], INBOX if selected is None else selected.name)
        if mode is WatchMode.NOTIFY and self._trust.is_suspect(Claim.NOTIFY):
            untold = await self._silence.test(await self._covered(mode))
            if untold is not None:
                self._trust.note_untold(Claim.NOTIFY, untold)

    async def _poll(self) -> Agenda:
        """The next wake; a schedule that fell silent is made up for after twice its time."""
        patience = 2 * self._pace.pass_interval_seconds
        self._pulse.expect(patience + self._pace.watch_grace_seconds)
        woken = asyncio.Event()
        self._begin_wait(WatchMode.POLL, frozenset())
        try:
            with self._wakes.ringing(woken.set), suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await woken.wait()
        finally:
            self._end_wait()
        agenda = self._wakes.take()
        return EVERYTHING if agenda.is_empty else agenda

    async def _calm_down(self) -> None:
        """Wait a little, when the server keeps saying that something changed and nothing is ever found.

        A wake ends the wait; so would real news, a second later than else.
        """
        if not self._chatter.is_noisy:
            return
        self._pulse.expect(self._pace.watch_grace_seconds)
        woken = asyncio.Event()
        with self._wakes.ringing(woken.set), suppress(TimeoutError):
            async with asyncio.timeout(PAUSE_SECONDS):
                await woken.wait()

    def _begin_wait(self, mode: WatchMode, told_of: frozenset[MailboxName]) -> None:
        self._waiting_on = mode
        self._in_step.begin_wait(mode, told_of)
        self._show(mode)

    def _end_wait(self) -> None:
        self._waiting_on = None
        self._in_step.end_wait()

    def _show_again(self) -> None:
        if self._waiting_on is not None:
            self._show(self._waiting_on)
