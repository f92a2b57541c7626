"""Wakes: why an account should look, gathered until it does.

Any number of wakes before the account looks are one; none is lost. Waking never blocks. The event loop's thread only.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from daemon.model.ids import MailboxName
from daemon.model.local_news import NO_NEWS, LocalNews, NewsOfFiles


class WakeReason(StrEnum):
    """Who asks for a look."""

    SCHEDULE = "schedule"
    LOCAL = "local"
    OPERATION = "operation"
    SERVER = "server"
    REQUEST = "request"


DISTRUSTFUL_REASONS: Final = frozenset({WakeReason.REQUEST})
"""Reasons to look even at directories whose stamp says that nothing changed. What a watch has seen shows in the stamp,
and an operation is found by itself; a person who asks may know better.
"""

TREE_REASONS: Final = frozenset({WakeReason.LOCAL, WakeReason.REQUEST})
"""Reasons to look at the files of a mailbox; the others are the server's or a wish's."""


@dataclass(frozen=True, slots=True)
class Agenda:
    """What is to be looked at. `only` None means every mailbox; an empty set means nothing. `news` is what was heard of
    the tree meanwhile: a mailbox that is not in it is looked at for the server's sake, or for a wish.
    """

    only: frozenset[MailboxName] | None = frozenset()
    reasons: frozenset[WakeReason] = frozenset()
    news: LocalNews = NO_NEWS

    @property
    def is_empty(self) -> bool:
        return self.only is not None and not self.only

    @property
    def is_everything(self) -> bool:
        return self.only is None

    @property
    def is_distrustful(self) -> bool:
        """Whether every directory is to be read, whatever its stamp says."""
        return bool(self.reasons & DISTRUSTFUL_REASONS)

    def joined(self, later: "Agenda") -> "Agenda":
        """With everything a later one has."""
        only = None if self.only is None or later.only is None else self.only | later.only
        return Agenda(only, self.reasons | later.reasons, self.news.joined(later.news))

    def plus(
        self, reason: WakeReason, mailbox: MailboxName | None, files: NewsOfFiles | None = None
    ) -> "Agenda":
        """With one more wake; `mailbox` None is every mailbox. `files` says what became of which file, None that nobody
        knows. Only a wake for the tree's sake says that something changed there.
        """
        reasons = self.reasons | {reason}
        if mailbox is None or self.only is None:
            return Agenda(None, reasons)
        news = self.news.plus(mailbox, files) if reason in TREE_REASONS else self.news
        return Agenda(self.only | {mailbox}, reasons, news)


NOTHING: Final = Agenda()
EVERYTHING: Final = Agenda(None)


class Wakes:
    """Gathers wakes and rings whoever listens."""

    __slots__ = ("_agenda", "_ring")

    def __init__(self) -> None:
        self._agenda = NOTHING
        self._ring: Callable[[], None] | None = None

    def wake(
        self,
        reason: WakeReason,
        mailbox: MailboxName | None = None,
        files: NewsOfFiles | None = None,
    ) -> None:
        """Ask for a look at `mailbox`, or at every one; `files` where it is known what became of which."""
        self._agenda = self._agenda.plus(reason, mailbox, files)
        if self._ring is not None:
            self._ring()

    @property
    def are_pressing(self) -> bool:
        """Whether something has gathered that the schedule did not ask for."""
        return not self._agenda.reasons <= {WakeReason.SCHEDULE}

    def take(self) -> Agenda:
        """What has gathered; from here on it is the taker's to do."""
        agenda, self._agenda = self._agenda, NOTHING
        return agenda

    @contextmanager
    def ringing(self, ring: Callable[[], None]) -> Iterator[None]:
        """Call `ring` at each wake meanwhile, and at once when something has gathered already."""
        self._ring = ring
        if not self._agenda.is_empty:
            ring()
        try:
            yield
        finally:
            self._ring = None
