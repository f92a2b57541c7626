"""Commands on the selected mailbox: FETCH, STORE, SEARCH, COPY, MOVE, EXPUNGE, CLOSE, UNSELECT, IDLE.

Each handler returns the text of its tagged OK; those with a UID form take `by_uid`. RFC 3501 §6.4; RFC 2177, 3691,
4315, 4731, 6851, 7162.
"""

import asyncio

from daemon.demo.imap.arguments import Arguments, BadCommand
from daemon.demo.imap.fetch import Item, answer, read_items
from daemon.demo.imap.search import read_charset, read_criteria
from daemon.demo.imap.session import Refused, Session
from daemon.demo.imap.view import View, select_numbers
from daemon.demo.mailbox import Mailbox, StoredMessage
from daemon.model.flags import DELETED, SEEN, FlagSet
from daemon.model.uidset import UidSet

_FEW = 64


async def fetch(session: Session, args: Arguments, *, by_uid: bool = False) -> str:
    view = session.selected
    args.space()
    wanted = args.sequence_set()
    messages = _messages(view, wanted, by_uid=by_uid)
    args.space()
    items = read_items(args)
    since, wants_vanished = _fetch_modifiers(session, args)
    args.end()
    if any(item.name == "MODSEQ" for item in items):
        _use_mod_seqs(session)
    if since is not None and not any(item.name == "MODSEQ" for item in items):
        items.append(Item(name="MODSEQ"))
    if by_uid and not any(item.name == "UID" for item in items):
        items.insert(0, Item(name="UID"))
    if wants_vanished and since is not None:
        gone = select_numbers(wanted, view.mailbox.gone_since(since))
        if gone:
            session.send(f"* VANISHED (EARLIER) {UidSet(gone)}\r\n".encode())
    sets_seen = not view.is_read_only and any(item.sets_seen for item in items)
    for count, message in enumerate(messages):
        if message.uid not in view.mailbox.messages or (since is not None and message.mod_seq <= since):
            continue  # gone while earlier ones were on their way, or not asked for
        shown = message
        if sets_seen and view.mailbox.set_flags(message.uid, message.flags | {SEEN}):
            shown = view.mailbox.messages[message.uid]
            if not any(item.name == "FLAGS" for item in items):
                items.append(Item(name="FLAGS"))
        session.send(answer(shown, view.seq(shown.uid), items))
        if any(item.name == "FLAGS" for item in items):
            view.was_told(shown)
        await session.flush()
        if count % _FEW == 0:
            await asyncio.sleep(0)
    return "Done"


def _fetch_modifiers(session: Session, args: Arguments) -> tuple[int | None, bool]:
    """ABNF: fetch-modifiers; CHANGEDSINCE's mod-sequence and whether VANISHED is wanted."""
    since: list[int] = []
    names: list[str] = []

    def modifier() -> None:
        names.append(args.word())
        if names[-1] == "CHANGEDSINCE":
            _use_mod_seqs(session)
            args.space()
            since.append(args.number())
        elif names[-1] != "VANISHED" or "QRESYNC" not in session.enabled:
            raise BadCommand(f"{names[-1]} means nothing here")

    if args.accept(b" "):
        args.listed(modifier)
    return (since[0] if since else None), "VANISHED" in names


async def store(session: Session, args: Arguments, *, by_uid: bool = False) -> str:
    view = _writable(session)
    args.space()
    messages = _messages(view, args.sequence_set(), by_uid=by_uid)
    args.space()
    unchanged_since = None
    if args.accept(b"(UNCHANGEDSINCE "):
        _use_mod_seqs(session)
        unchanged_since = args.number()
        args.expect(b") ")
    sign = next((sign for sign in (b"+", b"-") if args.accept(sign)), b"")
    args.expect(b"FLAGS")
    is_silent = args.accept(b".SILENT")
    args.space()
    flags = args.flags()
    args.end()
    modified = []
    for message in messages:
        if message.uid not in view.mailbox.messages:
            continue  # gone while earlier answers were on their way
        if unchanged_since is not None and message.mod_seq > unchanged_since:
            modified.append(message.uid)
            continue
        view.mailbox.set_flags(message.uid, _changed(message.flags, sign, flags))
        new = view.mailbox.messages[message.uid]
        view.was_told(new)
        if not is_silent:
            session.send(view.flags_line(new, with_uid=by_uid, with_mod_seq=session.has_mod_seqs))
        elif session.has_mod_seqs and view.mailbox.has_mod_seqs:
            session.send(f"* {view.seq(new.uid)} FETCH (UID {new.uid} MODSEQ ({new.mod_seq}))\r\n".encode())
        await session.flush()
    if modified:
        numbers = UidSet(modified if by_uid else map(view.seq, modified))
        return f"[MODIFIED {numbers}] Some had changed"
    return "Done"


def _changed(before: FlagSet, sign: bytes, flags: FlagSet) -> FlagSet:
    return before | flags if sign == b"+" else before - flags if sign == b"-" else flags


async def search(session: Session, args: Arguments, *, by_uid: bool = False) -> str:
    view = session.selected
    args.space()
    options: list[str] | None = None
    if args.accept(b"RETURN "):
        if not session.has("ESEARCH"):
            raise BadCommand("ESEARCH is not offered")
        options = args.listed(args.word) or ["ALL"]
        args.space()
    read_charset(args)
    test = read_criteria(args, view)
    found = [message.uid for message in view.by_uid("1:*") if test(message)]
    numbers = found if by_uid else [view.seq(uid) for uid in found]
    if options is None:
        session.send(" ".join(["* SEARCH", *map(str, numbers)]).encode() + b"\r\n")
    else:
        session.send(_esearch(session.tag, numbers, options, by_uid=by_uid))
    return "Done"


def _esearch(tag: bytes, numbers: list[int], options: list[str], *, by_uid: bool) -> bytes:
    parts = [f'* ESEARCH (TAG "{tag.decode("ascii", "replace")}")'] + ["UID"] * by_uid
    for option in options:
        match option:
            case "COUNT":
                parts.append(f"COUNT {len(numbers)}")
            case "MIN" | "MAX":
                parts += [f"{option} {numbers[0 if option == 'MIN' else -1]}"] if numbers else []
            case "ALL":
                parts += [f"ALL {UidSet(numbers)}"] if numbers else []
            case _:
                raise BadCommand(f"unknown search result {option}")
    return " ".join(parts).encode() + b"\r\n"


async def copy(session: Session, args: Arguments, *, by_uid: bool = False) -> str:
    messages, target = _to_another(session, args, by_uid=by_uid)
    code = _copy_all(session, messages, target)
    return f"{code} Done".strip()


async def move(session: Session, args: Arguments, *, by_uid: bool = False) -> str:
    view = _writable(session)
    messages, target = _to_another(session, args, by_uid=by_uid)
    code = _copy_all(session, messages, target)
    if code:
        session.send(f"* OK {code} Moved\r\n".encode())
    view.mailbox.expunge([message.uid for message in messages])
    return "Done"


def _to_another(session: Session, args: Arguments, *, by_uid: bool) -> tuple[list[StoredMessage], Mailbox]:
    args.space()
    messages = _messages(session.selected, args.sequence_set(), by_uid=by_uid)
    args.space()
    name = args.astring()
    args.end()
    return messages, session.mailbox(name, try_create=True)


def _copy_all(session: Session, messages: list[StoredMessage], target: Mailbox) -> str:
    """Copies, and the COPYUID code where there is one to give."""
    new = [
        target.deliver(message.octets, internal_date=message.internal_date, flags=message.flags)
        for message in messages
    ]
    if not new or not session.has("UIDPLUS"):
        return ""
    old = UidSet(message.uid for message in messages)
    return f"[COPYUID {target.uid_validity} {old} {UidSet(new)}]"


async def expunge(session: Session, args: Arguments, *, by_uid: bool = False) -> str:
    view = _writable(session)
    if by_uid:
        args.space()
        messages = view.by_uid(args.sequence_set())
    else:
        messages = view.by_uid("1:*")
    args.end()
    view.mailbox.expunge([message.uid for message in messages if DELETED in message.flags])
    return "Done"


async def close(session: Session, args: Arguments) -> str:
    args.end()
    view = session.selected
    if not view.is_read_only:
        view.mailbox.expunge([message.uid for message in view.by_uid("1:*") if DELETED in message.flags])
    session.unselect()
    return "Done"


async def unselect(session: Session, args: Arguments) -> str:
    args.end()
    session.unselect()
    return "Done"


async def idle(session: Session, args: Arguments) -> str:
    """Tell of changes as they happen until the client says DONE."""
    args.end()
    session.send(b"+ idling\r\n")
    line = asyncio.create_task(session.read_line(), name="demo-imap:idle-line")
    try:
        while not line.done():
            await session.tell_news()
            await _first_of(line, session.changed)
        if line.result().strip().upper() != b"DONE":
            raise BadCommand("DONE expected")
    finally:
        line.cancel()
        await asyncio.wait({line})
    return "Done"


async def _first_of(line: asyncio.Task[bytes], changed: asyncio.Event) -> None:
    news = asyncio.create_task(changed.wait(), name="demo-imap:idle-news")
    try:
        await asyncio.wait({line, news}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        news.cancel()


def _messages(view: View, text: str, *, by_uid: bool) -> list[StoredMessage]:
    return view.by_uid(text) if by_uid else view.by_seq(text)


def _use_mod_seqs(session: Session) -> None:
    if not session.has("CONDSTORE"):
        raise BadCommand("CONDSTORE is not offered")
    if session.view is not None and not session.view.mailbox.has_mod_seqs:
        raise BadCommand("the mailbox has no mod-sequences")  # RFC 7162 §3.1.2.2
    session.enabled.add("CONDSTORE")


def _writable(session: Session) -> View:
    if session.selected.is_read_only:
        raise Refused("The mailbox is selected read-only")
    return session.selected
