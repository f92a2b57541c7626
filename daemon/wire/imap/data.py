r"""Untagged data besides FETCH: LIST, STATUS, SEARCH, ESEARCH, VANISHED, NAMESPACE, ID, QUOTA.

Pure. LIST: RFC 9051 §7.3.1 with CHILDINFO and OLDNAME; ESEARCH: §7.3.4; VANISHED: RFC 7162 §3.2.10; NAMESPACE: RFC 2342;
ID: RFC 2971; QUOTA: RFC 9208 §4.3. Raises only RemoteProtocolError.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Final

from daemon.model.errors import RemoteProtocolError
from daemon.model.ids import ModSeq, Uid, UidValidity
from daemon.model.uidset import UidSet, UidSetBuilder
from daemon.wire.imap import values
from daemon.wire.imap.framing import Frame, Streamed
from daemon.wire.imap.number_lines import NumberLine
from daemon.wire.imap.responses import (
    EsearchData,
    IdData,
    ListData,
    Namespace,
    NamespaceData,
    QuotaData,
    QuotaResource,
    QuotaRootData,
    SearchData,
    StatusData,
    Vanished,
)
from daemon.wire.imap.tokenizer import Atom, Token, tokenize, unescape

_LIST: Final = re.compile(
    rb"\*[ ]+(LIST|LSUB)[ ]+\(([^()\"{]*+)\)[ ]+(NIL|\"(?:\\?.)?\"|[^ \"(){]+)[ ]+(.+)\Z",
    re.IGNORECASE | re.DOTALL,
)
_SEARCH_MOD_SEQ: Final = re.compile(rb"\(MODSEQ (\d{1,19})\)\s*\Z", re.IGNORECASE)
_VANISHED: Final = re.compile(rb"(?:\((EARLIER)\)[ ]*)?([0-9:,]*)[ ]*\Z", re.IGNORECASE)
_MALFORMED_QRESYNC: Final = "qresync_malformed"
_MALFORMED_ESEARCH: Final = "esearch_malformed"


def parse_list(frame: Frame, at: int, nesting_depth: int) -> ListData:
    """ABNF: mailbox-list = "(" [mbx-list-flags] ")" SP (DQUOTE QUOTED-CHAR DQUOTE / nil) SP mailbox [SP list-extended]."""
    if isinstance(frame, bytes):
        found = _LIST.match(frame)
        if found is not None:
            is_lsub, attributes, delimiter, rest = found.groups()
            name = _plain_name(rest)
            if name is not None:
                return ListData(
                    wire_name=name,
                    delimiter=_delimiter_of(delimiter),
                    attributes=_attributes(attributes.split()),
                    is_lsub=is_lsub.upper() == b"LSUB",
                )
    tokens = tokenize(frame, at, nesting_depth=nesting_depth)
    if tokens and isinstance(tokens[0], Atom) and tokens[0].is_nil:
        tokens[0] = []
    if len(tokens) < 3 or not isinstance(tokens[0], list):
        raise RemoteProtocolError("LIST without attributes, delimiter and name")
    delimiter_token, name_token = tokens[1], tokens[2]
    children: frozenset[str] = frozenset()
    old_name: bytes | None = None
    for tag, value in _extended(tokens[3:]):
        if tag == "CHILDINFO" and isinstance(value, list):
            children = frozenset(values.word(inner) for inner in value if isinstance(inner, bytes))
        elif tag == "OLDNAME" and isinstance(value, list) and value:
            old_name = _require_string(value[0])
    first = frame if isinstance(frame, bytes) else frame[0]
    return ListData(
        wire_name=_require_string(name_token),
        delimiter=_delimiter(delimiter_token),
        attributes=_attributes(inner for inner in tokens[0] if isinstance(inner, bytes)),
        is_lsub=isinstance(first, bytes) and b"LSUB" in first[:at].upper(),
        children=children,
        old_name=old_name,
    )


def _plain_name(rest: bytes) -> bytes | None:
    """A mailbox name that ends its line; None when extended data follow it.

    QUIRK MailKit#485: quotes inside the quoted name, unescaped. QUIRK Exchange: controls and brackets in bare
    names. A space in a bare name is taken as part of it.
    """
    if rest.startswith(b'"'):
        trimmed = rest.rstrip(b" ")
        return unescape(trimmed[1:-1]) if len(trimmed) > 1 and trimmed.endswith(b'"') else None
    is_extended = rest.startswith(b"(") or (rest.endswith(b")") and b" (" in rest)
    return None if is_extended else rest.rstrip(b" ")


def _extended(tokens: list[Token]) -> list[tuple[str, Token]]:
    if not tokens or not isinstance(tokens[0], list):
        return []
    items = tokens[0]
    return [
        (values.word(tag), value)
        for tag, value in zip(items[::2], items[1::2], strict=False)
        if isinstance(tag, bytes)
    ]


def _attributes(words: Iterable[bytes]) -> frozenset[str]:
    return _shared_attributes(tuple(words))


@lru_cache(maxsize=64)
def _shared_attributes(words: tuple[bytes, ...]) -> frozenset[str]:
    """Cached: many mailboxes have few combinations, and each set costs as much as the rest of the answer."""
    return frozenset(inner.decode("ascii", "backslashreplace").lower() for inner in words)


def _delimiter_of(raw: bytes) -> str | None:
    if raw.upper() == b"NIL":
        return None
    return unescape(raw[1:-1] if raw.startswith(b'"') else raw).decode("latin-1") or None


def _delimiter(token: Token) -> str | None:
    if isinstance(token, Atom) and token.is_nil:
        return None
    return _require_string(token)[:1].decode("latin-1") or None


def _require_string(token: Token) -> bytes:
    if isinstance(token, list | Streamed):
        raise RemoteProtocolError("a string was expected")
    return bytes(token)


def parse_status(frame: Frame, at: int, nesting_depth: int) -> StatusData:
    """ABNF: "STATUS" SP mailbox SP "(" [status-att-list] ")"; items we do not know are skipped."""
    tokens = tokenize(frame, at, nesting_depth=nesting_depth)
    if len(tokens) < 2 or not isinstance(tokens[-1], list):
        raise RemoteProtocolError("STATUS without name and list")
    # a bare name with spaces comes as several words
    name = b" ".join(_require_string(token) for token in tokens[:-1])
    known: dict[str, int | None] = {}
    mailbox_id: str | None = None
    items = tokens[-1]
    for key, value in zip(items[::2], items[1::2], strict=False):
        label = values.word(_require_string(key))
        if label == "MAILBOXID":
            inner = value[0] if isinstance(value, list) and value else value
            mailbox_id = values.printable(inner, 255) if isinstance(inner, bytes) else None
        elif isinstance(value, bytes) and label in _STATUS_NUMBERS and value.upper() != b"NIL":
            known[label] = values.parse_number(value)
    return StatusData(
        wire_name=name,
        message_count=known.get("MESSAGES"),
        unseen_count=known.get("UNSEEN"),
        uid_next=Uid(number) if (number := _uint32(known.get("UIDNEXT"))) else None,
        uid_validity=UidValidity(number) if (number := _uint32(known.get("UIDVALIDITY"))) else None,
        highest_mod_seq=ModSeq(number) if (number := known.get("HIGHESTMODSEQ")) else None,
        size=known.get("SIZE"),
        deleted_count=known.get("DELETED"),
        append_limit=known.get("APPENDLIMIT"),
        mailbox_id=mailbox_id,
    )


_STATUS_NUMBERS: Final = frozenset(
    {"MESSAGES", "UNSEEN", "UIDNEXT", "UIDVALIDITY", "HIGHESTMODSEQ", "SIZE", "DELETED", "APPENDLIMIT"}
)


def _uint32(number: int | None) -> int | None:
    return number if number and number <= values.MAX_UINT32 else None


def parse_search(rest: bytes) -> SearchData:
    """ABNF: "SEARCH" [1*(SP nz-number) [SP search-sort-mod-seq]]."""
    mod_seq: ModSeq | None = None
    found = _SEARCH_MOD_SEQ.search(rest[-64:])
    if found is not None:
        mod_seq = ModSeq(int(found[1]))
        rest = rest[: rest.rindex(b"(")]
    builder = UidSetBuilder()
    values.add_numbers(builder, rest)
    return SearchData(uids=builder.build(), mod_seq=mod_seq)


def parse_esearch(rest: bytes) -> EsearchData:
    """ABNF: "ESEARCH" [search-correlator] [SP "UID"] *(SP search-return-data)."""
    tag: bytes | None = None
    if rest.startswith(b"("):
        correlator, _, rest = rest.partition(b")")
        words = correlator[1:].split(None, 1)
        if len(words) == 2 and words[0].upper() == b"TAG":
            tag = words[1].strip(b'" ')
    words = rest.split()
    is_uid = bool(words) and words[0].upper() == b"UID"
    items = words[1:] if is_uid else words
    uids: UidSet | None = None
    numbers: dict[str, int | None] = {}
    for key, value in zip(items[::2], items[1::2], strict=False):
        label = values.word(key)
        if label == "ALL":
            uids = values.parse_uid_set(value, reason=_MALFORMED_ESEARCH)
        elif label in ("COUNT", "MIN", "MAX", "MODSEQ"):
            numbers[label] = values.parse_number(value, reason=_MALFORMED_ESEARCH)
    return EsearchData(
        tag=tag,
        is_uid=is_uid,
        uids=uids,
        count=numbers.get("COUNT"),
        lowest=numbers.get("MIN"),
        highest=numbers.get("MAX"),
        mod_seq=ModSeq(number) if (number := numbers.get("MODSEQ")) else None,
    )


def parse_vanished(rest: bytes) -> Vanished:
    """ABNF: expunged-resp = "VANISHED" [SP "(EARLIER)"] SP known-uids; an empty set is taken."""
    found = _VANISHED.match(rest)
    if found is None:
        raise RemoteProtocolError(
            f"unreadable VANISHED: {values.printable(rest, 80)}", reason=_MALFORMED_QRESYNC
        )
    uids = values.parse_uid_set(found[2], reason=_MALFORMED_QRESYNC) if found[2] else UidSet()
    return Vanished(uids=uids, is_earlier=found[1] is not None)


def parse_numbers(line: NumberLine) -> SearchData | EsearchData | Vanished:
    """One of the three, from a line that was read as it came."""
    uids, rest = line.end()
    if line.word == "ESEARCH":
        items = line.head.split(None, 2)[2]
        return replace(parse_esearch(items + b"1" + rest), uids=uids)
    if line.word == "VANISHED":
        if rest.strip(b" "):
            raise RemoteProtocolError(
                f"unreadable VANISHED: {values.printable(rest, 80)}", reason=_MALFORMED_QRESYNC
            )
        return Vanished(uids=uids, is_earlier=b"(" in line.head)
    return replace(parse_search(rest), uids=uids)


def parse_namespace(frame: Frame, at: int, nesting_depth: int) -> NamespaceData:
    """ABNF: namespace-response = "NAMESPACE" SP namespace SP namespace SP namespace."""
    tokens = tokenize(frame, at, nesting_depth=nesting_depth)
    lists = [_namespaces(token) for token in tokens[:3]]
    lists += [()] * (3 - len(lists))
    return NamespaceData(personal=lists[0], others=lists[1], shared=lists[2])


def _namespaces(token: Token) -> tuple[Namespace, ...]:
    if not isinstance(token, list):
        return ()
    return tuple(
        Namespace(prefix=_require_string(inner[0]), delimiter=_delimiter(inner[1]))
        for inner in token
        if isinstance(inner, list) and len(inner) >= 2
    )


def parse_id(frame: Frame, at: int, nesting_depth: int) -> IdData:
    """ABNF: id-params-list = "(" *(string SP nstring) ")" / nil."""
    tokens = tokenize(frame, at, nesting_depth=nesting_depth)
    fields = tokens[0] if tokens and isinstance(tokens[0], list) else []
    return IdData(
        fields={
            values.printable(key, 64).lower(): values.printable(value, 256)
            for key, value in zip(fields[::2], fields[1::2], strict=False)
            if isinstance(key, bytes)
            and isinstance(value, bytes)
            and not (isinstance(value, Atom) and value.is_nil)
        }
    )


def parse_quota_root(frame: Frame, at: int, nesting_depth: int) -> QuotaRootData:
    """ABNF: quotaroot-response = "QUOTAROOT" SP mailbox *(SP quota-root-name)."""
    names = [_require_string(token) for token in tokenize(frame, at, nesting_depth=nesting_depth)]
    if not names:
        raise RemoteProtocolError("QUOTAROOT without a mailbox")
    return QuotaRootData(wire_name=names[0], roots=tuple(names[1:]))


def parse_quota(frame: Frame, at: int, nesting_depth: int) -> QuotaData:
    """ABNF: quota-response = "QUOTA" SP quota-root-name SP quota-list; numbers have 63 bits (MailKit#1602)."""
    tokens = tokenize(frame, at, nesting_depth=nesting_depth)
    if len(tokens) != 2 or not isinstance(tokens[1], list):
        raise RemoteProtocolError("QUOTA without root and list")
    words = [_require_string(token) for token in tokens[1]]
    return QuotaData(
        root=_require_string(tokens[0]),
        resources=tuple(
            QuotaResource(
                name=values.word(name), used=values.require_number(used), limit=values.require_number(limit)
            )
            for name, used, limit in zip(words[::3], words[1::3], words[2::3], strict=False)
        ),
    )
