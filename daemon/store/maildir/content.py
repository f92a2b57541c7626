"""Facts of a message's octets: both sizes, the digests, the header summary, and the wire form itself.

The wire form is the file with every bare LF as CRLF and nothing else changed (sync.md 3). Streams of any length are
measured with bounded memory. Pure computing: it blocks for as long as hashing takes, so it runs in a named pool.
"""

import hashlib
import re
from typing import Final

from daemon.model.envelope import Content
from daemon.wire import mime

CHUNK_BYTES: Final = 256 << 10
_BARE_LINE_FEED: Final = re.compile(rb"\n(?<!\r\n)")


def facts_of(octets: bytes) -> Content:
    """Facts of a message held in memory."""
    header = mime.header_block(octets)
    file_sha256 = hashlib.sha256(octets).digest()
    bare = bare_line_feeds(octets)
    wire_sha256 = hashlib.sha256(wire_form(octets)).digest() if bare else file_sha256
    return Content(
        file_size=len(octets),
        file_sha256=file_sha256,
        wire_size=len(octets) + bare,
        wire_sha256=wire_sha256,
        header_sha256=hashlib.sha256(wire_form(header) if bare else header).digest(),
        envelope=mime.read_facts(header),
    )


def bare_line_feeds(octets: bytes) -> int:
    """How many LF have no CR before them."""
    if _BARE_LINE_FEED.search(octets) is None:  # a third of what counting costs, and it is the common case
        return 0
    return octets.count(b"\n") - octets.count(b"\r\n")


def wire_form(octets: bytes) -> bytes:
    """The octets with every bare LF as CRLF; CR without LF stays."""
    return octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


class WireStream:
    """Wire form of a stream, chunk by chunk; a CRLF cut in two by a chunk's end stays one line end."""

    __slots__ = ("_ends_with_cr",)

    def __init__(self) -> None:
        self._ends_with_cr = False

    def convert(self, chunk: bytes) -> bytes:
        """The chunk in wire form: the same object where nothing had to be changed."""
        if not chunk:
            return chunk
        continues = self._ends_with_cr and chunk.startswith(b"\n")
        self._ends_with_cr = chunk.endswith(b"\r")
        if bare_line_feeds(chunk) == continues:
            return chunk
        if continues:
            return b"\n" + wire_form(chunk[1:])
        return wire_form(chunk)


class ContentMeter:
    """Content of a stream: `feed` every chunk in order, then `result`."""

    def __init__(self) -> None:
        self._file_hash = hashlib.sha256()
        self._wire_hash: hashlib._Hash | None = None  # None while both forms are equal
        self._header_hash = hashlib.sha256()
        self._wire = WireStream()
        self._head: list[bytes] = []
        self._head_room = mime.MAX_BLOCK_BYTES + 4
        self._tail = b"\r\n"  # as if a line had just ended: an empty line may come first
        self._is_in_header = True
        self.file_size = 0
        self._wire_size = 0

    def feed(self, chunk: bytes) -> bytes:
        """Take the next chunk; returns its wire form."""
        wire = self._wire.convert(chunk)
        if self._wire_hash is None and wire is not chunk:
            self._wire_hash = self._file_hash.copy()
        if self._wire_hash is not None:
            self._wire_hash.update(wire)
        self._file_hash.update(chunk)
        self.file_size += len(chunk)
        self._wire_size += len(wire)
        if self._is_in_header:
            self._feed_header(wire)
        return wire

    def result(self) -> Content:
        """Facts of what was fed."""
        file_sha256 = self._file_hash.digest()
        return Content(
            file_size=self.file_size,
            file_sha256=file_sha256,
            wire_size=self._wire_size,
            wire_sha256=self._wire_hash.digest() if self._wire_hash is not None else file_sha256,
            header_sha256=self._header_hash.digest(),
            envelope=mime.read_facts(b"".join(self._head)),
        )

    def received_date(self) -> int | None:
        """When the last server took the message, as its header says (`wire.mime.received_date`)."""
        return mime.received_date(b"".join(self._head))

    def _feed_header(self, wire: bytes) -> None:
        seen = self._tail + wire
        end = seen.find(b"\r\n\r\n")
        part = wire
        if end >= 0:
            part = wire[: end + 4 - len(self._tail)]
            self._is_in_header = False
        self._tail = seen[-3:]
        self._header_hash.update(part)
        if self._head_room > 0:
            self._head.append(part[: self._head_room])
            self._head_room -= len(part)
