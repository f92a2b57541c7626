"""What NOTIFY tells of other mailboxes, kept until a wait has announced it and somebody drained it. RFC 5465.

A scan drains what was heard of its own mailbox while pushes of others go on arriving. So a push is given out only by
the first drain after an `idle` that said CHANGED for it: none is lost to a reader that did not look for it.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from daemon.net.imap.values import Heard, StatusResult
from daemon.wire.imap.responses import StatusData

MOST_MAILBOXES: Final = 10_000
"""Mailboxes kept one by one; beyond it the reader is told to look at all of them."""


class Pushes:
    """Numbers by wire name, and whether the tree of mailboxes changed."""

    __slots__ = ("_has_listing_change", "_has_lost_track", "_is_announced", "_numbers")

    def __init__(self) -> None:
        self._numbers: dict[bytes, StatusData] = {}
        self._has_listing_change = self._has_lost_track = self._is_announced = False

    @property
    def has_news(self) -> bool:
        """Whether something waits to be drained."""
        return bool(self._numbers) or self._has_listing_change or self._has_lost_track

    def note_status(self, data: StatusData) -> None:
        """Numbers of a mailbox; a later push has only what changed, so it is joined to the one before."""
        key = key_of(data.wire_name)
        before = self._numbers.get(key)
        self._numbers[key] = data if before is None else data.joined(before)
        if len(self._numbers) > MOST_MAILBOXES:
            self._numbers.clear()
            self._has_lost_track = True

    def note_listing(self) -> None:
        """A mailbox or a subscription came, went or was renamed."""
        self._has_listing_change = True

    def note_overflow(self) -> None:
        """NOTIFICATIONOVERFLOW (RFC 5465 §5.8): the server tells nothing any more."""
        self._has_lost_track = True

    def announce(self) -> None:
        """Say that a wait ended for what is here: the next drain may give it out."""
        self._is_announced = self.has_news

    def add_to(self, heard: Heard) -> Heard:
        """`heard` with what was announced, which is forgotten here."""
        if not self._is_announced:
            return heard
        full = replace(
            heard,
            mailboxes={name: result_of(data) for name, data in self._numbers.items()},
            has_listing_change=self._has_listing_change,
            has_lost_track=self._has_lost_track,
        )
        self._numbers = {}
        self._has_listing_change = self._has_lost_track = self._is_announced = False
        return full


def key_of(wire_name: bytes) -> bytes:
    """A mailbox's name as a key: INBOX comes in any case (RFC 9051 §5.1)."""
    return b"INBOX" if len(wire_name) == 5 and wire_name.upper() == b"INBOX" else wire_name


def joined(answers: Iterable[StatusData]) -> StatusData | None:
    """One answer of several about the same mailbox, the last word winning."""
    known: StatusData | None = None
    for data in answers:
        known = data if known is None else data.joined(known)
    return known


def result_of(data: StatusData) -> StatusResult:
    """The numbers as callers see them."""
    return StatusResult(
        uid_validity=data.uid_validity,
        uid_next=data.uid_next,
        highest_mod_seq=data.highest_mod_seq,
        message_count=data.message_count,
        unseen_count=data.unseen_count,
        deleted_count=data.deleted_count,
        size=data.size,
        append_limit=data.append_limit,
        mailbox_id=data.mailbox_id,
    )
