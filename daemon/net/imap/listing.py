"""The tree of mailboxes: LIST with everything in one answer where offered, else LIST, LSUB and STATUS.

Names are normalised to `/` (sync.md 26); the wire name is kept beside and used by every command. RFC 9051 §6.3.9;
LIST-EXTENDED: RFC 5258; LIST-STATUS: RFC 5819; SPECIAL-USE: RFC 6154; NAMESPACE: RFC 2342. IMAP4rev2 has no LSUB (RFC 9051
appendix E).
"""

from dataclasses import replace
from typing import Final

from daemon.model.errors import RemoteProtocolError
from daemon.model.ids import MailboxName
from daemon.model.mailbox import RemoteMailbox, SpecialUse
from daemon.net.imap import pushes, status
from daemon.net.imap.scanning import run_all
from daemon.net.imap.session import Session
from daemon.wire.imap import commands, names
from daemon.wire.imap.commands import Command, ListReturn
from daemon.wire.imap.events import Event
from daemon.wire.imap.responses import ListData, NamespaceData, StatusData

MOST_MAILBOXES: Final = 120_000
"""More than any account has; each costs a quarter of a kilobyte, and as much again with its numbers."""

MOST_NAME_BYTES: Final = 8 * 1024 * 1024
"""All names together: a name may be long, but not all of them."""

_GONE: Final = frozenset({"\\nonexistent"})
_MOST_NAMESPACES: Final = 10
_WILDCARDS: Final = frozenset(b"*%")
_UNSAYABLE: Final = frozenset(b"\0\r\n")
_UNSELECTABLE: Final = frozenset({"\\noselect", "\\nonexistent"})
_ROLES: Final = {role.value.lower(): role for role in SpecialUse}


class _Listed:
    """What LIST, LSUB, STATUS and NAMESPACE said, by wire name, in the server's order."""

    def __init__(self) -> None:
        self.lines: dict[bytes, ListData] = {}
        self.subscribed: set[bytes] = set()
        self.numbers: dict[bytes, StatusData] = {}
        self.prefixes: tuple[bytes, ...] = ()
        self._name_bytes = 0

    @property
    def prefix(self) -> bytes:
        """Where new mailboxes go: the first personal namespace."""
        return self.prefixes[0] if self.prefixes else b""

    def take(self, event: Event) -> bool:
        match event:
            case ListData(is_lsub=True):
                if event.wire_name not in self.subscribed:
                    self._count(event.wire_name)
                    self.subscribed.add(event.wire_name)
            case ListData():
                if event.wire_name:  # an empty name is the answer to a question about the delimiter
                    self._take_line(event)
            case StatusData():
                key = pushes.key_of(event.wire_name)
                before = self.numbers.get(key)
                if before is None:
                    self._count(key)
                self.numbers[key] = event if before is None else event.joined(before)
            case NamespaceData(personal=personal):
                self.prefixes = tuple(one.prefix for one in personal)
            case _:
                return False
        return True

    def _take_line(self, line: ListData) -> None:
        """A second line of a mailbox adds to the first: NOTIFY tells in between, and only what changed."""
        before = self.lines.get(line.wire_name)
        if before is not None and not line.attributes & _GONE:
            line = replace(line, attributes=line.attributes | (before.attributes - _GONE))
        if before is None:
            self._count(line.wire_name)
        self.lines[line.wire_name] = line

    def _count(self, name: bytes) -> None:
        """A name that was not told before."""
        self._name_bytes += len(name)
        most = max(len(self.lines), len(self.numbers), len(self.subscribed))
        if most >= MOST_MAILBOXES or self._name_bytes > 3 * MOST_NAME_BYTES:
            raise RemoteProtocolError(
                f"more mailboxes than are taken: {MOST_MAILBOXES} with {MOST_NAME_BYTES >> 20} MiB of names",
                reason="too_many_mailboxes",
                remedy="have the server list fewer, for example only those that are subscribed",
            )


async def list_mailboxes(session: Session) -> tuple[RemoteMailbox, ...]:
    """All mailboxes the server lists, unselectable ones included."""
    listed = _Listed()
    caps = session.caps
    has_extended, has_status = caps.has("LIST-EXTENDED"), caps.has("LIST-STATUS")
    session.other_listeners.append(listed.take)
    try:
        if caps.has("NAMESPACE"):
            await session.ask(commands.namespace())
        if has_extended:
            await run_all(session, [_extended_list(session, pattern) for pattern in _patterns(listed)])
        if not listed.lines:
            # A server without LIST-EXTENDED; or one that offers it and lists nothing (Strato, MailKit#1957)
            has_status = has_status and not has_extended
            items = status.items(session) if has_status else ()
            plain = [
                commands.list_mailboxes(pattern, status_items=items if pattern == b"*" else ())
                for pattern in _patterns(listed)
            ]
            await run_all(session, plain if session.has_rev2 else [*plain, commands.lsub()])
        if not has_status:
            await _ask_status(session, listed)
    finally:
        session.other_listeners.remove(listed.take)
    _remember_form(session, listed, utf8=session.has_utf8)
    return _mailboxes(listed, utf8=session.has_utf8)


def _patterns(listed: _Listed) -> list[bytes]:
    """Everything, and each further personal namespace, which a server may leave out of it (RFC 2342 §5)."""
    further = [prefix for prefix in listed.prefixes[1:_MOST_NAMESPACES] if prefix]
    return [b"*", *(prefix + b"*" for prefix in further if not _WILDCARDS & set(prefix))]


def _extended_list(session: Session, pattern: bytes) -> Command:
    caps = session.caps
    returning = [ListReturn.SUBSCRIBED]
    if caps.has("SPECIAL-USE"):
        returning.append(ListReturn.SPECIAL_USE)
    items = status.items(session) if caps.has("LIST-STATUS") else ()
    return commands.list_mailboxes(pattern, returning=returning, status_items=items)


def _remember_form(session: Session, listed: _Listed, *, utf8: bool) -> None:
    """Keep how this server writes names, for mailboxes that are to be created."""
    lines = sorted(listed.lines.values(), key=lambda line: line.wire_name.upper() != b"INBOX")
    session.delimiter = next((line.delimiter for line in lines if line.delimiter), None)
    session.personal_prefix = names.decode_wire_name(listed.prefix, utf8)


async def _ask_status(session: Session, listed: _Listed) -> None:
    """STATUS of each, pipelined in the connection's window; a refusal leaves that mailbox without numbers."""
    items = status.items(session)
    answers = [
        session.start(commands.status(line.wire_name, items))[1]
        for line in listed.lines.values()
        if _is_selectable(line)
    ]
    for answer in answers:
        await session.finish(answer)


def _mailboxes(listed: _Listed, *, utf8: bool) -> tuple[RemoteMailbox, ...]:
    lines = list(listed.lines.values())
    decoded = [(names.decode_wire_name(line.wire_name, utf8), line.delimiter) for line in lines]
    normalised = names.normalise_all(decoded, names.decode_wire_name(listed.prefix, utf8))
    return tuple(_mailbox(name, line, listed) for name, line in zip(normalised, lines, strict=True))


def _mailbox(name: MailboxName, line: ListData, listed: _Listed) -> RemoteMailbox:
    numbers = listed.numbers.get(pushes.key_of(line.wire_name))
    return RemoteMailbox(
        name=name,
        wire_name=line.wire_name,
        delimiter=line.delimiter,
        special_use=next((_ROLES[one] for one in sorted(line.attributes) if one in _ROLES), None),
        is_selectable=_is_selectable(line),
        is_subscribed="\\subscribed" in line.attributes or line.wire_name in listed.subscribed,
        uid_validity=numbers.uid_validity if numbers else None,
        uid_next=numbers.uid_next if numbers else None,
        highest_mod_seq=numbers.highest_mod_seq if numbers else None,
        message_count=numbers.message_count if numbers else None,
        mailbox_id=numbers.mailbox_id if numbers else None,
        unseen_count=numbers.unseen_count if numbers else None,
        old_wire_name=line.old_name,
    )


def _is_selectable(line: ListData) -> bool:
    """Whether it can be used: a name with NUL, CR or LF, which a literal may hold, can be said in no command of ours."""
    return not line.attributes & _UNSELECTABLE and not _UNSAYABLE & set(line.wire_name)
