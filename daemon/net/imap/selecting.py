"""SELECT and EXAMINE with CONDSTORE or QRESYNC, and UNSELECT.

RFC 9051 §6.3.2; RFC 7162 §3.2.5; UNSELECT: RFC 3691. CLOSE is never sent: it expunges.
"""

from dataclasses import dataclass, field, replace
from typing import Final

from daemon.model.errors import RemoteProtocolError, ServerRefused
from daemon.model.flags import FlagSet
from daemon.model.ids import ModSeq, Uid, UidValidity
from daemon.model.views import RemoteEntry
from daemon.net.imap import status
from daemon.net.imap.gathering import GatheredUids
from daemon.net.imap.heard import entry_of
from daemon.net.imap.scanning import MOST_MESSAGES
from daemon.net.imap.session import Session
from daemon.net.imap.values import QresyncSince, Selection
from daemon.wire.imap import commands, refusals
from daemon.wire.imap.events import Event
from daemon.wire.imap.responses import (
    Code,
    Exists,
    Expunge,
    FetchData,
    NumberCode,
    PermanentFlagsCode,
    StatusLine,
    Tagged,
    Vanished,
)

_CLOSED: Final = "CLOSED"


@dataclass(slots=True)
class _Collected:
    """What the answer to one SELECT said. Data before CLOSED belong to the mailbox selected before."""

    exists: int = 0
    numbers: dict[str, int] = field(default_factory=dict)
    permanent_flags: FlagSet | None = None
    accepts_new_keywords: bool = True
    vanished: GatheredUids = field(default_factory=GatheredUids)
    changed: dict[Uid, RemoteEntry] = field(default_factory=dict)
    has_news_of_last: bool = False

    def take_view(self, event: Exists | Expunge | Vanished) -> bool:
        if isinstance(event, Exists):
            self.exists = event.count
        elif isinstance(event, Expunge):
            self.exists = max(self.exists - 1, 0)
        else:
            self.vanished.add(event.uids)
            if not event.is_earlier:
                self.exists = max(self.exists - len(event.uids), 0)
        return True

    def take_fetch(self, data: FetchData) -> bool:
        if data.uid is not None and data.flags is not None:
            self.changed[data.uid] = entry_of(data.uid, data, self.changed.get(data.uid))
            if len(self.changed) > MOST_MESSAGES:
                raise RemoteProtocolError(
                    "more changes told than a mailbox may have messages", reason="flood"
                )
        return True

    def take_line(self, event: Event) -> bool:
        if isinstance(event, StatusLine) and event.code is not None:
            self._take_code(event.code)
        return False

    def _take_code(self, code: Code) -> None:
        if isinstance(code, NumberCode) and code.number is not None:
            self.numbers[code.name] = code.number
        elif isinstance(code, PermanentFlagsCode):
            self.permanent_flags = code.flags
            self.accepts_new_keywords = code.accepts_new_keywords
        elif code.name == _CLOSED:
            self.has_news_of_last = self.exists > 0 or bool(self.vanished or self.changed)
            self.forget()

    def forget(self) -> None:
        self.exists = 0
        self.numbers.clear()
        self.vanished = GatheredUids()
        self.changed.clear()


async def select(
    session: Session, wire_name: bytes, *, since: QresyncSince | None, read_only: bool, has_qresync: bool
) -> Selection:
    """The mailbox as it stands at the tagged OK."""
    qresync = None
    if since is not None and has_qresync:
        known = since.known_uids
        if known is not None and len(str(known)) > session.set_bytes:
            known = None  # the server then answers for all UIDs, which is correct and longer
        qresync = commands.Qresync(uid_validity=since.uid_validity, mod_seq=since.mod_seq, known_uids=known)
    has_condstore = session.caps.has("CONDSTORE")
    command = commands.select(wire_name, read_only=read_only, condstore=has_condstore, qresync=qresync)
    tagged, collected = await _ask(session, command, wire_name, read_only=read_only)
    if not tagged.is_ok:
        raise refusals.refusal(tagged, doing="SELECT")
    if session.selection is None or not {"UIDVALIDITY", "UIDNEXT"} <= collected.numbers.keys():
        # QUIRK 163.com, deltachat `select_folder.rs`: no UIDNEXT in SELECT; STATUS knows it
        await _complete(
            session, wire_name, collected, is_read_only=_is_read_only(tagged, read_only=read_only)
        )
    if session.selection is None:
        raise ServerRefused(
            "the server gives this mailbox no UIDVALIDITY, so its messages cannot be told apart",
            status="OK",
            reason="no_uid_validity",
        )
    if session.selection.highest_mod_seq is None:
        session.has_unnumbered = True
    return session.selection


async def _ask(
    session: Session, command: commands.Command, wire_name: bytes, *, read_only: bool
) -> tuple[Tagged, _Collected]:
    collected = _Collected()

    def done(tagged: Tagged) -> None:
        # Here and not after the await: what follows the OK in the same packet is news about the new mailbox.
        _stop_listening(session, collected)
        if collected.has_news_of_last or session.heard.has_own_news:
            session.note_left_behind(wire_name)
        session.note_leaving()
        session.heard.forget()
        session.selection = None
        if not session.caps.has("CONDSTORE"):
            # QUIRK Yahoo, whiteout imap-client#40: a HIGHESTMODSEQ of its own; STATUS and FETCH have none to hold against it
            collected.numbers.pop("HIGHESTMODSEQ", None)
        if tagged.is_ok and "UIDVALIDITY" in collected.numbers:
            session.selection = _selection(
                wire_name, collected, is_read_only=_is_read_only(tagged, read_only=read_only)
            )

    session.view_listeners.append(collected.take_view)
    session.fetch_listeners.append(collected.take_fetch)
    session.other_listeners.append(collected.take_line)
    try:
        tagged = await session.ask(command, done)
    finally:
        _stop_listening(session, collected)
    return tagged, collected


def _stop_listening(session: Session, collected: _Collected) -> None:
    session.view_listeners = [one for one in session.view_listeners if one != collected.take_view]
    session.fetch_listeners = [one for one in session.fetch_listeners if one != collected.take_fetch]
    session.other_listeners = [one for one in session.other_listeners if one != collected.take_line]


def _is_read_only(tagged: Tagged, *, read_only: bool) -> bool:
    return read_only or (tagged.code is not None and tagged.code.name == "READ-ONLY")


def _selection(wire_name: bytes, collected: _Collected, *, is_read_only: bool) -> Selection:
    numbers = collected.numbers
    uid_next, mod_seq = numbers.get("UIDNEXT"), numbers.get("HIGHESTMODSEQ")
    return Selection(
        wire_name=wire_name,
        uid_validity=UidValidity(numbers["UIDVALIDITY"]),
        uid_next=None if uid_next is None else Uid(uid_next),
        highest_mod_seq=None if mod_seq is None else ModSeq(mod_seq),
        exists=collected.exists,
        permanent_flags=collected.permanent_flags,
        accepts_new_keywords=collected.accepts_new_keywords,
        is_read_only=is_read_only,
        vanished=collected.vanished.take(),
        changed=tuple(collected.changed[uid] for uid in sorted(collected.changed)),
    )


async def _complete(session: Session, wire_name: bytes, collected: _Collected, *, is_read_only: bool) -> None:
    try:
        said = await status.status(session, wire_name)
    except ServerRefused:
        return
    if session.selection is not None:  # all else stays as it was told, and kept current meanwhile
        uid_next = session.selection.uid_next or said.uid_next
        session.selection = replace(session.selection, uid_next=uid_next)
    elif said.uid_validity is not None:
        collected.numbers["UIDVALIDITY"] = said.uid_validity
        if said.uid_next is not None:
            collected.numbers.setdefault("UIDNEXT", said.uid_next)
        session.selection = _selection(wire_name, collected, is_read_only=is_read_only)


async def unselect(session: Session) -> None:
    """Leave the mailbox; without UNSELECT a mailbox stays selected, which does no harm."""
    if session.selection is not None and session.caps.has("UNSELECT"):
        await session.run(commands.unselect())
        session.note_leaving()
        session.selection = None
        session.heard.forget()
