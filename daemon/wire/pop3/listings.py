r"""Listings: lines of LIST and UIDL as numbers, sizes and ids, block by block while they come.

ABNF: scan-listing = message-number SP message-size [SP text]; unique-id listing = message-number SP 1*70(%x21-7E)
(RFC 1939 §5, §7). Pure. One regex reads a block of good lines; others are read singly, and what no reading fits is
ignored or None: a listing with one bad line is still of use. Numbers are valid in one session only.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from daemon.model.errors import RemoteProtocolError
from daemon.wire.pop3.limits import Limits
from daemon.wire.pop3.responses import DropStat, SizeLines, Uidl, UidlLines

MAX_SIZE: Final = 2**63 - 1
UIDL_CHARACTERS: Final = 512
"""RFC 1939 §7 allows 70; longer ones up to here are kept as said, beyond it their digest is."""

_SIZES: Final = re.compile(rb"^(\d{1,9}) (\d{1,18})\r?\n", re.MULTILINE)
_UIDLS: Final = re.compile(rb"^(\d{1,9}) ([!-~]{1,70})\r?\n", re.MULTILINE)
_UIDL: Final = re.compile(rb"[!-~]{1,%d}\Z" % UIDL_CHARACTERS)
_STAT: Final = re.compile(rb"\+OK[ \t]+(\d{1,9})(?:[ \t]+(-?\d+))?", re.IGNORECASE)
_MOST_DIGITS: Final = 9

Lines = SizeLines | UidlLines
Parse = Callable[[bytes], Lines]


class Unread(Sequence[Any]):
    """The entries of a block of whole lines, read each time they are asked for: nobody may ever do so.

    A listing that is known by its octets need not be read.
    """

    __slots__ = ("_parse", "octets")

    def __init__(self, parse: Parse, octets: bytes) -> None:
        self._parse = parse
        self.octets = octets

    def read(self) -> Sequence[Any]:
        """The entries."""
        return self._parse(self.octets).entries

    def __len__(self) -> int:
        return len(self.read())

    def __getitem__(self, at: Any) -> Any:
        return self.read()[at]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.read())

    def __eq__(self, other: object) -> bool:
        return self.read() == (other.read() if isinstance(other, Unread) else other)

    __hash__ = None  # type: ignore[assignment]  # equal to a list


class ListingReader:
    """Takes the octets of one LIST or UIDL answer in portions; `parse` is how a block of whole lines will be read."""

    __slots__ = ("_bytes", "_count", "_limits", "_parse", "_partial")

    def __init__(self, parse: Parse, limits: Limits) -> None:
        self._parse = parse
        self._limits = limits
        self._partial = b""
        self._count = 0
        self._bytes = 0

    def take(self, octets: bytes) -> Lines | None:
        """What became complete, None if nothing did."""
        limits = self._limits
        self._bytes += len(octets)
        if self._bytes > limits.listing_bytes:
            raise RemoteProtocolError(f"listing of more than {limits.listing_bytes} bytes", reason="flood")
        block = self._partial + octets if self._partial else octets
        lines = block.split(b"\n")
        if max(map(len, lines)) > limits.listing_line_bytes:
            self._refuse_long(lines)
        self._count += len(lines) - 1
        if self._count > limits.listing_count:
            raise RemoteProtocolError(f"listing of more than {limits.listing_count} lines", reason="flood")
        cut = len(block) - len(lines[-1])
        self._partial = block[cut:]
        return _KINDS[self._parse](Unread(self._parse, block[:cut])) if cut else None

    def _refuse_long(self, lines: Sequence[bytes]) -> None:
        limits = self._limits
        too_long = next(at for at, line in enumerate(lines) if len(line) > limits.listing_line_bytes)
        if too_long <= limits.listing_count - self._count:  # whichever comes first, however it is cut
            raise RemoteProtocolError(
                f"listing line of more than {limits.listing_line_bytes} bytes", reason="line_too_long"
            )

    def end(self) -> Lines | None:
        """What is left when the answer is complete."""
        return self.take(b"\n") if self._partial else None


def parse_sizes(block: bytes) -> SizeLines:
    """Lines of LIST, each with its line end."""
    found = _SIZES.findall(block)
    if len(found) == block.count(b"\n"):
        return SizeLines([(int(number), int(size)) for number, size in found if int(number)])
    entries = []
    for number, words in _numbered(block):
        entries.append((number, _parse_size(words.split()[0]) if words else None))
    return SizeLines(entries)


def parse_uidls(block: bytes) -> UidlLines:
    """Lines of UIDL, each with its line end."""
    found = _UIDLS.findall(block)
    if len(found) == block.count(b"\n"):
        return UidlLines([(int(number), Uidl(uidl.decode("ascii"))) for number, uidl in found if int(number)])
    return UidlLines([(number, parse_uidl(words)) for number, words in _numbered(block)])


def parse_uidl(octets: bytes) -> Uidl | None:
    """An id: as said if it is printable, its digest if it is too long or holds spaces, controls or 8-bit; None if empty."""
    if not octets:
        return None
    if _UIDL.match(octets):
        return Uidl(octets.decode("ascii"))
    # such an id is only ever compared, and no name of a file or row is made of it
    return Uidl("sha256:" + hashlib.sha256(octets).hexdigest())


def parse_stat(line: bytes) -> DropStat | None:
    """ABNF: drop-listing = "+OK" SP count SP octets; None when there is no count in it."""
    found = _STAT.match(line)
    if found is None:
        return None
    return DropStat(int(found[1]), _parse_size(found[2]) if found[2] else None)


def parse_one(parse: Parse, line: bytes, number: int) -> Lines:
    """The answer to LIST or UIDL with a number; RemoteProtocolError if it is about another message."""
    lines = parse(line[3:].strip() + b"\n")
    if [entry[0] for entry in lines.entries] != [number]:
        # an answer about another message is how a hostile server has one message taken for another
        raise RemoteProtocolError(f"answer about another message than {number}", reason="wrong_message")
    return lines


def _numbered(block: bytes) -> list[tuple[int, bytes]]:
    """Number and the words behind it, of each line that begins with a number."""
    found = []
    for line in block.split(b"\n"):
        words = line.removesuffix(b"\r").strip(b" \t")
        if words[:3].upper() == b"+OK":
            # QUIRK some servers begin every line with +OK (thunderbird-android Pop3Folder)
            words = words[3:].lstrip(b" \t")
        digits, *rest = words.split(None, 1) or (b"",)
        if digits.isdigit() and len(digits) <= _MOST_DIGITS and int(digits):
            found.append((int(digits), rest[0] if rest else b""))
    return found


def _parse_size(word: bytes) -> int | None:
    """Octets; None when negative, absurd or no number."""
    if not word.isdigit() or len(word) > len(str(MAX_SIZE)):
        return None
    size = int(word)
    return size if size <= MAX_SIZE else None


_KINDS: Final[Mapping[Parse, type[SizeLines] | type[UidlLines]]] = {
    parse_sizes: SizeLines,
    parse_uidls: UidlLines,
}
