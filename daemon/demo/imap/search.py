"""SEARCH: criteria read from the command as one test on a message.

RFC 3501 §6.4.4; MODSEQ: RFC 7162 §3.1.5. Text is looked for in the octets as they are, not decoded.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from daemon.demo.imap.arguments import Arguments, BadCommand
from daemon.demo.imap.fetch import split_message
from daemon.demo.imap.view import View, select_numbers
from daemon.demo.mailbox import StoredMessage
from daemon.model.flags import normalise_flags

Test = Callable[[StoredMessage], bool]

_MOST_NESTED: Final = 32
_DAY_SECONDS: Final = 86_400
_FLAGS: Final = ("ANSWERED", "DELETED", "DRAFT", "FLAGGED", "SEEN")
_FIELDS: Final = ("BCC", "CC", "FROM", "SUBJECT", "TO")
_CHARSETS: Final = ("US-ASCII", "UTF-8")
_KEY: Final = re.compile(rb"[A-Za-z]+")


def read_criteria(args: Arguments, view: View) -> Test:
    """ABNF: search-key *(SP search-key), all of which must hold."""
    tests = [_key(args, view, 0)]
    while args.accept(b" "):
        tests.append(_key(args, view, 0))
    args.end()
    return _all(tests)


def read_charset(args: Arguments) -> None:
    """CHARSET before the criteria; only ASCII and UTF-8 are known."""
    if args.accept(b"CHARSET "):
        if args.astring().decode("ascii", "replace").upper() not in _CHARSETS:
            raise BadCommand("unknown charset")
        args.space()


def _key(args: Arguments, view: View, depth: int) -> Test:
    if depth > _MOST_NESTED:
        raise BadCommand("too deep")
    if args.peek() == b"(":
        return _all(args.listed(lambda: _key(args, view, depth + 1)))
    if args.peek().isdigit() or args.peek() == b"*":
        return _one_of(message.uid for message in view.by_seq(args.sequence_set()))
    name = args.match(_KEY, "a search key")[0].decode("ascii").upper()
    if name == "NOT":
        args.space()
        inner = _key(args, view, depth + 1)
        return lambda message: not inner(message)
    if name == "OR":
        args.space()
        left = _key(args, view, depth + 1)
        args.space()
        right = _key(args, view, depth + 1)
        return lambda message: left(message) or right(message)
    return _flag_key(name) or _argument_key(name, args, view)


def _flag_key(name: str) -> Test | None:
    """Keys without an argument; None for one that has one."""
    if name in ("ALL", "OLD"):
        return _all(())
    if name in ("NEW", "RECENT"):
        return _one_of(())
    is_un = name.startswith("UN") and name[2:] in _FLAGS
    if not is_un and name not in _FLAGS:
        return None
    flag = next(iter(normalise_flags(["\\" + (name[2:] if is_un else name)])))
    return lambda message: (flag in message.flags) != is_un


def _argument_key(name: str, args: Arguments, view: View) -> Test:
    if name == "UID":
        args.space()
        return _one_of(select_numbers(args.sequence_set(), view.uids))
    if name not in _READERS and name not in _FIELDS:
        raise BadCommand(f"unknown search key {name}")
    args.space()
    if name in _FIELDS:
        return _has_field(name.encode(), args.astring())
    return _READERS[name](args)


def _keyword(args: Arguments) -> Test:
    flags = args.flags()
    return lambda message: flags <= message.flags


def _unkeyword(args: Arguments) -> Test:
    flags = args.flags()
    return lambda message: not flags <= message.flags


def _since(args: Arguments) -> Test:
    day = args.date()
    return lambda message: message.internal_date >= day


def _before(args: Arguments) -> Test:
    day = args.date()
    return lambda message: message.internal_date < day


def _on(args: Arguments) -> Test:
    day = args.date()
    return lambda message: day <= message.internal_date < day + _DAY_SECONDS


def _larger(args: Arguments) -> Test:
    size = args.number()
    return lambda message: len(message.octets) > size


def _smaller(args: Arguments) -> Test:
    size = args.number()
    return lambda message: len(message.octets) < size


def _header(args: Arguments) -> Test:
    name = args.astring()
    args.space()
    return _has_field(name, args.astring())


def _text(args: Arguments) -> Test:
    wanted = args.astring().lower()
    return lambda message: wanted in message.octets.lower()


def _body(args: Arguments) -> Test:
    wanted = args.astring().lower()
    return lambda message: wanted in split_message(message.octets)[1].lower()


def _mod_seq(args: Arguments) -> Test:
    lowest = args.number()
    return lambda message: message.mod_seq >= lowest


_READERS: Final[dict[str, Callable[[Arguments], Test]]] = {
    "BEFORE": _before,
    "BODY": _body,
    "HEADER": _header,
    "KEYWORD": _keyword,
    "LARGER": _larger,
    "MODSEQ": _mod_seq,
    "ON": _on,
    "SINCE": _since,
    "SMALLER": _smaller,
    "TEXT": _text,
    "UNKEYWORD": _unkeyword,
}


def _has_field(name: bytes, wanted: bytes) -> Test:
    field = re.compile(rb"^" + re.escape(name) + rb"[ \t]*:((?:.|\n[ \t])*)", re.IGNORECASE | re.MULTILINE)
    lowered = wanted.lower()
    return lambda message: any(
        lowered in value.lower() for value in field.findall(split_message(message.octets)[0])
    )


def _one_of(uids: Iterable[int]) -> Test:
    wanted = frozenset(uids)
    return lambda message: message.uid in wanted


def _all(tests: Sequence[Test]) -> Test:
    return lambda message: all(test(message) for test in tests)
