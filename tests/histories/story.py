"""One history as it is lived: the model, both sides, and the engine between them.

Acts (`acts_here`, `acts_there`) change one side and the model; `meet` lets the engine make both sides equal, compares
them with the model, and looks that a further pass writes nothing. Between acts a single pass may run, the line may be
cut, a pass may be broken off and the store opened again; an act may also fall into the middle of a pass.
"""

import asyncio
import contextlib
import inspect
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from daemon.model.errors import ConnectionLost, StoreForeign
from daemon.model.ids import MailboxName
from daemon.model.passes import PassResult
from daemon.model.settings import DeleteRule
from daemon.service.quiescence import run_to_quiescence
from daemon.service.wakes import WakeReason
from daemon.sync import guard
from tests.histories import checks, handles
from tests.histories.backup import Backup, Part
from tests.histories.ear import Ear, as_told
from tests.histories.here import Here
from tests.histories.model import Model
from tests.histories.nouns import INBOX, NOON, STOWAGE, Box, Side
from tests.histories.worlds import FIRST_MAILBOXES, TLS, Stage
from tests.support.bridge import MOST_PASSES, Bridge, open_bridge, settings_for

T = TypeVar("T")
MOST_TRIES: Final = 6
NAMES: Final = (
    "Projects",
    "Entwürfe",
    "Archive/2024",
    "a.b",
    "Projects/R&D",
    "INBOX/Below",
    *FIRST_MAILBOXES,
)


def pick(choices: Sequence[T], at: int) -> T | None:
    """One of them, whatever the number; None where there is nothing to choose."""
    return choices[at % len(choices)] if choices else None


class Story:
    """The history of one account."""

    bridge: Bridge
    here: Here
    ear: Ear

    def __init__(self, stage: Stage, rule: DeleteRule, note: Callable[[str], None]) -> None:
        self.model: Model = stage.beginning or Model(has_uidplus=stage.has_uidplus)
        self.model.use(rule)
        self.there = stage.there
        self.stage = stage
        self._settings = settings_for(
            stage.mailbag, port=stage.line.port, tls=TLS, ca_file=None, delete=rule, exclude=(STOWAGE,)
        )
        self.told: list[str] = []
        self._to_hypothesis = note
        self._is_line_meddled_with = False
        self._has_seen_all = False  # a pass over everything has gone through on this line
        self._is_strict = True  # nothing ran between the changes of this round and its meeting
        self._waiting: list[tuple[int, Callable[..., object], tuple]] = []
        self._was_disturbed = False
        self._fault: BaseException | None = None
        self._countdown: int | None = None
        self._backup: Backup | None = None
        self._at_zero: Callable[[], None] = _nothing
        self._open = contextlib.AsyncExitStack()
        stage.line.before_command = self._on_command

    # Life

    async def begin(self) -> None:
        """One message a mailbox, in step."""
        await self.open()
        if self.stage.beginning is not None:
            self._backup = Backup.of(self.stage.template, self.model)
            return
        self.here.make_mailbox(self.directory_of(STOWAGE))
        self.take_in_new_mailboxes()
        for box in self.model.boxes:
            octets, date = self.octets(None)
            one = self.model.add(octets, box, date, set(), None)
            one.uid = self.there.append(box.name, octets, set(), date)
        await self.meet()

    async def open(self) -> None:
        """The engine as a start of the service opens it."""
        self.bridge = await self._open.enter_async_context(
            open_bridge(self.stage.store, self.stage.mailbag, settings=self._settings)
        )
        self.here = Here(self.bridge.tree.root)
        await self.bridge.engine.recover()
        self.ear = Ear(self.bridge)
        self._open.callback(self.ear.close)
        self._has_seen_all = False

    async def close(self) -> None:
        self._forget_countdown()
        await self._open.aclose()
        self._open = contextlib.AsyncExitStack()

    async def restart(self) -> None:
        await self.close()
        await self.open()

    def _note(self, said: str) -> None:
        self.told.append(said)
        self._to_hypothesis(said)

    # Acts

    async def do(self, act: Callable[..., object], *arguments: object) -> None:
        """Change one side, and the model with it."""
        said = act(self, *arguments)
        if inspect.isawaitable(said):
            said = await said
        if said is not None:
            self._note(f"{act.__module__.rpartition('_')[2]}: {said}")

    def do_later(self, commands: int, act: Callable[..., object], *arguments: object) -> None:
        """The same in the middle of the next pass, before the server has that many commands."""
        self._waiting.append((commands, act, arguments))

    def octets(self, like: int | None, box: Box | None = None, side: Side | None = None) -> tuple[bytes, int]:
        """Octets and date of a new message; those of an old one where `like` chooses it.

        Not where UIDs are void: which of two equal files was on the server before is then known by nobody. And not
        of one that this side removed: that would be a move.
        """
        is_void = box is not None and box.is_reset
        gone = self.model.gone[side] if side is not None else set()
        choices = [one for one in self.model.placed if not is_void and one.octets not in gone]
        old = pick(choices, like) if like is not None else None
        if old is not None:
            return old.octets, old.date
        number = self.next_number()
        text = f"Message-ID: <{number}@history>\r\nSubject: {number}\r\n\r\n{'x' * (number % 7)}\r\n"
        return text.encode(), NOON + number

    def next_number(self) -> int:
        self.model.numbers += 1
        return self.model.numbers

    def take_in_new_mailboxes(self) -> None:
        """Mailboxes that the server has and the model does not, those above a new one among them."""
        for name in sorted(self.there.mailboxes(), key=lambda name: (name != INBOX, name)):
            if self.model.box(name) is None:
                self.model.boxes.append(Box(name))

    def name(self, at: int, box: Box | None = None) -> str | None:
        """A name for a new mailbox, or another for this one; Dovecot's own Maildir++ has no dots."""
        names = [
            name
            for name in self.model.free_names(NAMES)
            if not (self.stage.is_dovecot and "." in name)
            and not (box is not None and name.startswith(f"{box.name}/"))
        ]
        return pick(names, at)

    def directory_of(self, name: str) -> str:
        """Where a person would look for a mailbox of that name."""
        return self.bridge.tree.directory_of(MailboxName(name))

    # Passes

    async def one_pass(self, box: Box | None) -> None:
        """A single pass, over one mailbox or all, however it ends."""
        self._is_strict = self._was_disturbed = False
        only = None if box is None else {MailboxName(box.name)}
        try:
            await self.bridge.run_pass(only=only)
        except ConnectionLost:
            self._note_line_lost()
        except StoreForeign:
            if not self._was_disturbed:
                raise
        else:
            if only is None:
                await self._note_all_seen()
        await handles.find(self)
        await self._decide()

    async def pass_as_told(self, there: int, *, is_decided: bool) -> None:
        """What a session does next: a look at what the watch and the server have told, at everything after a start.

        `there` says of which mailboxes the server has news. Holds may wait for a person until another pass.
        """
        self._is_strict = self._was_disturbed = False
        for number, box in enumerate(self.model.boxes):
            if box.directory is not None and there >> number & 1:
                self.ear.wake(MailboxName(box.name), WakeReason.SERVER)
        try:
            await self.look_at_what_was_told()
        except ConnectionLost:
            self._note_line_lost()
        except StoreForeign:
            if not self._was_disturbed:
                raise
        await handles.find(self)
        if is_decided:
            await self._decide()

    async def look_at_what_was_told(self) -> PassResult:
        agenda = self.ear.take()
        if agenda.is_everything or not self._has_seen_all:
            result = await run_to_quiescence(
                self.bridge.engine, await self.bridge.connect(), passes_limit=MOST_PASSES
            )
            await self._note_all_seen()
            return result
        if agenda.is_empty:
            return PassResult()
        self._note(f"told: {as_told(agenda)}")
        result = await self.bridge.run_pass(only=agenda.only, news=agenda.news)
        return result.plus(await self.bridge.run_pass(only=agenda.only)) if result.moved else result

    async def disconnect(self) -> None:
        await self.bridge.disconnect()
        self._has_seen_all = False

    async def approve(self, at: int) -> None:
        """A person approves what is held in one mailbox, and the engine does not know yet what comes before its pass."""
        held = self.bridge.engine.held
        name = pick(sorted(held), at)
        if name is not None:
            self._judge(name, held[name])
            await self.bridge.engine.approve(name)
            self._note(f"approved beforehand: {held[name].reason} in {name}")

    def _note_line_lost(self) -> None:
        self.bridge.client = None
        self._has_seen_all = False

    async def _note_all_seen(self) -> None:
        self._has_seen_all = True
        await self.ear.learn()

    async def break_off(self, commands: int) -> None:
        """A pass that is cancelled at that command, and the store opened again."""
        self._is_strict = self._was_disturbed = False
        task = asyncio.get_running_loop().create_task(self.bridge.run_pass(), name="history:pass")
        self._count_down(commands, task.cancel)
        try:
            await task
        except (ConnectionLost, asyncio.CancelledError):
            pass
        except StoreForeign:
            if not self._was_disturbed:
                raise
        await self.restart()
        await handles.find(self)

    def meddle(self, commands: int, *, is_done: bool) -> None:
        """Cut the line at that command, which is carried out all the same or not. Once a round: see `sync.md` 19."""
        if self._is_line_meddled_with:
            return
        self._is_line_meddled_with = True
        line = self.stage.line
        self._count_down(commands, lambda: (line.lose if is_done else line.cut)(b""))

    async def put_back_backup(self, part: Part) -> None:
        """Older files in place of what there is, at a meeting; where the end could not be told, a new backup is kept."""
        await self.meet()
        await self.close()
        if self._backup is not None and self._backup.may_be_put_back(part, self.model):
            self._backup.put_back(self.stage.store, part, self.model)
            self._note(f"backup put back: {part.name}")
        else:
            self._backup = Backup.keep(self.stage.store, self.model)
            self._note("backup kept")
        await self.open()
        # What is copied under its old name into its old place before the review cannot be told from what was there then.
        await self.meet()

    async def meet(self) -> None:
        """Both sides are made equal and are what the model says; then nothing is left to do."""
        while True:
            self._was_disturbed = False
            await self._sync()
            for _, act, arguments in self._take_waiting():
                self._was_disturbed = True
                await self.do(act, *arguments)
            if not self._was_disturbed:
                break
        self._forget_countdown()
        await self._decide()
        if self._fault is not None:
            raise self._fault
        await checks.everything(self)
        await checks.rest(self)
        await handles.assign(self)
        self.model.begin_round()
        self._is_line_meddled_with, self._is_strict = False, True

    async def _sync(self) -> None:
        for _ in range(MOST_TRIES):
            try:
                await self.bridge.sync()
                await self._note_all_seen()
            except ConnectionLost:
                self._note_line_lost()
            except StoreForeign:
                if (
                    not self._was_disturbed
                ):  # a directory that went in the middle of the pass is understood by the next
                    raise
            else:
                return
        raise AssertionError("the line is lost every time")

    def _on_command(self, _command: bytes) -> None:
        if self._countdown is not None:
            self._countdown -= 1
            if self._countdown < 0:
                self._countdown = None
                self._at_zero()
        self._waiting = [(commands - 1, act, arguments) for commands, act, arguments in self._waiting]
        due = [one for one in self._waiting if one[0] < 0]
        self._waiting = [one for one in self._waiting if one[0] >= 0]
        for _, act, arguments in due:
            self._is_strict, self._was_disturbed = False, True
            try:
                said = act(self, *arguments)
            except BaseException as exc:  # in the line's task nobody would hear of it
                self._fault = exc
                raise
            if said is not None:
                self._note(f"in the middle of a pass, {act.__module__.rpartition('_')[2]}: {said}")

    def _take_waiting(self):
        waiting, self._waiting = self._waiting, []
        return waiting

    def _count_down(self, commands: int, at_zero: Callable[[], object]) -> None:
        self._countdown, self._at_zero = commands, at_zero

    def _forget_countdown(self) -> None:
        self._countdown, self._at_zero = None, _nothing
        self.stage.line.rules.clear()

    async def _decide(self) -> None:
        """Approve what is held, and what is held only once that is done: nothing is proved while a directory is lost."""
        for _ in range(MOST_TRIES):
            while (
                self.bridge.engine.held and self._was_disturbed
            ):  # a directory that went in the middle of the pass
                self._was_disturbed = False
                await self._sync()
            if not self.bridge.engine.held:
                return
            for name, hold in list(self.bridge.engine.held.items()):
                self._judge(name, hold)
                await self.bridge.engine.approve(name)
                self._note(f"approved: {hold.reason} in {name}")
            await self._sync()
        raise AssertionError(f"held whatever is approved: {self.bridge.engine.held}")

    def _judge(self, name: str, hold: guard.HeldDeletions) -> None:
        """A hold may only be of a mailbox that was removed, or emptied: two within minutes are (sync.md 13)."""
        box = self.model.box_that_was(name)
        assert box is not None, hold
        if box in self.model.lost:
            return
        emptied = Side.THERE if hold.side is guard.Side.HERE else Side.HERE
        left = self.model.residents(box, emptied)
        assert not left if self._is_strict else box.was_emptied, f"a false hold: {hold}, {left}"
        assert "emptied" in hold.reason, hold


def _nothing() -> None:
    """No command is waited for."""
