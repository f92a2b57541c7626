"""The selected mailbox as the server tells of it, kept current; and the pushes of NOTIFY beside it.

Numbers that cannot be (EXISTS falling by itself, EXPUNGE beyond the end) end the session: what follows would be about other
messages than we think (faults.md S12). RFC 9051 §7.4; VANISHED: RFC 7162 §3.2.10; NOTIFY: RFC 5465.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

from daemon.model.errors import RemoteProtocolError
from daemon.model.ids import ModSeq
from daemon.net.imap.heard import HeardNotes
from daemon.net.imap.values import Selection
from daemon.wire.imap.responses import (
    Exists,
    Expunge,
    FetchData,
    ListData,
    NumberCode,
    StatusData,
    StatusLine,
    Tagged,
    Vanished,
)

ViewListener = Callable[[Exists | Expunge | Vanished], bool]
"""Takes what changes the mailbox's shape and says whether that belongs to its own command."""


class SelectedView:
    """What is known of the mailbox that is selected. `is_notifying`: NOTIFY SET was accepted and still holds.

    `has_unnumbered`: a mailbox was selected that has no mod-sequences (NOMODSEQ, RFC 7162 §3.1.2.2).
    """

    def __init__(self) -> None:
        self.heard = HeardNotes()
        self.selection: Selection | None = None
        self.view_listeners: list[ViewListener] = []
        self.is_notifying = False
        self.left: set[bytes] = set()
        self.has_unnumbered = False
        self._as_selected: Selection | None = None

    @property
    def as_selected(self) -> Selection | None:
        """The selected mailbox as its SELECT told of it; the same object until it is left."""
        return self.selection if self._as_selected is None else self._as_selected

    def take_view(self, event: Exists | Expunge | Vanished) -> None:
        """Give a change of shape to the command it belongs to, else note it as heard."""
        if not any(listener(event) for listener in self.view_listeners):
            self._note_view(event)

    def note_push(self, event: ListData | StatusData) -> None:
        """LIST or STATUS that answers no command; without NOTIFY it is idle talk."""
        if not self.is_notifying:
            return
        if isinstance(event, StatusData):
            self.heard.pushes.note_status(event)
        else:
            self.heard.pushes.note_listing()

    def note_left_behind(self, next_name: bytes) -> None:
        """News of the mailbox being left that nobody has drained: NOTIFY will not tell them again, so they are kept."""
        last = self.selection
        if self.is_notifying and last is not None and last.wire_name != next_name:
            self.heard.pushes.note_status(StatusData(wire_name=last.wire_name))

    def note_leaving(self) -> None:
        """The selected mailbox is being left: what the server has not noticed of it by now, it may never tell.

        QUIRK Dovecot 2.3.19, seen 2026-11, tests/service/push/test_every_mailbox.py: news of other mailboxes end an IDLE; mail that
        came into the selected one at the same time is told half a second later, and never if that is left before.
        """
        self._as_selected = None
        if self.is_notifying and self.selection is not None:
            self.left.add(self.selection.wire_name)

    def note_fetch(self, data: FetchData) -> None:
        self.heard.note_fetch(data)
        if data.mod_seq is not None:
            self._raise_mod_seq(data.mod_seq)

    def _note_view(self, event: Exists | Expunge | Vanished) -> None:
        count = self.selection.exists if self.selection else 0
        match event:
            case Exists(count=now):
                if now < count:
                    raise RemoteProtocolError(f"EXISTS fell from {count} to {now} and nothing was expunged")
                self._set_exists(now)
                self.heard.note_exists(is_other=now != count)
            case Expunge(seq=seq):
                if self.selection is not None and not 0 < seq <= count:
                    raise RemoteProtocolError(f"EXPUNGE of message {seq} among {count}")
                self._set_exists(count - 1)  # EXISTS need not follow (MailKit `ImapFolder`)
                self.heard.note_expunge()
            case Vanished(uids=uids, is_earlier=False):
                self._set_exists(count - len(uids))
                self.heard.note_vanished(uids)
            case Vanished():
                return  # VANISHED (EARLIER) that nobody asked for
            case _:
                assert_never(event)

    def note_code(self, line: Tagged | StatusLine) -> None:
        code = line.code
        if code is not None and code.name == "NOTIFICATIONOVERFLOW":
            self.is_notifying = False
            self.heard.pushes.note_overflow()
        if isinstance(code, NumberCode) and code.name == "HIGHESTMODSEQ" and code.number is not None:
            self._raise_mod_seq(ModSeq(code.number))

    def _set_exists(self, count: int) -> None:
        if self.selection is not None:
            self._as_selected = self.as_selected
            self.selection = replace(self.selection, exists=max(count, 0))

    def _raise_mod_seq(self, mod_seq: ModSeq) -> None:
        selection = self.selection
        if (
            selection is not None
            and selection.highest_mod_seq is not None
            and mod_seq > selection.highest_mod_seq
        ):
            self._as_selected = self.as_selected
            self.selection = replace(selection, highest_mod_seq=mod_seq)
