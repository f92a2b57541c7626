"""Commands on the mailboxes of a user: LIST, LSUB, STATUS, CREATE, DELETE, RENAME, SUBSCRIBE, APPEND, SELECT.

Each handler returns the text of its tagged OK. RFC 3501 §6.3; LIST-EXTENDED: RFC 5258; LIST-STATUS: RFC 5819;
SPECIAL-USE: RFC 6154; CONDSTORE and QRESYNC parameters, NOMODSEQ: RFC 7162; MAILBOXID: RFC 8474.
"""

import re
import time
from typing import Final

from daemon.demo.imap.arguments import Arguments, BadCommand
from daemon.demo.imap.fetch import answer, flags_text, read_items
from daemon.demo.imap.session import Refused, Session, wire_string
from daemon.demo.imap.view import View, select_numbers
from daemon.demo.mailbox import DELIMITER, Mailbox
from daemon.model.flags import NO_FLAGS, SEEN, SYSTEM_FLAGS
from daemon.model.ids import INBOX
from daemon.model.uidset import UidSet
from daemon.wire.imap.names import decode_wire_name

_STATUS_ITEMS: Final = frozenset(
    {"MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "HIGHESTMODSEQ", "MAILBOXID"}
)


async def list_(session: Session, args: Arguments) -> str:
    args.space()
    needs_subscription = needs_role = False
    if args.peek() == b"(":
        _needs(session, "LIST-EXTENDED")
        wanted = set(args.listed(args.word))
        needs_subscription, needs_role = "SUBSCRIBED" in wanted, "SPECIAL-USE" in wanted
        args.space()
    reference = args.astring()
    args.space()
    patterns = args.listed(args.pattern) if args.peek() == b"(" else [args.pattern()]
    shows_subscription, status_items = needs_subscription, list[str]()
    if args.accept(b" RETURN "):
        shows_subscription, status_items = _returning(session, args, shows_subscription=shows_subscription)
    args.end()
    if patterns == [b""]:
        session.send(b'* LIST (\\Noselect) "/" ""\r\n')
        return "Done"
    for name, mailbox in _matching(session, reference, patterns):
        if (needs_subscription and not mailbox.is_subscribed) or (needs_role and not mailbox.special_use):
            continue
        attributes = ["\\HasChildren" if session.known_user.below(name) else "\\HasNoChildren"]
        if mailbox.special_use and session.has("SPECIAL-USE"):
            attributes.append(mailbox.special_use)
        if shows_subscription and mailbox.is_subscribed:
            attributes.append("\\Subscribed")
        session.send(b'* LIST (%s) "/" %s\r\n' % (" ".join(attributes).encode(), wire_string(name)))
        if status_items:
            session.send(_status_line(name, mailbox, status_items))
    return "Done"


def _returning(session: Session, args: Arguments, *, shows_subscription: bool) -> tuple[bool, list[str]]:
    items: list[str] = []
    options: list[str] = []

    def option() -> None:
        options.append(args.word())
        if options[-1] == "STATUS":
            _needs(session, "LIST-STATUS")
            args.space()
            items.extend(_status_items(session, args))

    args.listed(option)
    if set(options) - {"STATUS"}:
        _needs(session, "LIST-EXTENDED")
    return shows_subscription or "SUBSCRIBED" in options, items


async def lsub(session: Session, args: Arguments) -> str:
    args.space()
    reference = args.astring()
    args.space()
    pattern = args.pattern()
    args.end()
    for name, mailbox in _matching(session, reference, [pattern]):
        if mailbox.is_subscribed:
            session.send(b'* LSUB () "/" %s\r\n' % wire_string(name))
    return "Done"


async def status(session: Session, args: Arguments) -> str:
    args.space()
    wire_name = args.astring()
    args.space()
    items = _status_items(session, args)
    args.end()
    mailbox = session.mailbox(wire_name)
    session.send(_status_line(decode_wire_name(wire_name), mailbox, items))
    return "Done"


async def create(session: Session, args: Arguments) -> str:
    name = _only_name(args)
    try:
        session.known_user.create(decode_wire_name(name))
    except ValueError as exc:
        raise Refused(f"[ALREADYEXISTS] {exc}" if "exists" in str(exc) else f"[CANNOT] {exc}") from exc
    return "Done"


async def delete(session: Session, args: Arguments) -> str:
    name = _only_name(args)
    session.mailbox(name)
    try:
        session.known_user.delete(decode_wire_name(name))
    except ValueError as exc:
        raise Refused(f"[CANNOT] {exc}") from exc
    return "Done"


async def rename(session: Session, args: Arguments) -> str:
    args.space()
    old = args.astring()
    new = _only_name(args)
    session.mailbox(old)
    try:
        session.known_user.rename(decode_wire_name(old), decode_wire_name(new))
    except ValueError as exc:
        raise Refused(f"[CANNOT] {exc}") from exc
    return "Done"


async def subscribe(session: Session, args: Arguments) -> str:
    session.mailbox(_only_name(args)).is_subscribed = True
    return "Done"


async def unsubscribe(session: Session, args: Arguments) -> str:
    session.mailbox(_only_name(args)).is_subscribed = False
    return "Done"


async def append(session: Session, args: Arguments) -> str:
    args.space()
    wire_name = args.astring()
    args.space()
    flags = NO_FLAGS
    if args.peek() == b"(":
        flags = args.flags()
        args.space()
    when = int(time.time())
    if args.peek() == b'"':
        when = args.date_time()
        args.space()
    octets = args.string()
    args.end()
    mailbox = session.mailbox(wire_name, try_create=True)
    uid = mailbox.deliver(octets, internal_date=when, flags=flags)
    return f"[APPENDUID {mailbox.uid_validity} {uid}] Done" if session.has("UIDPLUS") else "Done"


async def select(session: Session, args: Arguments) -> str:
    return await _select(session, args, is_read_only=False)


async def examine(session: Session, args: Arguments) -> str:
    return await _select(session, args, is_read_only=True)


async def _select(session: Session, args: Arguments, *, is_read_only: bool) -> str:
    args.space()
    wire_name = args.astring()
    known = _select_parameters(session, args)
    args.end()
    if session.view is not None:
        session.unselect()
        if session.has("QRESYNC"):
            session.send(b"* OK [CLOSED] The mailbox before is closed\r\n")
    mailbox = session.mailbox(wire_name)
    view = session.select(mailbox, is_read_only=is_read_only)
    flags = flags_text(SYSTEM_FLAGS | {flag for one in mailbox.messages.values() for flag in one.flags})
    lines = [
        f"FLAGS ({flags})",
        f"{len(view.uids)} EXISTS",
        "0 RECENT",
        "OK [PERMANENTFLAGS ()] Read only" if is_read_only else f"OK [PERMANENTFLAGS ({flags} \\*)] Kept",
        f"OK [UIDVALIDITY {mailbox.uid_validity}] UIDs hold",
        f"OK [UIDNEXT {mailbox.uid_next}] The next UID",
    ]
    unseen = [uid for uid in view.uids if SEEN not in mailbox.messages[uid].flags]
    if unseen:
        lines.append(f"OK [UNSEEN {view.seq(unseen[0])}] The first unseen")
    if session.has("CONDSTORE"):
        lines.append(
            f"OK [HIGHESTMODSEQ {mailbox.highest_mod_seq}] The highest"
            if mailbox.has_mod_seqs
            else "OK [NOMODSEQ] None are kept here"
        )
    for line in lines:
        session.send(f"* {line}\r\n".encode())
    if known is not None and mailbox.has_mod_seqs:
        _resync(session, view, known)
    return "[READ-ONLY] Done" if is_read_only else "[READ-WRITE] Done"


def _select_parameters(session: Session, args: Arguments) -> tuple[int, int, str] | None:
    """ABNF: select-param; UIDVALIDITY, mod-sequence and known UIDs of QRESYNC, or None."""
    known: list[tuple[int, int, str]] = []

    def parameter() -> None:
        name = args.word()
        _needs(session, name)
        if name == "CONDSTORE":
            session.enabled.add(name)
        elif name == "QRESYNC" and name in session.enabled:
            args.space()
            known.append(_qresync(args))
        else:
            raise BadCommand(f"{name} is not enabled")

    if args.accept(b" "):
        args.listed(parameter)
    return known[0] if known else None


def _qresync(args: Arguments) -> tuple[int, int, str]:
    args.expect(b"(")
    uid_validity = args.number()
    args.space()
    mod_seq = args.number()
    uids = "1:*"
    if args.accept(b" "):
        uids = args.sequence_set()
        if args.accept(b" "):  # the sequence match data (RFC 7162 §3.2.5.2) only make answers shorter
            args.expect(b"(")
            args.sequence_set()
            args.space()
            args.sequence_set()
            args.expect(b")")
    args.expect(b")")
    return uid_validity, mod_seq, uids


def _resync(session: Session, view: View, known: tuple[int, int, str]) -> None:
    """What changed since the client was last here; nothing where its UIDs are void."""
    uid_validity, mod_seq, uids = known
    if uid_validity != view.uid_validity:
        return
    gone = view.mailbox.gone_since(mod_seq)
    asked = set(select_numbers(uids, gone)) if uids != "1:*" else set(gone)
    if asked:
        session.send(f"* VANISHED (EARLIER) {UidSet(asked)}\r\n".encode())
    items = read_items(Arguments(b"(UID FLAGS MODSEQ)"))
    for message in view.by_uid(uids):
        if message.mod_seq > mod_seq:
            session.send(answer(message, view.seq(message.uid), items))


def _matching(session: Session, reference: bytes, patterns: list[bytes]) -> list[tuple[str, Mailbox]]:
    """Mailboxes whose name matches, INBOX first: `%` stops at the delimiter, `*` does not."""
    expressions = [_expression(decode_wire_name(reference + pattern)) for pattern in patterns]
    found = [
        (name, mailbox)
        for name, mailbox in session.known_user.mailboxes.items()
        if any(expression.fullmatch(name) for expression in expressions)
    ]
    return sorted(found, key=lambda pair: (pair[0] != INBOX, pair[0]))


def _expression(pattern: str) -> re.Pattern[str]:
    wild = {"*": ".*", "%": f"[^{DELIMITER}]*"}
    text = "".join(wild.get(char) or re.escape(char) for char in pattern)
    return re.compile(text, re.DOTALL | (re.IGNORECASE if pattern.upper() == INBOX else re.NOFLAG))


def _status_items(session: Session, args: Arguments) -> list[str]:
    items = args.listed(args.word)
    if not items or set(items) - _STATUS_ITEMS:
        raise BadCommand("unknown STATUS item")
    if "HIGHESTMODSEQ" in items:
        _needs(session, "CONDSTORE")
        session.enabled.add("CONDSTORE")
    if "MAILBOXID" in items:
        _needs(session, "OBJECTID")
    return items


def _status_line(name: str, mailbox: Mailbox, items: list[str]) -> bytes:
    numbers = {
        "MESSAGES": len(mailbox.messages),
        "RECENT": 0,
        "UIDNEXT": mailbox.uid_next,
        "UIDVALIDITY": mailbox.uid_validity,
        "UNSEEN": sum(SEEN not in message.flags for message in mailbox.messages.values()),
        "HIGHESTMODSEQ": mailbox.highest_mod_seq if mailbox.has_mod_seqs else 0,
        "MAILBOXID": f"({mailbox.mailbox_id})",
    }
    shown = " ".join(f"{item} {numbers[item]}" for item in items)
    return b"* STATUS %s (%s)\r\n" % (wire_string(name), shown.encode())


def _only_name(args: Arguments) -> bytes:
    args.space()
    name = args.astring()
    args.end()
    return name


def _needs(session: Session, extension: str) -> None:
    if not session.has(extension):
        raise BadCommand(f"{extension} is not offered")
